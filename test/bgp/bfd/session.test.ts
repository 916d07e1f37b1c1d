import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BfdPacket } from '../../../src/bgp/bfd/packet.ts';
import {
  detectionTime_ms,
  nextDeadline,
  openSession,
  type SessionEvent,
  type SessionState,
  stepSession,
  transmitInterval_ms,
} from '../../../src/bgp/bfd/session.ts';
import type { BfdState } from '../../../src/bgp/ports.ts';
import { packets } from './arbitrary.ts';

const OURS = 1;
const THEIRS = 2;
const INTERVALS = { transmit_ms: 100, receive_ms: 100, multiplier: 3 };

/** What a peer with the same intervals says. */
function said(state: BfdState, changes: Partial<BfdPacket> = {}): BfdPacket {
  return {
    diagnostic: 0,
    state,
    poll: false,
    final: false,
    control_plane_independent: false,
    demand: false,
    multiplier: 3,
    my_discriminator: THEIRS,
    your_discriminator: OURS,
    desired_tx_us: state === 'up' ? 100_000 : 1_000_000,
    required_rx_us: 100_000,
    required_echo_rx_us: 0,
    ...changes,
  };
}

/** One session with time and chance in the test's hand. */
class Subject {
  state: SessionState;
  now = 0;
  chance = 0.999999;
  readonly sent: { at: number; packet: BfdPacket }[] = [];

  constructor(intervals = INTERVALS) {
    this.state = openSession(OURS, intervals, 0);
    this.advance(0);
  }

  step(event: SessionEvent): BfdPacket | null {
    const { state, send } = stepSession(this.state, event, this.now, this.chance);
    this.state = state;
    if (send) this.sent.push({ at: this.now, packet: send });
    return send;
  }

  hear(packet: BfdPacket): BfdPacket | null {
    return this.step({ on: 'packet', packet });
  }

  /** Passes time; with `keep` the peer says that once each 50 ms. */
  advance(ms: number, keep: BfdPacket | null = null): void {
    const until = this.now + ms;
    let heard = this.now + 50;
    for (;;) {
      const next = Math.min(nextDeadline(this.state), keep ? heard : Infinity);
      if (next > until) break;
      this.now = next;
      if (keep && next === heard) {
        this.hear(keep);
        heard += 50;
      } else {
        this.step({ on: 'time' });
      }
    }
    this.now = until;
  }

  /** Sends in the last `ms`. */
  count(ms: number): number {
    return this.sent.filter(({ at }) => at > this.now - ms).length;
  }
}

/** A session that is up, and has agreed on its intervals. */
function up(intervals = INTERVALS): Subject {
  const it = new Subject(intervals);
  it.hear(said('down', { your_discriminator: 0 }));
  it.hear(said('init'));
  it.hear(said('up', { final: true }));
  assert.equal(it.state.state, 'up');
  assert.equal(it.state.poll, 'no');
  return it;
}

describe('states (RFC 5880 §6.2, §6.8.6)', () => {
  // For each state of ours, what it becomes when the peer says AdminDown, Down, Init, Up.
  const table: Record<BfdState, readonly BfdState[]> = {
    'admin-down': ['admin-down', 'admin-down', 'admin-down', 'admin-down'],
    down: ['down', 'init', 'up', 'down'],
    init: ['down', 'init', 'up', 'up'],
    up: ['down', 'down', 'up', 'up'],
  };
  for (const [state, next] of Object.entries(table) as [BfdState, BfdState[]][]) {
    for (const [i, word] of (['admin-down', 'down', 'init', 'up'] as const).entries()) {
      test(`${state}, the peer says ${word}: ${next[i]}`, () => {
        const it = new Subject();
        it.state = { ...it.state, state };
        const before = it.sent.length;
        it.hear(said(word));
        assert.equal(it.state.state, next[i]);
        // What has changed is said at once (§6.8.7), and only that.
        assert.equal(it.sent.length - before, next[i] === state ? 0 : 1);
        if (next[i] === 'down' && state !== 'down') assert.equal(it.state.diagnostic, 3);
        if (next[i] === 'up') assert.equal(it.state.diagnostic, 0);
      });
    }
  }

  test('silence for the detection time ends init and up with diagnostic 1', () => {
    const it = up();
    it.advance(299, null);
    assert.equal(it.state.state, 'up');
    it.advance(1);
    assert.equal(it.state.state, 'down');
    const { packet } = it.sent.at(-1)!;
    assert.deepEqual([packet.diagnostic, packet.state, packet.your_discriminator], [1, 'down', 0]);

    const opening = new Subject();
    opening.hear(said('down', { your_discriminator: 0 }));
    opening.advance(2_999);
    assert.equal(opening.state.state, 'init');
    opening.advance(1);
    assert.equal(opening.state.state, 'down');
  });

  test('administratively down: said at once, kept whatever the peer says', () => {
    const it = up();
    const word = it.step({ on: 'admin-down' });
    assert.deepEqual([word?.state, word?.diagnostic], ['admin-down', 7]);
    assert.equal(it.hear(said('up', { poll: true })), null);
    assert.equal(it.state.state, 'admin-down');
  });
});

