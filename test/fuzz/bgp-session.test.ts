/**
 * Broken sessions at the speaker's door: good and mutated messages in any order and any cut, with
 * every way to end a connection. An honest session beside them does not notice, and nothing stays.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Prng, prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import { Speaker } from '../../src/bgp/speaker.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { encodeMessage } from '../../src/bgp/wire/message.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { message } from '../bgp/wire/arbitrary.ts';
import { bgpSite, KEEPALIVE, neighbor, OPEN, plan, until } from '../support/bgp.ts';

const CONNECTIONS = 1_000;
const AT_ONCE = 20;
const CONTEXT = { ...DEFAULT_CONTEXT, four_octet_as: false };
const SEEDS = fc
  .sample(message(CONTEXT), { numRuns: 300, seed: 4271 })
  .flatMap((it) => encodeMessage(it, CONTEXT) ?? []);

const clock = new SystemClock();
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Mostly a good handshake, then messages with a few bits changed. */
function brokenStream(random: Prng): Buffer {
  const parts: Uint8Array[] = [];
  if (random.int(10) > 0) parts.push(OPEN);
  if (random.int(10) > 0) parts.push(KEEPALIVE);
  for (let more = random.int(8); more >= 0; more--) {
    const bytes = Buffer.from(SEEDS[random.int(SEEDS.length)]!);
    for (let changes = random.int(4); changes > 0; changes--) {
      // The header is rarely touched, so that the bodies are reached.
      const from = random.int(10) === 0 ? 0 : Math.min(19, bytes.length - 1);
      const at = from + random.int(bytes.length - from);
      bytes[at] = bytes[at]! ^ (1 << random.int(8));
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

async function brokenSession(to: HostPort, random: Prng): Promise<void> {
  const socket = connect(to.port, to.address);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  const stream = brokenStream(random);
  for (let at = 0; at < stream.length; ) {
    const next = at + 1 + random.int(200);
    socket.write(stream.subarray(at, next));
    at = next;
    if (random.int(5) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const end = [() => socket.end(), () => socket.destroy(), () => socket.resetAndDestroy()];
  end[random.int(end.length)]!();
  await closed;
}

test('a thousand broken sessions: no throw, nothing left, an honest session lives on', async () => {
  const router = new Collector({
    listen: { address: '127.0.0.1', port: 0 },
    as: 65000,
    router_id: '10.0.0.253',
    hold_time_ms: 90_000,
    clock,
    prng: prng(5),
    log: silentLog,
  });
  await router.start();
  cleanups.push(() => router.stop());
  const bgp = bgpSite([neighbor(router.address, { hold_time_ms: 90_000 })]);
  const site = new Speaker({ bgp, clock, prng: prng(6), log: silentLog, onEvent: () => {} });
  cleanups.push(() => site.stop());
  site.apply([plan(['198.18.80.80/32'])]);
  await site.start();
  await until(() => router.routes().length === 1);
  let established = 0;
  router.onChange(({ kind }) => {
    if (kind === 'up') established++;
  });
  const random = prng(7606);
  for (let done = 0; done < CONNECTIONS; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => brokenSession(router.address, random)));
  }
  await until(() => router.peers().length === 1);
  assert.deepEqual(
    router.routes().map(({ prefix, from }) => `${prefix} ${from.router_id}`),
    ['198.18.80.80/32 10.0.0.1'],
  );
  assert.equal(site.neighbors()[0]?.sessions, 1);
  // Else the messages were never looked at and this proves little.
  assert.ok(established > CONNECTIONS / 10, `${established} handshakes`);
});
