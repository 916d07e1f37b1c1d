/** One peer over real sockets, its clock virtual: what it does beside the state machine. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { PeerSettings } from '../../src/bgp/peer-settings.ts';
import { STALE_MAX_MS } from '../../src/bgp/restart-helper.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { AFI, CEASE, SAFI } from '../../src/bgp/wire/codes.ts';
import { encodeMessage, type Message } from '../../src/bgp/wire/message.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { fillSocket, KEEPALIVE, OPEN, rawPeer, until } from '../support/bgp.ts';
import { STRICT_BFD } from '../support/fsm-bench.ts';
import {
  FakeBfd,
  FakeGuard,
  FakeMrt,
  type FakePorts,
  FakeSink,
  listenFor,
  makePeer,
  otherSide,
  routeTable,
  settingsTo,
} from '../support/peer-bench.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Side = { settings?: Partial<PeerSettings>; ports?: FakePorts };
type Bench = ReturnType<typeof makePeer>;

/** A peer that dials, and the one that it dials. */
async function pair(ours: Side = {}, theirs: Side = {}): Promise<{ a: Bench; b: Bench }> {
  const b = makePeer(otherSide(theirs.settings), theirs.ports);
  const door = await listenFor(b.peer);
  const a = makePeer(settingsTo(door.at, ours.settings), ours.ports);
  cleanups.push(
    () => door.close(),
    () => a.peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, ''),
    () => b.peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, ''),
  );
  b.peer.start();
  a.peer.start();
  return { a, b };
}

const up = ({ a, b }: { a: Bench; b: Bench }): Promise<void> =>
  until(() => a.peer.state === 'Established' && b.peer.state === 'Established');

const encoded = (message: Message): Uint8Array => encodeMessage(message, DEFAULT_CONTEXT)!;
const END_OF_RIB = encoded({
  type: 'update',
  update: { withdrawn: [], announced: [], attributes: {} },
});
const RESTARTING = encoded({
  type: 'open',
  open: {
    my_as: 65000,
    hold_time_s: 90,
    router_id: 0x0a0000fe,
    capabilities: [
      {
        kind: 'graceful-restart',
        restarted: false,
        notification: false,
        restart_time_s: 120,
        families: [{ afi: AFI.IPV4, safi: SAFI.UNICAST, forwarding: true }],
      },
    ],
  },
});

/** A passive router that asks for help when it restarts; `socket` is its last connection. */
async function restartingRouter(): Promise<{ at: HostPort; socket: Socket; close(): void }> {
  let last: Socket | null = null;
  const server = createServer((socket) => {
    last = socket;
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.concat([RESTARTING, KEEPALIVE]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    at: { address: '127.0.0.1', port },
    get socket() {
      return last!;
    },
    close: () => void server.close(),
  };
}

describe('words to the other side (RFC 9003)', { timeout: 30_000 }, () => {
  test('a reset tells them, and the session comes back', async () => {
    const both = await pair();
    await up(both);
    both.a.peer.reset('new line card');
    await until(() => both.b.seen.length === 2);
    assert.deepEqual(both.b.seen, [
      'up',
      'down peer said: cease, administrative reset (6/4): new line card',
    ]);
    const { last_error_in } = both.b.peer.status();
    assert.equal(last_error_in?.said, 'new line card');
    assert.equal(last_error_in?.data, Buffer.from('\u000dnew line card').toString('hex'));
    both.a.clock.advance(250);
    both.b.clock.advance(250);
    await up(both);
    assert.equal(both.a.peer.status().sessions, 2);
  });

  test('a stop tells them for good', async () => {
    const both = await pair();
    await up(both);
    await both.a.peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, 'moving house');
    await until(() => both.b.peer.state !== 'Established');
    assert.equal(both.b.peer.status().last_error_in?.said, 'moving house');
    assert.equal(both.a.peer.status().last_error_out?.said, 'moving house');
    both.a.peer.start();
    both.a.clock.advance(1_000_000);
    assert.equal(both.a.peer.state, 'Idle');
  });
});

test('a stop waits a second for a neighbour that does not read our last word', {
  timeout: 30_000,
}, async () => {
  const raw = await rawPeer((socket) => void socket.pause());
  const { peer, clock } = makePeer(settingsTo(raw.address));
  cleanups.push(() => raw.close());
  peer.start();
  await until(() => peer.state === 'Established');
  let stopped = false;
  const end = peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, '').then(() => {
    stopped = true;
  });
  await turn();
  clock.advance(999);
  await turn();
  assert.equal(stopped, false);
  clock.advance(1);
  await end;
});