describe('timers (RFC 5880 §6.8.2–6.8.4, §6.8.7)', () => {
  test('once a second at most until the session is up, however fast it may be then', () => {
    const it = new Subject();
    it.advance(10_000);
    assert.ok(it.count(9_999) >= 9 && it.count(9_999) <= 11, `${it.count(9_999)} packets in 10 s`);
    assert.equal(it.sent[0]!.packet.desired_tx_us, 1_000_000);
  });

  test('then at the slower of what we want to send and the peer to receive', () => {
    const it = up({ ...INTERVALS, transmit_ms: 50 });
    assert.equal(transmitInterval_ms(it.state), 100);
    it.hear(said('up', { required_rx_us: 20_000 }));
    assert.equal(transmitInterval_ms(it.state), 50);
    it.hear(said('up', { required_rx_us: 400_000 }));
    assert.equal(transmitInterval_ms(it.state), 400);
  });

  test('the detection time is the multiplier of the peer times the slower of both', () => {
    const it = up();
    it.hear(said('up', { multiplier: 5, desired_tx_us: 70_000 }));
    assert.equal(detectionTime_ms(it.state), 500);
    it.hear(said('up', { multiplier: 5, desired_tx_us: 200_000 }));
    assert.equal(detectionTime_ms(it.state), 1_000);
  });

  test('jitter: 75 to 100 per cent of the interval, with multiplier 1 no more than 90', () => {
    const gaps = (multiplier: number): number[] =>
      [0, 0.5, 0.999999].map((chance) => {
        const it = up({ ...INTERVALS, multiplier });
        it.advance(100, said('up'));
        it.chance = chance;
        it.step({ on: 'time' });
        it.advance(0);
        it.now = it.state.transmit_at;
        it.step({ on: 'time' });
        return Number((it.state.transmit_at - it.now).toFixed(1));
      });
    assert.deepEqual(gaps(3), [75, 87.5, 100]);
    assert.deepEqual(gaps(1), [75, 82.5, 90]);
  });

  test('a peer that wants none (interval 0) gets none, but an answer to its Poll', () => {
    const it = up();
    it.hear(said('up', { required_rx_us: 0 }));
    it.advance(1_000, said('up', { required_rx_us: 0 }));
    assert.equal(it.count(1_000), 0);
    assert.equal(it.hear(said('up', { required_rx_us: 0, poll: true }))?.final, true);
  });

  test('a peer that will take packets faster gets the next one in time', () => {
    const it = up();
    it.hear(said('up', { required_rx_us: 5_000_000 }));
    it.advance(1_000, said('up', { required_rx_us: 5_000_000 }));
    it.hear(said('up'));
    const before = it.sent.length;
    it.advance(0);
    assert.equal(it.sent.length, before + 1, 'the interval has long passed: as soon as possible');
  });

  test('demand mode of the peer: quiet, as it asks, while both are up; a Poll is answered', () => {
    const it = up();
    const demand = said('up', { demand: true });
    it.hear(demand);
    it.advance(1_000, demand);
    assert.equal(it.count(1_000), 0);
    assert.equal(it.hear({ ...demand, poll: true })?.final, true);
    it.advance(301);
    assert.equal(it.state.state, 'down', 'we still hear whether the peer lives');
    it.advance(2_000);
    assert.ok(it.count(2_000) >= 2);
  });

  test('we never ask for demand mode, and take no echo packets', () => {
    for (const { packet } of up().sent) {
      assert.deepEqual([packet.demand, packet.required_echo_rx_us], [false, 0]);
    }
  });
});

