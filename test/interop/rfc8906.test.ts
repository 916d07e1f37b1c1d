/**
 * Every dig line of RFC 8906 §8, and EDNS over TCP (§3.2.7), against a started server, with what the
 * RFC expects of it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { DnsServer } from '../../src/dns/server.ts';
import { startServer } from '../support/dns-server.ts';
import { need } from '../support/need.ts';

const run = promisify(execFile);

interface Expected {
  readonly status: 'NOERROR' | 'NOTIMP' | 'BADVERS';
  /** In the answer section. */
  readonly soa: boolean;
  readonly aa: boolean;
  /** There is an OPT record, of version 0. */
  readonly opt: boolean;
  readonly also?: RegExp;
  readonly never?: RegExp;
}

const basic: Expected = { status: 'NOERROR', soa: true, aa: true, opt: false };
const edns: Expected = { ...basic, opt: true };
const version1: Expected = { status: 'BADVERS', soa: false, aa: false, opt: true };
const zone = 'example.com';

const LINES: readonly (readonly [section: string, line: string, expected: Expected])[] = [
  ['8.1.1 the zone', `+noedns +noad +norec soa ${zone}`, basic],
  [
    '8.1.2 unknown types',
    `+noedns +noad +norec type1000 ${zone}`,
    { ...basic, soa: false, also: /ANSWER: 0,/ },
  ],
  ['8.1.3.1 CD=1', `+noedns +noad +norec +cd soa ${zone}`, basic],
  ['8.1.3.2 AD=1', `+noedns +norec +ad soa ${zone}`, { ...basic, never: /flags:[^;]* ad/ }],
  ['8.1.3.3 reserved bit', `+noedns +noad +norec +zflag soa ${zone}`, { ...basic, never: /MBZ/ }],
  ['8.1.3.4 RD=1', `+noedns +noad +rec soa ${zone}`, { ...basic, also: /flags:[^;]* rd/ }],
  [
    '8.1.4 unknown opcodes',
    '+noedns +noad +opcode=15 +norec +header-only',
    { status: 'NOTIMP', soa: false, aa: false, opt: false, also: /opcode: RESERVED15/ },
  ],
  ['8.1.5 TCP', `+noedns +noad +norec +tcp soa ${zone}`, basic],
  ['8.2.1 minimal EDNS', `+nocookie +edns=0 +noad +norec soa ${zone}`, edns],
  ['8.2.2 version negotiation', `+nocookie +edns=1 +noednsneg +noad +norec soa ${zone}`, version1],
  [
    '8.2.3 unknown options',
    `+nocookie +edns=0 +noad +norec +ednsopt=100 soa ${zone}`,
    { ...edns, never: /OPT=100/ },
  ],
  [
    '8.2.4 unknown flags',
    `+nocookie +edns=0 +noad +norec +ednsflags=0x40 soa ${zone}`,
    { ...edns, never: /MBZ/ },
  ],
  [
    '8.2.5 version negotiation with unknown flags',
    `+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 soa ${zone}`,
    { ...version1, never: /MBZ/ },
  ],
  [
    '8.2.6 version negotiation with unknown options',
    `+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 soa ${zone}`,
    { ...version1, never: /OPT=100/ },
  ],
  [
    '8.2.7 truncated responses',
    `+norec +dnssec +bufsize=512 +ignore dnskey ${zone}`,
    { ...edns, soa: false },
  ],
  [
    '8.2.7 truncated responses, of a name that has so much',
    `+norec +dnssec +bufsize=512 +ignore a big.${zone}`,
    { ...edns, soa: false, also: /flags:[^;]* tc/ },
  ],
  [
    '8.2.8 DO=1',
    `+nocookie +edns=0 +noad +norec +dnssec soa ${zone}`,
    { ...edns, also: /flags: do;/ },
  ],
  [
    '8.2.9 version negotiation with DO=1',
    `+nocookie +edns=1 +noednsneg +noad +norec +dnssec soa ${zone}`,
    { ...version1, also: /flags: do;/ },
  ],
  [
    '8.2.10 several options',
    `+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa ${zone}`,
    { ...edns, also: /COOKIE: [0-9a-f]{48} \(good\)/ },
  ],
  ['3.2.7 EDNS over TCP', `+tcp +nocookie +edns=0 +noad +norec soa ${zone}`, edns],
];

describe('RFC 8906 §8', { skip: need('dig') }, () => {
  let server: DnsServer;
  before(async () => {
    server = await startServer({ dns: { identity: 'fra-1' } });
  });
  after(async () => server.stop());

  for (const [section, line, expected] of LINES) {
    test(`${section}: dig ${line}`, async () => {
      const { address, port } = server.addresses[0]!;
      const at = [`@${address}`, '-p', String(port), '+time=2', '+tries=1'];
      const { stdout } = await run('dig', [...line.split(' '), ...at]);
      assert.match(stdout, new RegExp(`status: ${expected.status},`));
      assert.equal(/ANSWER SECTION:\n.*\sIN\sSOA\s/.test(stdout), expected.soa, 'SOA');
      assert.equal(/^;; flags:[^;]* aa[ ;]/m.test(stdout), expected.aa, 'aa');
      assert.equal(/; EDNS: version: 0,/.test(stdout), expected.opt, 'OPT');
      if (!expected.opt) assert.doesNotMatch(stdout, /EDNS/);
      if (expected.also) assert.match(stdout, expected.also);
      if (expected.never) assert.doesNotMatch(stdout, expected.never);
    });
  }
});
