/** What is read of a host about the way to a neighbour, and what is not when it cannot be. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { type EvidenceHost, EvidenceSource } from '../../src/bgp/evidence.ts';
import type { Dialler, Transport } from '../../src/bgp/ports.ts';

const TO: Transport = {
  address: '192.0.2.1',
  port: 179,
  source: null,
  interface: null,
  ttl: 1,
  ttl_security: null,
  md5_key: null,
};
const KEYED = { ...TO, md5_key: Buffer.from('secret') };

const netstat = (failures: number, drops: number): string =>
  'TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPMinTTLDrop\n' +
  `TcpExt: 9 1 2 ${failures} ${drops}\nIpExt: InNoRoutes\nIpExt: 0\n`;

const ANSWERS: Readonly<Record<string, string>> = {
  'ip -j route get 192.0.2.1': '[{"dst":"192.0.2.1","gateway":"198.51.100.1","dev":"eth0"}]',
  'ip -j link show eth0': '[{"ifname":"eth0","flags":["UP","LOWER_UP"]}]',
  'ip -j neigh show to 198.51.100.1 dev eth0': '[{"dst":"198.51.100.1","state":["STALE"]}]',
  'ss -tnoHO dst 192.0.2.1': 'SYN-SENT 0 1 192.0.2.2:4 192.0.2.1:179 timer:(on,1sec,1)\n',
};

/** A machine that answers these commands, and fails all others. */
class TestHost implements EvidenceHost {
  counters = netstat(0, 0);
  readonly #answers;

  constructor(answers: Readonly<Record<string, string>> = ANSWERS) {
    this.#answers = answers;
  }

  async run(program: string, args: readonly string[]): Promise<string> {
    const command = [program, ...args].join(' ');
    if (this.#answers[command] === undefined) throw new Error(`${command}: it is not installed`);
    return this.#answers[command];
  }

  async read(): Promise<string> {
    return this.counters;
  }
}

/** Dials to nowhere; the test says what becomes of it. */
class TestDialler implements Dialler {
  readonly dialled: { to: Transport; socket: Socket }[] = [];

  dial(to: Transport): Socket {
    const socket = new Socket();
    this.dialled.push({ to, socket });
    return socket;
  }
}

function source(host: EvidenceHost) {
  const clock = new VirtualClock();
  const dialler = new TestDialler();
  return { clock, dialler, evidence: new EvidenceSource({ host, dialler, clock }) };
}

test('counters are those that have risen since the neighbour was last fine', async () => {
  const host = new TestHost();
  const { evidence } = source(host);
  host.counters = netstat(5, 1);
  await evidence.mark('a');
  host.counters = netstat(7, 1);
  await evidence.mark('b');
  host.counters = netstat(8, 4);
  const rise = async (name: string) => (await evidence.collect(name, TO, false)).counters;
  const common = { TCPMD5NotFound: 0, TCPMD5Unexpected: 0, TCPMinTTLDrop: 3 };
  assert.deepEqual(await rise('a'), { ...common, TCPMD5Failure: 3 });
  assert.deepEqual(await rise('b'), { ...common, TCPMD5Failure: 1 });
});

test('a neighbour that is forgotten while it is marked stays forgotten', async () => {
  const host = new TestHost();
  host.counters = netstat(5, 0);
  const { evidence } = source(host);
  const marked = evidence.mark('a');
  evidence.forget('a');
  await marked;
  assert.equal((await evidence.collect('a', TO, false)).counters?.TCPMD5Failure, 5);
});

test('behind a router it is the router that must answer on the link', async () => {
  const { evidence } = source(new TestHost());
  const { route, link, next_hop, sockets, unsigned } = await evidence.collect('a', TO, true);
  assert.deepEqual(route, { kind: 'route', device: 'eth0', gateway: '198.51.100.1' });
  assert.deepEqual(link, { device: 'eth0', state: 'up' });
  assert.deepEqual(next_hop, { address: '198.51.100.1', state: 'STALE' });
  assert.deepEqual(sockets, [{ state: 'SYN-SENT', port: 179, unacknowledged: 1, retransmits: 1 }]);
  assert.equal(unsigned, null);
});

test('a machine without the tools gives no evidence, and no error', async () => {
  const { evidence } = source({
    run: () => Promise.reject(new Error('it is not installed')),
    read: () => Promise.reject(new Error('ENOENT')),
  });
  await evidence.mark('a');
  assert.deepEqual(await evidence.collect('a', { ...TO, interface: 'eth0' }, false), {
    counters: null,
    route: null,
    link: null,
    next_hop: null,
    sockets: [],
    unsigned: null,
  });
});

test('where a key is configured, one SYN without it is sent on the same way', async () => {
  const { evidence, dialler, clock } = source(new TestHost());
  const answers = [
    (socket: Socket) => socket.emit('connect'),
    (socket: Socket) => socket.destroy(Object.assign(new Error('no'), { code: 'ECONNREFUSED' })),
    (socket: Socket) => socket.destroy(Object.assign(new Error('no'), { code: 'EHOSTUNREACH' })),
    () => clock.advance(1_000),
  ];
  const seen: unknown[] = [];
  for (const answer of answers) {
    const collected = evidence.collect('a', KEYED, true);
    const { to, socket } = dialler.dialled.at(-1)!;
    assert.deepEqual(to, TO);
    answer(socket);
    seen.push((await collected).unsigned);
    assert.ok(socket.destroyed);
  }
  assert.deepEqual(seen, ['accepted', 'refused', 'silent', 'silent']);
});
