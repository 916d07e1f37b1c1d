/**
 * A resolver that takes nothing on trust: unbound from the root down, with strict QNAME minimisation
 * (RFC 9156: a wrong answer for an empty non-terminal ends the search) and random case in every
 * question (an answer that does not repeat it is taken for forged).
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HostPort } from '../../src/net/ip.ts';
import { ownAddress, type Peer, startKnot, startProgram } from '../support/dns-peers.ts';
import { buildQuery, type ReadMessage } from '../support/dns-query.ts';
import { askUdp } from '../support/dns-server.ts';
import { serveZones } from '../support/dns-trio.ts';
import { need } from '../support/need.ts';

const [A, CNAME, MX, TXT, AAAA, SRV] = [1, 5, 15, 16, 28, 33];
const [NOERROR, NXDOMAIN] = [0, 3];
/** Delegations have no port numbers, so every server here has the port and an address of its own. */
const DNS_PORT = 53;

const [ROOT, ISOBAR, RESOLVER] = [ownAddress(1), ownAddress(2), ownAddress(3)];

const soa = (mname: string): string => `SOA ${mname} hostmaster.test. 1 7200 900 86400 60`;

const ROOT_ZONE = `$TTL 300
. ${soa('ns.root.test.')}
. NS ns.root.test.
ns.root.test. A ${ROOT}
test. NS ns.root.test.
example.com. NS ns.resolve.test.
`;
const TEST_ZONE = `$TTL 300
test. ${soa('ns.root.test.')}
test. NS ns.root.test.
ns.root.test. A ${ROOT}
resolve.test. NS ns.resolve.test.
ns.resolve.test. A ${ISOBAR}
other.test. NS ns.resolve.test.
`;
const DOWN_ZONE = `$TTL 300
down.resolve.test. ${soa('ns.down.resolve.test.')}
down.resolve.test. NS ns.down.resolve.test.
ns.down.resolve.test. A ${ROOT}
www.down.resolve.test. A 192.0.2.40
`;
const RESOLVE_ZONE = `$TTL 300
@ ${soa('ns')}
@ NS ns
@ A 192.0.2.1
@ MX 10 mail
ns A ${ISOBAR}
mail A 192.0.2.25
mail AAAA 2001:db8::25
one CNAME two
two CNAME three.deep
three.deep CNAME mail
away CNAME www.other
best CNAME www.example.com.
away2 CNAME www.other.test.
ping CNAME pong
pong CNAME ping
lost CNAME nowhere
out CNAME www.down
*.wild A 192.0.2.77
*.wild TXT "wild"
known.wild A 192.0.2.78
*.alias CNAME mail
a.b.c.d.e A 192.0.2.30
_sip._tcp SRV 0 0 5060 mail
moved DNAME other.test.
down NS ns.down
ns.down A ${ROOT}
big TXT ${Array.from({ length: 16 }, (_, i) => `"${String(i).padEnd(255, 'x')}"`).join(' ')}
`;
const OTHER_ZONE = `$TTL 300
@ ${soa('ns.resolve.test.')}
@ NS ns.resolve.test.
www A 192.0.2.50
a.b.www AAAA 2001:db8::50
`;

const EXAMPLE_ZONE = `$TTL 300
@ ${soa('ns.resolve.test.')}
@ NS ns.resolve.test.
alias CNAME www
`;

interface Expected {
  readonly ask: readonly [string, number];
  readonly rcode?: number;
  /** Text of the records of the type that was asked for, sorted. */
  readonly get: readonly string[];
}

const HOSTS = ['127.1.1.1', '127.1.1.2'];