describe('route refresh', { timeout: 30_000 }, () => {
  test('is answered between the marks of RFC 7313', async () => {
    const sink = new FakeSink();
    const both = await pair({}, { ports: { rib_in: sink } });
    both.a.peer.want(routeTable('10.1.0.0/24', '10.2.0.0/24'));
    await up(both);
    await until(() => sink.told.length === 3);
    assert.equal(both.a.peer.agreement?.refresh, 'enhanced');
    sink.told.length = 0;
    both.b.peer.askRefresh();
    await until(() => sink.told.includes('sweep 4') && sink.told.includes('sweep 6'));
    const ipv4 = sink.told.filter((line) => !line.endsWith(' 6')).sort();
    assert.deepEqual(ipv4, ['+10.1.0.0/24', '+10.2.0.0/24', 'stale 4', 'sweep 4']);
    assert.ok(sink.told.indexOf('stale 4') < sink.told.indexOf('+10.1.0.0/24'));
    assert.ok(sink.told.indexOf('+10.2.0.0/24') < sink.told.indexOf('sweep 4'));
  });

  test('asked for before the first table is complete, begins after its End-of-RIB', async () => {
    const sink = new FakeSink();
    const both = await pair({}, { ports: { rib_in: sink } });
    both.a.peer.want(routeTable('10.1.0.0/24'));
    await until(() => both.b.seen.includes('up'));
    both.b.peer.askRefresh();
    await until(() => sink.told.includes('sweep 4'));
    const lines = sink.told.filter((line) => line.includes('10.1') || line.endsWith(' 4'));
    assert.deepEqual(lines, ['+10.1.0.0/24', 'stale 4', '+10.1.0.0/24', 'sweep 4']);
  });
});

describe('received routes', { timeout: 30_000 }, () => {
  test('beyond the limit end the session with 6/1, and for long', async () => {
    const sink = new FakeSink();
    const both = await pair({}, { ports: { rib_in: sink } });
    await up(both);
    sink.overLimit = true;
    both.a.peer.want(routeTable('10.1.0.0/24'));
    await until(() => both.a.peer.state !== 'Established');
    assert.equal(both.a.peer.status().last_error_in?.subcode, CEASE.PREFIX_MAX);
    assert.ok(both.b.peer.status().timers['idle-hold']! > 800_000);
    assert.equal(sink.told.at(-1), 'clear');
    sink.overLimit = false;
    both.b.peer.reset('fewer now');
    both.a.clock.advance(1_000);
    await up(both);
  });

  test('beyond a limit that a reload has lowered end it as well', async () => {
    const sink = new FakeSink();
    const both = await pair({}, { ports: { rib_in: sink } });
    await up(both);
    sink.overLimit = true;
    both.b.peer.update(both.b.peer.settings);
    assert.equal(both.b.peer.status().last_error_out?.subcode, CEASE.PREFIX_MAX);
  });

  test('come in messages of the extended size, once both have agreed on it (RFC 8654)', async () => {
    const both = await pair();
    const prefixes = Array.from({ length: 1_500 }, (_, i) => `10.${i >> 8}.${i & 255}.1/32`);
    both.a.peer.want(routeTable(...prefixes));
    await until(() => both.b.peer.status().ends_of_rib_in === 2);
    const { announced_in, messages_in } = both.b.peer.status();
    assert.deepEqual([announced_in, messages_in.update], [1_500, 3]);
  });

  test('of a peer that restarts are stale until its table is complete, or we stop', async () => {
    const router = await restartingRouter();
    const sink = new FakeSink();
    const settings = settingsTo(router.at, { graceful_restart_helper: true });
    const { peer, clock } = makePeer(settings, { rib_in: sink });
    cleanups.push(router.close, () => peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, ''));
    peer.start();
    await until(() => peer.state === 'Established');
    router.socket.destroy();
    await until(() => peer.state !== 'Established');
    assert.equal(peer.status().stale_left_ms, 120_000);
    clock.advance(1_000);
    await until(() => peer.state === 'Established');
    assert.equal(peer.status().stale_left_ms, STALE_MAX_MS);
    router.socket.write(END_OF_RIB);
    await until(() => peer.status().stale_left_ms === null);
    assert.equal(sink.told.at(-1), 'sweep 4');
    router.socket.destroy();
    await until(() => peer.state !== 'Established');
    assert.equal(peer.status().stale_left_ms, 120_000);
    await peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, '');
    assert.equal(peer.status().stale_left_ms, null);
    assert.equal(sink.told.at(-1), 'clear');
  });

  test('are forgotten with the session where nobody asked for help', async () => {
    const sink = new FakeSink();
    const both = await pair({}, { ports: { rib_in: sink } });
    both.a.peer.want(routeTable('10.1.0.0/24'));
    await up(both);
    await until(() => sink.told.includes('+10.1.0.0/24'));
    await both.a.peer.stop(CEASE.DECONFIGURED, '');
    await until(() => both.b.peer.state !== 'Established');
    assert.equal(sink.told.at(-1), 'clear');
  });
});

