/** What a site announces where its own eyes, the votes of others, and the guard do not agree. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../../src/decide/decide.ts';
import type { Config } from '../../src/model/config.ts';
import type { EndpointRuling, ObservedSight, Report } from '../../src/model/report.ts';
import { testConfig } from '../support/config.ts';
import { orderOf, reportOf, sightOf, UP, worldOf } from './world.ts';

const SITES = ['fra', 'iad', 'sin'];

/** Two observers look at each endpoint; `evict_max` as given, and no site stays for its own sake. */
function configOf(evict_max = 1): Config {
  const base = testConfig();
  const { health } = base.policy;
  return {
    ...base,
    endpoints: base.endpoints.map((endpoint) => ({
      ...endpoint,
      vantage: { observers: 2, rule: 'majority' },
    })),
    policy: { ...base.policy, health: { ...health, evict_max, sites_min: 0 } },
  };
}

interface Words {
  /** Sites whose own probes call their endpoints down. */
  readonly homes?: readonly string[];
  /** Sites whose endpoints all other sites call down; those of the rest they call up. */
  readonly votes?: readonly string[];
  /** Nobody but the homes says anything. */
  readonly mute?: boolean;
  /** Sites that announce the VIP. */
  readonly on?: readonly string[];
  readonly evicted?: Readonly<Record<string, readonly string[]>>;
}

const MINUTE: EndpointRuling = {
  up: true,
  for_ms: 60_000,
  downs: 0,
  penalty: 0,
  suppressed: false,
};

function reportsOf(config: Config, words: Words): Report[] {
  const { homes = [], votes = [], mute = false, on = SITES, evicted = {} } = words;
  const siteOf = (index: number): string => config.sites[index]!.name;
  const isDown = (home: string): boolean =>
    mute ? homes.includes(home) : [homes, votes].flat().includes(home);
  return SITES.map((name) => {
    const observed: Record<string, ObservedSight> = {};
    const rulings: Record<string, EndpointRuling> = {};
    for (const { id, site } of config.endpoints) {
      const home = siteOf(site);
      if (home === name) rulings[id] = { ...MINUTE, up: !isDown(home) };
      else if (!mute) observed[id] = { up: !votes.includes(home), for_ms: 30_000, detail: '' };
    }
    const route = sightOf(on.includes(name) ? {} : { phase: 'off', heard: false, fitness: null });
    const sight = { ...UP, up: !homes.includes(name), for_ms: 30_000 };
    const parts = { observed, rulings, routes: { web: route }, evicted: evicted[name] ?? [] };
    return reportOf(config, name, parts, sight);
  });
}

function routeAt(self: string, config: Config, words: Words) {
  const plan = decide(config, worldOf(self, reportsOf(config, words)), 100);
  const [route] = plan.routes;
  return { ...route!, codes: plan.endpoints.map(({ reason }) => reason.code) };
}

describe('the home’s eyes and the votes', () => {
  test('home down, votes up: announced, as degraded', () => {
    const words = { homes: ['fra'], votes: [] };
    const config = configOf();
    const reports = reportsOf(config, words).map((report) => {
      if (report.site !== 'fra') return report;
      const ids = Object.keys(report.rulings);
      return { ...report, rulings: Object.fromEntries(ids.map((id) => [id, MINUTE])) };
    });
    const [route] = decide(config, worldOf('fra', reports), 100).routes;
    assert.deepEqual([route!.announce, route!.fitness], [true, 'degraded']);
    assert.equal(route!.reason.text, '0 of 2 endpoints of its services are well here');
  });

  test('home down, and an operator says up: announced as healthy', () => {
    const config = configOf();
    const force = orderOf({
      scope: { site: 'fra', service: null, endpoint: null, label: null },
      action: 'up',
    });
    const world = worldOf('fra', reportsOf(config, { homes: ['fra'], mute: true }), 0, {
      overrides: [force],
    });
    assert.equal(decide(config, world, 100).routes[0]!.fitness, 'healthy');
  });

  test('home up, votes down: withdrawn in favour of a site that is up …', () => {
    const route = routeAt('fra', configOf(), { votes: ['fra'] });
    assert.deepEqual([route.announce, route.reason.code], [false, 'no-healthy-endpoint']);
    assert.match(route.reason.text, /; iad announces it$/);
  });

  test('… and kept, least preferred, where no other announces', () => {
    const route = routeAt('fra', configOf(), { votes: ['fra'], on: ['fra'] });
    assert.deepEqual([route.announce, route.fitness], [true, 'last-site-kept']);
  });
});

