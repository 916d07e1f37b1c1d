/** What the fast way through a zone file makes of simple lines, and that it is only fast. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { err } from '../../../src/base/result.ts';
import type { ReadOptions, ZoneRead } from '../../../src/config/zone/file.ts';
import { typeName } from '../../../src/dns/wire/codes.ts';
import { formatName } from '../../../src/dns/wire/name.ts';
import { printRdata } from '../../../src/dns/wire/rdata.ts';
import { readBothWays } from '../../support/zone-records.ts';

function read(text: string | Uint8Array, options?: ReadOptions): ZoneRead {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const readInclude = () => err('no files here');
  return readBothWays({ file: 'z', bytes, origin: 'example.com', readInclude }, options);
}

/** "line:column owner ttl type rdata" of each record; fails if there is a problem. */
function show(text: string): string[] {
  const { records, problems } = read(text);
  assert.deepEqual(problems, []);
  return Array.from({ length: records.count }, (_, row) => {
    const rdataAt = records.rdataAt[row]!;
    const rdata = records.bytes.subarray(rdataAt, rdataAt + records.rdataLength[row]!);
    const type = records.type[row]!;
    const place = `${records.line[row]}:${records.column[row]}`;
    const owner = formatName(records.bytes, records.ownerAt[row]!);
    return `${place} ${owner} ${records.ttl_s[row]} ${typeName(type)} ${printRdata(type, rdata)}`;
  });
}

test('simple records of the common types', () => {
  const body = `$TTL 1h
WWW A 192.0.2.1
  \t AAAA 2001:DB8::1 ; comment
a.b. 300 IN CNAME Target
@ IN 1d2h MX 10 .
_s._tcp SRV 1 2 3 host.Example.NET.

x ns @
x ptr 1.2.3.4.in-addr.arpa.
t TXT "a b;c" "" bare "é"\r
`;
  assert.deepEqual(show(body), [
    '2:1 www.example.com. 3600 A 192.0.2.1',
    '3:5 www.example.com. 3600 AAAA 2001:db8::1',
    '4:1 a.b. 300 CNAME Target.example.com.',
    '5:1 example.com. 93600 MX 10 .',
    '6:1 _s._tcp.example.com. 3600 SRV 1 2 3 host.Example.NET.',
    '8:1 x.example.com. 3600 NS example.com.',
    '9:1 x.example.com. 3600 PTR 1.2.3.4.in-addr.arpa.',
    '10:1 t.example.com. 3600 TXT "a b;c" "" "bare" "\\195\\169"',
  ]);
});

test('IPv6 addresses in all their forms, and what only looks like one', () => {
  const groups = fc.array(fc.stringMatching(/^[0-9a-fA-F]{1,5}$/), { maxLength: 9 });
  const written = fc.oneof(
    fc.ipV6(),
    groups.map((all) => all.join(':')),
    fc.tuple(groups, groups).map(([head, tail]) => `${head.join(':')}::${tail.join(':')}`),
    fc.stringMatching(/^[0-9a-f:.]{1,20}$/),
  );
  let good = 0;
  fc.assert(
    fc.property(written, (address) => {
      good += read(`h 1 AAAA ${address}\n`).records.count;
    }),
    { numRuns: 3000 },
  );
  assert.ok(good > 300, `${good} of them right`);
});

test('names of 255 octets, and of one more', () => {
  const long = `${'x'.repeat(59)}.`.repeat(4); // 240 octets; the origin has 13
  for (const [first, fits] of [
    [`${long}y`, true],
    [`${long}yy`, false],
    [`${long}${'y'.repeat(13)}.`, true],
    [`${long}${'y'.repeat(14)}.`, false],
  ] as const) {
    assert.equal(read(`${first} 1 A 192.0.2.1\n`).records.count, fits ? 1 : 0, first);
    assert.equal(read(`h 1 MX 1 ${first}\n`).records.count, fits ? 1 : 0, first);
  }
});

/** Mostly what is right, so that whole lines are, too. */
function mostly<T>(right: readonly T[], wrong: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.constantFrom(...wrong) },
  );
}

const label = mostly(
  ['a', 'A-b', '_s', '*', '0', '10', 'a@b', 'x'.repeat(63), 'a\\.b'],
  ['@', 'x'.repeat(64), 'é', '', '"q"', 'a\\'],
);
const name = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 5 }), mostly(['', '.'], ['..']))
  .map(([labels, end]) => labels.join('.') + end);
