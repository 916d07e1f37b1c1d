/**
 * Up to two million messages at the codec's door: random bytes behind a good header, and good messages
 * with bytes changed, cut and joined. Nothing is thrown, everything ends, and memory stays flat.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { type Prng, prng } from '../../src/base/prng.ts';
import { asPathText } from '../../src/bgp/wire/as-path.ts';
import { aigpMetric } from '../../src/bgp/wire/attribute-rows.ts';
import type { CodecContext } from '../../src/bgp/wire/attributes.ts';
import { capabilityText } from '../../src/bgp/wire/capability.ts';
import { extendedTexts, standardText } from '../../src/bgp/wire/community.ts';
import type { Fault } from '../../src/bgp/wire/fault.ts';
import { Framer } from '../../src/bgp/wire/framer.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/bgp/wire/message.ts';
import { notificationText } from '../../src/bgp/wire/notification.ts';
import { routeChanges } from '../../src/bgp/wire/update.ts';
import { message } from '../bgp/wire/arbitrary.ts';

/** Two million take 12 s of processor time. */
const MESSAGES = process.env.CI === 'true' ? 2_000_000 : 100_000;
const HEAP_GROWTH_MAX = 2 * 1024 * 1024;
/** Every combination of what a session may have agreed on. */
const CONTEXTS: readonly CodecContext[] = Array.from({ length: 64 }, (_, bits) => ({
  four_octet_as: (bits & 1) === 0,
  ibgp: (bits & 2) !== 0,
  add_path4: (bits & 4) !== 0,
  add_path6: (bits & 8) !== 0,
  extended_messages: (bits & 16) !== 0,
  extended_next_hop: (bits & 32) !== 0,
}));

/** Good messages of each context, the same for one seed. */
function corpus(): Uint8Array[] {
  return CONTEXTS.flatMap((context) =>
    fc
      .sample(message(context), { numRuns: 20, seed: 4271 })
      .flatMap((it) => encodeMessage(it, context) ?? [])
      .filter((bytes) => bytes.length < 600),
  );
}

/** All that is made of a decoded message for people and for the RIB. */
function use(decoded: Message, fault: Fault | null): void {
  if (decoded.type === 'open') decoded.open.capabilities.map(capabilityText);
  if (decoded.type === 'notification') notificationText(decoded.notification);
  if (decoded.type !== 'update') return;
  const { as_path } = routeChanges(decoded.update, fault);
  asPathText(as_path);
  const { aigp, communities, extended_communities } = decoded.update.attributes;
  if (aigp) aigpMetric(aigp);
  communities?.map(standardText);
  if (extended_communities) extendedTexts(extended_communities);
}

/** Writes the next input into `buffer` and returns its length. */
function mutate(random: Prng, seeds: readonly Uint8Array[], buffer: Uint8Array): number {
  let length: number;
  if (random.int(4) === 0) {
    length = 19 + random.int(80);
    for (let i = 19; i < length; i++) buffer[i] = random.int(256);
    buffer.fill(0xff, 0, 16);
    buffer[18] = 1 + random.int(5);
  } else {
    const seed = seeds[random.int(seeds.length)]!;
    buffer.set(seed);
    length = seed.length;
    for (let changes = random.int(6); changes > 0; changes--) {
      // Small offsets hold the lengths, which do the most harm.
      const at = 19 + random.int(random.int(2) === 0 ? 12 : Math.max(1, length - 19));
      buffer[at] = random.int(3) === 0 ? random.int(256) : buffer[at]! ^ (1 << random.int(8));
    }
    if (random.int(4) === 0) length = Math.max(19, length - random.int(30));
  }
  // Usually an honest header, so that the bodies are reached.
  if (random.int(50) !== 0) {
    buffer[16] = length >> 8;
    buffer[17] = length;
  }
  return length;
}

test(`${MESSAGES} random and mutated messages: no throw, no hang, flat memory`, () => {
  const random = prng(7606);
  const seeds = corpus();
  const buffer = new Uint8Array(1024);
  const outcomes: Record<string, number> = {};
  let heap = 0;
  let framer = new Framer();
  for (let i = 0; i < MESSAGES; i++) {
    const length = mutate(random, seeds, buffer);
    const bytes = buffer.subarray(0, length);
    const context = CONTEXTS[i % CONTEXTS.length]!;
    const { message: decoded, fault } = decodeMessage(bytes, context);
    if (decoded) use(decoded, fault);
    const outcome = fault?.class ?? 'fine';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (decoded && !fault) encodeMessage(decoded, context);
    if (framer.push(bytes, () => true)) framer = new Framer();
    if (i === MESSAGES / 10) heap = usedHeap();
  }
  const growth = usedHeap() - heap;
  assert.ok(growth < HEAP_GROWTH_MAX, `the heap grew by ${growth} bytes`);
  // The mutations reach every class of RFC 7606, else this test would prove little.
  for (const outcome of ['fine', 'attribute-discard', 'treat-as-withdraw', 'session-reset']) {
    assert.ok((outcomes[outcome] ?? 0) > MESSAGES / 500, JSON.stringify(outcomes));
  }
});

/** After a full collection: what is really held. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
