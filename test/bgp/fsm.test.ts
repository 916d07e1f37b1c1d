/** The session FSM on a virtual clock, alone and against a scripted peer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RETRY_FIRST_MS } from '../../src/bgp/fsm-draft.ts';
import { OPEN_HOLD_MS } from '../../src/bgp/fsm-message.ts';
import type { FsmEvent } from '../../src/bgp/fsm-model.ts';
import { ourOpen } from '../../src/bgp/open-check.ts';
import { ERROR, TYPE } from '../../src/bgp/wire/codes.ts';
import { shutdownText } from '../../src/bgp/wire/notification.ts';
import type { Open } from '../../src/bgp/wire/open.ts';
import { Bench, KEEPALIVE, SETTINGS, UPDATE } from '../support/fsm-bench.ts';

describe('one session', () => {
  test('goes through the states of RFC 4271 §8.2.2', () => {
    const bench = new Bench();
    const seen = [bench.session];
    const note = (): void => void seen.push(bench.session);
    bench.on({ on: 'start' });
    note();
    bench.on({ on: 'tcp-failed' });
    note();
    bench.clock.advance(RETRY_FIRST_MS);
    note();
    bench.on({ on: 'tcp-connected' });
    note();
    bench.open('out');
    note();
    bench.message('out', KEEPALIVE);
    note();
    assert.deepEqual(seen, [
      'Idle',
      'Connect',
      'Active',
      'Connect',
      'OpenSent',
      'OpenConfirm',
      'Established',
    ]);
    assert.deepEqual(
      bench.sent.map(({ message }) => message.type),
      ['open', 'keepalive'],
    );
  });

  test('graceful restart is not offered', () => {
    const codes = ourOpen(SETTINGS).capabilities.map((it) => it.kind);
    assert.deepEqual(codes, [
      'multiprotocol',
      'multiprotocol',
      'route-refresh',
      'enhanced-route-refresh',
      'four-octet-as',
      'extended-messages',
    ]);
  });

  test('keepalives go out every third of the hold time, and keep the session while answered', () => {
    const bench = new Bench();
    bench.establish();
    bench.sent.length = 0;
    for (let i = 0; i < 20; i++) {
      bench.clock.advance(2_999.9);
      bench.message('out', KEEPALIVE);
    }
    assert.equal(bench.session, 'Established');
    const gaps = bench.sent.map(({ at }, i) => at - (bench.sent[i - 1]?.at ?? 0));
    assert.ok(bench.sent.length >= 19);
    for (const gap of gaps) assert.ok(gap <= 3_000 && gap > 2_990, `${gap}`);
  });

  test('jitter makes keepalives earlier, never later, nor more frequent than each second', () => {
    for (const [hold_time_ms, ms] of [
      [9_000, 2_250],
      [3_000, 1_000],
    ] as const) {
      const bench = new Bench({ ...SETTINGS, hold_time_ms });
      bench.chance = 0;
      bench.establish();
      assert.deepEqual(
        bench.actions.filter((it) => it.do === 'start-timer' && it.timer === 'keepalive-out'),
        [{ do: 'start-timer', timer: 'keepalive-out', ms }],
      );
    }
  });

  test('a silent peer costs the hold time and is told 4/0', () => {
    const bench = new Bench();
    bench.establish();
    bench.clock.advance(8_999);
    assert.equal(bench.session, 'Established');
    bench.clock.advance(1);
    assert.deepEqual(bench.notifications, ['out 4/0']);
    assert.equal(bench.session, 'Idle');
  });

  test('an UPDATE counts as a sign of life, a ROUTE-REFRESH does not (RFC 4271 §8.2.2)', () => {
    const bench = new Bench();
    bench.establish();
    bench.clock.advance(8_000);
    bench.message('out', UPDATE);
    bench.clock.advance(8_000);
    assert.equal(bench.session, 'Established');
    const refresh = { afi: 1, subtype: 0, safi: 1 };
    bench.message('out', { type: 'route-refresh', refresh });
    bench.clock.advance(1_000);
    assert.deepEqual(bench.notifications, ['out 4/0']);
  });

  test('the smaller hold time counts; with 0 there is neither hold timer nor keepalive', () => {
    const smaller = new Bench({ ...SETTINGS, hold_time_ms: 90_000 });
    smaller.on({ on: 'start' });
    smaller.on({ on: 'tcp-connected' });
    smaller.open('out', { hold_time_s: 3 });
    assert.equal(smaller.state.out?.agreement?.hold_ms, 3_000);
    const none = new Bench();
    none.on({ on: 'start' });
    none.on({ on: 'tcp-connected' });
    none.open('out', { hold_time_s: 0 });
    none.message('out', KEEPALIVE);
    none.clock.advance(3_600_000);
    assert.equal(none.session, 'Established');
    assert.equal(none.clock.pending, 0);
  });

  test('a peer that accepts and says nothing is given up after four minutes', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.clock.advance(OPEN_HOLD_MS);
    assert.deepEqual(bench.notifications, ['out 4/0']);
  });
});

test('a peer that dies in OpenConfirm is noticed, with a hold time of 0 too', () => {
  for (const [hold_time_s, waits_ms] of [
    [9, 9_000],
    [0, OPEN_HOLD_MS],
  ] as const) {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.open('out', { hold_time_s });
    bench.clock.advance(waits_ms - 1);
    assert.equal(bench.session, 'OpenConfirm');
    bench.clock.advance(1);
    assert.deepEqual(bench.notifications, ['out 4/0']);
  }
});

describe('an OPEN is refused', () => {
  const four = (as: number): Partial<Open> => ({
    my_as: 23456,
    capabilities: [{ kind: 'four-octet-as', as }],
  });
  const cases: [string, Partial<Open>, string][] = [
    ['another AS', { my_as: 65099, capabilities: [] }, '2/2'],
    ['another four-octet AS', four(4_200_000_000), '2/2'],
    ['AS 0', { my_as: 0, capabilities: [] }, '2/2'],
    ['AS 0 beside a four-octet one', { ...four(65002), my_as: 0 }, '2/2'],
    ['identifier 0.0.0.0', { router_id: 0 }, '2/3'],
    ['hold time 1 s', { hold_time_s: 1 }, '2/6'],
    ['hold time 2 s', { hold_time_s: 2 }, '2/6'],
  ];
  for (const [name, changes, code] of cases) {
    test(`${name}: ${code}`, () => {
      const bench = new Bench();
      bench.on({ on: 'start' });
      bench.on({ on: 'tcp-connected' });
      bench.open('out', changes);
      assert.deepEqual(bench.notifications, [`out ${code}`]);
      assert.equal(bench.session, 'Idle');
    });
  }

  test('our own identifier is wrong within our AS only (RFC 6286)', () => {
    const external = new Bench();
    external.on({ on: 'start' });
    external.on({ on: 'tcp-connected' });
    external.open('out', { router_id: SETTINGS.router_id });
    assert.equal(external.session, 'OpenConfirm');
    const internal = new Bench({ ...SETTINGS, remote_as: SETTINGS.local_as });
    internal.on({ on: 'start' });
    internal.on({ on: 'tcp-connected' });
    internal.message('out', { type: 'open', open: ourOpen(SETTINGS) });
    assert.deepEqual(internal.notifications, ['out 2/3']);
  });
});

test('a message out of turn is answered by state, with its type (RFC 6608)', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.on({ on: 'tcp-connected' });
  bench.message('out', KEEPALIVE);
  bench.clock.advance(RETRY_FIRST_MS);
  bench.on({ on: 'tcp-connected' });
  bench.open('out');
  bench.message('out', UPDATE);
  bench.clock.advance(2 * RETRY_FIRST_MS);
  bench.on({ on: 'tcp-connected' });
  bench.open('out');
  bench.message('out', KEEPALIVE);
  bench.open('out');
  assert.deepEqual(bench.notifications, ['out 5/1', 'out 5/2', 'out 5/3']);
  const types = bench.sent.flatMap(({ message }) =>
    message.type === 'notification' ? [...message.notification.data] : [],
  );
  assert.deepEqual(types, [TYPE.KEEPALIVE, TYPE.UPDATE, TYPE.OPEN]);
});

test('a broken message out of turn is the FSM error too, not the error of its content', () => {
  const broken = (code: number): FsmEvent => {
    const data = new Uint8Array(0);
    const fault = { class: 'session-reset', code, subcode: 1, data, text: '' } as const;
    return { on: 'fault', slot: 'out', fault };
  };
  const answers = (established: boolean): string[] =>
    [ERROR.OPEN, ERROR.UPDATE, ERROR.ROUTE_REFRESH].flatMap((code) => {
      const bench = new Bench();
      bench.on({ on: 'start' });
      bench.on({ on: 'tcp-connected' });
      if (established) {
        bench.open('out');
        bench.message('out', KEEPALIVE);
      }
      bench.on(broken(code));
      return bench.notifications;
    });
  assert.deepEqual(answers(false), ['out 2/1', 'out 5/1', 'out 5/1']);
  assert.deepEqual(answers(true), ['out 5/3', 'out 3/1', 'out 7/1']);
});

describe('coming back', () => {
  test('failed dials wait longer each time, up to the configured retry time', () => {
    const bench = new Bench();
    bench.onAction = (action) => {
      if (action.do === 'dial') bench.clock.timer(0, () => bench.on({ on: 'tcp-failed' }));
    };
    bench.on({ on: 'start' });
    bench.clock.advance(60_000);
    const waits = bench.actions.flatMap((it) =>
      it.do === 'start-timer' && it.timer === 'connect-retry' && it.ms !== 5_000
        ? [Math.round(it.ms)]
        : [],
    );
    assert.deepEqual(waits.slice(0, 6), [250, 500, 1000, 2000, 4000, 5000]);
    assert.ok(Math.max(...waits) <= 5_000);
  });

  test('a session ends their growth', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    for (let i = 0; i < 4; i++) {
      bench.on({ on: 'tcp-failed' });
      bench.clock.advance(2_000);
    }
    bench.on({ on: 'tcp-connected' });
    bench.open('out');
    bench.message('out', KEEPALIVE);
    bench.on({ on: 'tcp-closed', slot: 'out', text: '' });
    bench.clock.advance(RETRY_FIRST_MS);
    const dials = bench.dials();
    bench.on({ on: 'tcp-failed' });
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.dials(), dials + 1);
  });

  test('while the connection of the peer is nearly up we do not dial', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-failed' });
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.dials(), 1);
    bench.message('in', KEEPALIVE);
    assert.equal(bench.session, 'Established');
  });

  test('a dial that gets no answer is given up and tried again', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.clock.advance(5_000);
    const given = bench.actions.flatMap((it) => (it.do === 'stop-dial' ? [it.text] : []));
    assert.deepEqual(given, ['no answer within 5 s']);
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.dials(), 2);
  });

  test('a connection that the peer closes at once leads to Active: we still listen', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.on({ on: 'tcp-closed', slot: 'out', text: '' });
    assert.equal(bench.session, 'Active');
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    bench.message('in', KEEPALIVE);
    assert.equal(bench.session, 'Established');
  });

  test('when our connection failed and then the peer closes its own, we dial again', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.on({ on: 'tcp-accepted' });
    bench.message('out', KEEPALIVE);
    bench.on({ on: 'tcp-closed', slot: 'in', text: '' });
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.dials(), 2);
  });

  test('when ours ends before its OPEN beside the one of the peer, that one goes on alone', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'tcp-connected' });
    bench.on({ on: 'tcp-accepted' });
    bench.on({ on: 'tcp-closed', slot: 'out', text: '' });
    assert.deepEqual([bench.session, [...bench.timers.keys()]], ['OpenSent', ['hold-in']]);
  });

  test('after a NOTIFICATION nothing is answered, and the wait in Idle grows and is capped', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      bench.on({ on: 'tcp-connected' });
      const notification = { code: 6, subcode: 5, data: new Uint8Array(0) };
      bench.message('out', { type: 'notification', notification });
      assert.equal(bench.session, 'Idle');
      const from = bench.clock.now();
      while (bench.session === 'Idle') bench.clock.advance(10);
      waits.push(bench.clock.now() - from);
    }
    assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
    assert.deepEqual(bench.notifications, []);
  });

  test('a session that lived long starts again at the first wait, a short one does not', () => {
    const wait = (lived_ms: number): number => {
      const bench = new Bench({ ...SETTINGS, hold_time_ms: 0 });
      bench.establish();
      bench.on({ on: 'tcp-closed', slot: 'out', text: '' });
      bench.clock.advance(RETRY_FIRST_MS);
      bench.on({ on: 'tcp-connected' });
      bench.open('out');
      bench.message('out', KEEPALIVE);
      bench.clock.advance(lived_ms);
      bench.on({ on: 'tcp-closed', slot: 'out', text: '' });
      const from = bench.clock.now();
      while (bench.session === 'Idle') bench.clock.advance(10);
      return bench.clock.now() - from;
    };
    assert.equal(wait(1_000), 500);
    assert.equal(wait(60_000), 250);
  });

  test('a passive neighbour is never dialled and is accepted', () => {
    const bench = new Bench({ ...SETTINGS, passive: true });
    bench.on({ on: 'start' });
    assert.equal(bench.session, 'Active');
    bench.clock.advance(600_000);
    bench.on({ on: 'tcp-accepted' });
    bench.open('in');
    bench.message('in', KEEPALIVE);
    assert.equal(bench.session, 'Established');
    assert.equal(bench.dials(), 0);
  });
});

describe('stop', () => {
  test('says 6/2 with the reason, ends everything, and no timer is left', () => {
    const bench = new Bench();
    bench.establish();
    bench.on({ on: 'stop', subcode: 2, text: 'replacing a fan' });
    const last = bench.sent.at(-1)!.message;
    assert.ok(last.type === 'notification');
    assert.equal(shutdownText(last.notification), 'replacing a fan');
    assert.equal(bench.clock.pending, 0);
    bench.clock.advance(600_000);
    assert.equal(bench.session, 'Idle');
    bench.on({ on: 'tcp-accepted' });
    assert.equal(bench.actions.at(-1)?.do, 'refuse');
  });

  test('ends the growth of waits', () => {
    const bench = new Bench();
    const fail = (): void => {
      bench.on({ on: 'tcp-connected' });
      bench.message('out', KEEPALIVE);
    };
    bench.on({ on: 'start' });
    fail();
    bench.clock.advance(RETRY_FIRST_MS);
    fail();
    bench.on({ on: 'stop', subcode: 2, text: '' });
    bench.on({ on: 'start' });
    fail();
    bench.clock.advance(RETRY_FIRST_MS);
    assert.equal(bench.session, 'Connect');
  });

  test('while dialling, the dial ends', () => {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.on({ on: 'stop', subcode: 2, text: '' });
    assert.ok(bench.actions.some((it) => it.do === 'stop-dial'));
    assert.equal(bench.clock.pending, 0);
  });
});
