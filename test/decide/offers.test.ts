/** What each neighbour is told: conditions, tables and changes of its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PREPEND_MAX } from '../../src/decide/offers.ts';
import type { AnnouncePolicy, RouteChanges, RoutePolicy } from '../../src/model/bgp.ts';
import type { Config } from '../../src/model/config.ts';
import type { Fitness } from '../../src/model/plan.ts';
import { bgpSite, neighbor, UNCHANGED } from '../support/bgp.ts';
import { Anycast } from './anycast.ts';

const ALL: AnnouncePolicy = {
  vips: null,
  when: null,
  changes: UNCHANGED,
  by_fitness: {},
  by_vip: {},
};
const to = { address: '192.0.2.254', port: 179 };
const changed = (changes: Partial<RouteChanges>): RouteChanges => ({ ...UNCHANGED, ...changes });

/** Two sites; fra has a neighbour for each policy, the last one by a range. */
function sitesWith(
  policies: Readonly<Record<string, Partial<AnnouncePolicy>>>,
  routes: Partial<RoutePolicy> = {},
  vip: Partial<Config['vips'][number]> = {},
): Anycast {
  const neighbors = Object.entries(policies).map(([name, policy]) =>
    neighbor(to, { name, announce: { ...ALL, ...policy } }),
  );
  const { address: _, as: __, passive: ___, ...last } = neighbors.at(-1)!;
  const range = { ...last, prefix: '192.0.2.0/24', as: null, sessions_max: 8 };
  const bgp = bgpSite(neighbors.slice(0, -1), { ranges: [range] });
  const sites = new Anycast({
    routes,
    config: (config) => ({
      ...config,
      sites: config.sites.map((site) => (site.name === 'fra' ? { ...site, bgp } : site)),
      vips: config.vips.map((one) => ({ ...one, ...vip })),
    }),
  });
  sites.run(200);
  return sites;
}

const told = (sites: Anycast): string =>
  sites
    .route('fra')
    .offers.filter(({ announce }) => announce)
    .map((offer) => offer.neighbor)
    .join(' ');

describe('a neighbour', () => {
  test('is told the VIPs of its list only', () => {
    const sites = sitesWith({ transit: {}, peer: { vips: [] }, ix: { vips: ['web'] } });
    assert.equal(told(sites), 'transit ix');
    assert.equal(sites.offer('fra', 'peer').reason.code, 'not-for-neighbor');
    const none = sitesWith({ peer: { vips: [] } });
    assert.deepEqual(
      [none.route('fra').announce, none.route('fra').reason.code],
      [false, 'not-for-neighbor'],
    );
  });

  test('is told while its condition holds, which a drain of the site does not change', () => {
    const when = { kind: 'service', service: 'www.example.com' } as const;
    const healthy = { kind: 'site', states: ['healthy'] } as const;
    const sites = sitesWith({ transit: {}, peer: { when }, ix: { when: healthy } });
    assert.equal(told(sites), 'transit peer ix');
    sites.station('fra').drainedAt = sites.now;
    sites.run(200);
    assert.equal(told(sites), 'transit peer');
    assert.deepEqual(sites.offer('fra', 'ix').reason, {
      code: 'condition-false',
      text: 'its condition fails: the site is draining, not healthy',
    });
  });

  test('has conditions of single VIPs, too', () => {
    const when = { kind: 'not', of: { kind: 'site', states: ['degraded'] } } as const;
    const sites = sitesWith({
      transit: { by_vip: { web: { when, changes: UNCHANGED } } },
      peer: {},
    });
    assert.equal(told(sites), 'transit peer');
    sites.set('fra', false, [0]);
    sites.run(200);
    assert.equal(told(sites), 'peer');
  });

  test('keeps what it has for want of a probe', () => {
    const when = { kind: 'service', service: 'new.example.com' } as const;
    const sites = sitesWith({ transit: { when } });
    assert.equal(told(sites), 'transit', 'at the start nobody else is known to announce');
    sites.run(10_000);
    assert.deepEqual([told(sites), sites.route('fra').fitness], ['transit', 'healthy']);
    // Once it is withdrawn, what is not known brings nothing back.
    sites.set('fra', false);
    sites.run(200);
    sites.set('fra', true);
    sites.run(10_000);
    assert.equal(told(sites), '');
    assert.match(sites.route('fra').reason.text, /new.example.com has not been probed here/);
  });

  test('has a table of its own in place of the common one', () => {
    const rule = (prepend: number) => ({ announce: true, changes: changed({ prepend }) });
    const degraded = rule(5);
    const sites = sitesWith(
      { transit: {}, peer: { by_fitness: { degraded } }, ix: { by_fitness: { healthy: rule(9) } } },
      { fitness: tableOf({ degraded: changed({ prepend: 1 }) }) },
    );
    sites.set('fra', false, [0]);
    sites.run(200);
    const { offers } = sites.route('fra');
    assert.deepEqual(
      offers.map(({ neighbor: name, prepend }) => [name, prepend]),
      [
        ['transit', 1],
        ['peer', 5],
        ['ix', 1],
      ],
    );
  });
});

