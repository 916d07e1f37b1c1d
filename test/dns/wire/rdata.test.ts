import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TYPE, typeNumber } from '../../../src/dns/wire/codes.ts';
import { wireName } from '../../../src/dns/wire/name.ts';
import {
  canonicalRdata,
  fieldsWithNames,
  namePlace,
  parseRdata,
  printRdata,
  rdataNames,
  validRdata,
} from '../../../src/dns/wire/rdata.ts';
import type { Token } from '../../../src/dns/wire/text.ts';

const ORIGIN = wireName('example.com');

/** Splits like a zone file would, for texts without escaped quotes. */
function words(text: string): Token[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => ({
    text: match[1] ?? match[2]!,
    quoted: match[1] !== undefined,
  }));
}

function parse(type: number, text: string): Uint8Array {
  const parsed = parseRdata(type, words(text), ORIGIN);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.error.message}`);
  return parsed.value;
}

function refusal(type: number, text: string): string {
  const parsed = parseRdata(type, words(text), ORIGIN);
  assert.ok(!parsed.ok, `${text} was accepted`);
  return `${parsed.error.word}: ${parsed.error.message}`;
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

test('each type has the wire form of its RFC and prints as dig shows it', () => {
  const cases: [number, string, string, string?][] = [
    [TYPE.A, '192.0.2.1', 'c0000201'],
    [TYPE.NS, 'ns1', '036e7331076578616d706c6503636f6d00', 'ns1.example.com.'],
    [TYPE.CNAME, '@', '076578616d706c6503636f6d00', 'example.com.'],
    [TYPE.PTR, 'a.', '016100'],
    [TYPE.MX, '10 .', '000a00'],
    [
      TYPE.SOA,
      '. . 4294967295 1h 15m 2w 60',
      '0000ffffffff00000e100000038400127500'.concat('0000003c'),
    ],
    [TYPE.TXT, '"a b" c', '036120620163', '"a b" "c"'],
    [TYPE.AAAA, '2001:DB8:0:0:0:0:0:1', '20010db8000000000000000000000001', '2001:db8::1'],
    [TYPE.SRV, '0 5 5060 a.', '000000'.concat('0513c4016100')],
    [TYPE.CAA, '0 issue "ca.example"', '000569737375656361'.concat('2e6578616d706c65')],
    [TYPE.HINFO, 'PC "Linux 6"', '025043074c696e75782036', '"PC" "Linux 6"'],
    [TYPE.DNAME, 'b.', '016200'],
    [TYPE.NSEC, '\\# 3 010203', '010203'],
    [
      TYPE.RP,
      'admin txt.',
      '0561646d696e076578616d706c6503636f6d00'.concat('0374787400'),
      'admin.example.com. txt.',
    ],
    [TYPE.AFSDB, '1 a.', '0001016100'],
    [
      TYPE.NAPTR,
      '100 50 "s" "http+N2L" "!^(.*)$!\\\\1!" a.',
      '00640032'.concat('0173', '08687474702b4e324c', '0b215e282e2a2924215c3121', '016100'),
    ],
    [
      TYPE.DS,
      `1 ECDSAP256SHA256 2 ${'ab'.repeat(20)} ${'CD'.repeat(12)}`,
      `00010d02${'ab'.repeat(20)}${'cd'.repeat(12)}`,
      `1 13 2 ${'AB'.repeat(20)}${'CD'.repeat(12)}`,
    ],
    [TYPE.CDS, '0 0 0 00', '0000000000'],
    [TYPE.DNSKEY, '257 3 8 AwEA AQ==', '0101030803010001', '257 3 8 AwEAAQ=='],
    [TYPE.CDNSKEY, '0 3 0 AA==', '0000030000'],
    [TYPE.NSEC3PARAM, '1 0 10 aabb', '0100000a02aabb', '1 0 10 AABB'],
    [TYPE.NSEC3PARAM, '1 0 0 -', '0100000000'],
    [TYPE.TLSA, '3 1 1 ab cd', '030101abcd', '3 1 1 ABCD'],
    [TYPE.SMIMEA, '3 0 0 00', '03000000'],
    [TYPE.SSHFP, `4 2 ${'0'.repeat(64)}`, `0402${'00'.repeat(32)}`],
    [TYPE.OPENPGPKEY, 'AQ ID', '010203', 'AQID'],
    [TYPE.SPF, '"v=spf1 -all"', '0b763d73706631202d616c6c'],
    [TYPE.URI, '10 1 "ftp://a/b c"', '000a00016674703a2f2f612f622063'],
    [65280, '\\# 0', ''],
    [65280, '\\# 4 0A 0000 01', '0a000001', '\\# 4 0a000001'],
    [TYPE.A, '\\# 4 0A000001', '0a000001', '10.0.0.1'],
  ];
  for (const [type, text, wire, shown] of cases) {
    const rdata = parse(type, text);
    assert.deepEqual(rdata, hex(wire), text);
    if (type !== TYPE.SOA) assert.equal(printRdata(type, rdata), shown ?? text);
    assert.deepEqual(parse(type, printRdata(type, rdata)), rdata, text);
  }
  assert.equal(
    printRdata(TYPE.SOA, parse(TYPE.SOA, 'ns1 root 1 1h 15m 2w 60')),
    'ns1.example.com. root.example.com. 1 3600 900 1209600 60',
  );
});

test('what is wrong is said together with the word that is wrong', () => {
  assert.match(refusal(TYPE.A, '192.0.2.256'), /^0: "192.0.2.256" is not an IPv4 address/);
  assert.match(refusal(TYPE.A, '2001:db8::1'), /^0: .*not an IPv4/);
  assert.match(refusal(TYPE.AAAA, '192.0.2.1'), /^0: .*not an IPv6/);
  assert.match(refusal(TYPE.A, '192.0.2.1 192.0.2.2'), /^1: "192.0.2.2" is too much/);
  assert.match(refusal(TYPE.MX, 'mail'), /^0: "mail" is not a preference/);
  assert.match(refusal(TYPE.MX, '10'), /^1: a mail server is missing/);
  assert.match(refusal(TYPE.MX, '65536 mail'), /^0: .*0–65535/);
  assert.match(refusal(TYPE.NS, '"ns1"'), /^0: write a name server without quotes/);
  assert.match(refusal(TYPE.NS, 'a..b'), /^0: an empty label/);
  assert.match(refusal(TYPE.SOA, '. . 1 1h 15 2w 1x'), /^6: "1x" is not the negative TTL/);
  assert.match(refusal(TYPE.TXT, ''), /^0: a text is missing/);
  assert.match(refusal(TYPE.CAA, '0 "issue" x'), /^1: write a property tag .* without quotes/);
  assert.match(refusal(TYPE.CAA, '0 is-sue x'), /^1: .*only letters and digits/);
  assert.match(refusal(TYPE.HINFO, `${'a'.repeat(256)} b`), /^0: a string of 256 octets/);
  assert.match(refusal(TYPE.NSEC, 'a. A'), /^0: NSEC has no form of its own/);
  assert.match(refusal(TYPE.DS, '1 8 2 aabb'), /^3: a digest of type 2 has 32 octets, not 2/);
  assert.match(refusal(TYPE.DS, '1 FOO 2 aabb'), /^1: "FOO" is not an algorithm/);
  assert.match(refusal(TYPE.SSHFP, '1 1 aabb'), /^2: a fingerprint of type 1 has 20 octets/);
  assert.match(refusal(TYPE.TLSA, '3 1 1 abc'), /^3: "abc" is not certificate data: .*pairs/);
  assert.match(refusal(TYPE.TLSA, '3 1 1'), /^3: certificate data is missing/);
  assert.match(refusal(TYPE.TLSA, '3 1 1 ab "cd"'), /^4: write certificate data without quotes/);
  assert.match(refusal(TYPE.DNSKEY, '256 3 8 AwEAAR=='), /^3: .* write it in base64/);
  assert.match(refusal(TYPE.URI, '1 1 ""'), /^2: a target is empty/);
  assert.match(refusal(TYPE.NSEC3PARAM, '1 0 0 x'), /^3: "x" is not a salt: .*- for none/);
  assert.match(refusal(TYPE.RP, 'a@b.c. .'), /^0: .*write "." for "@"/);
  assert.match(refusal(TYPE.A, '\\# 3 0A0000'), /^2: these octets are not the rdata of A/);
  assert.match(refusal(TYPE.MX, '\\# 4 000AC00C'), /^2: these octets/); // a compression pointer
  assert.match(refusal(65280, '\\# 4 0A00'), /^1: the length says 4 octets, but 2 follow/);
  assert.match(refusal(65280, '\\# 1 0'), /^2: .*pairs/);
  assert.match(refusal(65280, '\\# 65536'), /^1: write the length/);
});

test('TXT: a long text is split at 255 octets, escapes and UTF-8 become octets', () => {
  const long = parse(TYPE.TXT, `"${'x'.repeat(300)}"`);
  assert.equal(long.length, 302);
  assert.equal(long[0], 255);
  assert.equal(long[256], 45);
  assert.deepEqual(parse(TYPE.TXT, '""'), Uint8Array.of(0));
  assert.deepEqual(parse(TYPE.TXT, '"\\065\\;\\\\é"'), Uint8Array.of(5, 65, 59, 92, 0xc3, 0xa9));
  assert.match(refusal(TYPE.TXT, '\\256'), /above \\255/);
  assert.match(refusal(TYPE.TXT, 'a\\'), /lone backslash/);
});

test('names may be compressed in NS, CNAME, SOA, PTR and MX, and nowhere else (RFC 3597 §4)', () => {
  assert.deepEqual(rdataNames(TYPE.NS), { offset: 0, count: 1 });
  assert.deepEqual(rdataNames(TYPE.CNAME), { offset: 0, count: 1 });
  assert.deepEqual(rdataNames(TYPE.PTR), { offset: 0, count: 1 });
  assert.deepEqual(rdataNames(TYPE.SOA), { offset: 0, count: 2 });
  assert.deepEqual(rdataNames(TYPE.MX), { offset: 2, count: 1 });
  for (const type of [TYPE.A, TYPE.TXT, TYPE.SRV, TYPE.DNAME, TYPE.CAA, 65280]) {
    assert.equal(rdataNames(type), null);
  }
  assert.deepEqual(namePlace(TYPE.SRV), { offset: 6, count: 1 });
  assert.deepEqual(namePlace(TYPE.RP), { offset: 0, count: 2 });
  assert.deepEqual(namePlace(TYPE.HTTPS), { offset: 2, count: 1 });
  assert.equal(namePlace(TYPE.NAPTR), null);
  for (const type of [TYPE.RP, TYPE.AFSDB, TYPE.NAPTR, TYPE.SVCB]) {
    assert.equal(rdataNames(type), null);
    assert.ok(fieldsWithNames(type));
  }
  assert.equal(namePlace(TYPE.TXT), null);
});

test('comparing ignores the case of names only', () => {
  const upper = parse(TYPE.MX, '65 MAIL');
  assert.deepEqual(canonicalRdata(TYPE.MX, upper), parse(TYPE.MX, '65 mail'));
  assert.notDeepEqual(canonicalRdata(TYPE.MX, upper), parse(TYPE.MX, '97 mail'));
  const text = parse(TYPE.TXT, 'MiXed');
  assert.deepEqual(canonicalRdata(TYPE.TXT, text), text);
  const naptr = parse(TYPE.NAPTR, '1 2 U "E2U+sip" "!^.*$!sip:A@b!" ABC');
  const lower = parse(TYPE.NAPTR, '1 2 U "E2U+sip" "!^.*$!sip:A@b!" abc');
  assert.deepEqual(canonicalRdata(TYPE.NAPTR, naptr), lower);
  // Not in the list of RFC 4034 §6.2, which RFC 6840 §5.1 closes.
  const service = parse(TYPE.HTTPS, '1 WEB');
  assert.deepEqual(canonicalRdata(TYPE.HTTPS, service), service);
});

test('any octets print to a text that parses back to them, for every type', () => {
  const types = [...Object.values(TYPE), 65280];
  const wordsOfPrinted = (text: string): Token[] =>
    [...text.matchAll(/"((?:[^"\\]|\\.)*)"|((?:\\.|"(?:[^"\\]|\\.)*"|\S)+)/g)].map((match) => ({
      text: match[1] ?? match[2]!,
      quoted: match[1] !== undefined,
    }));
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 40 }), (type, rdata) => {
      const words = wordsOfPrinted(printRdata(type, rdata));
      const parsed = parseRdata(validRdata(type, rdata) ? type : 65280, words, ORIGIN);
      assert.ok(parsed.ok, JSON.stringify(parsed));
      assert.deepEqual(parsed.value, rdata);
    }),
    { numRuns: 2000 },
  );
});

test('type names are read in both forms', () => {
  assert.equal(typeNumber('txt'), 16);
  assert.equal(typeNumber('type65280'), 65280);
  assert.equal(typeNumber('TYPE65536'), null);
  assert.equal(typeNumber('TYPE01'), null);
  assert.equal(typeNumber('constructor'), null);
});
