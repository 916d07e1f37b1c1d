/** Votes, rulings, damping and the guard of capacity, as an operator would tell them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import { observersOf } from '../../src/decide/vantage.ts';
import type { Config, HealthPolicy, VerdictRule } from '../../src/model/config.ts';
import type { Report } from '../../src/model/report.ts';
import { testConfig } from '../support/config.ts';
import { DOWN, reportOf, UP, worldOf } from './world.ts';

const base = testConfig();
const NAMES = base.sites.map(({ name }) => name);
const DAMPING = {
  penalty: 1_000,
  suppress: 2_500,
  reuse: 750,
  half_life_ms: 60_000,
  suppress_max_ms: 300_000,
};

function configOf(
  rule: VerdictRule,
  observers: number,
  health: Partial<HealthPolicy> = {},
): Config {
  return {
    ...base,
    endpoints: base.endpoints.map((one) => ({ ...one, vantage: { observers, rule } })),
    policy: { ...base.policy, health: { ...base.policy.health, ...health } },
  };
}

/** Reports in which `says(site, endpoint)` is each one's word; null: it has none. */
function reportsOf(
  config: Config,
  says: (site: number, endpoint: number) => boolean | null,
): Report[] {
  return config.sites.map(({ name }, site) => {
    const endpoints: Record<string, typeof UP> = {};
    const observed: Record<string, typeof UP> = {};
    for (const [index, { id, site: home }] of config.endpoints.entries()) {
      const up = says(site, index);
      if (up === null) continue;
      const sight = up ? UP : DOWN;
      if (home === site) endpoints[id] = sight;
      else if (observersOf(config, index).includes(site)) observed[id] = sight;
    }
    return { ...reportOf(config, name), endpoints, observed };
  });
}

/** What each site's report says once it has decided on what all say. */
function ruled(config: Config, reports: readonly Report[]): Report[] {
  return reports.map((report) => {
    const { memory } = decide(config, worldOf(report.site, reports), 0);
    return { ...report, rulings: memory.rulings, evicted: memory.evicted };
  });
}

const words = fc.array(fc.constantFrom(true, true, false, null), { minLength: 18, maxLength: 18 });
const rules = fc.constantFrom<VerdictRule>('home', 'majority', 'any', 'all');
const wordOf = (list: readonly (boolean | null)[]) => (site: number, endpoint: number) =>
  list[site * 6 + endpoint]!;

describe('of any votes', () => {
  test('all sites that share the reports make the same verdicts', () => {
    fc.assert(
      fc.property(rules, fc.nat(2), words, (rule, observers, list) => {
        const config = configOf(rule, observers);
        const reports = ruled(config, reportsOf(config, wordOf(list)));
        const seen = NAMES.map((self) =>
          decide(config, worldOf(self, reports), 100).endpoints.map(({ eligible }) => eligible),
        );
        assert.deepEqual(seen[1], seen[0]);
        assert.deepEqual(seen[2], seen[0]);
      }),
    );
  });

  test('to decide again changes neither verdicts nor memory', () => {
    fc.assert(
      fc.property(rules, fc.nat(2), words, words, (rule, observers, was, is) => {
        const health = { damping: DAMPING, evict_max: 0.5, sites_min: 1 };
        const config = configOf(rule, observers, health);
        const before = ruled(config, reportsOf(config, wordOf(was)));
        const now = reportsOf(config, wordOf(is)).map((report, site) => {
          const { rulings, evicted } = before[site]!;
          return { ...report, rulings, evicted };
        });
        for (const [site, self] of NAMES.entries()) {
          const once = decide(config, worldOf(self, now), 0);
          const { rulings, evicted } = once.memory;
          const again = now.with(site, { ...now[site]!, rulings, evicted });
          const twice = decide(config, worldOf(self, again), 0);
          assert.deepEqual(twice.memory.rulings, rulings);
          assert.deepEqual(twice.memory.evicted, evicted);
          assert.deepEqual(twice.endpoints, once.endpoints);
        }
      }),
    );
  });

  test('one more good word never takes an endpoint out', () => {
    fc.assert(
      fc.property(rules, fc.nat(2), words, fc.nat(17), (rule, observers, list, which) => {
        fc.pre(list[which] === false);
        const config = configOf(rule, observers);
        const eligible = (all: readonly (boolean | null)[]) =>
          decide(config, worldOf('fra', reportsOf(config, wordOf(all))), 0).endpoints;
        const better = eligible(list.with(which, true));
        for (const [index, { eligible: was }] of eligible(list).entries()) {
          if (was) assert.ok(better[index]!.eligible);
        }
      }),
    );
  });
});

describe('the rule', () => {
  const only = (rule: VerdictRule, home: boolean, others: boolean) => {
    const config = configOf(rule, 2);
    const reports = reportsOf(config, (site, index) =>
      index > 0 ? true : site === 0 ? home : others,
    );
    return decide(config, worldOf('fra', reports), 0).endpoints[0]!;
  };

  test('majority outvotes a home that cannot see its own load balancer, and names the path', () => {
    const verdict = only('majority', false, true);
    assert.deepEqual([verdict.eligible, verdict.fault], [true, 'path']);
    assert.match(verdict.reason.text, /by the votes: fra down .*refused; /);
  });

  test('majority takes out what only its home can reach', () => {
    const verdict = only('majority', true, false);
    assert.deepEqual([verdict.eligible, verdict.reason.code], [false, 'vote-failed']);
  });

  test('home, any and all are what they are called', () => {
    assert.equal(only('home', true, false).eligible, true);
    assert.equal(only('any', false, true).eligible, true);
    assert.equal(only('all', true, false).eligible, false);
  });

  test('a load balancer whose agent has died still serves by the observers’ word', () => {
    const config = configOf('majority', 2);
    const reports = reportsOf(config, () => true);
    const world = worldOf('fra', reports, 10_000);
    const sightings = new Map(world.sightings);
    sightings.set('sin', { ...sightings.get('sin')!, received_at: 0 });
    const verdict = decide(config, { ...world, sightings }, 10_000).endpoints[4]!;
    assert.deepEqual([verdict.eligible, verdict.fault], [true, 'observer']);
  });
});

