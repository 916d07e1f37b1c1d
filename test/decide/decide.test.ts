/** The decision as a whole: pure, complete, and exact about when to look again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import { healthyWorld } from '../../src/decide/explain.ts';
import type { Config } from '../../src/model/config.ts';
import type { HeldOverride } from '../../src/model/override.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { Report } from '../../src/model/report.ts';
import type { World } from '../../src/model/world.ts';
import { testConfig } from '../support/config.ts';
import { anyConfig, anyOverrides, anyReports } from './arbitrary.ts';
import { DOWN, loadOf, reportOf, UP, worldOf } from './world.ts';

const config = testConfig();

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}

const sight = fc.record({
  up: fc.boolean(),
  for_ms: fc.nat(5_000),
  downs: fc.nat(2),
  detail: fc.constant('x'),
});
const report = (site: string): fc.Arbitrary<Report> =>
  fc
    .record({
      sights: fc.array(sight, { minLength: 2, maxLength: 2 }),
      load: fc.option(fc.double({ min: 0, max: 2, noNaN: true })),
    })
    .map(({ sights, load }) => ({
      ...reportOf(config, site, { load: load === null ? null : loadOf(load) }),
      endpoints: { [`${site}-lb1/web`]: sights[0]!, [`${site}-lb2/web`]: sights[1]! },
    }));
const reports = fc.tuple(...config.sites.map(({ name }) => report(name)));

test('the same in gives the same out, and what goes in is not changed', () => {
  freeze(config);
  fc.assert(
    fc.property(reports, anyOverrides, fc.nat(10_000), (list, overrides, now) => {
      const world = worldOf('fra', list.map(freeze), 0, { overrides: freeze(overrides) });
      const plan = decide(config, world, now);
      assert.deepEqual(decide(config, world, now), plan);
      assert.deepEqual(JSON.parse(JSON.stringify({ ...plan, wake_ms: 0 })), {
        ...plan,
        wake_ms: 0,
      });
    }),
  );
});

describe('a plan’s wake-up', () => {
  const switched = (of: Config, world: World, now: number) => {
    const { sites, endpoints, routes, spill, memory } = decide(of, world, now);
    return {
      states: sites.map(({ state }) => state),
      endpoints: endpoints.map(({ eligible, reason }) => [eligible, reason.code]),
      routes: routes.map(({ announce, fitness, reason }) => [announce, fitness, reason.code]),
      phases: Object.values(memory.routes).map(({ phase }) => phase),
      overloaded: memory.overload.overloaded,
      spill: [spill.stance.sending, spill.stance.open],
    };
  };

  const holds = (
    of: Config,
    list: readonly Report[],
    overrides: readonly HeldOverride[],
    now: number,
    part: number,
  ): void => {
    const world = worldOf('fra', list, 0, { overrides });
    const { wake_ms } = decide(of, world, now);
    assert.ok(wake_ms > 0);
    const later = now + Math.min(wake_ms, 60_000) * part;
    assert.deepEqual(switched(of, world, later), switched(of, world, now));
  };

  test('is never in the past, and nothing that is switched changes before it', () => {
    fc.assert(
      fc.property(
        reports,
        anyOverrides,
        fc.nat(10_000),
        fc.nat(999),
        (list, overrides, now, thousandths) =>
          holds(config, list, overrides, now, thousandths / 1_000),
      ),
    );
  });

  test('is right for any rules and any past of the routes, too', () => {
    fc.assert(
      fc.property(
        anyConfig,
        anyReports,
        anyOverrides,
        fc.nat(10_000),
        fc.nat(999),
        (of, list, overrides, now, thousandths) =>
          holds(of, list, overrides, now, thousandths / 1_000),
      ),
      { numRuns: 1_000 },
    );
  });
});

test('deciding twice at one instant leads to the same routes as deciding once', () => {
  const told = ({ routes, memory }: Plan) => ({
    routes: routes.map(({ reason: _, offers, ...route }) => ({
      ...route,
      offers: offers.map(({ reason: __, ...offer }) => offer),
    })),
    memory: Object.values(memory.routes).map(({ phase, penalty, suppressed, drained }) => ({
      phase,
      penalty,
      suppressed,
      drained,
    })),
  });
  fc.assert(
    fc.property(anyConfig, anyReports, anyOverrides, (of, list, overrides) => {
      const first = decide(of, worldOf('fra', list, 0, { overrides }), 0);
      const routes = Object.entries(first.memory.routes).map(([vip, memory]) => {
        const heard = list[0]!.routes[vip]?.heard === true && memory.phase === 'on';
        return [vip, { ...memory, heard, age_ms: 0 }];
      });
      const next: Report = {
        ...list[0]!,
        routes: Object.fromEntries(routes),
        overload: first.memory.overload,
      };
      const again = worldOf('fra', [next, ...list.slice(1)], 0, { overrides });
      const second = decide(of, again, 0);
      assert.deepEqual(told(second), told(first));
    }),
    { numRuns: 1_000 },
  );
});

test('with no news to wait for, it need not look again', () => {
  const world = worldOf('fra', [reportOf(config, 'fra')]);
  assert.equal(decide(config, world, 0).wake_ms, Number.POSITIVE_INFINITY);
});

test('a site that the configuration does not know can still explain, and announces nothing', () => {
  const plan = decide(config, healthyWorld(config, 'viewer', 0), 0);
  assert.deepEqual([plan.routes, plan.spill.shares], [[], {}]);
  assert.ok(plan.endpoints.every(({ eligible }) => eligible));
});

test('each verdict stands at the index of what it is about', () => {
  const iad = reportOf(config, 'iad', { load: loadOf(0.5) }, DOWN);
  const plan = decide(config, worldOf('fra', [reportOf(config, 'fra', {}, UP), iad]), 0);
  assert.deepEqual(
    plan.sites.map(({ site, state, load }) => [site, state, load]),
    [
      ['fra', 'healthy', null],
      ['iad', 'down', 0.5],
      ['sin', 'unknown', null],
    ],
  );
  assert.deepEqual(
    plan.endpoints.map(({ id }) => id),
    config.endpoints.map(({ id }) => id),
  );
});
