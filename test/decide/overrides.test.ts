/** What operators order, and what comes of it: which override counts, for whom, and until when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import { endpointsIn } from '../../src/decide/overrides.ts';
import type { Config } from '../../src/model/config.ts';
import type { HeldOverride, OverrideAction, OverrideScope } from '../../src/model/override.ts';
import type { Report } from '../../src/model/report.ts';
import { testConfig } from '../support/config.ts';
import { anyOverrides, anyReports } from './arbitrary.ts';
import { DOWN, drainOrder, orderOf, reportOf, sightOf, UP, worldOf } from './world.ts';

const base = testConfig();
const config: Config = {
  ...base,
  endpoints: base.endpoints.map((endpoint, index) => {
    return { ...endpoint, labels: [`rack=${index % 2}`, 'tier=front'] };
  }),
  services: [
    ...base.services,
    { ...base.services[0]!, name: 'api.example.com', pool: [{ endpoint: 1, weight: 1 }] },
  ],
};
const all = config.sites.map(({ name }) => reportOf(config, name, { routes: { web: sightOf() } }));

const order = (
  scope: Partial<OverrideScope>,
  action: OverrideAction,
  change: { clock?: number; until?: number } = {},
): HeldOverride =>
  orderOf(
    {
      scope: { site: null, service: null, endpoint: null, label: null, ...scope },
      action,
      stamp: { clock: change.clock ?? 1, agent: 'fra/fra' },
    },
    0,
    change.until ?? null,
  );

function planned(overrides: readonly HeldOverride[], reports: readonly Report[] = all, now = 100) {
  const plan = decide(config, worldOf('fra', reports, 0, { overrides }), now);
  return { ...plan, codes: plan.endpoints.map(({ reason }) => reason.code) };
}

/** Indices of the endpoints that are not eligible. */
const out = (overrides: readonly HeldOverride[]): number[] =>
  planned(overrides).endpoints.flatMap(({ eligible }, index) => (eligible ? [] : [index]));

describe('an override concerns what fits all parts of its scope', () => {
  const cases: [Partial<OverrideScope>, number[]][] = [
    [{ site: 'iad' }, [2, 3]],
    [{ endpoint: 'iad-lb1' }, [2]],
    [{ endpoint: 'iad-lb1/web' }, [2]],
    [{ endpoint: 'iad-lb' }, []],
    [{ endpoint: 'iad-lb1/we' }, []],
    [{ label: 'rack=1' }, [1, 3, 5]],
    [{ label: 'rack=' }, []],
    [{ service: 'api.example.com' }, [1]],
    [{ service: 'nothing.example.com' }, []],
    [{ site: 'sin', label: 'rack=0' }, [4]],
    [{ site: 'sin', service: 'api.example.com' }, []],
    [{ site: 'nowhere' }, []],
  ];
  for (const [scope, concerned] of cases) {
    test(JSON.stringify(scope), () => {
      assert.deepEqual(out([order(scope, 'down')]), concerned);
      assert.deepEqual(endpointsIn(config, order(scope, 'down').override.scope), concerned);
    });
  }
});

describe('of overrides for one endpoint', () => {
  test('the more specific counts: endpoint, label, service, site; and more parts', () => {
    const scopes: Partial<OverrideScope>[] = [
      { endpoint: 'fra-lb2/web' },
      { endpoint: 'fra-lb2' },
      { label: 'rack=1', site: 'fra' },
      { label: 'rack=1' },
      { service: 'api.example.com', site: 'fra' },
      { service: 'api.example.com' },
      { site: 'fra' },
    ];
    for (const [rank, better] of scopes.entries()) {
      for (const worse of scopes.slice(rank + 1)) {
        const codes = planned([order(worse, 'down', { clock: 9 }), order(better, 'up')]).codes;
        assert.equal(codes[1], 'forced-up', JSON.stringify([better, worse]));
      }
    }
  });

  test('of equals down counts, then the later', () => {
    const one = order({ label: 'rack=0' }, 'up', { clock: 5 });
    const other = order({ label: 'tier=front' }, 'down', { clock: 1 });
    assert.equal(planned([one, other]).codes[0], 'forced-down');
    assert.equal(planned([other, one]).codes[0], 'forced-down');
    const later = order({ label: 'tier=front' }, 'up', { clock: 6 });
    for (const list of [
      [one, later],
      [later, one],
    ]) {
      assert.match(planned(list).endpoints[0]!.reason.text, /label=tier=front/);
    }
  });
});

