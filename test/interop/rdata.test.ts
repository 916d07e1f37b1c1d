/**
 * Rdata as we print it, given to named-compilezone, kzonecheck and ldns: each accepts it, and what
 * BIND and ldns print of it is the same rdata to us.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TYPE, typeName, typeNumber } from '../../src/dns/wire/codes.ts';
import { wireName } from '../../src/dns/wire/name.ts';
import { canonicalRdata, parseRdata, printRdata } from '../../src/dns/wire/rdata.ts';
import type { Token } from '../../src/dns/wire/text.ts';
import { need } from '../support/need.ts';

const ORIGIN = wireName('example.com');
const raw = String.raw;

/** For each type, rdata in a form of which every part matters. */
const SAMPLES: readonly [number, readonly string[]][] = [
  [TYPE.PTR, ['host.example.net.']],
  [TYPE.HINFO, [raw`PC "Linux \"6\" \200"`]],
  [TYPE.RP, ['admin.x.example.net. txt.example.net.']],
  [TYPE.AFSDB, ['1 Db.example.net.']],
  [TYPE.LOC, ['52 22 23.001 N 4 53 32 W -2.00m 0m 10000m 10m', '90 S 180 E 42849672.95m']],
  [TYPE.SRV, ['0 5 5060 Sip.example.net.', '1 0 0 .']],
  [TYPE.NAPTR, [raw`100 50 "s" "http+N2L" "!^(.*)$!\\1\"!i" repl.example.net.`, '1 1 "" "" "" .']],
  [TYPE.SSHFP, [`4 2 ${'0f'.repeat(32)}`, '1 9 00']],
  [TYPE.TLSA, ['3 1 1 abcdef']],
  [TYPE.SMIMEA, ['3 0 0 00']],
  [TYPE.OPENPGPKEY, ['AQIDBA==']],
  [TYPE.SPF, ['"v=spf1 -all" ""']],
  [TYPE.URI, [raw`10 1 "https://example.net/?a=\"b\""`]],
  [TYPE.CAA, ['128 issue "ca.example.net; a=b"']],
  [
    TYPE.SVCB,
    [
      '0 Alias.example.net.',
      '1 .',
      '2 svc port=8443 alpn=h2,h3 no-default-alpn ipv4hint=192.0.2.1,192.0.2.2',
      raw`3 . alpn="f\\\\oo\\,bar,h2" mandatory=alpn,ipv6hint ipv6hint=2001:db8::1`,
      raw`4 . key667="a b\"c;\210" key9 dohpath=/q{?dns}`,
    ],
  ],
  [TYPE.HTTPS, ['1 . ech=AQID alpn=h3']],
  [65280, [raw`\# 3 010203`]],
];

/** Types that a server allows at the apex only. */
const AT_APEX: readonly [number, string][] = [
  [TYPE.CDS, '0 0 0 00'],
  [TYPE.CDNSKEY, '0 3 0 AA=='],
];

function words(text: string): Token[] {
  return [...text.matchAll(/(?:\\.|"(?:[^"\\]|\\.)*"|[^\s"\\])+/gs)].map(([word]) => ({
    text: word.startsWith('"') ? word.slice(1, -1) : word,
    quoted: word.startsWith('"'),
  }));
}

function canonical(type: number, text: string): string {
  const parsed = parseRdata(type, words(text), ORIGIN);
  assert.ok(parsed.ok, `${typeName(type)} ${text}: ${parsed.ok ? '' : parsed.error.message}`);
  return `${typeName(type)} ${Buffer.from(canonicalRdata(type, parsed.value)).toString('hex')}`;
}

function print(type: number, text: string): string {
  const parsed = parseRdata(type, words(text), ORIGIN);
  assert.ok(parsed.ok, `${typeName(type)} ${text}: ${parsed.ok ? '' : parsed.error.message}`);
  return `${typeName(type)} ${printRdata(type, parsed.value)}`;
}

const RECORDS: readonly (readonly [string, number, string])[] = [
  ...SAMPLES.flatMap(([type, texts]) => texts.map((text) => ['a', type, text] as const)),
  ...AT_APEX.map(([type, text]) => ['@', type, text] as const),
  ['d', TYPE.DNAME, 'Elsewhere.example.net.'],
  ['sub', TYPE.DS, `1 8 2 ${'ab'.repeat(32)}`],
];

const ZONE = [
  '$TTL 1h',
  '@ SOA ns1 h 1 2h 15m 2w 1m',
  '@ NS ns1',
  'ns1 A 192.0.2.53',
  'sub NS ns.example.net.',
  ...RECORDS.map(([owner, type, text]) => `${owner} ${print(type, text)}`),
  '',
].join('\n');

const EXPECTED = RECORDS.map(([, type, text]) => canonical(type, text)).sort();

/** The records of the sampled types in a listing of one record a line. */
function read(listing: string): string[] {
  const types = new Set(RECORDS.map(([, type]) => type));
  return listing
    .split('\n')
    .map((line) => /^\S+\s+[0-9]+\s+IN\s+(\S+)\s+(.*)$/.exec(line))
    .flatMap((match) => (match ? [[typeNumber(match[1]!) ?? 0, match[2]!] as const] : []))
    .filter(([type]) => types.has(type))
    .map(([type, text]) => canonical(type, text))
    .sort();
}

describe('rdata as others read and print it', () => {
  let folder = '';
  const run = (program: string, ...args: string[]): string => {
    const done = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stdout + done.stderr);
    return done.stdout;
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'isobar-rdata-'));
    writeFileSync(join(folder, 'z'), ZONE);
    // Knot 3.2 knows this key by its number only.
    writeFileSync(join(folder, 'knot'), ZONE.replace('dohpath=', 'key7='));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  test('BIND', { skip: need('named-compilezone') }, () => {
    const args = ['-q', '-i', 'none', '-s', 'full', '-o', '-', 'example.com', 'z'];
    assert.deepEqual(read(run('named-compilezone', ...args)), EXPECTED);
  });

  test('Knot', { skip: need('kzonecheck') }, () => {
    run('kzonecheck', '-o', 'example.com', 'knot');
  });

  test('ldns', { skip: need('ldns-read-zone') }, () => {
    assert.deepEqual(read(run('ldns-read-zone', 'z')), EXPECTED);
  });
});
