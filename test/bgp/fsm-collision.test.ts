/** The session FSM with two connections at once, under any sequence of events, and against itself. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import { prng } from '../../src/base/prng.ts';
import type { FsmEvent, FsmSettings, Slot } from '../../src/bgp/fsm-model.ts';
import { ourOpen } from '../../src/bgp/open-check.ts';
import type { Message } from '../../src/bgp/wire/message.ts';
import type { Open } from '../../src/bgp/wire/open.ts';
import { Bench, KEEPALIVE, MIRRORED, SETTINGS, UPDATE } from '../support/fsm-bench.ts';

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

const slots = fc.constantFrom<Slot>('out', 'in');
const anyMessage = fc.constantFrom<Message>(
  KEEPALIVE,
  UPDATE,
  { type: 'open', open: ourOpen(MIRRORED) },
  { type: 'open', open: { ...ourOpen(MIRRORED), router_id: 1 } },
  { type: 'open', open: { ...ourOpen(MIRRORED), hold_time_s: 1 } },
  { type: 'notification', notification: { code: 6, subcode: 2, data: new Uint8Array(0) } },
  { type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } },
);
const anyEvent = fc.oneof<fc.Arbitrary<FsmEvent | number>[]>(
  fc.constantFrom<FsmEvent>(
    { on: 'start' },
    { on: 'stop', subcode: 2, text: 'x' },
    { on: 'tcp-connected' },
    { on: 'tcp-failed' },
    { on: 'tcp-accepted' },
  ),
  slots.map((slot): FsmEvent => ({ on: 'tcp-closed', slot, text: 'x' })),
  fc
    .tuple(slots, anyMessage)
    .map(([slot, message]): FsmEvent => ({ on: 'message', slot, message, fault: null, at_ms: 0 })),
  fc.tuple(slots, fc.constantFrom(1, 2, 3)).map(([slot, code]): FsmEvent => {
    const data = new Uint8Array(0);
    const fault = { class: 'session-reset', code, subcode: 1, data, text: '' } as const;
    return { on: 'fault', slot, fault };
  }),
  fc.integer({ min: 1, max: 20_000 }),
);

test('after any sequence of events: one session at most, silence after a stop, and it comes back', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), (events, passive) => {
      const bench = new Bench({ ...SETTINGS, passive });
      let dialling = false;
      bench.onAction = (action) => {
        if (action.do === 'dial') {
          assert.ok(!dialling && !passive, 'dials once at a time');
          dialling = true;
        }
        if (action.do === 'stop-dial') dialling = false;
      };
      const check = (): void => {
        const { out, in: incoming, phase, running } = bench.state;
        const up = [out, incoming].filter((it) => it?.state === 'established');
        assert.ok(up.length <= 1);
        if (!running) {
          assert.deepEqual([out, incoming, phase], [null, null, 'idle']);
          assert.equal(bench.clock.pending, 0);
        }
        if (running && !out && !incoming && !passive) assert.ok(bench.clock.pending > 0);
      };
      for (const event of events) {
        if (typeof event === 'number') bench.clock.advance(event);
        else if (event.on === 'tcp-connected' || event.on === 'tcp-failed') {
          if (!dialling) continue; // sockets do not report a dial that nobody made
          dialling = false;
          bench.on(event);
        } else bench.on(event);
        check();
      }
      // From here on the peer behaves.
      const behave = (slot: Slot): void => {
        bench.open(slot);
        bench.message(slot, KEEPALIVE);
      };
      bench.on({ on: 'start' });
      for (let i = 0; i < 40 && bench.session !== 'Established'; i++) {
        if (dialling) {
          dialling = false;
          bench.on({ on: 'tcp-connected' });
          behave('out');
        } else if (bench.session === 'Active' && passive) {
          bench.on({ on: 'tcp-accepted' });
          behave('in');
        } else {
          for (const slot of ['out', 'in'] as const) {
            const connection = bench.state[slot];
            if (connection?.state === 'open-sent') bench.open(slot);
            if (connection) bench.message(slot, KEEPALIVE);
          }
        }
        if (bench.session !== 'Established') bench.clock.advance(1_000);
      }
      assert.equal(bench.session, 'Established');
      check();
    }),
    { numRuns: 20_000 },
  );
});

/** Two FSMs joined by connections of one virtual network with a delay. */
function pair(seed: number, delay_ms: number): { a: Bench; b: Bench } {
  const clock = new VirtualClock();
  const a = new Bench(SETTINGS, clock);
  const b = new Bench(MIRRORED, clock);
  const random = prng(seed);
  // A connection's number at each end, so that what belongs to a closed one is not delivered.
  let serial = 0;
  const ids = new Map<Bench, Record<Slot, number>>([
    [a, { out: 0, in: 0 }],
    [b, { out: 0, in: 0 }],
  ]);
  const join = (from: Bench, to: Bench): void => {
    const across: Record<Slot, Slot> = { out: 'in', in: 'out' };
    let dial = 0;
    from.onAction = (action) => {
      from.chance = random.next();
      const mine = ids.get(from)!;
      const theirs = ids.get(to)!;
      const later = (run: () => void): void => void clock.timer(delay_ms, run);
      if (action.do === 'dial') {
        const id = ++serial;
        dial = id;
        later(() => {
          if (dial !== id) return;
          const standing = to.actions.length;
          const before = theirs.in;
          theirs.in = id;
          to.on({ on: 'tcp-accepted' });
          const refused = to.actions.slice(standing).some((it) => it.do === 'refuse');
          if (refused) theirs.in = before;
          mine.out = id;
          from.on({ on: 'tcp-connected' });
          if (refused) from.on({ on: 'tcp-closed', slot: 'out', text: 'refused' });
        });
      } else if (action.do === 'stop-dial') {
        dial = 0;
      } else if (action.do === 'send') {
        const { slot, message } = action;
        const id = mine[slot];
        later(() => theirs[across[slot]] === id && to.message(across[slot], message));
      } else if (action.do === 'close') {
        const { slot } = action;
        const id = mine[slot];
        later(() => {
          if (theirs[across[slot]] !== id) return;
          to.on({ on: 'tcp-closed', slot: across[slot], text: 'closed' });
        });
      }
    };
  };
  join(a, b);
  join(b, a);
  return { a, b };
}

test('two speakers that dial each other always end with one session, on the same connection', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 0, max: 600 }),
      (seed, delay_ms, later_ms) => {
        const { a, b } = pair(seed, delay_ms);
        a.on({ on: 'start' });
        a.clock.advance(later_ms);
        b.on({ on: 'start' });
        a.clock.advance(90_000);
        assert.deepEqual([a.session, b.session], ['Established', 'Established']);
        assert.equal(a.state.out?.state, b.state.in?.state);
        assert.equal(a.state.in?.state, b.state.out?.state);
        assert.ok(!(a.state.out && a.state.in));
      },
    ),
    { numRuns: 300 },
  );
});
