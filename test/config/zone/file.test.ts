import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { err, ok } from '../../../src/base/result.ts';
import { PROBLEMS_MAX, ZONE_BYTES_MAX } from '../../../src/config/limits.ts';
import { MESSAGE_MAX, readZoneRecords } from '../../../src/config/zone/file.ts';
import type { ReadInclude } from '../../../src/config/zone/include.ts';
import { typeName } from '../../../src/dns/wire/codes.ts';
import { formatName } from '../../../src/dns/wire/name.ts';
import { printRdata } from '../../../src/dns/wire/rdata.ts';
import { readZoneFile, type ZoneRead } from '../../support/zone-file.ts';
import { readBothWays } from '../../support/zone-records.ts';

const HEAD = `$TTL 1h
@ SOA ns1 hostmaster 1 2h 15m 2w 1m
@ NS ns1
ns1 A 192.0.2.53
`;
const HEAD_LINES = 4;

function read(text: string, includes: Record<string, string> = {}): ZoneRead {
  const readInclude: ReadInclude = (file) => {
    const included = includes[file];
    return included === undefined ? err(`no ${file}`) : ok({ file, bytes: Buffer.from(included) });
  };
  const source = { file: 'z', origin: 'example.com', readInclude };
  // A last line without an end is none for the fast way.
  readBothWays({ ...source, bytes: Buffer.from(`${text}\n`) });
  return readZoneFile({ ...source, text, services: ['www.example.com'] });
}

/** The records after HEAD as "owner ttl type rdata"; fails if the zone has problems. */
function show(body: string, includes?: Record<string, string>): string[] {
  const { zone, problems } = read(HEAD + body, includes);
  assert.deepEqual(problems, []);
  return zone!.records
    .slice(3)
    .map(
      ({ owner, ttl_s, type, rdata }) =>
        `${formatName(owner)} ${ttl_s} ${typeName(type)} ${printRdata(type, rdata)}`,
    );
}

/** Problems as "line:column message", lines counted behind HEAD. */
function complain(body: string, includes?: Record<string, string>): string[] {
  const { zone, problems } = read(HEAD + body, includes);
  if (problems.length > 0) assert.equal(zone, null);
  return problems.map(({ file, line, column, message }) => {
    const place = file === 'z' ? `${line - HEAD_LINES}` : `${file}:${line}`;
    return `${place}:${column} ${message}`;
  });
}

function assertComplaints(body: string, ...patterns: RegExp[]): void {
  const problems = complain(body);
  assert.equal(problems.length, patterns.length, problems.join('\n'));
  patterns.forEach((pattern, i) => {
    assert.match(problems[i]!, pattern);
  });
}

test('TTL and class come in either order, or not at all', () => {
  const expected = ['h.example.com. 60 A 192.0.2.1'];
  assert.deepEqual(show('h IN 60 A 192.0.2.1'), expected);
  assert.deepEqual(show('h 60 IN A 192.0.2.1'), expected);
  assert.deepEqual(show('h 60 A 192.0.2.1'), expected);
  assert.deepEqual(show('h 1m a 192.0.2.1'), expected);
  assert.deepEqual(show('h class1 60 type1 192.0.2.1'), expected);
  assert.deepEqual(show('h in A 192.0.2.1'), ['h.example.com. 3600 A 192.0.2.1']);
});

test('TTL units add up', () => {
  assert.deepEqual(show('h 1d2h30m A 192.0.2.1'), ['h.example.com. 95400 A 192.0.2.1']);
  assert.deepEqual(show('h 1W1s A 192.0.2.1'), ['h.example.com. 604801 A 192.0.2.1']);
  assertComplaints('h 1h30 A 192.0.2.1', /^1:3 "1h30" is not a TTL: write seconds/);
  assertComplaints('h 2147483648 A 192.0.2.1', /^1:3 "2147483648" is not a TTL/);
});

test('names that look like a class, a type or a TTL are owners in the first column', () => {
  assert.deepEqual(show('in A 192.0.2.1\na IN A 192.0.2.2\n10 A 192.0.2.3\n60 60 A 192.0.2.4'), [
    'in.example.com. 3600 A 192.0.2.1',
    'a.example.com. 3600 A 192.0.2.2',
    '10.example.com. 3600 A 192.0.2.3',
    '60.example.com. 60 A 192.0.2.4',
  ]);
});

