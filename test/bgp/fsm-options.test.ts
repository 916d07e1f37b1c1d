/** What a session may do beyond the plain way up: delay, send hold, BFD, restarts, other settings. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SIMULTANEOUS_MS } from '../../src/bgp/fsm.ts';
import { cease, RETRY_FIRST_MS } from '../../src/bgp/fsm-draft.ts';
import { OPEN_HOLD_MS } from '../../src/bgp/fsm-message.ts';
import type { FsmSettings } from '../../src/bgp/fsm-model.ts';
import { ourOpen } from '../../src/bgp/open-check.ts';
import type { Capability } from '../../src/bgp/wire/capability.ts';
import { notificationText } from '../../src/bgp/wire/notification.ts';
import { Bench, KEEPALIVE, MIRRORED, SETTINGS, STRICT_BFD, UPDATE } from '../support/fsm-bench.ts';

const types = (bench: Bench): string[] => bench.sent.map(({ message }) => message.type);
const bfd = (bench: Bench, state: 'up' | 'down' | 'admin-down' | null): void =>
  bench.on({ on: 'bfd', state, text: state === null ? '' : `it is ${state}` });

describe('delay open (RFC 4271 §8.1.1)', () => {
  const DELAYED: FsmSettings = { ...SETTINGS, delay_open_ms: 2_000 };

  test('the OPEN is held back so long, and no longer', () => {
    const bench = new Bench(DELAYED);
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.clock.advance(1_999);
    assert.deepEqual([bench.session, types(bench)], ['Connect', []]);
    bench.clock.advance(1);
    assert.deepEqual([bench.session, types(bench)], ['OpenSent', ['open']]);
  });

  test('a peer that speaks first is answered at once', () => {
    const bench = new Bench({ ...DELAYED, passive: true });
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-accepted' });
    assert.equal(bench.session, 'Active');
    bench.open('in');
    assert.deepEqual([bench.session, types(bench)], ['OpenConfirm', ['open', 'keepalive']]);
    bench.clock.advance(2_000);
    assert.deepEqual(
      types(bench).filter((type) => type === 'open'),
      ['open'],
    );
  });

  test('a peer that speaks first and is not ours hears why', () => {
    const bench = new Bench(DELAYED);
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.open('out', { my_as: 65099, capabilities: [] });
    assert.deepEqual(bench.notifications, ['out 2/2']);
  });
});

describe('send hold timer (RFC 9687)', () => {
  const waits = (bench: Bench, waiting: boolean): void =>
    bench.on({ on: 'tcp-waits', slot: 'out', waiting });

  test('a peer that takes nothing is dropped with 8/0, though it still talks', () => {
    const bench = new Bench({ ...SETTINGS, send_hold_ms: 20_000 });
    bench.establish();
    waits(bench, true);
    for (let i = 0; i < 6; i++) {
      bench.clock.advance(3_333);
      bench.message('out', KEEPALIVE);
    }
    assert.equal(bench.session, 'Established');
    bench.clock.advance(20);
    assert.deepEqual(bench.notifications, ['out 8/0']);
  });

  test('a peer that takes a little now and then is not', () => {
    const bench = new Bench({ ...SETTINGS, hold_time_ms: 0, send_hold_ms: 20_000 });
    bench.establish();
    for (let i = 0; i < 10; i++) {
      waits(bench, true);
      bench.clock.advance(19_999);
    }
    waits(bench, false);
    bench.clock.advance(3_600_000);
    assert.equal(bench.session, 'Established');
  });

  test('0 switches it off', () => {
    const bench = new Bench({ ...SETTINGS, hold_time_ms: 0, send_hold_ms: 0 });
    bench.establish();
    waits(bench, true);
    assert.equal(bench.clock.pending, 0);
  });
});

describe('BFD', () => {
  test('a path that breaks ends the session at once with 6/10', () => {
    const bench = new Bench();
    bench.establish();
    bfd(bench, 'up');
    bfd(bench, 'down');
    assert.deepEqual(bench.notifications, ['out 6/10']);
    assert.equal(bench.session, 'Idle');
  });

  test('when it is up again nothing is waited for', () => {
    const bench = new Bench();
    bench.establish();
    bfd(bench, 'up');
    bfd(bench, 'down');
    const dials = bench.dials();
    bfd(bench, 'up');
    assert.equal(bench.dials(), dials + 1);
    assert.ok(!bench.timers.has('idle-hold'));
  });

  test('it cuts the wait for the next dial short, too', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-failed' });
    bfd(bench, 'up');
    assert.deepEqual([bench.session, bench.dials()], ['Connect', 2]);
  });

  test('it does not cut short what a peer with too many prefixes has to wait', () => {
    const bench = new Bench();
    bench.establish();
    bfd(bench, 'up');
    bench.on({ on: 'end', wrong: cease(1), wait_ms: 900_000 });
    bfd(bench, 'down');
    bfd(bench, 'up');
    assert.deepEqual([bench.session, bench.dials()], ['Idle', 1]);
    bench.clock.advance(900_000);
    assert.equal(bench.session, 'Connect');
  });

  test('one that was never up, was switched off, or is gone from the configuration ends nothing', () => {
    for (const states of [['down'], ['up', 'admin-down', 'down'], ['up', null, 'down']] as const) {
      const bench = new Bench();
      bench.establish();
      for (const state of states) bfd(bench, state);
      assert.equal(bench.session, 'Established');
    }
  });

  test('strict: the session waits for it, and our KEEPALIVE does', () => {
    const bench = new Bench({ ...SETTINGS, bfd: STRICT_BFD });
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.open('out');
    bench.message('out', KEEPALIVE);
    assert.deepEqual([bench.session, types(bench)], ['OpenSent', ['open']]);
    bfd(bench, 'up');
    assert.deepEqual([bench.session, types(bench)], ['Established', ['open', 'keepalive']]);
  });

  test('strict: what is out of turn while it is waited for is so in OpenSent', () => {
    const bench = new Bench({ ...SETTINGS, bfd: STRICT_BFD });
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.open('out');
    bench.message('out', UPDATE);
    assert.deepEqual(bench.notifications, ['out 5/1']);
  });

  test('strict: the peer may confirm later than BFD comes up', () => {
    const bench = new Bench({ ...SETTINGS, bfd: STRICT_BFD });
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.open('out');
    bfd(bench, 'up');
    assert.equal(bench.session, 'OpenConfirm');
    bench.message('out', KEEPALIVE);
    assert.equal(bench.session, 'Established');
  });

  test('strict: where BFD is switched off the session opens without it (RFC 5882 §4.1)', () => {
    for (const early of [true, false]) {
      const bench = new Bench({ ...SETTINGS, bfd: STRICT_BFD });
      if (early) bfd(bench, 'admin-down');
      bench.on({ on: 'start' });
      bench.on({ on: 'tcp-connected' });
      bench.open('out');
      bench.message('out', KEEPALIVE);
      if (!early) bfd(bench, 'admin-down');
      assert.equal(bench.session, 'Established');
      bfd(bench, 'down');
      assert.equal(bench.session, 'Established');
    }
  });

  test('strict: BFD that comes up does not make us dial a peer that has dialled us', () => {
    for (const confirmed of [true, false]) {
      const bench = new Bench({ ...SETTINGS, bfd: STRICT_BFD });
      bench.on({ on: 'start' });
      bench.on({ on: 'tcp-failed' });
      bench.on({ on: 'tcp-accepted' });
      bench.open('in');
      if (confirmed) bench.message('in', KEEPALIVE);
      bfd(bench, 'up');
      assert.equal(bench.session, confirmed ? 'Established' : 'OpenConfirm');
      assert.equal(bench.dials(), 1);
    }
  });

  test('strict: BFD that does not come up costs the hold time and is told as 6/10', () => {
    for (const [hold_time_s, wait_ms] of [
      [9, 9_000],
      [0, OPEN_HOLD_MS],
    ] as const) {
      const bench = new Bench({ ...SETTINGS, bfd: STRICT_BFD });
      bench.on({ on: 'start' });
      bench.on({ on: 'tcp-connected' });
      bench.open('out', { hold_time_s });
      bench.message('out', KEEPALIVE);
      bench.clock.advance(wait_ms);
      assert.deepEqual(bench.notifications, ['out 6/10']);
    }
  });

  test('strict is told to the peer, and only then', () => {
    const told = (settings: FsmSettings): boolean =>
      ourOpen(settings).capabilities.some(({ kind }) => kind === 'bfd-strict');
    assert.equal(told({ ...SETTINGS, bfd: STRICT_BFD }), true);
    assert.equal(told({ ...SETTINGS, bfd: { ...STRICT_BFD, strict: false } }), false);
  });
});

const restarting = (families: boolean): Capability => ({
  kind: 'graceful-restart',
  restarted: false,
  notification: true,
  restart_time_s: 120,
  families: families ? [{ afi: 1, safi: 1, forwarding: true }] : [],
});
const established = (helps: boolean, families: boolean): Bench => {
  const bench = new Bench({ ...SETTINGS, graceful_restart_helper: helps });
  bench.on({ on: 'start' });
  bench.on({ on: 'tcp-connected' });
  const { capabilities } = ourOpen(MIRRORED);
  bench.open('out', { capabilities: [...capabilities, restarting(families)] });
  bench.message('out', KEEPALIVE);
  return bench;
};

describe('a peer that restarts gracefully (RFC 4724 §4.2)', () => {
  test('its new connection replaces the session that it has forgotten, without a NOTIFICATION', () => {
    const bench = established(true, true);
    bench.clock.advance(5_000);
    bench.message('out', KEEPALIVE);
    bench.clock.advance(SIMULTANEOUS_MS - 5_000);
    bench.on({ on: 'tcp-accepted' });
    assert.deepEqual(bench.notifications, []);
    const ended = bench.actions.flatMap((it) => (it.do === 'close' ? [it.ending] : []));
    assert.deepEqual(ended, [{ by: 'tcp' }]);
    bench.open('in');
    bench.message('in', KEEPALIVE);
    assert.equal(bench.session, 'Established');
  });

  test('one that it dialled while the session began does not', () => {
    const bench = established(true, true);
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    assert.deepEqual(bench.notifications, ['in 6/7']);
    assert.equal(bench.session, 'Established');
  });

  test('where it keeps nothing, or we do not help, the old session stays', () => {
    for (const bench of [established(false, true), established(true, false)]) {
      bench.clock.advance(5_000);
      bench.message('out', KEEPALIVE);
      bench.clock.advance(SIMULTANEOUS_MS - 5_000);
      bench.on({ on: 'tcp-accepted' });
      bench.open('in');
      assert.deepEqual(bench.notifications, ['in 6/7']);
      assert.equal(bench.session, 'Established');
    }
  });
});

describe('a session that we end (RFC 8538 §3)', () => {
  const ended = (families: boolean, helps: boolean): Bench => {
    const bench = established(helps, families);
    bench.on({ on: 'stop', subcode: 2, text: 'moving house' });
    return bench;
  };

  test('ends by a hard reset, with the reason inside, where the peer keeps routes over others', () => {
    const bench = ended(true, true);
    assert.deepEqual(bench.notifications, ['out 6/9']);
    const said = bench.sent.at(-1)?.message;
    assert.ok(said?.type === 'notification');
    assert.match(notificationText(said.notification), /\(6\/9\): .* \(6\/2\): moving house$/);
    const closed = bench.actions.find((it) => it.do === 'close');
    assert.deepEqual(closed?.ending, { by: 'us', code: 6, subcode: 2 });
  });

  test('and by a plain Cease elsewhere', () => {
    assert.deepEqual(ended(false, true).notifications, ['out 6/2']);
    assert.deepEqual(ended(true, false).notifications, ['out 6/2']);
  });

  test('an error is none: over it the routes may be kept', () => {
    const bench = established(true, true);
    bench.clock.advance(9_000);
    assert.deepEqual(bench.notifications, ['out 4/0']);
  });
});

describe('end and restart', () => {
  test('a reset says 6/4 with the words, and dials again at the first wait', () => {
    const bench = new Bench();
    bench.establish();
    bench.on({ on: 'end', wrong: cease(4, 'new line card'), wait_ms: RETRY_FIRST_MS });
    assert.deepEqual(bench.notifications, ['out 6/4']);
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.session, 'Connect');
  });

  test('a reset is no failure: what fails after it waits no longer', () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) {
      bench.establish();
      bench.on({ on: 'end', wrong: cease(4, 'again'), wait_ms: RETRY_FIRST_MS });
      bench.clock.advance(RETRY_FIRST_MS);
    }
    bench.establish();
    bench.message('out', { type: 'open', open: ourOpen(MIRRORED) });
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.session, 'Connect');
  });

  test('a start cuts the wait in Idle short', () => {
    const bench = new Bench();
    bench.establish();
    bench.on({ on: 'end', wrong: cease(1), wait_ms: 900_000 });
    bench.clock.advance(899_000);
    assert.equal(bench.session, 'Idle');
    bench.on({ on: 'start' });
    assert.equal(bench.session, 'Connect');
  });

  test('another version is no oscillation: the wait does not grow (RFC 4271 §8.2.2, event 24)', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    for (let i = 0; i < 5; i++) {
      bench.on({ on: 'tcp-connected' });
      const notification = { code: 2, subcode: 1, data: Uint8Array.of(0, 3) };
      bench.message('out', { type: 'notification', notification });
      bench.clock.advance(RETRY_FIRST_MS);
      assert.equal(bench.session, 'Connect');
    }
  });
});

describe('other settings', () => {
  const now = (bench: Bench, changes: Partial<FsmSettings>): void =>
    bench.on({ on: 'settings', settings: { ...bench.state.settings, ...changes } });

  test('leave the session alone and count from the next time', () => {
    const bench = new Bench();
    bench.establish();
    now(bench, { connect_retry_ms: 900, idle_hold_max_ms: 100, delay_open_ms: 50 });
    bench.message('out', UPDATE);
    assert.equal(bench.session, 'Established');
    bench.on({ on: 'tcp-closed', slot: 'out', text: '' });
    bench.clock.advance(100);
    bench.on({ on: 'tcp-connected' });
    assert.ok(bench.timers.has('delay-open-out'));
  });

  test('passive stops the dialler, and active starts it', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    now(bench, { passive: true });
    assert.equal(bench.session, 'Active');
    assert.ok(bench.actions.some((it) => it.do === 'stop-dial'));
    assert.equal(bench.clock.pending, 0);
    now(bench, { passive: false });
    assert.deepEqual([bench.session, bench.dials()], ['Connect', 2]);
  });
});
