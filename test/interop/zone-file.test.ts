/**
 * Our reader of zone files against BIND's named-checkzone and Knot's kzonecheck: what we accept
 * both accept, what we refuse they refuse, unless the list says that they are more lenient.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { zoneFolder } from '../../src/config/zone/include.ts';
import { typeName } from '../../src/dns/wire/codes.ts';
import { formatName } from '../../src/dns/wire/name.ts';
import { canonicalRdata, printRdata } from '../../src/dns/wire/rdata.ts';
import { need } from '../support/need.ts';
import { readZoneFile } from '../support/zone-file.ts';

const HEAD = '$TTL 1h\n@ SOA ns1 h 1 2h 15m 2w 1m\n@ NS ns1\nns1 A 192.0.2.53\n';

type Checker = 'bind' | 'knot';

/** Bodies that both accept; those of KNOT_LACKS only BIND. */
const GOOD: Record<string, string> = {
  'a DNAME': 'd DNAME e.example.net.\nd A 192.0.2.1',
  'ttl and class in either order': 'a 60 IN A 192.0.2.1\nb IN 60 A 192.0.2.1\nc IN A 192.0.2.1',
  'units, case and tabs': 'a\t1H30m\tin\ta\t192.0.2.1\nb 1w2d3h4m5s AAAA 2001:DB8::1',
  'names like in, a and 10': 'in A 192.0.2.1\na IN A 192.0.2.2\n10 A 192.0.2.3',
  'owner left out': 'a A 192.0.2.1\n  A 192.0.2.2\n$ORIGIN s.example.com.\n  TXT x\nb TXT y',
  parentheses: 'a TXT ( "x" ; ")"\n "y"\n )\nb A ( 192.0.2.1 )',
  'lines that end with CRLF': 'a TXT ( "x" ; ")"\r\n "y"\r\n )\r\nb A 192.0.2.1\r',
  'quotes and escapes': 'a TXT "a;b" "(c)" d\\;e "q\\"q" "\\100\\\\"\na\\.b\\032c A 192.0.2.1',
  'quotes within words': 'a TXT k="b c" d"e"f',
  'empty strings': 'a TXT ""\nb TXT "" "x" ""',
  'unknown types': 'u TYPE65280 \\# 0\nv TYPE65280 \\# 4 ( 0A00\n 0001 )\nw A \\# 4 0a000001',
  types:
    '@ MX 10 m.example.net.\n@ MX 0 n.example.net.\n_s._tcp SRV 1 2 3 h.example.net.\n@ CAA 0 issue "ca.example; x=y"\nc HINFO PC "Linux 6"\np PTR q.example.net.',
  'DNSSEC, keys and places':
    's NS ns.x.net.\ns DS 1 ECDSAP256SHA256 2 (0123456789abcdef0123456789abcdef\n 0123456789abcdef0123456789abcdef )\n_25._tcp TLSA 3 1 1 00 ff\nh SSHFP 4 9 00\nh LOC 52 22 23 N 4 53 32 E -2m\nh URI 1 1 "https://a b"\nh RP a.b. .\nh NAPTR 1 1 "s" "x" "!(a)!\\\\1!" r.\nh SPF "v=spf1 -all"\nd DNAME e.net.',
  services:
    'a HTTPS 1 . alpn="h2,h3" ipv4hint="192.0.2.1,192.0.2.2"\nb SVCB 2 t ( mandatory=port port=53\n key667="a b;c" )\nc HTTPS 0 t\nt AAAA 2001:db8::1',
  'numbers at their limits': '@ MX 65535 m.example.net.\nx 2147483647 CAA 255 tag ""',
  'a service name without own records': 'w CNAME www.example.org.\n*.w TXT x\n@ TXT y',
  'delegation with glue': 's NS ns.s\ns NS ns.example.net.\nns.s A 192.0.2.1',
  'included file': '$INCLUDE more.inc\n$INCLUDE more.inc other.example.com.\nz A 192.0.2.1',
  'what an included file leaves behind': '$INCLUDE ttl.inc\n TXT x\na A 192.0.2.1',
  generate: `$GENERATE 1-5/2 h$ A 192.0.2.$\n$GENERATE 8-9 x\${2,3,x} TXT t$`,
};

/** What Knot's loader does not know. */
const KNOT_LACKS = ['lines that end with CRLF', 'quotes within words', 'generate'];

