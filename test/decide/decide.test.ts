/** The decision as a whole: pure, complete, and exact about when to look again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import { healthyWorld } from '../../src/decide/explain.ts';
import type { Report } from '../../src/model/report.ts';
import type { World } from '../../src/model/world.ts';
import { testConfig } from '../support/config.ts';
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
      drained_ms: fc.option(fc.nat(12_000)),
      load: fc.option(fc.double({ min: 0, max: 2, noNaN: true })),
    })
    .map(({ sights, drained_ms, load }) => ({
      ...reportOf(config, site, { load: load === null ? null : loadOf(load) }),
      endpoints: { [`${site}-lb1/web`]: sights[0]!, [`${site}-lb2/web`]: sights[1]! },
      drain: drained_ms === null ? null : { for_ms: drained_ms, by: 'ada', reason: '' },
    }));
const reports = fc.tuple(...config.sites.map(({ name }) => report(name)));

test('the same in gives the same out, and what goes in is not changed', () => {
  freeze(config);
  fc.assert(
    fc.property(reports, fc.nat(10_000), (list, now) => {
      const world = worldOf('fra', list.map(freeze));
      const plan = decide(config, world, now);
      assert.deepEqual(decide(config, world, now), plan);
      assert.deepEqual(JSON.parse(JSON.stringify({ ...plan, wake_ms: 0 })), {
        ...plan,
        wake_ms: 0,
      });
    }),
  );
});

test('nothing that is switched changes before the plan’s own wake-up, and it is never in the past', () => {
  const switched = (world: World, now: number) => {
    const { sites, endpoints, routes, spill } = decide(config, world, now);
    return {
      states: sites.map(({ state }) => state),
      endpoints: endpoints.map(({ eligible, reason }) => [eligible, reason.code]),
      routes: routes.map(({ announce, reason }) => [announce, reason.code]),
      spill: [spill.stance.sending, spill.stance.open],
    };
  };
  fc.assert(
    fc.property(reports, fc.nat(10_000), fc.nat(999), (list, now, thousandths) => {
      const world = worldOf('fra', list);
      const { wake_ms } = decide(config, world, now);
      assert.ok(wake_ms > 0);
      const later = now + Math.min(wake_ms, 60_000) * (thousandths / 1000);
      assert.deepEqual(switched(world, later), switched(world, now));
    }),
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