describe('BFD', { timeout: 30_000 }, () => {
  test('lives with the peer, and its end is the end of the session', async () => {
    const bfd = new FakeBfd();
    const settings = { bfd: { ...STRICT_BFD, strict: false }, source: '127.0.0.1' };
    const both = await pair({ settings, ports: { bfd } });
    await up(both);
    assert.deepEqual(
      bfd.targets.map(({ address, source }) => [address, source]),
      [['127.0.0.1', '127.0.0.1']],
    );
    bfd.say('up');
    bfd.say('down', 'no packets for 900 ms');
    assert.equal(both.a.peer.state, 'Idle');
    assert.equal(both.a.seen.at(-1), 'down BFD: no packets for 900 ms');
    await until(() => both.b.peer.state !== 'Established');
    assert.equal(both.b.peer.status().last_error_in?.subcode, CEASE.BFD_DOWN);
    both.b.clock.advance(1_000);
    bfd.say('up');
    await up(both);
    await both.a.peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, '');
    assert.equal(bfd.closed, 1);
  });

  test('ends after the session: a neighbour that heard of it first would see a failure', async () => {
    const bfd = new FakeBfd();
    const both = await pair({
      settings: { bfd: { ...STRICT_BFD, strict: false } },
      ports: { bfd },
    });
    await up(both);
    bfd.say('up');
    const stopped = both.a.peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, '');
    assert.equal(bfd.closed, 0, 'the NOTIFICATION is on its way');
    bfd.say('down', 'the neighbour says AdminDown');
    await until(() => both.b.peer.state !== 'Established');
    await stopped;
    assert.equal(bfd.closed, 1);
    assert.equal(both.b.peer.status().last_error_in?.subcode, CEASE.ADMINISTRATIVE_SHUTDOWN);
    assert.equal(both.a.peer.state, 'Idle');
  });

  test('strict holds the session until it is up', async () => {
    const bfd = new FakeBfd();
    const both = await pair({ settings: { bfd: STRICT_BFD }, ports: { bfd } });
    await until(() => both.a.peer.status().messages_in.keepalive > 0);
    assert.equal(both.a.peer.state, 'OpenSent');
    bfd.say('up');
    await up(both);
  });

  test('a peer that was not started has none, whatever its settings become', () => {
    const bfd = new FakeBfd();
    const { peer } = makePeer(settingsTo({ address: '127.0.0.1', port: 179 }), { bfd });
    peer.update({ ...peer.settings, bfd: { ...STRICT_BFD, strict: false } });
    assert.equal(bfd.targets.length, 0);
    peer.start();
    assert.equal(bfd.targets.length, 1);
  });

  test('strict holds up no session where there is no BFD at all', async () => {
    await up(await pair({ settings: { bfd: STRICT_BFD } }));
  });

  test('other timers go to its session, another way needs a new one, and BGP goes on', async () => {
    const bfd = new FakeBfd();
    const loose = { ...STRICT_BFD, strict: false };
    const both = await pair({ settings: { bfd: loose }, ports: { bfd } });
    await up(both);
    bfd.say('up');
    const { settings } = both.a.peer;
    both.a.peer.update({ ...settings, bfd: { ...loose, multiplier: 5 } });
    assert.deepEqual([bfd.updates.map(({ multiplier }) => multiplier), bfd.closed], [[5], 0]);
    both.a.peer.update({ ...settings, bfd: { ...loose, multihop: true } });
    assert.deepEqual([bfd.targets.length, bfd.closed], [2, 1]);
    bfd.say('down', 'the new one begins');
    assert.equal(both.a.peer.state, 'Established');
    bfd.say('up');
    bfd.say('down', 'the old one says so too late', 0);
    assert.equal(both.a.peer.state, 'Established');
    both.a.peer.update({ ...settings, bfd: null });
    assert.equal(bfd.closed, 2);
    assert.equal(both.a.peer.state, 'Established');
  });
});