const LIST: readonly Expected[] = [
  { ask: ['resolve.test', A], get: ['192.0.2.1'] },
  { ask: ['resolve.test', MX], get: ['10 mail.resolve.test.'] },
  { ask: ['mail.resolve.test', AAAA], get: ['20010db8000000000000000000000025'] },
  { ask: ['mail.resolve.test', TXT], get: [] },
  { ask: ['absent.resolve.test', A], rcode: NXDOMAIN, get: [] },
  { ask: ['x.y.absent.resolve.test', A], rcode: NXDOMAIN, get: [] },
  // Empty non-terminals on the way, and one as the name itself.
  { ask: ['a.b.c.d.e.resolve.test', A], get: ['192.0.2.30'] },
  { ask: ['c.d.e.resolve.test', A], get: [] },
  { ask: ['_sip._tcp.resolve.test', SRV], get: ['5060 mail.resolve.test.'] },
  { ask: ['one.resolve.test', A], get: ['192.0.2.25'] },
  { ask: ['away2.resolve.test', A], get: ['192.0.2.50'] },
  { ask: ['away.resolve.test', A], rcode: NXDOMAIN, get: [] },
  { ask: ['lost.resolve.test', A], rcode: NXDOMAIN, get: [] },
  { ask: ['ping.resolve.test', CNAME], get: ['pong.resolve.test.'] },
  { ask: ['x.wild.resolve.test', A], get: ['192.0.2.77'] },
  { ask: ['x.y.z.wild.resolve.test', TXT], get: ['0477696c64'] },
  { ask: ['known.wild.resolve.test', TXT], get: [] },
  { ask: ['x.known.wild.resolve.test', A], rcode: NXDOMAIN, get: [] },
  { ask: ['q.alias.resolve.test', AAAA], get: ['20010db8000000000000000000000025'] },
  { ask: ['www.moved.resolve.test', A], get: ['192.0.2.50'] },
  { ask: ['a.b.www.moved.resolve.test', AAAA], get: ['20010db8000000000000000000000050'] },
  { ask: ['b.www.moved.resolve.test', AAAA], get: [] },
  { ask: ['absent.moved.resolve.test', A], rcode: NXDOMAIN, get: [] },
  { ask: ['www.down.resolve.test', A], get: ['192.0.2.40'] },
  { ask: ['out.resolve.test', A], get: ['192.0.2.40'] },
  { ask: ['absent.down.resolve.test', A], rcode: NXDOMAIN, get: [] },
  { ask: ['www.other.test', A], get: ['192.0.2.50'] },
  // Health-aware names of the demo.
  { ask: ['www.example.com', A], get: HOSTS },
  {
    ask: ['www.example.com', AAAA],
    get: ['20010db8000100000000000000000001', '20010db8000100000000000000000002'],
  },
  { ask: ['alias.example.com', A], get: HOSTS },
  { ask: ['best.resolve.test', A], get: HOSTS },
  { ask: ['www.example.com', TXT], get: [] },
];

describe('unbound', { skip: need('root', 'unbound', 'knotd', 'setpriv') }, () => {
  let dir: string;
  const stops: (() => Promise<unknown>)[] = [];
  const resolver: HostPort = { address: RESOLVER, port: DNS_PORT };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'isobar-unbound-'));
    stops.push(() => rm(dir, { recursive: true }));
    const isobar = await serveZones(
      [
        { origin: 'resolve.test', text: RESOLVE_ZONE },
        { origin: 'other.test', text: OTHER_ZONE },
        { origin: 'example.com', text: EXAMPLE_ZONE },
      ],
      { listen: [{ address: ISOBAR, port: DNS_PORT }] },
    );
    stops.push(isobar.stop);
    const above = { '': ROOT_ZONE, test: TEST_ZONE, 'down.resolve.test': DOWN_ZONE };
    await mkdir(join(dir, 'zones'));
    for (const [origin, text] of Object.entries(above)) {
      await writeFile(join(dir, 'zones', `${origin}.zone`), text);
    }
    const at = { address: ROOT, port: DNS_PORT };
    stops.push((await startKnot({ dir, origins: Object.keys(above), at })).stop);
    stops.push((await startUnbound(dir)).stop);
  });
  after(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const resolve = (name: string, type: number): Promise<ReadMessage> =>
    askUdp(resolver, buildQuery({ name, type, edns: { payload: 1232 } }));

  for (const { ask, rcode = NOERROR, get } of LIST) {
    test(`finds ${ask[0]} TYPE${ask[1]}`, async () => {
      const answer = await resolve(...ask);
      assert.equal(answer.rcode, rcode);
      const records = answer.answers.filter(({ type }) => type === ask[1]);
      const texts = records.map(({ text, data }) => (ask[1] === TXT ? data : text));
      assert.deepEqual(texts.sort(), get);
    });
  }

  test('turns to TCP for an answer of 4 KiB', async () => {
    const query = buildQuery({ name: 'big.resolve.test', type: TXT, edns: { payload: 8192 } });
    const { rcode, answers } = await askUdp(resolver, query);
    assert.deepEqual([rcode, answers[0]?.rdata.length], [NOERROR, 16 * 256]);
  });
});

async function startUnbound(dir: string): Promise<Peer> {
  const hints = join(dir, 'root.hints');
  await writeFile(hints, `. 3600 NS ns.root.test.\nns.root.test. 3600 A ${ROOT}\n`);
  // It speaks from loopback, so nothing it sends can leave the machine.
  const config = `server:
  interface: ${RESOLVER}
  port: ${DNS_PORT}
  outgoing-interface: ${RESOLVER}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "${dir}"
  pidfile: "${join(dir, 'unbound.pid')}"
  root-hints: "${hints}"
  module-config: "iterator"
  local-zone: "test." nodefault
  qname-minimisation: yes
  qname-minimisation-strict: yes
  use-caps-for-id: yes
  edns-buffer-size: 1232
  max-udp-size: 8192
  num-threads: 1
  so-reuseport: no
remote-control:
  control-enable: no
`;
  const file = join(dir, 'unbound.conf');
  await writeFile(file, config);
  const at = { address: RESOLVER, port: DNS_PORT };
  return startProgram('unbound', ['-d', '-c', file], at, 'test', ({ rcode }) => rcode === NOERROR);
}