describe('a site whose endpoints only the guard keeps in use', () => {
  const guarded = configOf(0);

  test('leaves its VIP to a site that is healthy, while DNS still answers with it', () => {
    const route = routeAt('fra', guarded, { homes: ['fra'], mute: true });
    assert.deepEqual(route.codes.slice(0, 2), ['eviction-guard', 'eviction-guard']);
    assert.deepEqual([route.announce, route.reason.code], [false, 'eviction-guard']);
    assert.match(route.reason.text, /; iad announces it$/);
  });

  test('keeps it, least preferred, where none is', () => {
    const route = routeAt('fra', guarded, { homes: SITES, mute: true });
    assert.deepEqual([route.announce, route.fitness], [true, 'last-site-kept']);
  });

  test('is no reason for a healthy site to do anything', () => {
    const route = routeAt('iad', guarded, { homes: ['fra'], mute: true });
    assert.deepEqual([route.announce, route.fitness], [true, 'healthy']);
  });

  test('and one that the same guard has taken out never leave in favour of each other', () => {
    // Each has taken out the other first, and keeps itself: guards remember, and need not agree.
    const config = configOf(0.7);
    const ids = (site: string) =>
      config.endpoints.map(({ id }) => id).filter((id) => id.startsWith(site));
    const evicted = { fra: [...ids('iad'), ...ids('sin')], iad: [...ids('fra'), ...ids('sin')] };
    const words = { homes: SITES, mute: true, evicted };
    const [fra, iad] = ['fra', 'iad'].map((site) => routeAt(site, config, words));
    assert.deepEqual(fra!.codes.slice(0, 4), [
      'eviction-guard',
      'eviction-guard',
      'probe-failed',
      'probe-failed',
    ]);
    assert.deepEqual(iad!.codes.slice(2, 4), ['eviction-guard', 'eviction-guard']);
    for (const route of [fra!, iad!]) assert.equal(route.fitness, 'last-site-kept');
  });
});

describe('what observers saw fail while they could not be heard', () => {
  /** fra hears the others again since 1 s, after a silence that began 60 s ago. */
  function codesAt(down_ms: number, now = 0): string[] {
    const config = configOf();
    const world = worldOf('fra', reportsOf(config, { votes: ['fra'] }));
    const sightings = new Map(world.sightings);
    for (const [site, sighting] of world.sightings) {
      if (site === 'fra') continue;
      const observed = Object.fromEntries(
        Object.entries(sighting.report.observed).map(([id, sight]) => [
          id,
          { ...sight, for_ms: down_ms },
        ]),
      );
      const report = { ...sighting.report, observed };
      const silence = { from: -60_000, to: -1_000 };
      sightings.set(site, { report, received_at: now, cut_ms: 0, silence });
    }
    const own = sightings.get('fra')!;
    const rulings = Object.fromEntries(Object.keys(own.report.rulings).map((id) => [id, MINUTE]));
    sightings.set('fra', { ...own, received_at: now, report: { ...own.report, rulings } });
    const plan = decide(config, { ...world, sightings }, now);
    return plan.endpoints.slice(0, 2).map(({ reason }) => reason.code);
  }
  const { report_stale_ms } = testConfig().policy;

  test('does not count until their eyes have had time to clear', () => {
    assert.deepEqual(codesAt(30_000), ['healthy', 'healthy']);
    assert.deepEqual(codesAt(30_000, report_stale_ms - 1_001), ['healthy', 'healthy']);
    assert.deepEqual(codesAt(30_000, report_stale_ms - 1_000), ['vote-failed', 'vote-failed']);
  });

  test('counts if they saw it before, or have seen it since', () => {
    assert.deepEqual(codesAt(90_000), ['vote-failed', 'vote-failed']);
    assert.deepEqual(codesAt(500), ['vote-failed', 'vote-failed']);
  });
});