describe('the guard', { timeout: 30_000 }, () => {
  test('always has what withdraws the routes that the neighbour has', async () => {
    const guard = new FakeGuard();
    const both = await pair({ ports: { guard } });
    await up(both);
    assert.equal(both.a.peer.status().guarded, true);
    both.a.peer.want(routeTable('10.1.0.0/24', '10.2.0.0/24'));
    await until(() => both.b.seen.includes('+10.2.0.0/24'));
    assert.equal(guard.updates.at(-1)?.clean, true);
    assert.ok(guard.marks.includes(false), 'is told before a write');
    both.a.clock.advance(3_000);
    assert.deepEqual(guard.marks.slice(-2), [false, true], 'and after the KEEPALIVE');
    guard.fire();
    await until(() => both.b.seen.filter((line) => line === '+10.1.0.0/24').length === 2);
    const after = both.b.seen.slice(both.b.seen.lastIndexOf('-10.1.0.0/24'));
    assert.ok(both.b.seen.includes('-10.2.0.0/24'));
    assert.ok(after.includes('+10.1.0.0/24'), 'withdrawn, then told again');
    const known = guard.updates.length;
    both.a.peer.want(routeTable());
    // What it knows is made when all neighbours are told; it writes nothing of its own until then.
    assert.equal(guard.updates.length, known);
    assert.equal(guard.marks.at(-1), false);
    await Promise.resolve();
    assert.equal(guard.updates.at(-1)?.withdrawals.length, 0);
    both.a.peer.reset('');
    assert.equal(guard.released, 1);
  });
});

describe('a neighbour that takes nothing (RFC 9687)', { timeout: 60_000 }, () => {
  test('is dropped with 8/0 when the send hold time is over', async () => {
    let unread: Socket | null = null;
    const raw = await rawPeer((socket) => {
      unread = socket.pause();
    });
    const settings = settingsTo(raw.address, { hold_time_ms: 9_000, send_hold_ms: 5_000 });
    const made = makePeer(settings);
    const { peer } = made;
    cleanups.push(
      () => raw.close(),
      () => peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, ''),
    );
    peer.want(
      routeTable(...Array.from({ length: 4_000 }, (_, i) => `10.${i >> 8}.${i & 255}.1/32`)),
    );
    peer.start();
    await until(() => peer.state === 'Established');
    await fillSocket(unread!, () => peer.status().routes_pending > 0);
    assert.ok(peer.status().timers['send-hold']! > 0);
    const { keepalive } = peer.status().messages_out;
    made.clock.advance(4_999);
    assert.equal(peer.status().messages_out.keepalive, keepalive, 'it has enough to read');
    made.clock.advance(1);
    assert.equal(peer.state, 'Idle');
    assert.equal(peer.status().last_error_out?.code, 8);
    assert.match(made.seen.at(-1)!, /^down send hold timer expired/);
    made.clock.advance(1_000);
  });
});

