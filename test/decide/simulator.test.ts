/**
 * The spill loop against a fluid of flows: no site stays overloaded while another has room, no
 * helper is overloaded by helping, nothing flaps, and what began ends.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEMAND_TIMING } from '../../src/decide/demand.ts';
import { testConfig } from '../support/config.ts';
import { mean, reversals, type Scenario, secondsOver, simulate } from './simulator.ts';

const { policy } = testConfig();
const SLOW: Omit<Scenario, 'demand'> = {
  config: testConfig({ policy: { ...policy, report_stale_ms: 6_000 } }),
  length_s: 720,
  flow_life_ms: 5_000,
  delay_ms: 4_000,
  noise: 0.03,
  meter_ms: 0,
  timing: DEMAND_TIMING,
};
const [A, B, C] = [0, 1, 2];

/** `high` from `from_s` to `to_s`, else `low`. */
const pulse = (high: number, low: number, at_s: number, from_s = 60, to_s = 540): number =>
  at_s >= from_s && at_s < to_s ? high : low;
const over = (list: readonly number[] | undefined, limit = 1.1): number =>
  secondsOver(list!, limit);
/** Shares are gone this long after the overload ended, and stay gone. */
const hasEnded = (list: readonly number[], by_s: number): boolean =>
  list.slice(by_s * 10).every((share) => share === 0);

describe('three sites, reports 4 s late, 3 % noise, flows of 5 s', () => {
  test('a flash crowd is over 1.1 for 20 s, then held at the target until it ends', () => {
    const { load, share } = simulate({
      ...SLOW,
      demand: (site, at_s) => [pulse(1.4, 0.8, at_s), 0.6, 0.5][site]!,
    });
    assert.ok(over(load[A]) <= 22, `A over 1.1 for ${over(load[A])} s`);
    assert.equal(over(load[B], 0.95) + over(load[C], 0.95), 0);
    const settled = mean(load[A]!.slice(2000, 5300));
    assert.ok(settled > 0.94 && settled < 1.03, `A settles at ${settled}`);
    assert.ok(reversals(share[A]!) <= 6, `${reversals(share[A]!)} reversals`);
    assert.ok(hasEnded(share[A]!, 560));
  });

  test('two sites over share the room of the quiet one, which stays below 0.95', () => {
    const { load, share } = simulate({
      ...SLOW,
      demand: (site, at_s) => [pulse(1.35, 0.8, at_s), pulse(1.3, 0.8, at_s, 90), 0.35][site]!,
    });
    assert.ok(over(load[A]) <= 25, `A over 1.1 for ${over(load[A])} s`);
    assert.ok(over(load[B]) <= 28, `B over 1.1 for ${over(load[B])} s`);
    assert.equal(over(load[C], 0.95), 0);
    assert.ok(reversals(share[A]!) <= 16 && reversals(share[B]!) <= 16);
    assert.ok(hasEnded(share[A]!, 560) && hasEnded(share[B]!, 560));
  });

  test('a helper that loses half of its servers stops helping; the other one takes over', () => {
    const { load, share } = simulate({
      ...SLOW,
      demand: (site, at_s) => [pulse(1.4, 0.8, at_s), 0.45, 0.5][site]!,
      cost: (site, at_s) => (site === C && at_s > 300 ? 2 : 1),
    });
    assert.ok(over(load[A]) <= 25, `A over 1.1 for ${over(load[A])} s`);
    assert.ok(over(load[C]) <= 15, `C over 1.1 for ${over(load[C])} s`);
    assert.equal(over(load[B], 0.95), 0);
    assert.ok(reversals(share[A]!) <= 12, `${reversals(share[A]!)} reversals`);
  });

  test('on the edge the share follows the swing in small steps', () => {
    const { load, share } = simulate({
      ...SLOW,
      demand: (site, at_s) => [1.1 + 0.05 * Math.sin((at_s / 30) * 2 * Math.PI), 0.6, 0.5][site]!,
    });
    assert.ok(over(load[A]) <= 20, `A over 1.1 for ${over(load[A])} s`);
    const settled = share[A]!.slice(1200);
    assert.ok(Math.min(...settled) > 0.01 && Math.max(...settled) < 0.2);
    // 24 swings of 30 s turn twice each; the share turns no more often than its cause.
    assert.ok(reversals(share[A]!) <= 50, `${reversals(share[A]!)} reversals`);
  });

  test('while everybody is over nothing is moved', () => {
    const { share } = simulate({ ...SLOW, length_s: 120, demand: (site) => 1.4 - site / 10 });
    assert.equal(Math.max(...share.flat()), 0);
  });

  test('the death of a helper moves its part to the other one at once', () => {
    const { load } = simulate({
      ...SLOW,
      demand: (site, at_s) => [pulse(1.4, 0.8, at_s), 0.45, at_s > 300 ? 0 : 0.5][site]!,
      isUp: (site, at_s) => !(site === C && at_s > 300),
    });
    assert.ok(over(load[A]) <= 25, `A over 1.1 for ${over(load[A])} s`);
    assert.equal(over(load[B], 0.95), 0);
  });

  test('a sender cut off from the store spills no longer than a lease, and then again', () => {
    const { share } = simulate({
      ...SLOW,
      length_s: 500,
      demand: (site, at_s) => [pulse(1.4, 0.8, at_s), 0.45, 0.5][site]!,
      isCut: (site, at_s) => site === A && at_s > 200 && at_s < 300,
    });
    // The last grants arrive one delay after the cut, and live for one lease from then.
    const leaseEnd = (200 + (SLOW.delay_ms + policy.spill.lease_ms + 2_000) / 1000) * 10;
    assert.ok(share[A]![1990]! > 0.2);
    assert.ok(share[A]!.slice(leaseEnd, 3000).every((value) => value === 0));
    assert.ok(share[A]![3600]! > 0.2);
  });
});

describe('the demo: ticks of 250 ms, flows of 50 ms, 1.4 against 0.4', () => {
  const spill = {
    ...policy.spill,
    tick_ms: 250,
    onset_ms: 500,
    lease_ms: 2_000,
    rise_per_s: 0.2,
    fall_per_s: 0.4,
  };
  for (const meter_ms of [0, 250, 500]) {
    test(`load falls below 1.05 within 4 s and stays, with a meter ${meter_ms} ms late`, () => {
      const { load, share } = simulate({
        config: testConfig({ policy: { ...policy, spill } }),
        length_s: 60,
        flow_life_ms: 50,
        delay_ms: 5,
        noise: 0.03,
        meter_ms,
        timing: { rate_ms: 1_000, cost_ms: 5_000 },
        demand: (site, at_s) => [pulse(1.4, 0.5, at_s, 10, 40), 0.4, 0.6][site]!,
      });
      assert.equal(secondsOver(load[A]!, 1.05, 14, 40), 0);
      const settled = mean(load[A]!.slice(200, 390));
      assert.ok(settled < 1.03 && settled > 0.9, `A settles at ${settled}`);
      assert.equal(over(load[B], 0.95) + over(load[C], 0.95), 0);
      assert.ok(reversals(share[A]!, 0.03) <= 3, `${reversals(share[A]!, 0.03)} reversals`);
      assert.ok(hasEnded(share[A]!, 43));
    });
  }
});
