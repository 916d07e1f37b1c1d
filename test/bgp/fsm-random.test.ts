/**
 * The session FSM under any sequence of events, and two of them over a network that cuts, loses and
 * delays: at most one session ever, silence after a stop, and a session again as soon as it can be.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cease } from '../../src/bgp/fsm-draft.ts';
import type { FsmEvent, Slot } from '../../src/bgp/fsm-model.ts';
import { ourOpen } from '../../src/bgp/open-check.ts';
import type { Message } from '../../src/bgp/wire/message.ts';
import { Bench, KEEPALIVE, MIRRORED, SETTINGS, STRICT_BFD, UPDATE } from '../support/fsm-bench.ts';
import { FsmNetwork } from '../support/fsm-network.ts';

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
    { on: 'end', wrong: cease(4, 'x'), wait_ms: 250 },
    { on: 'end', wrong: cease(1), wait_ms: null },
    { on: 'bfd', state: 'up', text: '' },
    { on: 'bfd', state: 'down', text: 'x' },
    { on: 'bfd', state: 'admin-down', text: 'x' },
    { on: 'bfd', state: null, text: 'x' },
  ),
  fc
    .tuple(slots, fc.boolean())
    .map(([slot, waiting]): FsmEvent => ({ on: 'tcp-waits', slot, waiting })),
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

const anySettings = fc
  .record({
    passive: fc.boolean(),
    delay_open_ms: fc.constantFrom(0, 0, 700),
    graceful_restart_helper: fc.boolean(),
    strict: fc.boolean(),
  })
  .map(({ strict, ...others }) => ({ ...SETTINGS, ...others, bfd: strict ? STRICT_BFD : null }));

test('after any sequence of events: one session at most, silence after a stop, and it comes back', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), anySettings, (events, settings) => {
      const { passive } = settings;
      const bench = new Bench(settings);
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
        if (up.length > 0) assert.equal(phase, 'listen', 'does not dial beside a session');
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
      bench.on({ on: 'bfd', state: 'up', text: '' });
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

const sides = fc.record({
  passive: fc.boolean(),
  delay_open_ms: fc.constantFrom(0, 0, 300, 2_000),
});

describe('two speakers', () => {
  test('that dial each other always end with one session, on the same connection', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 600 }),
        fc.tuple(fc.constantFrom(0, 300), fc.constantFrom(0, 300)),
        (seed, delay_ms, later_ms, [delayA, delayB]) => {
          const network = new FsmNetwork(
            { ...SETTINGS, delay_open_ms: delayA },
            { ...MIRRORED, delay_open_ms: delayB },
            seed,
            delay_ms,
          );
          network.a.on({ on: 'start' });
          network.clock.advance(later_ms);
          network.b.on({ on: 'start' });
          network.clock.advance(90_000);
          network.assertOneSession();
        },
      ),
      { numRuns: 300 },
    );
  });

  test('come back to each other whatever the network and their operators did', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 200 }),
        fc.array(
          fc.record({
            after_ms: fc.integer({ min: 0, max: 20_000 }),
            what: fc.constantFrom('cut', 'lose', 'down', 'stop', 'reset', 'bfd', 'full'),
            first: fc.boolean(),
          }),
          { maxLength: 25 },
        ),
        sides,
        sides,
        fc.boolean(),
        (seed, delay_ms, blows, left, right, strict) => {
          // Two that both wait would wait for ever, as they are told to.
          const b = { ...right, passive: right.passive && !left.passive };
          const bfd = strict ? STRICT_BFD : null;
          const network = new FsmNetwork(
            { ...SETTINGS, ...left, bfd },
            { ...MIRRORED, ...b, bfd },
            seed,
            delay_ms,
          );
          for (const bench of [network.a, network.b]) {
            bench.on({ on: 'start' });
            bench.on({ on: 'bfd', state: 'up', text: '' });
          }
          for (const { after_ms, what, first } of blows) {
            network.clock.advance(after_ms);
            network.strike(what, first ? network.a : network.b);
          }
          network.calm();
          // The longest wait there is: for an OPEN that was lost, and then a dial.
          network.clock.advance(600_000);
          network.assertOneSession();
          network.a.on({ on: 'stop', subcode: 2, text: '' });
          network.b.on({ on: 'stop', subcode: 2, text: '' });
          assert.equal(network.a.timers.size + network.b.timers.size, 0);
        },
      ),
      { numRuns: 1_500 },
    );
  });
});