describe('attributes', () => {
  test('of VIP, neighbour and fitness: the later value wins, hops and communities add up', () => {
    const own = changed({ med: 20, prepend: 1, local_pref: 150, communities: ['65000:1'] });
    const ofVip = changed({
      prepend: 2,
      communities: ['65000:80', '65000:2'],
      next_hop: '10.0.0.9',
    });
    const leaving = changed({ prepend: 1, local_pref: 0, communities: ['graceful-shutdown'] });
    const sites = sitesWith(
      { transit: { changes: own, by_vip: { web: { when: null, changes: ofVip } } }, peer: {} },
      { fitness: tableOf({ draining: leaving }) },
      { med: 10 },
    );
    const { reason: _, ...healthy } = sites.offer('fra', 'transit');
    assert.deepEqual(healthy, {
      neighbor: 'transit',
      announce: true,
      med: 20,
      prepend: 3,
      local_pref: 150,
      communities: ['65000:80', '65000:1', '65000:2'],
      next_hop: '10.0.0.9',
      next_hop6: null,
    });
    assert.equal(sites.offer('fra', 'peer').med, 10);
    sites.station('fra').drainedAt = sites.now;
    sites.run(200);
    const { local_pref, prepend, communities } = sites.offer('fra', 'transit');
    assert.deepEqual([local_pref, prepend], [0, 4], 'a drain is not undone by a preference');
    assert.ok(communities.includes('graceful-shutdown'));
  });

  test('have a longest path', () => {
    const far = changed({ prepend: 12 });
    const sites = sitesWith({
      transit: { changes: far, by_vip: { web: { when: null, changes: far } } },
    });
    assert.equal(sites.offer('fra', 'transit').prepend, PREPEND_MAX);
  });
});

describe('the last site', () => {
  test('tells all who take the VIP, whatever rules and conditions say, and says so', () => {
    const never = { kind: 'site', states: ['down'] } as const;
    const sites = sitesWith({ transit: { when: never }, peer: { vips: [] }, ix: { when: never } });
    assert.deepEqual([told(sites), sites.route('fra').reason.code], ['', 'condition-false']);
    sites.set('iad', false);
    sites.run(500);
    assert.equal(told(sites), 'transit ix');
    assert.equal(sites.route('fra').fitness, 'last-site-kept');
    assert.match(
      sites.offer('fra', 'transit').reason.text,
      /told although its condition fails: the site is healthy and last-site-kept, not down/,
    );
  });

  test('leaves out those whose rules say so, as long as somebody is told', () => {
    const kept = { announce: false, changes: UNCHANGED };
    const sites = sitesWith({ transit: {}, peer: { by_fitness: { 'last-site-kept': kept } } });
    for (const name of ['fra', 'iad']) sites.set(name, false);
    sites.run(500);
    assert.equal(told(sites), 'transit');
  });
});

function tableOf(changes: Partial<Record<Fitness, RouteChanges>>): RoutePolicy['fitness'] {
  const rule = (fitness: Fitness) => ({ announce: true, changes: changes[fitness] ?? UNCHANGED });
  return {
    healthy: rule('healthy'),
    degraded: rule('degraded'),
    overloaded: rule('overloaded'),
    draining: rule('draining'),
    'last-site-kept': rule('last-site-kept'),
  };
}
