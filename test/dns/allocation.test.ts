/** The hot path's promise: in steady state a query leaves nothing for the garbage collector. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { TCP_MAX, TRANSPORT } from '../../src/dns/respond.ts';
import { buildQuery, subnetOption } from '../support/dns-query.ts';
import { openDoor } from '../support/dns-zone.ts';

/** Short enough that most bursts see no collection, which would hide what was allocated. */
const BURST = 20_000;
const BURSTS = 21;
const options = [subnetOption(1, 24, [203, 0, 113])];
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
  malformed: buildQuery({ name: 'example.com', type: 15, tail: [0] }),
};

test('answering allocates nothing, whatever the answer is', async () => {
  const { responder } = openDoor();
  const out = new Uint8Array(TCP_MAX);
  const client = Uint8Array.of(192, 0, 2, 1);
  const burst = (packet: Uint8Array): number => {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < BURST; i++) {
      responder.respond(packet, packet.length, client, 0, 4, out, TRANSPORT.UDP);
    }
    return process.memoryUsage().heapUsed - before;
  };
  const packets = Object.entries(QUERIES);
  // Compiles the answer sets; V8 optimises on threads of its own and hands over between turns.
  for (let i = 0; i < BURSTS; i++) {
    for (const [, packet] of packets) burst(packet);
    await new Promise(setImmediate);
  }
  for (const [kind, packet] of packets) {
    const grown = Array.from({ length: BURSTS }, () => burst(packet)).sort((a, b) => a - b);
    const median = grown[BURSTS >> 1]!;
    // One small object a query would be at least 16 bytes each.
    assert.ok(median < BURST * 2, `${kind}: ${(median / BURST).toFixed(1)} bytes a query`);
  }
});