test('an owner that is left out is the last one, also behind $ORIGIN and $INCLUDE', () => {
  const includes = { 'more.zone': 'inner A 192.0.2.9\n  A 192.0.2.10\n' };
  const body = `h A 192.0.2.1
\tA 192.0.2.2
$ORIGIN sub.example.com.
 ; a comment is no record
  A 192.0.2.3
k A 192.0.2.4
$INCLUDE more.zone
  A 192.0.2.5
$INCLUDE "more.zone" other.example.com.
l A 192.0.2.6`;
  assert.deepEqual(
    show(body, includes).map((line) => line.replace('example.com. 3600 A 192.0.2.', '')),
    ['h.1', 'h.2', 'h.3', 'k.sub.4', 'inner.sub.9', 'inner.sub.10', 'k.sub.5'].concat([
      'inner.other.9',
      'inner.other.10',
      'l.sub.6',
    ]),
  );
  assert.match(complain('$INCLUDE i', { i: ' A 192.0.2.1' })[0]!, /^i:1:2 no owner/);
});

test('parentheses span lines; comments inside them do not end the record', () => {
  const body = 'h 60 ( IN ; class ) "\r\n A ( )\r\n192.0.2.1 )\r\nk A 192.0.2.2\r\n';
  assertComplaints('h A ( ( 192.0.2.1 ) )', /^1:5 a "\(" that is not closed before the next/);
  assert.deepEqual(show(body.replace('( )', '')), [
    'h.example.com. 60 A 192.0.2.1',
    'k.example.com. 3600 A 192.0.2.2',
  ]);
});

test('quotes keep semicolons, parentheses and blanks; escapes work inside and outside', () => {
  assert.deepEqual(show('t TXT "a;b" "(c)" d\\;e "q\\"q" "\\100\\\\"'), [
    't.example.com. 3600 TXT "a;b" "(c)" "d;e" "q\\"q" "d\\\\"',
  ]);
  assert.deepEqual(show('t TXT ("a" ; comment "\n"b"\n)'), ['t.example.com. 3600 TXT "a" "b"']);
  assert.deepEqual(show('a\\.b\\032c A 192.0.2.1'), ['a\\.b\\032c.example.com. 3600 A 192.0.2.1']);
  const long = 'x'.repeat(300);
  const parts = `"${'x'.repeat(255)}" "${'x'.repeat(45)}"`;
  assert.deepEqual(show(`t TXT "${long}"`), [`t.example.com. 3600 TXT ${parts}`]);
});

test('unknown types are written as RFC 3597 says', () => {
  assert.deepEqual(
    show('u TYPE65280 \\# 0\nv TYPE65280 \\# 4 ( 0A00\n 0001 )\nw A \\# 4 0a000001'),
    [
      'u.example.com. 3600 TYPE65280 \\# 0',
      'v.example.com. 3600 TYPE65280 \\# 4 0a000001',
      'w.example.com. 3600 A 10.0.0.1',
    ],
  );
});

test('$TTL rules what follows it; without one the last stated TTL does', () => {
  const soa = '@ 5 SOA . . 1 1 1 1 1\n';
  const ttls = (text: string): (number | string)[] => {
    const { zone, problems } = read(text);
    return zone ? zone.records.map((one) => one.ttl_s) : problems.map((one) => one.message);
  };
  assert.deepEqual(ttls(`${soa}@ NS a.\nh 7 A 192.0.2.1\nk A 192.0.2.1`), [5, 5, 7, 7]);
  assert.deepEqual(ttls(`$TTL 9\n${soa}@ NS a.\n$TTL 8\nk A 192.0.2.1`), [5, 9, 8]);
  assert.deepEqual(
    ttls('@ SOA . . 1 1 1 1 6\n@ NS a.\nh 7 A 192.0.2.1\nk A 192.0.2.1'),
    [6, 6, 7, 6],
  );
  assert.match(
    String(ttls('@ NS a.\n@ SOA . . 1 1 1 1 1')),
    /^no TTL: write e.g. "\$TTL 1h"[^,]*$/,
  );
});

