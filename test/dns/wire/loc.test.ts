import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TYPE } from '../../../src/dns/wire/codes.ts';
import { parseRdata, printRdata, validRdata } from '../../../src/dns/wire/rdata.ts';

const words = (text: string) => text.split(' ').map((word) => ({ text: word, quoted: false }));

function parse(text: string): string {
  const parsed = parseRdata(TYPE.LOC, words(text), new Uint8Array(1));
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.error.message}`);
  return Buffer.from(parsed.value).toString('hex');
}

function refusal(text: string): string {
  const parsed = parseRdata(TYPE.LOC, words(text), new Uint8Array(1));
  assert.ok(!parsed.ok, `${text} was accepted`);
  return `${parsed.error.word}: ${parsed.error.message}`;
}

test('places have the wire form that Knot and BIND give them (RFC 1876 §2 and §3)', () => {
  const cases: [string, string, string][] = [
    [
      '42 21 54 N 71 06 18 W -24m 30m',
      '0033161389172dd070be15f000988d20',
      '42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m',
    ],
    [
      '42 21 43.952 N 71 5 6.344 W -24m 1m 200m',
      '001224138917069070bf2dd800988d20',
      '42 21 43.952 N 71 5 6.344 W -24.00m 1.00m 200.00m 10.00m',
    ],
    [
      '90 S 180 E 42849672.95 0 90000000m 0.09m',
      '000099906cb02700a69fb200ffffffff',
      '90 0 0.000 S 180 0 0.000 E 42849672.95m 0.00m 90000000.00m 0.09m',
    ],
  ];
  for (const [text, hex, shown] of cases) {
    assert.equal(parse(text), hex);
    assert.equal(printRdata(TYPE.LOC, Buffer.from(hex, 'hex')), shown);
    assert.equal(parse(shown), hex);
  }
  // Digits beyond the first are dropped from lengths.
  assert.equal(parse('0 N 0 E 0 1.55m').slice(2, 4), '12');
});

test('what is no place on Earth is refused with its word', () => {
  assert.match(refusal('91 N 4 E 0'), /^0: "91" is not degrees of a latitude/);
  assert.match(refusal('90 0 1 N 4 E 0'), /^3: "N" is not a latitude .*: 90 degrees at most/);
  assert.match(refusal('52.5 N 4 E 0'), /^0: "52.5" is not degrees/);
  assert.match(refusal('52 60 N 4 E 0'), /^1: "60" is not minutes/);
  assert.match(refusal('52 E 4 E 0'), /^1: "E" is not a latitude such as .* N$/);
  assert.match(refusal('52 N 4 E'), /^4: an altitude in metres .* is missing/);
  assert.match(refusal('52 N 4 E -100000.01'), /^4: "-100000.01" is not an altitude/);
  assert.match(refusal('52 N 4 E 0 90000001m'), /^5: .*a size in metres/);
  assert.match(refusal('52 N 4 E 0 1m 1m -1m'), /^7: .*a vertical precision/);
  assert.match(refusal('52 N 4 E 0 1m 1m 1m 1m'), /^8: "1m" is too much/);
});

test('any place prints to a text that parses back to it', () => {
  const digits = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9)).map(([m, e]) => (m << 4) | e);
  const arc = (degrees: number) => fc.integer({ min: -degrees * 3600e3, max: degrees * 3600e3 });
  fc.assert(
    fc.property(
      fc.tuple(digits, digits, digits, arc(90), arc(180), fc.nat(0xffffffff)),
      ([size, horizontal, vertical, latitude, longitude, altitude]) => {
        const rdata = new Uint8Array(16);
        const view = new DataView(rdata.buffer);
        rdata.set([0, size, horizontal, vertical]);
        view.setUint32(4, 2 ** 31 + latitude);
        view.setUint32(8, 2 ** 31 + longitude);
        view.setUint32(12, altitude);
        assert.ok(validRdata(TYPE.LOC, rdata));
        const text = printRdata(TYPE.LOC, rdata);
        assert.equal(parse(text), Buffer.from(rdata).toString('hex'), text);
      },
    ),
  );
});