const number = mostly(
  ['0', '007', '1', '65535', '0000000001'],
  ['65536', '2147483647', '2147483648', '1h', '00000000001', '-1'],
);
const text = mostly(
  ['""', '"a b"', '"a;(b)"', '"\\""', '"é"', `"${'x'.repeat(600)}"`, 'bare', 'é', '=', '\\#x'],
  ['"', '\\', 'a=""', 'a"b"', '\\#'],
);
const rdata = fc.oneof(
  fc.tuple(fc.constantFrom('A', 'a'), mostly(['192.0.2.1'], ['1.2.3', '01.2.3.4', '1.2.3.256'])),
  fc.tuple(fc.constantFrom('AAAA', 'aaaa'), mostly(['::', '2001:db8::1', '::1.2.3.4'], ['1:2'])),
  fc.tuple(fc.constantFrom('NS', 'cname', 'PTR', 'DNAME'), name),
  fc.tuple(fc.constant('MX'), number, name),
  fc.tuple(fc.constant('SRV'), number, number, number, name),
  fc.tuple(fc.constantFrom('TXT', 'HINFO'), text, text),
  fc.tuple(fc.constantFrom('A', 'TXT'), mostly(['\\# 0', '\\# 4 0a000001'], ['\\#'])),
);
const head = fc.oneof(number, mostly(['IN', 'in', '1h', '1W2d'], ['CH', 'class1', '1h3', '3h1x']));
const more = mostly(['', ''], ['(', ')', 'x', '"x"', '@']);
const line = fc
  .record({
    owner: fc.oneof({ weight: 3, arbitrary: name }, mostly(['', '@', '.'], ['$TTL', '\r', ' $X'])),
    head: fc.array(head, { maxLength: 2 }),
    rdata,
    more,
    blank: fc.constantFrom(' ', '\t', '  '),
    end: mostly(['\n', '\r\n', ' ; comment\n', ';"\n', '\n\n \n'], ['"\n', '\r', '']),
  })
  .map(({ owner, head, rdata, more, blank, end }) =>
    [owner, ...head, ...rdata, more].join(blank).concat(end),
  );

test('the fast way and the general one read the same records and tell the same problems', () => {
  let records = 0;
  let problems = 0;
  fc.assert(
    fc.property(fc.constantFrom('', '$TTL 5\n', '\ufeff'), fc.array(line), (start, lines) => {
      const outcome = read(start + lines.join(''));
      records += outcome.records.count;
      problems += outcome.problems.length;
    }),
    { numRuns: 4000 },
  );
  assert.ok(records > 5000 && problems > 5000, `${records} records, ${problems} problems`);
});

test('one name in successive records is stored once', () => {
  const { records } = read('h 1 A 192.0.2.1\n 1 A 192.0.2.2\nH 1 ( TXT x )\nk 1 A 192.0.2.4\n');
  const [first, second, third, fourth] = records.ownerAt;
  assert.deepEqual([second, third], [first, first]);
  assert.notEqual(fourth, first);
});

test('the columns lie in shared memory', () => {
  const { records } = read('h 1 A 192.0.2.1\n');
  for (const column of [records.bytes, records.ownerAt, records.type, records.column]) {
    assert.ok(column.buffer instanceof SharedArrayBuffer);
  }
});

test('more records than the text seems to hold', () => {
  const text = `$GENERATE 1-5000 h$.${'long.'.repeat(20)} 1 A 192.0.2.1\n`;
  const { records, problems } = read(text + ' NS b\n'.repeat(5000).replace(' ', 'a '));
  assert.deepEqual(problems, []);
  assert.equal(records.count, 10_000);
  assert.equal(formatName(records.bytes, records.ownerAt[4999]!).slice(0, 6), 'h5000.');
});

test('a zone of too many records is told once, where the limit is passed', () => {
  const text = 'h 1 A 192.0.2.1\n 1 A 192.0.2.2\n 1 A 192.0.2.3\n 1 A 192.0.2.4\n';
  assert.deepEqual(read(text, { records_max: 4 }).problems, []);
  const { records, problems, unsure } = read(text, { records_max: 2 });
  assert.equal(records.count, 2);
  const message = 'a zone of more than 2 records';
  assert.deepEqual(problems, [{ file: 'z', line: 3, column: 2, message }]);
  assert.ok(unsure('anything'));
});

test('a TXT record of more octets than rdata may have', () => {
  const most = `h 1 TXT "${'x'.repeat(255 * 255 + 254)}"\n`; // and 256 octets of length
  assert.equal(read(most).records.rdataLength[0], 65535);
  const { problems } = read(most.replace('"x', '"xx'));
  assert.match(problems[0]!.message, /rdata of more than 65535 octets/);
});

test('text that is not UTF-8 is told with its line', () => {
  const { problems, unsure } = read(Buffer.from('h 1 A 192.0.2.1\n; caf\xe9\n', 'latin1'));
  const message = 'the line is not UTF-8: save the file in that encoding';
  assert.deepEqual(problems, [{ file: 'z', line: 2, column: 1, message }]);
  assert.ok(unsure('anything'));
});

test('columns count UTF-16 units, as editors do', () => {
  const { problems } = read('h 1 TXT é😀 "open\nk 1 TXT 😀 "é\n');
  assert.deepEqual(
    problems.map(({ line, column }) => `${line}:${column}`),
    ['1:13', '2:12'],
  );
});

test('a record far to the right is placed in the last column that a row can name', () => {
  const right = ' '.repeat(70_000);
  const { records } = read(`h 1 A 192.0.2.1\n${right}A 192.0.2.2\n${right}A ( 192.0.2.3 )\n`);
  assert.deepEqual([...records.column], [1, 65535, 65535]);
});

test('names of which a record could not be read are unsure, the others are not', () => {
  const { unsure } = read('h 1 A 192.0.2.1\n 1 A 192.0.2.300\nk 1 A 192.0.2.1\n');
  assert.ok(unsure('\u0001h\u0007example\u0003com\0'));
  assert.ok(!unsure('\u0001k\u0007example\u0003com\0'));
});