test('$GENERATE counts, pads and changes base', () => {
  assert.deepEqual(show(`$GENERATE 1-3/2 h$ 60 IN A 192.0.2.\${10}`), [
    'h1.example.com. 60 A 192.0.2.11',
    'h3.example.com. 60 A 192.0.2.13',
  ]);
  assert.deepEqual(show(`$GENERATE 26-26 x\${0,4,x}y\${-1,3} TXT \\$$`), [
    'x001ay025.example.com. 3600 TXT "$26"',
  ]);
  assertComplaints('$GENERATE 5-1 h$ A 192.0.2.1', /^1:11 "5-1" counts nothing/);
  assertComplaints('$GENERATE 0-99999 h$ A 192.0.2.1', /^1:11 .*more than 65536/);
  assertComplaints(`$GENERATE 1-2 h\${a} A 192.0.2.1`, /^1:15 "\$\{a\}" is not \$\{offset/);
  assertComplaints('$GENERATE 250-300 h$ A 192.0.2.$', /^1:24 "192.0.2.256" is not an IPv4/);
});

test('a mistake is told at its line and column, and all of a file are told', () => {
  assertComplaints(
    `h IN A 192.0.2.300
  MX mail
k A
l BOGUS x
m 1x A 192.0.2.1
n..o A 192.0.2.1
  A 192.0.2.999
p CH TXT x
q IN IN A 192.0.2.1
r 60 60 A 192.0.2.1
s ANY x
"t" A 192.0.2.1
$TLL 5
$TTL
  $ORIGIN a.
u A 192.0.2.1 ; fine
v TXT "open
w A 192.0.2.1 )
x
y 192.0.2.1
z IN fd00::1`,
    /^1:8 "192.0.2.300" is not an IPv4 address/,
    /^2:6 "mail" is not a preference/,
    /^3:4 an IPv4 address such as 192.0.2.1 is missing/,
    /^4:3 "BOGUS" is not a record type/,
    /^5:3 "1x" is not a TTL/,
    /^6:1 an empty label in "n..o"/,
    /^7:5 "192.0.2.999"/,
    /^8:3 class CH is not served: write IN/,
    /^9:6 "IN" is a second class/,
    /^10:6 "60" is a second TTL/,
    /^11:3 class ANY is not served/,
    /^11:7 "x" is not a record type/,
    /^12:1 write the name t without quotes/,
    /^13:1 "\$TLL" is not a directive: known are \$ORIGIN, /,
    /^14:5 \$TTL lacks one time/,
    /^15:3 write \$ORIGIN at the start of the line/,
    /^17:7 a quote that is not closed on its line/,
    /^18:15 a "\)" without a "\("/,
    /^19:2 the record type and its data are missing/,
    /^20:3 the record type is missing: write A before 192.0.2.1/,
    /^21:6 the record type is missing: write AAAA before fd00::1/,
  );
});

test('an unclosed parenthesis is told where it opens, and reading goes on at the next owner', () => {
  assertComplaints(
    'h TXT (\n  "a"\n  "b"\nk A 192.0.2.300\n',
    /^1:7 a "\(" that is not closed before the end of the file: add "\)"/,
    /^4:5 "192.0.2.300"/,
  );
  assertComplaints(
    'h TXT ( a\n  "b"\nk TXT ( a b )\nl BAD',
    /^1:7 a "\(" that is not closed before the next one in line 7/,
    /^4:3 "BAD"/,
  );
  assertComplaints('h TXT ( "a\n  b )\nk BAD', /^1:9 a quote/, /^3:3 "BAD"/);
});

test('$INCLUDE: a file that includes itself ends, and problems name the file they are in', () => {
  assert.match(complain('$INCLUDE self', { self: '$INCLUDE self' })[0]!, /^self:1:10 .*beyond 8/);
  assert.deepEqual(complain('$INCLUDE gone'), ['1:10 no gone']);
  assert.match(complain('$INCLUDE i', { i: '\nh A x' })[0]!, /^i:2:5 "x" is not an IPv4/);
  const bomb = '$INCLUDE i\n'.repeat(20);
  assert.ok(complain(bomb, { i: bomb }).length <= PROBLEMS_MAX);
});

test('$INCLUDE: the files of a zone have a limit together', () => {
  const included = new Uint8Array(ZONE_BYTES_MAX / 2); // one word, never written to
  const { problems, unsure } = readZoneRecords({
    file: 'z',
    bytes: Buffer.from('$INCLUDE a\n$INCLUDE a\n'),
    origin: 'example.com',
    readInclude: () => ok({ file: 'a', bytes: included }),
  });
  assert.equal(problems.length, 2);
  assert.match(problems[0]!.message, /^a record of more than 524288 octets/);
  assert.match(problems[1]!.message, /with this file the zone has more than \d+ octets/);
  assert.ok(unsure(''));
});

test('problems end at the limit', () => {
  assert.equal(complain('h BAD\n'.repeat(1000)).length, PROBLEMS_MAX);
  const { problems } = read('$TTL 1\n'.concat('h BAD\n'.repeat(1000), HEAD));
  assert.ok(problems.every(({ message }) => message.includes('"BAD"')));
});

test('a message does not repeat more of the file than anybody reads', () => {
  const [problem] = complain(`h 1 A ${'x'.repeat(100_000)}`);
  assert.match(problem!, /^1:7 "x{1000}/);
  assert.ok(problem!.length < MESSAGE_MAX + 10);
});

test('byte order mark, lone carriage returns and an empty file', () => {
  assert.deepEqual(read(`\ufeff${HEAD.replaceAll('\n', '\r\n')}`).problems, []);
  assert.match(read('').problems[0]!.message, /no SOA record: write e.g. "@ SOA/);
});

test('no text makes the reader throw, and a place it names exists', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '$TTL',
      '$ORIGIN',
      '$INCLUDE',
      '$GENERATE',
      '1-3',
      'i',
      '(',
      ')',
      '"',
      '\\',
      ';',
    ),
    fc.constantFrom(
      '\n',
      '\n',
      ' ',
      '\t',
      '\r',
      '@',
      'IN',
      'A',
      'SOA',
      'TXT',
      '60',
      '192.0.2.1',
      '.',
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = HEAD + pieces.join(' ');
      const lines = text.split('\n');
      for (const { file, line, column } of read(text, { i: 'h A 192.0.2.1' }).problems) {
        if (file !== 'z') continue;
        assert.ok(line >= 1 && line <= lines.length, `line ${line}`);
        assert.ok(column >= 1 && column <= lines[line - 1]!.length + 2, `${line}:${column}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('an escape of one or two digits is a mistake', () => {
  assertComplaints('w TXT \\25x', /^1:7 the escape \\2 lacks digits/);
  assertComplaints('w\\1 TXT a', /^1:1 the escape \\1 lacks digits/);
});

test('a tab can be escaped', () => {
  assert.deepEqual(show('w TXT a\\\tb'), ['w.example.com. 3600 TXT "a\\009b"']);
});

test('$GENERATE writes nibbles, and a dollar for two', () => {
  assert.deepEqual(show(`$GENERATE 250-251 \${0,4,n}x.$$ TXT \${0,0,N}`), [
    'a.f.x.\\$.example.com. 3600 TXT "A.F"',
    'b.f.x.\\$.example.com. 3600 TXT "B.F"',
  ]);
  assertComplaints(`$GENERATE 1-2 h\${1,2 TXT a`, /^1:15 "\$\{1,2" is not \$\{offset,width,base\}/);
});

test('what $GENERATE makes is limited, of all directives together', () => {
  const bytes = Buffer.from(`${HEAD}${'$GENERATE 1-9 h TXT $\n'.repeat(3)}`);
  const source = { file: 'z', origin: 'example.com', readInclude: () => err('no files'), bytes };
  const made = (generated_max: number): string[] =>
    readZoneRecords(source, { generated_max }).problems.map(
      ({ line, column, message }) => `${line}:${column} ${message}`,
    );
  assert.deepEqual(made(3 * 9 * ('hTXT1'.length + 3 * 16)), []);
  const message = '$GENERATE makes more than 1000 characters in this zone';
  assert.deepEqual(made(1000), [`7:11 ${message}`]);
});