/** Bodies that we refuse, and who is more lenient. */
const BAD: Record<string, { body: string; lenient?: Checker[] }> = {
  'bad address': { body: 'a A 192.0.2.300' },
  'short address': { body: 'a A 192.0.2' },
  'bad IPv6 address': { body: 'a AAAA 2001:db8::1::2' },
  'too many words': { body: 'a A 192.0.2.1 192.0.2.2' },
  'missing exchange': { body: 'a MX 10' },
  'preference above 65535': { body: 'a MX 65536 m.example.net.' },
  'unknown type name': { body: 'a BOGUS x' },
  'empty label': { body: 'a..b A 192.0.2.1' },
  'label of 64 octets': { body: `${'a'.repeat(64)} A 192.0.2.1` },
  'unclosed parenthesis': { body: 'a TXT ( x' },
  'lone closing parenthesis': { body: 'a TXT x )' },
  'unclosed quote': { body: 'a TXT "x' },
  'unknown directive': { body: '$TLL 5' },
  'class CH': { body: 'a CH TXT x' },
  'generic length that lies': { body: 'a TYPE65280 \\# 4 0A00' },
  'CNAME beside other data': { body: 'a CNAME b.example.net.\na A 192.0.2.1' },
  'two CNAMEs': { body: 'a CNAME b.example.net.\na CNAME c.example.net.' },
  'second SOA': { body: '@ SOA ns1 h 2 2h 15m 2w 1m', lenient: ['knot'] },
  'query type as data': { body: 'a AXFR \\# 0' },
  'missing include': { body: '$INCLUDE gone.inc' },
  'missing glue': { body: 's NS ns.s', lenient: ['bind'] },
  'name server without address': { body: '@ NS ns2' },
  'other zone': { body: 'www.example.net. A 192.0.2.1', lenient: ['bind', 'knot'] },
  'TTLs that differ': { body: 'a 60 TXT x\na 61 TXT y', lenient: ['bind', 'knot'] },
  'same record twice': { body: 'a A 192.0.2.1\na A 192.0.2.1', lenient: ['bind', 'knot'] },
  'data below a DNAME': { body: 'd DNAME e.example.net.\na.d TXT x', lenient: ['bind'] },
  'two DNAMEs': { body: 'd DNAME e.example.net.\nd DNAME f.example.net.' },
  'CNAME beside a DNAME': { body: 'd DNAME e.example.net.\nd CNAME f.example.net.' },
  'NS at a wildcard': { body: '*.w NS ns1', lenient: ['knot'] },
  'DNAME at a delegation': { body: 'd DNAME e.example.net.\nd NS ns1', lenient: ['bind'] },
  'name server that is a CNAME': { body: '@ NS al\nal CNAME ns1' },
};

let folder = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'isobar-zone-'));
  writeFileSync(join(folder, 'ttl.inc'), '$TTL 5\n$ORIGIN q.example.com.\ni A 192.0.2.8\n');
  writeFileSync(join(folder, 'more.inc'), 'i A 192.0.2.8\n  A 192.0.2.9\n');
});

after(() => {
  rmSync(folder, { recursive: true });
});

function ours(text: string) {
  const readInclude = zoneFolder(folder, 'zones');
  return readZoneFile({ file: 'z', text, origin: 'example.com', services: [], readInclude });
}

/** The records of a good zone, sorted, names in lower case. */
function lines(text: string): string[] {
  const { zone, problems } = ours(text);
  assert.deepEqual(problems, []);
  return zone!.records
    .map(({ owner, ttl_s, type, rdata }) => {
      const data = printRdata(type, canonicalRdata(type, rdata));
      return `${formatName(owner)} ${ttl_s} ${typeName(type)} ${data}`;
    })
    .sort();
}

interface Verdict {
  readonly accepts: boolean;
  readonly output: string;
}

function run(program: string, args: string[]): Verdict {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
  return { accepts: status === 0, output: stdout + stderr };
}

const CHECKERS: Record<Checker, { program: string; check: (text: string) => Verdict }> = {
  bind: {
    program: 'named-checkzone',
    check: (text) => {
      writeFileSync(join(folder, 'z'), text);
      return run('named-checkzone', ['-i', 'local', 'example.com', 'z']);
    },
  },
  knot: {
    program: 'kzonecheck',
    check: (text) => {
      writeFileSync(join(folder, 'z'), text);
      return run('kzonecheck', ['-o', 'example.com', 'z']);
    },
  },
};

for (const [name, { program, check }] of Object.entries(CHECKERS)) {
  describe(`zone files as ${program} reads them`, { skip: need(program) }, () => {
    for (const [what, body] of Object.entries(GOOD)) {
      if (name === 'knot' && KNOT_LACKS.includes(what)) continue;
      test(`both accept: ${what}`, () => {
        assert.deepEqual(ours(HEAD + body).problems, []);
        const verdict = check(`${HEAD}${body}\n`);
        assert.ok(verdict.accepts, verdict.output);
      });
    }
    for (const [what, { body, lenient = [] }] of Object.entries(BAD)) {
      const more = lenient.includes(name as Checker);
      test(more ? `refused by us only: ${what}` : `both refuse: ${what}`, () => {
        assert.notDeepEqual(ours(HEAD + body).problems, []);
        const verdict = check(`${HEAD}${body}\n`);
        assert.equal(verdict.accepts, more, verdict.output);
      });
    }
  });
}

describe('zone files as BIND prints them', { skip: need('named-checkzone') }, () => {
  test('the records are the same ones, with the same TTLs and data', () => {
    for (const [what, body] of Object.entries(GOOD)) {
      const text = `${HEAD}${body}\n`;
      writeFileSync(join(folder, 'z'), text);
      const { accepts, output } = run('named-checkzone', ['-q', '-D', 'example.com', 'z']);
      assert.ok(accepts, output);
      assert.deepEqual(lines(text), lines(output), what);
    }
  });
});
