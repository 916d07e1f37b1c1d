/** The session FSM with two connections at once (RFC 4271 §6.8). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FsmSettings, Slot } from '../../src/bgp/fsm-model.ts';
import type { Open } from '../../src/bgp/wire/open.ts';
import { Bench, KEEPALIVE, SETTINGS } from '../support/fsm-bench.ts';

describe('collision (RFC 4271 §6.8)', () => {
  /** Both connections are in OpenSent; the OPEN arrives on `first`, then on the other. */
  function collide(settings: FsmSettings, peer: Partial<Open>, first: Slot): Bench {
    const bench = new Bench(settings);
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-accepted' });
    bench.on({ on: 'tcp-connected' });
    bench.open(first, peer);
    bench.open(first === 'out' ? 'in' : 'out', peer);
    return bench;
  }

  for (const first of ['out', 'in'] as const) {
    test(`the higher identifier's connection stays, OPEN on "${first}" first`, () => {
      const lower = collide(SETTINGS, {}, first);
      assert.deepEqual(lower.notifications, ['out 6/7']);
      assert.equal(lower.state.in?.state, 'open-confirm');
      const higher = collide(SETTINGS, { router_id: 1 }, first);
      assert.deepEqual(higher.notifications, ['in 6/7']);
      assert.equal(higher.state.out?.state, 'open-confirm');
    });
  }

  test('of equal identifiers the higher AS stays (RFC 6286 §2.3)', () => {
    const bench = collide(SETTINGS, { router_id: SETTINGS.router_id }, 'out');
    assert.deepEqual(bench.notifications, ['out 6/7']);
  });

  test('an Established session wins against any new connection', () => {
    const bench = new Bench();
    bench.establish();
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    assert.deepEqual(bench.notifications, ['in 6/7']);
    assert.equal(bench.session, 'Established');
  });

  test('a session that comes up ends the connection beside it that says nothing', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    bench.message('in', KEEPALIVE);
    assert.deepEqual(bench.notifications, ['out 6/7']);
    assert.equal(bench.state.out, null);
  });

  test('an incoming session ends a dial in progress', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    bench.message('in', KEEPALIVE);
    assert.equal(bench.session, 'Established');
    assert.ok(bench.actions.some((it) => it.do === 'stop-dial'));
    assert.ok(!bench.timers.has('connect-retry'));
  });
});
