/** Whatever sites are told to do and have been through: a VIP that one could announce, one announces. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import type { FitnessRule } from '../../src/model/bgp.ts';
import type { Config } from '../../src/model/config.ts';
import type { Fitness } from '../../src/model/plan.ts';
import type { World } from '../../src/model/world.ts';
import { UNCHANGED } from '../support/bgp.ts';
import { Anycast } from './anycast.ts';
import { anyConfig, anyOverrides, anyReports } from './arbitrary.ts';
import { loadOf } from './world.ts';

const ages = fc.array(fc.constantFrom(0, 60_000), { minLength: 3, maxLength: 3 });

/** A site that no rule of its own keeps from ever telling anybody. */
function mayAnnounce(config: Config, site: number): boolean {
  const { neighbors } = config.sites[site]!.bgp!;
  return (
    neighbors.length === 0 ||
    neighbors.some(({ announce: { vips } }) => vips === null || vips.includes('web'))
  );
}

test('sites that share a world never withdraw a VIP everywhere', () => {
  fc.assert(
    fc.property(anyConfig, anyReports, anyOverrides, ages, fc.boolean(), (...given) => {
      const [config, list, orders, age, connected] = given;
      const at = (ms: number | null): number | null => (ms === null ? null : ms + 60_000);
      const overrides = orders.map((one) => ({
        ...one,
        since: at(one.since)!,
        until: at(one.until),
      }));
      const sightings = new Map(
        list.map((one, i) => [one.site, { report: one, received_at: 60_000 - age[i]!, cut_ms: 0 }]),
      );
      const plans = config.sites.map(({ name }) => {
        const cut_at = connected ? null : 59_000;
        const world: World = { self: name, sightings, overrides, connected, cut_at };
        return decide(config, world, 60_000);
      });
      if (!config.sites.some((_, index) => mayAnnounce(config, index))) return;
      const standing = plans.filter(({ routes, memory }) => {
        const [route] = routes;
        // About to be announced is not withdrawn: its address comes first.
        return route!.announce || memory.routes.web!.phase === 'coming';
      });
      assert.ok(standing.length > 0);
      for (const { routes } of standing) {
        const { announce, offers } = routes[0]!;
        if (announce && offers.length > 0) assert.ok(offers.some((offer) => offer.announce));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('in each fitness and whatever its rule, the only site left announces', () => {
  const away = { announce: false, changes: UNCHANGED };
  const never: Record<Fitness, FitnessRule> = {
    healthy: away,
    degraded: away,
    overloaded: away,
    draining: away,
    'last-site-kept': away,
  };
  const cases: Record<string, (sites: Anycast) => void> = {
    healthy: () => {},
    degraded: (sites) => sites.set('fra', false, [0]),
    failing: (sites) => sites.set('fra', false),
    overloaded: (sites) => {
      sites.station('fra').load = loadOf(3);
    },
    draining: (sites) => {
      sites.station('fra').drainedAt = sites.now;
    },
  };
  for (const [name, happens] of Object.entries(cases)) {
    const sites = new Anycast({ sites: 1, routes: { fitness: never, hold_down_ms: 60_000 } });
    sites.run(1_000);
    happens(sites);
    const told = sites.follow('fra');
    sites.run(30_000);
    assert.equal(sites.offer('fra').announce, true, name);
    assert.deepEqual(
      told().filter((line) => line.includes('off')),
      [],
      name,
    );
  }
});

test('a failure that wanders over three sites leaves the VIP announced at every moment', () => {
  const sites = new Anycast({ sites: 3, routes: { hold_down_ms: 5_000 } });
  sites.run(1_000);
  const names = ['fra', 'iad', 'sin'];
  for (let i = 0; i < 60; i++) {
    sites.set(names[i % 3]!, i % 7 === 0);
    sites.set(names[(i * 2 + 1) % 3]!, i % 3 !== 0);
    for (let step = 0; step < 10; step++) {
      sites.run(100);
      assert.ok(
        names.some((name) => sites.route(name).announce),
        `at ${sites.now}`,
      );
    }
  }
});

test('sites that are drained while none hears another all stay, until they hear each other', () => {
  const sites = new Anycast({ policy: { drain_ms: 1_000 } });
  const fitness = () => ['fra', 'iad'].map((name) => sites.route(name).fitness);
  sites.run(1_000);
  sites.cutAt = sites.now;
  for (const name of ['fra', 'iad']) {
    sites.station(name).drainedAt = sites.now;
    sites.run(5_000);
  }
  assert.deepEqual(fitness(), ['last-site-kept', 'last-site-kept']);
  sites.cutAt = null;
  sites.run(1_000);
  assert.deepEqual(fitness(), ['last-site-kept', 'last-site-kept']);
  sites.station('iad').drainedAt = null;
  sites.run(1_000);
  assert.deepEqual(fitness(), [null, 'healthy']);
});

test('what a site said before a cut lets nobody leave after it', () => {
  const sites = new Anycast({ policy: { drain_ms: 1_000 } });
  sites.run(1_000);
  const before = sites.stations.map((station) => sites.report(station));
  sites.cutAt = sites.now;
  for (const name of ['fra', 'iad']) sites.station(name).drainedAt = sites.now;
  sites.run(60_000);
  const cut_ms = 60_000;
  for (const station of sites.stations.slice(0, 2)) {
    const sightings = new Map(
      before.map((report) => [report.site, { report, received_at: 1_000, cut_ms }]),
    );
    const own = { report: sites.report(station), received_at: sites.now, cut_ms: 0 };
    sightings.set(station.name, own);
    const world: World = {
      self: station.name,
      sightings,
      overrides: station.overrides,
      connected: true,
      cut_at: null,
    };
    const [route] = decide(sites.config, world, sites.now).routes;
    assert.equal(route!.fitness, 'last-site-kept', station.name);
  }
});

test('a cut brings no site back that has left', () => {
  const sites = new Anycast({ sites: 3, policy: { drain_ms: 1_000 } });
  sites.run(1_000);
  sites.station('fra').drainedAt = sites.now;
  sites.run(5_000);
  sites.cutAt = sites.now;
  sites.run(60_000);
  assert.equal(sites.route('fra').announce, false);
  assert.equal(sites.route('sin').fitness, 'healthy');
});

test('sites that fail while none hears another all stay, least preferred, until they hear each other', () => {
  const sites = new Anycast();
  const fitness = () => ['fra', 'iad'].map((name) => sites.route(name).fitness);
  sites.run(1_000);
  sites.cutAt = sites.now;
  sites.set('fra', false);
  sites.run(3_000);
  assert.deepEqual(fitness(), ['last-site-kept', 'healthy']);
  sites.set('iad', false);
  sites.run(3_000);
  assert.deepEqual(fitness(), ['last-site-kept', 'last-site-kept']);
  sites.set('iad', true);
  sites.cutAt = null;
  sites.run(1_000);
  assert.deepEqual(fitness(), [null, 'healthy']);
});

describe('with last_site: withdraw', () => {
  const withdrawing = (policy = {}) => {
    const sites = new Anycast({ routes: { last_site: 'withdraw' }, policy });
    sites.run(1_000);
    return sites;
  };
  const codes = (sites: Anycast) => ['fra', 'iad'].map((name) => sites.route(name).reason.code);

  test('the last route goes, too, and the first site that is fit again announces at once', () => {
    const sites = withdrawing();
    for (const name of ['fra', 'iad']) sites.set(name, false);
    sites.run(1_000);
    assert.deepEqual(codes(sites), ['no-healthy-endpoint', 'no-healthy-endpoint']);
    for (const name of ['fra', 'iad']) assert.equal(sites.route(name).announce, false);
    assert.match(sites.route('fra').reason.text, /withdrawn although .* \(last_site\)/);
    sites.set('iad', true);
    sites.run(200);
    assert.equal(sites.route('iad').announce, true);
  });

  test('a drain ends with the withdrawal, and damping still holds no last site back', () => {
    const sites = withdrawing({ drain_ms: 2_000 });
    for (const name of ['fra', 'iad']) sites.station(name).drainedAt = sites.now;
    sites.run(3_000);
    assert.deepEqual(codes(sites), ['draining', 'draining']);
    assert.equal(sites.route('fra').announce, false);
    sites.station('fra').drainedAt = null;
    sites.run(200);
    assert.equal(sites.route('fra').announce, true);
  });
});