describe('Poll Sequences (RFC 5880 §6.5, §6.8.3)', () => {
  test('a Poll is answered with a Final at once, which polls nothing itself', () => {
    const it = new Subject();
    it.hear(said('down', { your_discriminator: 0 }));
    it.hear(said('init')); // now we poll ourselves
    const answer = it.hear(said('up', { poll: true }));
    assert.deepEqual([answer?.final, answer?.poll], [true, false]);
    it.advance(100, said('up'));
    assert.equal(it.sent.at(-1)!.packet.poll, true);
  });

  test('up: the fast interval is polled for until the peer confirms it', () => {
    const it = new Subject();
    it.hear(said('down', { your_discriminator: 0 }));
    const first = it.hear(said('init'));
    assert.deepEqual([first?.poll, first?.desired_tx_us], [true, 100_000]);
    it.advance(500, said('up'));
    assert.ok(it.sent.at(-1)!.packet.poll);
    it.hear(said('up', { final: true }));
    it.advance(200, said('up'));
    assert.ok(!it.sent.at(-1)!.packet.poll);
  });

  test('to send slower, and to be sent faster, waits for the Final; the rest holds at once', () => {
    const it = up();
    it.step({ on: 'intervals', intervals: { transmit_ms: 400, receive_ms: 40, multiplier: 3 } });
    it.hear(said('up', { desired_tx_us: 10_000 }));
    assert.equal(transmitInterval_ms(it.state), 100, 'the peer still expects us at the old rate');
    assert.equal(detectionTime_ms(it.state), 300, 'the peer still sends at the old rate');
    it.advance(100, said('up', { desired_tx_us: 10_000 }));
    const { packet } = it.sent.at(-1)!;
    assert.deepEqual(
      [packet.poll, packet.desired_tx_us, packet.required_rx_us],
      [true, 400_000, 40_000],
    );
    it.hear(said('up', { final: true, desired_tx_us: 10_000 }));
    assert.equal(transmitInterval_ms(it.state), 400);
    assert.equal(detectionTime_ms(it.state), 120);

    it.step({ on: 'intervals', intervals: { transmit_ms: 100, receive_ms: 200, multiplier: 3 } });
    assert.equal(transmitInterval_ms(it.state), 100);
    assert.equal(detectionTime_ms(it.state), 600);
  });

  test('values that change during a Poll Sequence get one of their own', () => {
    const it = up();
    it.step({ on: 'intervals', intervals: { ...INTERVALS, transmit_ms: 300 } });
    it.step({ on: 'intervals', intervals: { ...INTERVALS, transmit_ms: 500 } });
    it.hear(said('up', { final: true }));
    assert.equal(transmitInterval_ms(it.state), 100);
    it.hear(said('up', { final: true }));
    assert.equal(transmitInterval_ms(it.state), 500);
    assert.equal(it.state.poll, 'no');
  });

  test('nobody is polled who is not known any more', () => {
    const it = up();
    it.advance(5_000);
    assert.ok(it.sent.slice(-3).every(({ packet }) => !packet.poll));
  });
});

test('whatever a peer says, we send no more than its words call for, and come up with a good one', () => {
  const words = fc.array(fc.tuple(packets, fc.nat(400)), { maxLength: 60 });
  fc.assert(
    fc.property(words, fc.integer({ min: 1, max: 4 }), (all, multiplier) => {
      const it = new Subject({ ...INTERVALS, multiplier });
      for (const [packet, gap] of all) {
        const before = it.sent.length;
        it.hear(packet);
        assert.ok(it.sent.length - before <= 1);
        const mark = it.sent.length;
        it.advance(gap);
        // At most one for each 75 ms, one that was due, and one for a detection time that ended.
        assert.ok(it.sent.length - mark <= gap / 75 + 2);
        assert.ok(!Number.isNaN(nextDeadline(it.state)) && nextDeadline(it.state) >= it.now);
      }
      it.state = { ...it.state, heard_at: it.now - detectionTime_ms(it.state) };
      it.advance(0);
      it.hear(said('down', { your_discriminator: 0 }));
      it.hear(said('init'));
      it.hear(said('up'));
      assert.equal(it.state.state, 'up');
    }),
    { numRuns: 300 },
  );
});
