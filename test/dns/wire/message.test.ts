import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { prng } from '../../../src/base/prng.ts';
import { CLASS, OPTION, TYPE } from '../../../src/dns/wire/codes.ts';
import { ecsOption, readEcs } from '../../../src/dns/wire/edns.ts';
import {
  decodeMessage,
  encodeMessage,
  encodeQuery,
  type Message,
  type ResourceRecord,
} from '../../../src/dns/wire/message.ts';
import { formatName, wireName } from '../../../src/dns/wire/name.ts';
import { parseAddress } from '../../../src/net/ip.ts';

// Records with Object's prototype, as deepEqual compares it.
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
// Few labels, so that names share suffixes and the compressor has work; both cases of one label.
const label = fc.oneof(
  fc.constantFrom('a', 'A', 'www', 'example', 'com').map((text) => Buffer.from(text)),
  fc.uint8Array({ minLength: 1, maxLength: 63 }),
);
const name = fc
  .array(label, { maxLength: 6 })
  .map((labels) => Uint8Array.from([...labels.flatMap((one) => [one.length, ...one]), 0]))
  .filter((wire) => wire.length <= 255);
const bytes = (...parts: (number[] | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
const octets = fc.uint8Array({ maxLength: 40 });
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const rdata: fc.Arbitrary<{ type: number; rdata: Uint8Array }> = fc.oneof(
  plain({ type: fc.constant(TYPE.A), rdata: fixed(4) }),
  plain({ type: fc.constantFrom(TYPE.NS, TYPE.CNAME, TYPE.PTR, TYPE.DNAME), rdata: name }),
  plain({
    type: fc.constant(TYPE.MX),
    rdata: fc.tuple(fixed(2), name).map((p) => bytes(...p)),
  }),
  plain({
    type: fc.constant(TYPE.SRV),
    rdata: fc.tuple(fixed(6), name).map((p) => bytes(...p)),
  }),
  plain({
    type: fc.constant(TYPE.SOA),
    rdata: fc.tuple(name, name, fixed(20)).map((p) => bytes(...p)),
  }),
  plain({ type: fc.constantFrom(TYPE.TXT, TYPE.TSIG, 65280), rdata: octets }),
);
const record: fc.Arbitrary<ResourceRecord> = fc
  .tuple(name, rdata, u16, u32)
  .map(([owner, data, klass, ttl_s]) => ({ owner, class: klass, ttl_s, ...data }));
const section = fc.array(record, { maxLength: 5 });
const edns = plain({
  payload: u16,
  version: fc.nat(255),
  do: fc.boolean(),
  options: fc.array(plain({ code: u16, data: octets }), { maxLength: 4 }),
});
const message: fc.Arbitrary<Message> = plain({
  id: u16,
  qr: fc.boolean(),
  opcode: fc.nat(15),
  aa: fc.boolean(),
  tc: fc.boolean(),
  rd: fc.boolean(),
  ra: fc.boolean(),
  ad: fc.boolean(),
  cd: fc.boolean(),
  rcode: fc.nat(4095),
  questions: fc.array(plain({ name, type: u16, class: u16 }), { maxLength: 2 }),
  answers: section,
  authorities: section,
  additionals: section,
  edns: fc.option(edns),
}).map((one) => ({ ...one, rcode: one.edns ? one.rcode : one.rcode & 15 }));

test('what is encoded decodes to the same message, names in their own case', () => {
  fc.assert(
    fc.property(message, (value) => {
      const decoded = decodeMessage(encodeMessage(value));
      assert.ok(decoded.ok, decoded.ok ? '' : decoded.error);
      assert.deepEqual(decoded.value, value);
    }),
    { numRuns: 1000 },
  );
});

const header = (...counts: number[]): number[] => [
  0,
  1,
  0,
  0,
  ...[0, 1, 2, 3].flatMap((i) => [0, counts[i] ?? 0]),
];

function refusal(...parts: (number[] | Uint8Array)[]): string {
  const decoded = decodeMessage(bytes(...parts));
  assert.ok(!decoded.ok);
  return decoded.error;
}

test('a query is the octets that RFC 1035 §4 shows', () => {
  const query = encodeQuery({ id: 0x1234, name: 'a.Bc', type: TYPE.A, rd: true });
  assert.equal(
    Buffer.from(query).toString('hex'),
    ['1234', '0100', '0001', '0000', '0000', '0000', '0161', '024263', '00', '0001', '0001'].join(
      '',
    ),
  );
  assert.throws(() => encodeQuery({ id: 1, name: 'a..b', type: TYPE.A }), RangeError);
});

test('names in a response are compressed where RFC 1035 allows it, and not in SRV', () => {
  const owner = wireName('example.com');
  const make = (type: number, data: Uint8Array): Uint8Array => {
    const query = decodeMessage(encodeQuery({ id: 1, name: 'example.com', type }));
    assert.ok(query.ok);
    const answer = { owner, type, class: CLASS.IN, ttl_s: 60, rdata: data };
    return encodeMessage({ ...query.value, qr: true, answers: [answer] });
  };
  const mx = make(TYPE.MX, bytes([0, 10], wireName('mail.example.com')));
  // After the question (29 octets): c00c, 10 fixed octets, preference, "mail" and a pointer.
  assert.deepEqual([...mx.slice(29, 31)], [0xc0, 0x0c]);
  assert.deepEqual([...mx.slice(39)], [0, 9, 0, 10, 4, 109, 97, 105, 108, 0xc0, 0x0c].slice(0));
  const srv = make(TYPE.SRV, bytes([0, 0, 0, 0, 0, 80], wireName('mail.example.com')));
  assert.equal(srv.length, 29 + 12 + 6 + wireName('mail.example.com').length);
});

test('a compressed SRV target is expanded all the same', () => {
  const record = [1, 97, 0, 0, 33, 0, 1, 0, 0, 0, 60, 0, 8, 0, 0, 0, 0, 0, 80, 0xc0, 12];
  const decoded = decodeMessage(bytes(header(0, 1), record));
  assert.ok(decoded.ok);
  assert.equal(formatName(decoded.value.answers[0]!.rdata, 6), 'a.');
});

test('compression pointers lead strictly backwards and not into the header', () => {
  assert.equal(refusal(header(1), [0xc0, 12, 0, 1, 0, 1]), 'a malformed question');
  assert.equal(refusal(header(1), [0xc0, 14, 1, 97, 0, 0, 1, 0, 1]), 'a malformed question');
  assert.equal(refusal(header(1), [0xc0, 2, 0, 1, 0, 1]), 'a malformed question');
  assert.equal(refusal(header(1), [1, 97, 0xc0, 12, 0, 1, 0, 1]), 'a malformed question');
  assert.equal(refusal(header(1), [0x41, 97, 0, 0, 1, 0, 1]), 'a malformed question');
});

test('counts, lengths and OPT records that lie are refused', () => {
  assert.match(refusal([0, 1, 0]), /shorter than its header/);
  assert.match(refusal(header(1)), /malformed question/);
  assert.match(refusal(header(0, 1)), /a record cut short/);
  assert.match(refusal(header(), [0]), /1 octets after the end/);
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
  assert.match(refusal(header(0, 0, 0, 2), opt, opt), /more than one OPT/);
  assert.match(refusal(header(0, 1), opt), /outside the additional/);
  const badOption = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 8, 0, 1];
  assert.match(refusal(header(0, 0, 0, 1), badOption), /malformed OPT/);
  const shortMx = [0, 0, 15, 0, 1, 0, 0, 0, 0, 0, 1, 7];
  assert.match(refusal(header(0, 1), shortMx), /malformed rdata of MX at \./);
});

test('client subnets: octets as RFC 7871 §6 counts them, sloppy ones refused', () => {
  const option = ecsOption(parseAddress('192.0.2.255')!, 25);
  assert.deepEqual([...option.data], [0, 1, 25, 0, 192, 0, 2, 128]);
  assert.deepEqual(
    [...ecsOption(parseAddress('2001:db8:ff::')!, 36).data.slice(4)],
    [0x20, 1, 0x0d, 0xb8, 0],
  );
  assert.deepEqual([...ecsOption(parseAddress('0.0.0.0')!, 0).data], [0, 1, 0, 0]);
  const read = (...data: number[]) => readEcs({ code: OPTION.ECS, data: Uint8Array.from(data) });
  assert.deepEqual(read(0, 1, 24, 0, 192, 0, 2), {
    ok: true,
    value: { address: parseAddress('192.0.2.0'), source: 24, scope: 0 },
  });
  const bad = [
    [0, 1, 24],
    [0, 3, 0, 0],
    [0, 1, 33, 0, 1, 2, 3, 4, 0],
    [0, 1, 24, 33, 1, 2, 3],
    [0, 1, 24, 0, 1, 2],
    [0, 1, 24, 0, 1, 2, 3, 0],
    [0, 1, 23, 0, 1, 2, 3],
  ];
  for (const data of bad) assert.ok(!read(...data).ok, String(data));
});

test('any subnet survives its option', () => {
  const address = fc.oneof(fixed(4), fixed(16));
  fc.assert(
    fc.property(address, fc.nat(128), fc.nat(32), (octets, bits, scope) => {
      const source = Math.min(bits, octets.length * 8);
      const read = readEcs(ecsOption(octets, source, scope));
      assert.ok(read.ok);
      assert.equal(read.value.source, source);
      assert.equal(read.value.scope, scope);
      assert.deepEqual(
        ecsOption(read.value.address, source, scope),
        ecsOption(octets, source, scope),
      );
    }),
  );
});

test('200,000 mutated messages: each is read or refused, none throws or hangs', () => {
  const seeds = fc.sample(message, { numRuns: 200, seed: 7 }).map((one) => encodeMessage(one));
  const random = prng(2026);
  let refused = 0;
  for (let round = 0; round < 200_000; round++) {
    const original = seeds[random.int(seeds.length)]!;
    const copy = original.slice(
      0,
      random.int(4) === 0 ? random.int(original.length + 1) : undefined,
    );
    for (let flips = random.int(4); flips >= 0 && copy.length > 0; flips--) {
      const at =
        random.int(3) === 0 ? random.int(Math.min(40, copy.length)) : random.int(copy.length);
      // Pointer octets are the interesting ones.
      copy[at] = random.int(3) === 0 ? 0xc0 | random.int(4) : random.int(256);
    }
    if (!decodeMessage(copy).ok) refused++;
  }
  assert.ok(refused > 20_000 && refused < 199_000, `${refused} refused`);
});

test('pointer chains in every record: chains of bounded length only, read at once', () => {
  const chained = (links: number): Uint8Array => {
    // The first record's rdata is a chain of pointers, each to the one before; all other records
    // have the chain's end as their owner.
    const start = 23;
    const place = (link: number): number[] => [0xc0 | ((start + 2 * link) >> 8), start + 2 * link];
    const chain = Array.from({ length: links }, (_, i) => (i === 0 ? [0, 0] : place(i - 1))).flat();
    const first = [0, 255, 0, 0, 1, 0, 0, 0, 0, chain.length >> 8, chain.length & 255, ...chain];
    const record = [...place(links - 1), 255, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    const head = [0, 1, 0, 0, 0, 0, 5001 >> 8, 5001 & 255, 0, 0, 0, 0];
    return bytes(head, first, Array.from({ length: 5000 }, () => record).flat());
  };
  const decoded = decodeMessage(chained(120));
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value.answers[5000]!.owner, Uint8Array.of(0));
  assert.equal(refusal(chained(127 + 1)), 'a record cut short');
});
