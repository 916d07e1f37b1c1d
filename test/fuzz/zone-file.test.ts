/**
 * A million lines of mutated zone files: the reader does not throw, ends, keeps no memory, tells a
 * bounded number of problems at places that exist, and its fast way and its general one see the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prng, prng } from '../../src/base/prng.ts';
import { err, ok } from '../../src/base/result.ts';
import { PROBLEMS_MAX } from '../../src/config/limits.ts';
import { nameLength } from '../../src/dns/wire/name.ts';
import { validRdata } from '../../src/dns/wire/rdata.ts';
import type { ZoneRecords } from '../../src/model/zone.ts';
import { heldBytes } from '../support/held-bytes.ts';
import { readBothWays } from '../support/zone-records.ts';

const LINES = 1_000_000;
/** What V8's own tables may grow by; the records of each file, were they kept, would be 100 MB. */
const GROWTH_BYTES_MAX = 2 * 1024 * 1024;

const ZONE = `$TTL 1h
@ IN SOA ns1 hostmaster ( 2026112001 2h ; serial
  15m 2w 1m )
 NS ns1
 NS ns2.example.net.
ns1 A 192.0.2.53
    AAAA 2001:db8::53
www 300 IN A 192.0.2.1
www IN 300 A 192.0.2.2
mail MX 10 mx1
 MX 20 mx2.example.org.
txt TXT "v=spf1 -all" bare "a;b" \\"q\\"
joined TXT a="b;c" d"e""f"g
_sip._tcp SRV 1 2 5060 sip
alias CNAME www.Example.NET.
4.3.2.1 PTR host-4
$ORIGIN sub.example.com.
$INCLUDE more
$GENERATE 1-4/2 g$ A 192.0.2.\${10,2,d}
a\\.b\\032c TYPE65280 \\# 4 0A00 0001
caa CAA 0 issue "ca.example.net"
v6 AAAA 2001:db8:0:1:2:3:4:5
   AAAA ::ffff:192.0.2.1
k 1d2h TXT é
`;
const INCLUDED = Buffer.from('i A 192.0.2.9\n TXT x\n');
const WORDS = [
  '"',
  '(',
  ')',
  ';',
  '\\',
  '\n',
  ' ',
  '\t',
  '\r',
  '$',
  '@',
  '.',
  '..',
  ':',
  '=',
].concat(
  ['IN ', 'CH ', ' 60', ' 1w', ' A ', ' AAAA ', ' TXT ', ' MX ', ' SRV ', ' CNAME ', '::', '\\#'],
  ['0', '9', '255', '256', '65535', 'f', 'é', '\\032', '\\300', '\0', '$TTL 1\n', '$ORIGIN a\n'],
  ['$INCLUDE more\n', '$GENERATE 1-3 $ ', `${'x'.repeat(63)}.`, 'y'.repeat(300)],
);

/** One small change: octets overwritten, taken out or doubled, or a word put in. */
function mutate(text: Uint8Array, random: Prng): Uint8Array {
  const at = random.int(text.length + 1);
  const behind = Math.min(text.length, at + random.int(random.int(4) === 0 ? 80 : 4));
  switch (random.int(5)) {
    case 0:
      return text.with(Math.min(at, text.length - 1), random.int(256));
    case 1:
      return text.with(Math.min(at, text.length - 1), random.int(128));
    case 2:
      return Buffer.concat([text.subarray(0, at), text.subarray(behind)]);
    case 3:
      return Buffer.concat([text.subarray(0, behind), text.subarray(at)]);
    default: {
      const word = Buffer.from(WORDS[random.int(WORDS.length)]!);
      return Buffer.concat([text.subarray(0, at), word, text.subarray(at)]);
    }
  }
}

/** What every reader of the columns relies on. */
function checkRecords(records: ZoneRecords): void {
  const { count, bytes } = records;
  for (let row = 0; row < count; row++) {
    const rdataAt = records.rdataAt[row]!;
    const rdata = bytes.subarray(rdataAt, rdataAt + records.rdataLength[row]!);
    if (nameLength(bytes, records.ownerAt[row]!) === 0) assert.fail(`owner of row ${row}`);
    if (!validRdata(records.type[row]!, rdata)) assert.fail(`rdata of row ${row}`);
    if (records.file[row]! >= records.files.length) assert.fail(`file of row ${row}`);
  }
}

test('a million lines of mutated zone files', () => {
  const random = prng(20261120);
  const whole = Buffer.from(ZONE);
  const linesEach = ZONE.split('\n').length - 1;
  let good = 0;
  let records = 0;
  let problems = 0;
  let held = 0;
  const files = Math.ceil(LINES / linesEach);
  for (let file = 0; file < files; file++) {
    if (file === Math.floor(files / 4)) held = heldBytes();
    let text: Uint8Array = whole;
    for (let changes = random.int(4); changes >= 0; changes--) text = mutate(text, random);
    const outcome = readBothWays({
      file: 'z',
      bytes: text,
      origin: 'example.com',
      readInclude: (name) => (name === 'more' ? ok({ file: name, bytes: INCLUDED }) : err('none')),
    });
    if (outcome.problems.length > PROBLEMS_MAX) assert.fail(`${outcome.problems.length} problems`);
    if (outcome.problems.length === 0) good++;
    problems += outcome.problems.length;
    records += outcome.records.count;
    checkRecords(outcome.records);
    const lines = outcome.problems.length === 0 ? [] : Buffer.from(text).toString().split('\n');
    for (const { file: name, line, column } of outcome.problems) {
      const place = lines[line - 1];
      if (name === 'z' && (place === undefined || column > place.length + 2)) {
        assert.fail(`${line}:${column} in ${Buffer.from(text)}`);
      }
    }
  }
  const grown = heldBytes() - held;
  assert.ok(grown < GROWTH_BYTES_MAX, `memory grew by ${grown} bytes`);
  assert.ok(good > 1000 && problems > 1000, `${good} good files, ${problems} problems`);
  assert.ok(records > LINES / 4, `${records} records`);
});