describe('a process that stood still', { timeout: 30_000 }, () => {
  test('reads what has come before it says that the peer was silent', async () => {
    const both = await pair();
    await up(both);
    both.a.clock.stall(60_000);
    both.a.clock.advance(9_000);
    assert.equal(both.a.peer.state, 'Established');
    const before = both.a.peer.status().messages_in.keepalive;
    both.b.clock.advance(3_000);
    await until(() => both.a.peer.status().messages_in.keepalive > before);
    both.a.clock.advance(50);
    assert.equal(both.a.peer.state, 'Established');
    both.a.clock.stall(60_000);
    both.a.clock.advance(9_050);
    assert.equal(both.a.peer.state, 'Idle');
    assert.equal(both.a.peer.status().last_error_out?.code, 4);
  });
});

describe('what an operator sees', { timeout: 30_000 }, () => {
  test('both sides of the session, in words, and as JSON', async () => {
    const both = await pair({ settings: { role: 'customer' } });
    await up(both);
    const status = both.a.peer.status();
    assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
    assert.ok(status.capabilities_out.includes('role customer'));
    assert.ok(!status.capabilities.includes('role customer'));
    assert.deepEqual(status.families, ['IPv4', 'IPv6']);
    assert.deepEqual([status.hold_time_ms, status.keepalive_ms], [9_000, 3_000]);
    assert.equal(status.dialled_by, 'us');
    assert.equal(status.remote, both.b.peer.status().local);
    assert.equal(status.timers.hold, 9_000);
    both.a.clock.advance(1_000);
    assert.equal(both.a.peer.status().timers.hold, 8_000);
  });

  test('the end of the last faulty message', async () => {
    const bytes = Buffer.concat([OPEN.subarray(0, 19), Buffer.alloc(10, 7)]);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.write(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const { port } = server.address() as { port: number };
    const made = makePeer(settingsTo({ address: '127.0.0.1', port }));
    cleanups.push(() => made.peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, ''));
    made.peer.start();
    await until(() => made.peer.status().last_fault !== null);
    const { last_fault, last_error_out } = made.peer.status();
    assert.equal(last_fault?.bytes, bytes.toString('hex'));
    assert.equal(last_error_out?.data, '0004'); // the version that we speak
    assert.equal(last_error_out?.code, 2);
  });
});

test('the MRT dump gets every message both ways and the changes of state', {
  timeout: 30_000,
}, async () => {
  const mrt = new FakeMrt();
  const both = await pair({ ports: { mrt } });
  both.a.peer.want(routeTable('10.1.0.0/24'));
  await up(both);
  await until(() => both.b.seen.includes('+10.1.0.0/24'));
  assert.deepEqual(mrt.states.slice(0, 4), [
    'Idle > Connect',
    'Connect > OpenSent',
    'OpenSent > OpenConfirm',
    'OpenConfirm > Established',
  ]);
  // OPEN, KEEPALIVE, the route and two End-of-RIBs.
  assert.deepEqual(mrt.sent.slice(0, 3), [1, 4, 2]);
  assert.deepEqual(mrt.received.slice(0, 2), [1, 4]);
  assert.equal(mrt.ends.at(-1), '127.0.0.1 65001 127.0.0.1 65000');
});

test('a reset does not start a peer that was not started, or was stopped', async () => {
  const { peer, clock } = makePeer(settingsTo({ address: '127.0.0.1', port: 179 }));
  peer.reset('now');
  assert.equal(peer.state, 'Idle');
  await peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, '');
  peer.reset('now');
  assert.deepEqual([peer.state, clock.pending], ['Idle', 0]);
});

test('a setting that needs a new session is not applied to one', async () => {
  const { peer } = makePeer(settingsTo({ address: '127.0.0.1', port: 179 }));
  assert.throws(() => peer.update({ ...peer.settings, role: 'peer' }), /new session for role/);
});

test('a connection while the peer waits in Idle is refused', { timeout: 30_000 }, async () => {
  const { peer } = makePeer(otherSide());
  const door = await listenFor(peer);
  cleanups.push(() => door.close());
  const socket = connect(door.at.port, door.at.address);
  socket.on('error', () => {});
  socket.write(Buffer.concat([OPEN, KEEPALIVE]));
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  assert.equal(peer.status().refused, 1);
});
