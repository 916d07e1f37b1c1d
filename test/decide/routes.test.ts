import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import type { Report } from '../../src/model/report.ts';
import type { World } from '../../src/model/world.ts';
import { testConfig } from '../support/config.ts';
import { DOWN, drainOrder, reportOf, sightOf, UP, WITHDRAWN, worldOf } from './world.ts';

const config = testConfig();
const ok = (site: string): Report => reportOf(config, site, { routes: { web: sightOf() } });
const bad = (site: string): Report => reportOf(config, site, {}, DOWN);
const drained = (site: string, for_ms: number): Partial<World> => ({
  overrides: [drainOrder(site, -for_ms)],
});

/** fra's route of the VIP "web" at 100 ms, reports having arrived at 0. */
function route(reports: readonly Report[], change: Partial<World> = {}) {
  const plan = decide(config, worldOf('fra', reports, 0, change), 100);
  const { announce, reason } = plan.routes[0]!;
  return { announce, code: reason.code, wake_ms: plan.wake_ms };
}

describe('a VIP at this site', () => {
  test('is announced while each of its services has an eligible endpoint here', () => {
    assert.deepEqual(route([ok('fra')]).announce, true);
    assert.equal(route([ok('fra')]).code, 'healthy');
  });

  test('is withdrawn when the site dies and another is fit', () => {
    const { announce, code } = route([bad('fra'), ok('iad'), bad('sin')]);
    assert.deepEqual([announce, code], [false, 'no-healthy-endpoint']);
  });

  test('is withdrawn when one of two services dies here', () => {
    const api = { ...config.services[0]!, name: 'api.example.com', pool: [0, 2].map(member) };
    const two = {
      ...config,
      services: [...config.services, api],
      vips: [{ ...config.vips[0]!, services: ['www.example.com', 'api.example.com'] }],
    };
    const fra = { ...ok('fra'), endpoints: { ...ok('fra').endpoints, 'fra-lb1/web': DOWN } };
    const plan = decide(two, worldOf('fra', [fra, ok('iad'), ok('sin')]), 100);
    assert.equal(plan.routes[0]!.announce, false);
  });

  test('is not announced before the own probes have ended, not even as the last', () => {
    const { announce, code } = route([reportOf(config, 'fra', { endpoints: {} })]);
    assert.deepEqual([announce, code], [false, 'not-probed-yet']);
    assert.equal(route([]).code, 'not-probed-yet');
  });

  test('stays as it is while a new configuration’s probes have not ended', () => {
    const anew = reportOf(config, 'fra', { endpoints: {}, routes: { web: sightOf() } });
    const all = [anew, { ...anew, site: 'iad' }, { ...anew, site: 'sin' }];
    assert.deepEqual(route(all).announce, true);
    const withdrawn = { ...anew, routes: { web: WITHDRAWN } };
    assert.deepEqual(route([withdrawn, ok('iad')]).announce, false);
  });

  test('waits for the hold-down when the site returns', () => {
    const fra = reportOf(config, 'fra', {}, { ...UP, for_ms: 0, downs: 1 });
    assert.equal(route([fra, ok('iad')]).announce, false);
  });

  test('of a site that does not announce it is no part of the plan', () => {
    const sites = config.sites.map((site) => ({ ...site, announces: [] }));
    assert.deepEqual(decide({ ...config, sites }, worldOf('fra', [ok('fra')]), 0).routes, []);
  });
});

describe('a drain', () => {
  test('withdraws the route last, at the end of the drain time', () => {
    const reports = [ok('fra'), ok('iad')];
    const early = route(reports, drained('fra', 0));
    assert.deepEqual([early.announce, early.code], [true, 'draining']);
    const late = route(reports, drained('fra', config.policy.drain_ms));
    assert.deepEqual([late.announce, late.code], [false, 'draining']);
  });

  test('sets the clock to its end', () => {
    const draining = drained('fra', config.policy.drain_ms - 600);
    const { wake_ms } = route([ok('fra'), ok('iad')], draining);
    assert.equal(wake_ms, 500);
  });

  test('of the last fit site keeps the route, and the failing site leaves it to that one', () => {
    const own = route([ok('fra'), bad('iad'), bad('sin')], drained('fra', 60_000));
    assert.deepEqual([own.announce, own.code], [true, 'last-announcement-kept']);
    assert.equal(route([bad('fra'), ok('iad')], drained('iad', 60_000)).announce, false);
  });
});

describe('the last announcement', () => {
  test('is kept when no other site is fit, heard, or announcing', () => {
    const others: Report[][] = [
      [bad('iad'), bad('sin')],
      [],
      [reportOf(config, 'iad', { endpoints: {} })],
      [reportOf(config, 'iad', { routes: { web: WITHDRAWN } })],
    ];
    for (const reports of others) {
      const { announce, code } = route([bad('fra'), ...reports]);
      assert.deepEqual([announce, code], [true, 'last-announcement-kept']);
    }
  });

  test('is left to others on our own if they were fit when last heard', () => {
    const cut = { connected: false, cut_at: 50 };
    assert.equal(route([bad('fra'), ok('iad')], cut).announce, false);
    assert.equal(route([ok('fra'), bad('iad')], cut).announce, true);
  });

  test('stands at one site at least, whatever world they share', () => {
    const sight = fc.constantFrom(UP, DOWN, { ...UP, for_ms: 0, downs: 2 });
    const report = (site: string): fc.Arbitrary<Report> =>
      fc
        .record({
          sights: fc.array(sight, { minLength: 2, maxLength: 2 }),
          route: fc.constantFrom(sightOf(), WITHDRAWN, null),
        })
        .map(({ sights, route: web }) => ({
          ...reportOf(config, site),
          endpoints: { [`${site}-lb1/web`]: sights[0]!, [`${site}-lb2/web`]: sights[1]! },
          routes: web === null ? {} : { web },
        }));
    const reports = fc.tuple(...config.sites.map(({ name }) => report(name)));
    const anyDrains = fc
      .array(fc.constantFrom(null, 0, 60_000), { minLength: 3, maxLength: 3 })
      .map((since) =>
        since.flatMap((at, i) => (at === null ? [] : [drainOrder(config.sites[i]!.name, at)])),
      );
    const ages = fc.array(fc.constantFrom(0, 60_000), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(
        reports,
        anyDrains,
        ages,
        fc.boolean(),
        (list, overrides, received, connected) => {
          const sightings = new Map(
            list.map((r, i) => [
              r.site,
              { report: r, received_at: 60_000 - received[i]!, cut_ms: 0 },
            ]),
          );
          const cut_at = connected ? null : 59_000;
          const announcing = config.sites.filter(({ name }) => {
            const world: World = { self: name, sightings, overrides, connected, cut_at };
            return decide(config, world, 60_000).routes[0]!.announce;
          });
          assert.ok(announcing.length > 0);
        },
      ),
    );
  });
});

function member(endpoint: number): { endpoint: number; weight: number } {
  return { endpoint, weight: 1 };
}