describe('an endpoint that flaps', () => {
  const config = configOf('home', 0, { damping: DAMPING, hold_down_max_ms: 60_000 });
  const after = (penalty: number, suppressed = false) => {
    const [fra, ...others] = reportsOf(config, () => true);
    const ruling = { up: true, for_ms: 0, downs: 1, penalty, suppressed };
    const rulings = { 'fra-lb1/web': ruling };
    return decide(config, worldOf('fra', [{ ...fra!, rulings }, ...others]), 0).endpoints[0]!;
  };

  test('waits the longer the more often it has fallen', () => {
    const [once, often] = [after(900), after(2_400)];
    assert.equal(once.reason.code, 'hold-down');
    assert.ok(often.next_ms! > 2 * once.next_ms!);
  });

  test('of several sites that return at once each waits a time of its own, its endpoints together', () => {
    const reports = reportsOf(config, () => true).map((report) => {
      const ids = Object.keys(report.endpoints);
      const ruling = { up: true, for_ms: 0, downs: 1, penalty: 1_000, suppressed: false };
      return { ...report, rulings: Object.fromEntries(ids.map((id) => [id, ruling])) };
    });
    const { endpoints } = decide(config, worldOf('fra', reports), 0);
    const waits = NAMES.map((name) =>
      endpoints.filter(({ id }) => id.startsWith(name)).map(({ next_ms }) => next_ms!),
    );
    assert.ok(waits.every(([first, ...rest]) => rest.every((each) => each === first)));
    const firsts = waits.map(([first]) => first!);
    const { hold_down_ms } = config.policy.health;
    for (const each of firsts) assert.ok(each >= hold_down_ms && each <= 1.25 * hold_down_ms);
    const gaps = firsts.toSorted((a, b) => a - b).map((each, i, all) => each - (all[i - 1] ?? 0));
    assert.ok(Math.min(...gaps) > 0.01 * hold_down_ms, firsts.join());
  });

  test('is suppressed until its penalty has decayed, and says so', () => {
    const verdict = after(3_000, true);
    assert.equal(verdict.reason.code, 'damped');
    assert.match(verdict.reason.text, /penalty 3000/);
  });

  test('is used again in time, however often it fell and whatever was configured then', () => {
    for (const penalty of [3_000, 24_000, 1e9]) {
      const { next_ms } = after(penalty, true);
      const longest_ms = 1.25 * DAMPING.suppress_max_ms;
      assert.ok(next_ms! > 0 && next_ms! <= longest_ms, `${next_ms} at ${penalty}`);
      const [fra, ...others] = reportsOf(config, () => true);
      const ruling = { up: true, for_ms: 0, downs: 1, penalty, suppressed: true };
      const rulings = { 'fra-lb1/web': ruling };
      const world = worldOf('fra', [{ ...fra!, rulings }, ...others]);
      // The others stay heard: what is looked at is fra's own.
      const before = decide(config, world, next_ms! - 1).endpoints[0]!;
      const then = decide(config, world, next_ms!).endpoints[0]!;
      assert.deepEqual([before.eligible, before.reason.code], [false, 'damped']);
      assert.deepEqual([then.eligible, then.reason.code], [true, 'healthy']);
    }
  });
});

describe('the guard of capacity', () => {
  const health = { evict_max: 0.5, sites_min: 1 };

  /** fra has heard all, and for ten seconds now nobody but itself. */
  const alone = (observers: number) => {
    const config = configOf('majority', observers, health);
    const world = worldOf(
      'fra',
      reportsOf(config, () => true),
    );
    return decide(config, world, 10_000);
  };

  test('keeps one of two sites that fall silent, as a whole, and says why', () => {
    const { endpoints } = alone(0);
    const kept = endpoints.filter(({ reason }) => reason.code === 'eviction-guard');
    assert.deepEqual(
      kept.map(({ id }) => id.slice(0, 3)),
      ['sin', 'sin'],
    );
    assert.ok(kept.every(({ eligible }) => eligible));
    assert.match(kept[0]!.reason.text, /site-lost.*66\.7 % of its capacity \(at most 50\.0 %\)/);
  });

  test('does not stand in the way of what is agreed', () => {
    const config = configOf('home', 0, health);
    const world = worldOf(
      'fra',
      reportsOf(config, () => false),
    );
    assert.ok(decide(config, world, 0).endpoints.every(({ eligible }) => !eligible));
  });

  test('never lets more than its share go without agreement, whatever is said', () => {
    fc.assert(
      fc.property(rules, words, (rule, list) => {
        const config = configOf(rule, 2, health);
        const world = worldOf('fra', reportsOf(config, wordOf(list)));
        const { endpoints } = decide(config, world, 0);
        const known = endpoints.filter(
          ({ reason }) => !['not-probed-yet', 'site-unheard'].includes(reason.code),
        );
        const out = known.filter(({ eligible }) => !eligible);
        const agreed = out.filter(({ id }) => {
          const index = config.endpoints.findIndex((one) => one.id === id);
          return [0, 1, 2].filter((site) => list[site * 6 + index] === false).length >= 2;
        });
        const allAgreed = agreed.length === out.length;
        assert.ok(allAgreed || out.length <= known.length / 2 + 1e-9);
      }),
    );
  });
});
