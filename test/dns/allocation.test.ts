/** The hot path's promise: in steady state a query leaves nothing for the garbage collector. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Responder, TCP_MAX, TRANSPORT } from '../../src/dns/respond.ts';
import { buildQuery, subnetOption } from '../support/dns-query.ts';
import { openDoor } from '../support/dns-zone.ts';

/** Short enough that most bursts see no collection, which would hide what was allocated. */
const BURST = 10_000;
const BURSTS = 21;
const options = [subnetOption(1, 24, [203, 0, 113])];
const client8 = [1, 2, 3, 4, 5, 6, 7, 8];
const everything = [
  ...options,
  [3, []] as const,
  [10, client8] as const,
  [11, []] as const,
  [12, [0]] as const,
];
const QUERIES = {
  static: buildQuery({ name: 'ns1.example.com', type: 1 }),
  'by client subnet': buildQuery({ name: 'www.example.com', type: 1, edns: { options } }),
  'by client address': buildQuery({ name: 'www.example.com', type: 28, edns: {} }),
  weighted: buildQuery({ name: 'weighted.example.com', type: 1 }),
  alias: buildQuery({ name: 'one.example.com', type: 1 }),
  referral: buildQuery({ name: 'a.down.example.com', type: 1 }),
  negative: buildQuery({ name: 'missing.example.com', type: 1, edns: {} }),
  'additional data': buildQuery({ name: 'example.com', type: 15, edns: {} }),
  'turning rrset': buildQuery({ name: 'big.example.com', type: 1, edns: {} }),
  'names outside the zone': buildQuery({ name: 'away.example.com', type: 1 }),
  'name servers': buildQuery({ name: 'example.com', type: 2 }),
  DNAME: buildQuery({ name: 'www.moved.example.com', type: 16 }),
  'service behind an alias': buildQuery({ name: 'svc.example.com', type: 65 }),
  'a client cookie': buildQuery({
    name: 'ns1.example.com',
    type: 1,
    edns: { options: [[10, client8]] },
  }),
  'a cookie that is not ours': buildQuery({
    name: 'ns1.example.com',
    type: 1,
    edns: { options: [[10, [...client8, 1, 0, 0, 0, 0x69, 0x55, 0xb9, 0, ...client8]]] },
  }),
  'every option': buildQuery({ name: 'www.example.com', type: 1, edns: { options: everything } }),
  'an extended error': buildQuery({ name: 'www.example.org', type: 1, edns: {} }),
  'another opcode': buildQuery({ name: 'example.com', type: 1, flags: 0x2000, edns: {} }),
  'class CH': buildQuery({ name: 'id.server', type: 16, class: 3 }),
  malformed: buildQuery({ name: 'example.com', type: 15, tail: [0] }),
};

const LIMITED = ['static', 'negative', 'referral', 'an extended error', 'a client cookie'] as const;

const CLIENT = Uint8Array.of(192, 0, 2, 1);
const dns = { identity: 'fra-1' };
const rate_limit = { responses_per_s: 100, slip: 2, prefix4: 24, prefix6: 56 };

test('answering allocates nothing, whatever the answer is; nor does limiting it', async () => {
  const clock = new VirtualClock();
  const open = openDoor(undefined, { dns, clock }).responder;
  const limited = openDoor(undefined, { dns: { ...dns, rate_limit }, clock }).responder;
  const out = new Uint8Array(TCP_MAX);
  const burst = (responder: Responder, packet: Uint8Array): number => {
    clock.advance(500);
    responder.tick(); // so that of a limited burst a part is sent, a part slips and a part is dropped
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < BURST; i++) {
      responder.respond(packet, packet.length, CLIENT, 0, 4, out, TRANSPORT.UDP);
    }
    return process.memoryUsage().heapUsed - before;
  };
  const kinds = [
    ...Object.entries(QUERIES).map(([kind, packet]) => [kind, packet, open] as const),
    ...LIMITED.map((kind) => [`${kind}, limited`, QUERIES[kind], limited] as const),
  ];
  // Compiles the answer sets; V8 optimises on threads of its own and hands over between turns.
  for (let i = 0; i < BURSTS; i++) {
    for (const [, packet, responder] of kinds) burst(responder, packet);
    await new Promise(setImmediate);
  }
  for (const [kind, packet, responder] of kinds) {
    const grown = Array.from({ length: BURSTS }, () => burst(responder, packet));
    const median = grown.sort((a, b) => a - b)[BURSTS >> 1]!;
    // One small object a query would be at least 16 bytes each.
    assert.ok(median < BURST * 2, `${kind}: ${(median / BURST).toFixed(1)} bytes a query`);
  }
});
