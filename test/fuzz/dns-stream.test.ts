/**
 * Messages by the million, sound and mutated, on thousands of streams, in chunks of any size: no
 * throw, no hang, no memory that stays, and a well-behaved client beside them is always answered.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import process from 'node:process';
import { test } from 'node:test';
import { type Prng, prng } from '../../src/base/prng.ts';
import { buildQuery, readMessage, subnetOption } from '../support/dns-query.ts';
import { framed } from '../support/dns-server.ts';
import { eventually } from '../support/eventually.ts';
import { heldBytes } from '../support/held-bytes.ts';
import { open, type Streams, startStreams } from '../support/streams.ts';

/** A million messages in CI; fewer where somebody waits. */
const STREAMS = process.env.CI === 'true' ? 10_000 : 2_000;
const MESSAGES_PER_STREAM = 100;
const AT_ONCE = 20;
/** What Node and V8 keep of closed connections for themselves. */
const GROWTH_BYTES_MAX = 4 * 1024 * 1024;

/** Closed sockets let go of what they hold over a few turns of the loop. */
async function settledBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate);
    heldBytes();
  }
  return heldBytes();
}

const SEEDS = ['www.example.com', 'big.example.com', 'example.com', 'a.b.wild.example.com', '.']
  .flatMap((name) => [1, 6, 16, 251, 252, 255].map((type) => ({ name, type })))
  .flatMap((question) => [
    buildQuery(question),
    buildQuery({ ...question, edns: { options: [subnetOption(1, 24, [203, 0, 113])] } }),
    buildQuery({ ...question, counts: [1, 0, 0, 1], tail: [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0] }),
  ])
  .map(framed);

/** Sound messages, some of which are cut, doubled, or have octets changed, also in their length. */
function mutated(random: Prng): Buffer {
  const parts: Uint8Array[] = [];
  const wild = random.int(5) === 0;
  for (let i = 0; i < MESSAGES_PER_STREAM; i++) {
    const message = SEEDS[random.int(SEEDS.length)]!.slice();
    if (wild || random.int(200) === 0) {
      const at = random.int(message.length);
      const kind = random.int(4);
      if (kind === 0) message[at] = random.int(256);
      else if (kind === 1) parts.push(message.subarray(0, at));
      else if (kind === 2) parts.push(Uint8Array.from({ length: at }, () => random.int(256)));
      else message[0] = random.int(256);
    }
    parts.push(message);
  }
  return Buffer.concat(parts);
}

async function abuse({ at }: Streams, random: Prng): Promise<number> {
  const socket = await open(at);
  let octets = 0;
  socket.on('data', ({ length }) => {
    octets += length;
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('end', () => socket.end());
  const stream = mutated(random);
  for (let from = 0; from < stream.length && socket.writable; ) {
    const size = 1 + random.int(random.int(4) === 0 ? 20 : 4000);
    socket.write(stream.subarray(from, from + size));
    from += size;
    if (random.int(8) === 0) await new Promise(setImmediate);
  }
  const end = random.int(4);
  if (end === 0) socket.destroy();
  else if (end === 1) socket.resetAndDestroy();
  else socket.end();
  await closed;
  return octets;
}

test('mutated streams: no throw, no hang, memory flat, others are answered', async () => {
  const messages = function* (packet: Uint8Array): Generator<Uint8Array> {
    for (let i = 0; i < 3; i++) yield packet;
  };
  const handler = { answer: (packet: Uint8Array) => (packet[0]! & 1 ? null : messages(packet)) };
  const streams = await startStreams({ handler, settings: { tcp_clients_max: 19 } });
  const random = prng(20261120);
  const round = async (count: number): Promise<number> => {
    let octets = 0;
    for (let i = 0; i < count; i += AT_ONCE) {
      const all = Array.from({ length: AT_ONCE }, () => abuse(streams, random));
      for (const one of await Promise.all(all)) octets += one;
      const good = await open(streams.at);
      good.write(framed(buildQuery({ id: i & 0xffff, name: 'ns1.example.com', type: 1 })));
      const [answer] = await once(good, 'data');
      assert.equal(readMessage(answer.subarray(2)).id, i & 0xffff);
      good.destroy();
    }
    return octets;
  };
  await round(STREAMS / 4);
  const before = await settledBytes();
  assert.ok((await round((STREAMS * 3) / 4)) > STREAMS * 500);
  await eventually('all have gone', () => streams.counters.get('tcp_clients') === 0);
  const grown = (await settledBytes()) - before;
  assert.ok(grown < GROWTH_BYTES_MAX, `${grown} bytes more are held`);
  assert.ok(streams.asked() > STREAMS * 10, `${streams.asked()} queries were asked`);
  await streams.server.stop();
});
