import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Community,
  communityText,
  extendedTexts,
  parseCommunity,
} from '../../../src/bgp/wire/community.ts';

const parsed = (text: string): Community => {
  const result = parseCommunity(text);
  assert.ok(result.ok, text);
  return result.value;
};

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const octets = (octet: fc.Arbitrary<number>[], rest: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.tuple(...octet), fc.uint8Array({ minLength: rest, maxLength: rest }))
    .map(([head, tail]) => Uint8Array.from([...head, ...tail]));
const community: fc.Arbitrary<Community> = fc.oneof(
  u32.map((value): Community => ({ kind: 'standard', value })),
  fc
    .integer({ min: 0, max: 0xffff })
    .map((low): Community => ({ kind: 'standard', value: 0xffff0000 + low })),
  fc.tuple(u32, u32, u32).map((value): Community => ({ kind: 'large', value })),
  fc
    .oneof(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      // Types with a text of their own, small AS numbers in the four-octet form among them.
      octets([fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 4 })], 6),
      octets([fc.constant(2), fc.constant(2), fc.constant(0), fc.constant(0)], 4),
    )
    .map((value): Community => ({ kind: 'extended', value })),
);

test('every community is read back from its text, and only one text is canonical', () => {
  fc.assert(
    fc.property(community, (made) => {
      const text = communityText(made);
      assert.deepEqual(parsed(text), made);
      assert.equal(communityText(parsed(text)), text);
    }),
    { numRuns: 3000 },
  );
});

test('no text makes the parser throw', () => {
  const piece = fc.constantFrom(':', '1', '65536', 'target', 'L', '0x', 'no-export', '192.0.2.1');
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 7 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (it) => {
      const result = parseCommunity(it);
      if (result.ok) assert.deepEqual(parsed(communityText(result.value)), result.value);
      else assert.ok(result.error.length > 0);
    }),
    { numRuns: 3000 },
  );
});

test('the well-known names have the values of the registry', () => {
  const values: [string, string][] = [
    ['graceful-shutdown', '65535:0'],
    ['accept-own', '65535:1'],
    ['llgr-stale', '65535:6'],
    ['no-llgr', '65535:7'],
    ['blackhole', '65535:666'],
    ['no-export', '65535:65281'],
    ['no-advertise', '65535:65282'],
    ['no-export-subconfed', '65535:65283'],
    ['no-peer', '65535:65284'],
  ];
  for (const [name, numbers] of values) {
    assert.deepEqual(parsed(name), parsed(numbers));
    assert.equal(communityText(parsed(numbers)), name);
  }
});

test('extended communities stand on the wire as RFC 4360 and RFC 5668 say', () => {
  const cases: [string, string][] = [
    ['target:65000:100', '0002fde800000064'],
    ['target:65000:4294967295', '0002fde8ffffffff'],
    ['origin:192.0.2.1:5', '0103c00002010005'],
    ['target:4200000000:7', '0202fa56ea000007'],
    ['target:65000L:7', '02020000fde80007'],
    ['0x4300000000000001', '4300000000000001'],
  ];
  for (const [text, hex] of cases) {
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
    assert.deepEqual(parsed(text), { kind: 'extended', value: bytes });
    assert.equal(communityText(parsed(text)), text);
  }
  const two = Buffer.from('0002fde8000000644300000000000001', 'hex');
  assert.deepEqual(extendedTexts(two), ['target:65000:100', '0x4300000000000001']);
});

test('what is no community is refused in words that help', () => {
  const cases: [string, RegExp][] = [
    ['65536:1', /a larger AS needs a large community/],
    ['1:65536', /0–65535/],
    ['01:1', /0–65535/],
    ['1:2:4294967296', /0–4294967295/],
    ['1:2:-3', /0–4294967295/],
    ['target:1', /0–65535/],
    ['target:x:1', /neither an AS number nor an IPv4 address/],
    ['target:2001:db8::1:1', /no community/],
    ['target:4200000000:65536', /0–65535/],
    ['origin:192.0.2.1:65536', /0–65535/],
    ['NO-EXPORT', /well-known name/],
    ['', /well-known name/],
    ['constructor', /well-known name/],
    ['constructor:1:2', /0–4294967295/],
  ];
  for (const [text, words] of cases) {
    const result = parseCommunity(text);
    assert.ok(!result.ok, text);
    assert.match(result.error, words);
  }
});
