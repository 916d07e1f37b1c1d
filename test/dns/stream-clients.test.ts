/** Who may be connected to the stream thread, and who has to go first. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Client, Clients } from '../../src/dns/stream-clients.ts';
import { type StreamLimits, streamCounters } from '../../src/dns/stream-shared.ts';

const MIB = 1024 * 1024;

/** Sockets that are nothing but an address and whether they were destroyed. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  destroyed = false;

  constructor(address: string) {
    super();
    this.remoteAddress = address;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

function world(limits: Partial<StreamLimits> = {}) {
  const clock = new VirtualClock();
  const counters = streamCounters();
  const all = { tcp_clients_max: 100, tcp_clients_per_address_max: 10, tcp_idle_ms: 1000 };
  const clients = new Clients({ ...all, ...limits }, clock, counters);
  const admit = (address: string): Client | null =>
    clients.admit(new FakeSocket(address) as unknown as Socket);
  return { clock, counters, clients, admit };
}

test('one client is an IPv4 address or an IPv6 /56', () => {
  const { admit, counters } = world({ tcp_clients_per_address_max: 2 });
  const cases: [string, boolean][] = [
    ['192.0.2.1', true],
    ['192.0.2.1', true],
    ['192.0.2.1', false],
    ['192.0.2.2', true],
    ['2001:db8:0:100::1', true],
    ['2001:db8:0:1ff:ffff::2', true],
    ['2001:db8:0:1aa::3', false],
    ['2001:db8:0:200::1', true],
    ['fe80::1%eth0', true],
  ];
  for (const [address, admitted] of cases) assert.equal(admit(address) !== null, admitted, address);
  assert.equal(counters.get('tcp_refused'), 2);
  assert.equal(counters.get('tcp_clients'), 7);
});

test('the one without progress for the longest makes room, in total and for memory', () => {
  const { admit, clients, clock, counters } = world({ tcp_clients_max: 3 });
  const [a, b, c] = [admit('192.0.2.1')!, admit('192.0.2.2')!, admit('192.0.2.3')!];
  clock.advance(10);
  clients.progress(a);
  const d = admit('192.0.2.4')!;
  assert.deepEqual(
    [a, b, c, d].map(({ socket }) => socket.destroyed),
    [false, true, false, false],
  );
  clients.hold(a, 30 * MIB);
  clients.hold(d, 30 * MIB);
  assert.equal(counters.get('tcp_evicted'), 1);
  clients.hold(c, 10 * MIB); // more than 64 MiB: c moved least of those who hold anything
  assert.deepEqual(
    [a, c, d].map(({ socket }) => socket.destroyed),
    [false, true, false],
  );
  clients.hold(a, 0);
  clients.hold(d, 60 * MIB);
  assert.equal(counters.get('tcp_evicted'), 2);
});

test('time without progress runs for each alone; a new limit holds for all at once', () => {
  const { admit, clients, clock, counters } = world();
  const early = admit('192.0.2.1')!;
  clock.advance(600);
  const late = admit('192.0.2.2')!;
  clock.advance(399);
  assert.ok(!early.socket.destroyed);
  clock.advance(1);
  assert.ok(early.socket.destroyed && !late.socket.destroyed);
  clients.use({ tcp_clients_max: 100, tcp_clients_per_address_max: 10, tcp_idle_ms: 500 });
  clock.advance(99);
  assert.ok(!late.socket.destroyed);
  clock.advance(1);
  assert.ok(late.socket.destroyed);
  assert.equal(counters.get('tcp_expired'), 2);
  assert.equal(clock.pending, 0);
});