describe('what is forced', () => {
  const ill = reportOf(config, 'iad', {}, DOWN);
  const reports = [all[0]!, ill, all[2]!];

  test('up is answered although its probes fail, wait, or have not ended, and its site is silent', () => {
    const up = [order({ site: 'iad' }, 'up')];
    const returning = reportOf(config, 'iad', {}, { ...UP, for_ms: 0, downs: 3 });
    const unprobed = reportOf(config, 'iad', { endpoints: {} });
    const worlds = [[ill], [returning], [unprobed], []];
    for (const others of worlds) {
      const plan = planned(up, [all[0]!, ...others, all[2]!]);
      assert.deepEqual(plan.codes.slice(2, 4), ['forced-up', 'forced-up']);
      assert.ok(plan.endpoints[2]!.eligible);
    }
    assert.equal(planned(up, reports).sites[1]!.state, 'healthy');
  });

  test('down is not, although all is well, and its site counts as failing', () => {
    const plan = planned([order({ site: 'iad' }, 'down')]);
    assert.deepEqual(plan.codes.slice(2, 4), ['forced-down', 'forced-down']);
    assert.equal(plan.sites[1]!.state, 'down');
    const own = planned([order({ site: 'fra' }, 'down')]).routes[0]!;
    assert.deepEqual([own.announce, own.reason.code], [false, 'no-healthy-endpoint']);
  });

  test('tells who, why, and when it ends; then all is as the probes say', () => {
    const up = [order({ endpoint: 'iad-lb1' }, 'up', { until: 3_600_000 })];
    const plan = planned(up, reports);
    const { reason, for_ms, next_ms } = plan.endpoints[2]!;
    assert.equal(reason.text, 'forced up by ada (endpoint=iad-lb1, 60 min left): kernel');
    assert.deepEqual([for_ms, next_ms], [100, 3_599_900]);
    const fresh = (now: number) => {
      const world = worldOf('fra', reports, now, { overrides: up });
      return decide(config, world, now);
    };
    const last = fresh(3_599_999);
    assert.deepEqual([last.endpoints[2]!.eligible, last.wake_ms], [true, 1]);
    assert.equal(fresh(3_600_000).endpoints[2]!.reason.code, 'probe-failed');
  });

  test('is outside of the guard of capacity: it takes what it names, and health no more for it', () => {
    const guarded = {
      ...config,
      policy: {
        ...config.policy,
        health: { ...config.policy.health, evict_max: 0.4, sites_min: 1 },
      },
    };
    const overrides = ['fra', 'iad', 'sin'].map((site) => order({ site }, 'down'));
    const plan = decide(guarded, worldOf('fra', all, 0, { overrides }), 100);
    assert.deepEqual(
      plan.endpoints.map(({ reason }) => reason.code),
      Array(6).fill('forced-down'),
    );
    assert.deepEqual(plan.memory.evicted, []);
  });
});

describe('a drain', () => {
  test('counts whatever is forced up in it; what is forced down stays so', () => {
    const plan = planned([
      drainOrder('iad'),
      order({ endpoint: 'iad-lb1' }, 'up'),
      order({ endpoint: 'iad-lb2' }, 'down'),
    ]);
    assert.deepEqual(plan.codes.slice(2, 4), ['draining', 'forced-down']);
    assert.deepEqual(
      plan.endpoints.slice(2, 4).map((one) => one.eligible),
      [false, false],
    );
  });

  test('of less than a site takes answers and leaves the route', () => {
    const plan = planned([order({ site: 'fra', service: 'www.example.com' }, 'drain')]);
    assert.deepEqual(plan.codes.slice(0, 2), ['draining', 'draining']);
    assert.equal(plan.sites[0]!.state, 'healthy');
    assert.deepEqual([plan.routes[0]!.announce, plan.routes[0]!.fitness], [true, 'degraded']);
  });

  test('ends to the millisecond, and with it the site comes back', () => {
    const drain = { ...drainOrder('fra', -60_000), until: 1_000 };
    const before = planned([drain], all, 999);
    assert.deepEqual([before.sites[0]!.state, before.wake_ms], ['draining', 1]);
    assert.equal(planned([drain], all, 1_000).sites[0]!.state, 'healthy');
  });
});

test('every site comes to the same verdicts by the same reports and overrides', () => {
  fc.assert(
    fc.property(anyReports, anyOverrides, (reports, overrides) => {
      const [one, ...others] = config.sites.map(({ name }) => {
        const { endpoints } = decide(base, worldOf(name, reports, 0, { overrides }), 0);
        return endpoints.map(({ eligible, reason }) => [eligible, reason.code]);
      });
      for (const other of others) assert.deepEqual(other, one);
    }),
  );
});

test('what is drained or forced down is never eligible, what is forced up always is', () => {
  fc.assert(
    fc.property(anyReports, anyOverrides, (reports, overrides) => {
      const plan = decide(base, worldOf('fra', reports, 0, { overrides }), 0);
      const inForce = overrides.filter(({ until }) => until === null || until > 0);
      for (const [index, { eligible, reason }] of plan.endpoints.entries()) {
        const actions = inForce
          .filter(({ override }) => endpointsIn(base, override.scope).includes(index))
          .map(({ override }) => override.action);
        if (actions.includes('drain')) assert.equal(eligible, false);
        else if (actions.length > 0 && !actions.includes('down')) assert.equal(eligible, true);
        else if (actions.length > 0 && !actions.includes('up')) assert.equal(eligible, false);
        else if (actions.length === 0) assert.ok(!/^(forced|draining)/.test(reason.code));
      }
    }),
    { numRuns: 500 },
  );
});
