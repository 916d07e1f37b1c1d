import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type DemandSample,
  type DemandState,
  type DemandTiming,
  measureDemand,
} from '../../src/decide/demand.ts';

const FAST: DemandTiming = { rate_ms: 1_000, cost_ms: 5_000 };
const none = { capacity: 200, kept: 0, sent: {}, guests: {} };

/** Flows a second and load over some time, sampled every `every_ms`; gives the last sight. */
class Site {
  state: DemandState | null = null;
  now = 0;
  kept = 0;
  sent = 0;
  guests = 0;

  run(ms: number, used: number, rates: readonly [number, number, number], every_ms = 250) {
    let sight = this.sample(used);
    for (let at = 0; at < ms; at += every_ms) {
      this.now += every_ms;
      this.kept += (rates[0] * every_ms) / 1000;
      this.sent += (rates[1] * every_ms) / 1000;
      this.guests += (rates[2] * every_ms) / 1000;
      sight = this.sample(used);
    }
    return sight;
  }

  sample(used: number) {
    const sample: DemandSample = {
      used,
      capacity: 200,
      kept: this.kept,
      sent: { sin: this.sent },
      guests: { iad: this.guests },
    };
    const [state, sight] = measureDemand(this.state, sample, this.now, FAST);
    this.state = state;
    return sight;
  }
}

const near = (value: number, expected: number, part = 0.02): void =>
  assert.ok(Math.abs(value - expected) <= part * expected, `${value}, not ${expected}`);

describe('demand', () => {
  test('is what is used while nothing is sent or taken', () => {
    const sight = new Site().run(3_000, 150, [150, 0, 0]);
    near(sight.demand, 150);
    near(sight.own, 150);
  });

  test('stays while flows are sent away, within 3 s', () => {
    const site = new Site();
    site.run(5_000, 280, [280, 0, 0]);
    const sight = site.run(3_000, 200, [200, 80, 0]);
    near(sight.demand, 280, 0.03);
    near(sight.own, 200, 0.05);
  });

  test('does not count guests', () => {
    const site = new Site();
    site.run(5_000, 80, [80, 0, 0]);
    const sight = site.run(3_000, 160, [80, 0, 80]);
    near(sight.demand, 80, 0.05);
    near(sight.own, 80, 0.05);
    assert.equal(sight.used, 160);
  });

  test('follows a crowd within 3 s', () => {
    const site = new Site();
    site.run(5_000, 100, [100, 0, 0]);
    near(site.run(3_000, 280, [280, 0, 0]).demand, 280, 0.06);
  });

  test('follows at once when each flow costs more, as when servers were lost', () => {
    const site = new Site();
    site.run(20_000, 100, [100, 0, 0]);
    const sight = site.run(3_000, 200, [100, 0, 0]);
    assert.ok(sight.own > 185 && sight.demand > 185);
  });

  test('comes out alike at any sampling interval', () => {
    const [often, seldom] = [50, 1_000].map((every_ms) => {
      const site = new Site();
      site.run(5_000, 280, [280, 0, 0], every_ms);
      return site.run(5_000, 200, [200, 80, 0], every_ms).demand;
    });
    near(often!, seldom!, 0.01);
  });
});

describe('without flows that tell something', () => {
  test('demand and own are what is used', () => {
    const [first, sight] = measureDemand(null, { ...none, used: 90 }, 0);
    assert.deepEqual(sight, { used: 90, capacity: 200, own: 90, demand: 90 });
    const [, later] = measureDemand(first, { ...none, used: 70 }, 1_000);
    assert.deepEqual(later, { used: 70, capacity: 200, own: 70, demand: 70 });
  });

  test('an hour without flows teaches nothing about what a flow costs', () => {
    const site = new Site();
    site.run(10_000, 200, [100, 0, 0]);
    site.run(3_600_000, 30, [0, 0, 0], 10_000);
    near(site.run(3_000, 200, [100, 0, 0]).demand, 200, 0.06);
  });

  test('a counter that was reset counts as no flows, not as fewer than none', () => {
    const site = new Site();
    site.run(5_000, 200, [200, 0, 0]);
    site.kept = 0;
    const sight = site.run(250, 200, [200, 0, 0]);
    assert.ok(sight.demand > 150 && sight.demand < 250, `${sight.demand}`);
  });
});

test('for any samples: finite, not negative, own at most demand; no time, no change', () => {
  const count = fc.nat(100_000);
  const sample = fc.record({
    used: fc.double({ min: 0, max: 1e6, noNaN: true }),
    capacity: fc.constant(200),
    kept: count,
    sent: fc.record({ sin: count }),
    guests: fc.record({ iad: count, sin: count }),
    dt_ms: fc.nat(10_000),
  });
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1 }), (samples) => {
      let state: DemandState | null = null;
      let now = 0;
      for (const { dt_ms, ...one } of samples) {
        now += dt_ms;
        const [next, sight] = measureDemand(state, one, now);
        for (const value of [sight.own, sight.demand]) {
          assert.ok(Number.isFinite(value) && value >= 0);
        }
        assert.ok(sight.own <= sight.demand);
        assert.deepEqual(measureDemand(next, one, now)[0], next);
        state = next;
      }
    }),
  );
});
