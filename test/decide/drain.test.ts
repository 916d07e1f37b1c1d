/** A drain and its end, step by step: each in its order, none twice, and on over a restart. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Anycast, type AnycastOptions } from './anycast.ts';
import { loadOf } from './world.ts';

const UNCHANGED = {
  med: null,
  prepend: 0,
  local_pref: null,
  communities: [],
  next_hop: null,
  next_hop6: null,
};
const rule = { announce: true, changes: UNCHANGED };
const leaving = {
  announce: true,
  changes: { ...UNCHANGED, prepend: 2, local_pref: 0, communities: ['graceful-shutdown'] },
};
const options: AnycastOptions = {
  routes: {
    fitness: {
      healthy: rule,
      degraded: rule,
      overloaded: rule,
      draining: leaving,
      'last-site-kept': leaving,
    },
    settle_ms: 1_000,
    drain_load: 0.1,
  },
  policy: { drain_ms: 10_000 },
  bgp: { vip_interface: 'lo' },
};

/** Two sites that have been announcing for a while, fra loaded with half of its capacity. */
function standing(change: AnycastOptions = {}): Anycast {
  const sites = new Anycast({ ...options, ...change });
  for (const station of sites.stations) station.load = loadOf(0.5);
  sites.run(5_000);
  return sites;
}

function drain(sites: Anycast): () => string[] {
  sites.station('fra').drainedAt = sites.now;
  return sites.follow('fra');
}

describe('a drain', () => {
  test('goes from graceful shutdown to withdrawal, and only then leaves the interface', () => {
    const sites = standing();
    const told = drain(sites);
    sites.run(200);
    assert.deepEqual(
      [sites.offer('fra').communities, sites.offer('fra').local_pref, sites.offer('fra').prepend],
      [['65000:80', 'graceful-shutdown'], 0, 2],
    );
    sites.run(15_000);
    assert.deepEqual(told(), ['5 on draining', '15 going', '16 off']);
    assert.match(sites.route('fra').reason.text, /^drained; iad announces it$/);
  });

  test('withdraws as soon as the load has fallen, but leaves routers time to hear of it', () => {
    const sites = standing();
    const told = drain(sites);
    sites.run(3_000);
    sites.station('fra').load = loadOf(0.05);
    sites.run(3_000);
    assert.deepEqual(told(), ['5 on draining', '8 going', '9 off']);

    const idle = standing();
    idle.station('fra').load = loadOf(0.05);
    const heard = drain(idle);
    idle.run(3_000);
    assert.deepEqual(heard(), ['5 on draining', '6 going', '7 off']);
  });

  test('does not take an unknown load for a low one', () => {
    const sites = standing();
    const told = drain(sites);
    sites.station('fra').load = null;
    sites.run(9_900);
    assert.deepEqual(told(), ['5 on draining']);
  });

  test('is not taken back when the load rises after the withdrawal', () => {
    const sites = standing();
    const told = drain(sites);
    sites.station('fra').load = loadOf(0.05);
    sites.run(1_500);
    sites.station('fra').load = loadOf(0.9);
    sites.run(5_000);
    assert.deepEqual(told(), ['5 on draining', '6 going', '7 off']);
  });

  test('does not bring up a VIP that was withdrawn before it began', () => {
    const sites = standing();
    sites.set('fra', false);
    sites.run(2_000);
    const told = drain(sites);
    sites.set('fra', true);
    sites.run(20_000);
    assert.deepEqual(told(), []);
  });

  test('comes to its end in the reverse order', () => {
    const sites = standing();
    drain(sites);
    sites.run(15_000);
    const told = sites.follow('fra');
    sites.station('fra').drainedAt = null;
    sites.run(5_000);
    assert.deepEqual(told(), ['20 coming', '21 on healthy']);
  });

  test('that ends while the address still stands announces at once', () => {
    const sites = standing();
    drain(sites);
    sites.run(10_500);
    const told = sites.follow('fra');
    sites.station('fra').drainedAt = null;
    sites.run(5_000);
    assert.deepEqual(told(), ['15.5 on healthy']);
  });

  test('of both sites keeps one of them announced, and the address with it', () => {
    const sites = standing();
    for (const name of ['fra', 'iad']) sites.station(name).drainedAt = sites.now;
    sites.run(60_000);
    const announced = ['fra', 'iad'].filter((name) => sites.route(name).announce);
    assert.ok(announced.length > 0);
    for (const name of announced) {
      assert.equal(sites.route(name).fitness, 'last-site-kept');
      assert.equal(sites.route(name).reason.code, 'last-announcement-kept');
    }
    // The first that may serve again takes over; the other goes on with its drain.
    sites.station('iad').drainedAt = null;
    sites.run(5_000);
    assert.deepEqual([sites.route('iad').fitness, sites.route('fra').announce], ['healthy', false]);
  });

  test('without an interface to see to knows no waiting before and after', () => {
    const sites = standing({ bgp: {} });
    const told = drain(sites);
    sites.run(12_000);
    sites.station('fra').drainedAt = null;
    sites.run(1_000);
    assert.deepEqual(told(), ['5 on draining', '15 off', '17 on healthy']);
  });
});

describe('a drain goes on after a restart', () => {
  test('while it waits: the VIP comes back as draining, and the time counts from the beginning', () => {
    const sites = standing();
    const told = drain(sites);
    sites.run(4_000);
    sites.restart('fra', 500);
    sites.run(10_000);
    assert.deepEqual(told(), [
      '5 on draining',
      '9.5 coming',
      '10.5 on draining',
      '15 going',
      '16 off',
    ]);
  });

  test('after an early withdrawal, whatever the load is now', () => {
    const sites = standing();
    const told = drain(sites);
    sites.station('fra').load = loadOf(0.05);
    sites.run(1_500);
    sites.station('fra').load = loadOf(0.9);
    sites.restart('fra', 100);
    sites.run(5_000);
    assert.deepEqual(told(), ['5 on draining', '6 going', '7 off']);
  });

  test('when all is done: nothing comes back', () => {
    const sites = standing();
    drain(sites);
    sites.run(20_000);
    const told = sites.follow('fra');
    sites.restart('fra', 30_000);
    sites.run(5_000);
    assert.deepEqual(told(), []);
  });

  test('while it comes back from a drain: the address settles again', () => {
    const sites = standing();
    drain(sites);
    sites.run(15_000);
    sites.station('fra').drainedAt = null;
    sites.run(500);
    const told = sites.follow('fra');
    sites.restart('fra', 200);
    sites.run(5_000);
    assert.deepEqual(told(), ['21.7 on healthy']);
  });

  test('a restart of the last site brings the VIP back', () => {
    const sites = standing();
    sites.set('iad', false);
    drain(sites);
    sites.run(15_000);
    const told = sites.follow('fra');
    sites.restart('fra', 1_000);
    sites.run(5_000);
    assert.equal(sites.route('fra').announce, true);
    assert.equal(told().at(-1), '22 on last-site-kept');
  });
});
