/** The DNS door under 1,000,000 random and mutated packets: no throw, no hang, memory flat. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { prng } from '../../src/base/prng.ts';
import { TCP_MAX, TRANSPORT } from '../../src/dns/respond.ts';
import { buildQuery, optRecord, readMessage, subnetOption } from '../support/dns-query.ts';
import { openDoor } from '../support/dns-zone.ts';
import { heldBytes } from '../support/held-bytes.ts';

const PACKETS = 1_000_000;
/** What V8's own tables may grow by; the smallest object kept of each packet would be 12 MB. */
const GROWTH_BYTES_MAX = 512 * 1024;

const NAMES = [
  'www.example.com',
  'example.com',
  'big.example.com',
  'a.b.wild.example.com',
  'x.down.example.com',
  'one.example.com',
  'ping.example.com',
  'gone.sub.example.com',
  'weighted.example.com',
  'www.example.org',
  '.',
];
const TYPES = [1, 2, 5, 6, 15, 16, 28, 33, 43, 65, 252, 255];
/** What the server under test does beyond the plain: all of it. */
const DNS = {
  identity: 'fra-1',
  version: 'isobar',
  cookies: { secret_file: null, required: true },
  rate_limit: { responses_per_s: 1000, slip: 2, prefix4: 24, prefix6: 56 },
};
const TRANSPORTS = [TRANSPORT.UDP, TRANSPORT.UDP, TRANSPORT.TCP, TRANSPORT.ENCRYPTED];

/** `cookie` is a good one. */
function seeds(cookie: readonly number[]): Uint8Array[] {
  const options = [
    [subnetOption(1, 24, [203, 0, 113])],
    [subnetOption(2, 56, [32, 1, 13, 184, 0, 0, 0])],
    [[10, cookie]],
    [
      [12, [0, 0, 0, 0]],
      [3, []],
      [10, cookie.slice(0, 8)],
      [11, []],
    ],
  ] as const;
  return NAMES.flatMap((name) =>
    TYPES.flatMap((type) => [
      buildQuery({ name, type }),
      buildQuery({ name, type, edns: { payload: 4096, dnssecOk: true } }),
      ...options.map((some) => buildQuery({ name, type, edns: { options: some } })),
      buildQuery({ name: 'id.server', type, class: 3, edns: { options: options[3] } }),
      Uint8Array.from([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, ...optRecord({ options: options[2] })]),
      buildQuery({ name, type, edns: {}, counts: [1, 0, 0, 2], tail: optRecord({}) }),
    ]),
  );
}

test('a million random and mutated packets: no throw, no answer too large, memory flat', () => {
  const random = prng(20261120);
  const clock = new VirtualClock();
  const { ask, responder, counters } = openDoor(undefined, { dns: DNS, clock });
  const learn = { edns: { options: [[10, [1, 2, 3, 4, 5, 6, 7, 8]] as const] } };
  const bases = seeds([...ask('.', 1, { ...learn, client: '0.0.0.0' }).opt!.rdata.subarray(4, 28)]);
  const packet = new Uint8Array(600);
  const out = new Uint8Array(TCP_MAX);
  const client = new Uint8Array(16);
  let held = 0;
  let answered = 0;
  for (let i = 0; i < PACKETS; i++) {
    let length: number;
    if (i % 4 === 0) {
      length = random.int(packet.length);
      for (let at = 0; at < length; at++) packet[at] = random.int(256);
      packet[2] = packet[2]! & (i % 8 === 0 ? 0x01 : 0xff); // half of them look like queries
    } else {
      const base = bases[random.int(bases.length)]!;
      packet.set(base);
      length = base.length;
      for (let changes = random.int(4); changes > 0; changes--) {
        packet[random.int(length)] = random.int(256);
      }
      if (i % 16 === 1) length = random.int(length + 1);
    }
    const transport = TRANSPORTS[random.int(TRANSPORTS.length)]!;
    if (i % 64 === 0) {
      clock.advance(10);
      responder.tick();
    }
    const size = responder.respond(packet, length, client, 0, i % 2 === 0 ? 4 : 6, out, transport);
    const limit = transport === TRANSPORT.UDP ? 1232 : TCP_MAX;
    if (size > limit || (size > 0 && size < 12)) assert.fail(`${size} octets of ${limit}`);
    if (size > 0) answered++;
    // Reading every answer would measure the reader; one in 64 shows that they are well-formed.
    if (i % 64 === 5 && size > 0) readMessage(out.subarray(0, size));
    if (i === 200_000) held = heldBytes();
  }
  const grown = heldBytes() - held;
  assert.ok(answered > PACKETS / 2, `${answered} answered`);
  for (const taken of ['cookies', 'badcookie', 'slipped', 'formerr', 'nxdomain'] as const) {
    assert.ok(counters.get(taken) > 1000, `${taken}: ${counters.get(taken)}`);
  }
  assert.ok(grown < GROWTH_BYTES_MAX, `memory grew by ${grown} bytes`);
});
