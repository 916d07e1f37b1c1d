/** Overload and what it makes of routes: only when spill has done what it can. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Config } from '../../src/model/config.ts';
import { IDLE_STANCE } from '../../src/model/report.ts';
import { UNCHANGED } from '../support/bgp.ts';
import { Anycast, type AnycastOptions } from './anycast.ts';
import { loadOf } from './world.ts';

const rule = { announce: true, changes: UNCHANGED };
const fitness = {
  healthy: rule,
  degraded: { announce: true, changes: { ...UNCHANGED, med: 50 } },
  overloaded: { announce: true, changes: { ...UNCHANGED, prepend: 1, communities: ['65000:9'] } },
  draining: rule,
  'last-site-kept': rule,
};

function sitesWith(change: AnycastOptions = {}): Anycast {
  const sites = new Anycast({ ...change, routes: { fitness, ...change.routes } });
  for (const name of ['fra', 'iad']) sites.station(name).load = loadOf(0.5);
  sites.run(5_000);
  return sites;
}

const withoutSpill = (config: Config): Config => ({
  ...config,
  sites: config.sites.map((site) => ({ ...site, spill: null })),
});

describe('an overloaded site', () => {
  test('first spills, and prepends only when no other site takes more', () => {
    const sites = sitesWith();
    const fra = sites.station('fra');
    fra.load = loadOf(1.6);
    // iad takes what it can; the load of fra follows its shares at once here.
    let fitnessWhileRamping: string | null = null;
    for (let second = 0; second < 60; second++) {
      const { shares, aims } = fra.stance;
      const [share, aim] = [shares.iad ?? 0, aims.iad ?? 0];
      fra.load = loadOf(1.6 * (1 - share), 1.6, 1.6 * (1 - share));
      if (aim > share) fitnessWhileRamping = sites.route('fra').fitness;
      sites.run(1_000);
    }
    assert.equal(fitnessWhileRamping, 'healthy');
    assert.ok((fra.stance.shares.iad ?? 0) > 0.2, 'it has spilled');
    // fra keeps 1.6 less the room of iad (0.9 - 0.5) = 1.2, which is still too much.
    const route = sites.route('fra');
    assert.equal(route.fitness, 'overloaded');
    assert.match(
      route.reason.text,
      /^load is 120\.\d %; 25\.0 % of new flows go elsewhere, no more can$/,
    );
    const { prepend, communities } = sites.offer('fra');
    assert.deepEqual([prepend, communities], [1, ['65000:80', '65000:9']]);
    assert.equal(sites.route('iad').fitness, 'healthy');
  });

  test('that spill relieves is never overloaded', () => {
    const sites = sitesWith();
    const fra = sites.station('fra');
    const told = sites.follow('fra');
    for (let second = 0; second < 60; second++) {
      const share = fra.stance.shares.iad ?? 0;
      fra.load = loadOf(1.3 * (1 - share), 1.3, 1.3 * (1 - share));
      sites.run(1_000);
    }
    assert.ok((fra.stance.shares.iad ?? 0) > 0.2);
    assert.deepEqual(told(), []);
  });

  test('without spill it waits for the onset only, and comes back below relief', () => {
    const sites = sitesWith({ config: withoutSpill });
    const told = sites.follow('fra');
    sites.station('fra').load = loadOf(1.2);
    sites.run(10_000);
    sites.station('fra').load = loadOf(1.0);
    sites.run(5_000);
    sites.station('fra').load = loadOf(0.9);
    sites.run(5_000);
    assert.deepEqual(told(), ['9 on overloaded', '20 on healthy']);
  });

  test('a short peak is none', () => {
    const sites = sitesWith({ config: withoutSpill });
    const told = sites.follow('fra');
    for (const load of [1.2, 1.0, 1.2, 1.0]) {
      sites.station('fra').load = loadOf(load);
      sites.run(3_000);
    }
    assert.deepEqual(told(), []);
  });

  test('does not call its traffic back because its meter falls silent', () => {
    const config = (base: Config): Config => ({
      ...withoutSpill(base),
      sites: withoutSpill(base).sites.map((site) => ({
        ...site,
        load: [
          { kind: 'file', path: '/x', stale_ms: 1, interval_ms: 1, smoothing_ms: 0, capacity: 1 },
        ],
      })),
    });
    const sites = sitesWith({ config });
    sites.station('fra').load = loadOf(1.5);
    sites.run(10_000);
    sites.station('fra').load = null;
    sites.run(10_000);
    assert.equal(sites.route('fra').fitness, 'overloaded');
  });

  test('whose rules withdraw it then does so only while another site is better', () => {
    const away = { announce: false, changes: UNCHANGED };
    const sites = sitesWith({
      config: withoutSpill,
      routes: { fitness: { ...fitness, overloaded: away } },
    });
    sites.station('fra').load = loadOf(1.5);
    sites.run(10_000);
    const { announce, reason } = sites.route('fra');
    assert.deepEqual([announce, reason.code], [false, 'overloaded']);
    assert.equal(
      reason.text,
      'router and all others: it is not told while the site is overloaded; iad announces it',
    );
    sites.station('iad').load = loadOf(1.5);
    sites.run(10_000);
    assert.deepEqual(
      [sites.route('iad').announce, sites.route('iad').fitness],
      [true, 'last-site-kept'],
    );
  });
});

test('a site of which some endpoints fail is degraded, and says how many are left', () => {
  const sites = sitesWith();
  sites.set('fra', false, [1]);
  sites.run(200);
  const { fitness: is, reason } = sites.route('fra');
  assert.deepEqual(
    [is, reason.text, sites.offer('fra').med],
    ['degraded', '1 of 2 endpoints of its services are well here', 50],
  );
  assert.deepEqual(sites.station('fra').stance.shares, IDLE_STANCE.shares);
});
