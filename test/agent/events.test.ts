import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLoud, newsChange, planChanges } from '../../src/agent/events.ts';
import { decide } from '../../src/decide/decide.ts';
import { healthyWorld } from '../../src/decide/explain.ts';
import type { Config, Endpoint } from '../../src/model/config.ts';
import type { Plan, RoutePlan } from '../../src/model/plan.ts';
import type { ObserverNews } from '../../src/observe/observer.ts';
import { UNCHANGED } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';

const config = testConfig();
const healthy = decide(config, healthyWorld(config, 'fra', 0), 0);

/** `plan` without the endpoints of these load balancers in the answers. */
function without(plan: Plan, ...balancers: string[]): Plan {
  return {
    ...plan,
    endpoints: plan.endpoints.map((verdict) =>
      balancers.includes(verdict.id.split('/')[0]!) ? { ...verdict, eligible: false } : verdict,
    ),
  };
}

const texts = (before: Plan | null, after: Plan, of: Config = config): string[] =>
  planChanges(of, before, after).map(({ kind, text }) => `${kind}: ${text}`);

describe('events of a new plan', () => {
  test('name the regions whose answer changed, and no others', () => {
    assert.deepEqual(texts(healthy, without(healthy, 'fra-lb1')), ['answer: europe → fra-lb2']);
    assert.deepEqual(texts(healthy, without(healthy, 'fra-lb1', 'fra-lb2')), [
      'answer: europe → iad-lb1 iad-lb2',
    ]);
    assert.deepEqual(texts(healthy, healthy), []);
  });

  test('tell when the guard begins and ends to keep endpoints in use', () => {
    const kept: Plan = {
      ...healthy,
      endpoints: healthy.endpoints.map((verdict) => ({
        ...verdict,
        reason: { code: 'eviction-guard', text: 'too much would be out' },
      })),
    };
    const [begins] = planChanges(config, healthy, kept);
    assert.match(begins!.text, /^keeps in use: fra-lb1\/web, .* and 3 more$/);
    assert.equal(begins!.reason!.code, 'eviction-guard');
    assert.deepEqual(texts(kept, healthy), ['health: keeps nothing in use any more']);
    assert.deepEqual(texts(kept, kept), []);
  });

  test('tell when nobody is eligible, though the answer stays as it is', () => {
    const [service] = config.services;
    const single = {
      ...config,
      services: [{ ...service!, pool: service!.pool.slice(0, 1) }],
    };
    const [{ id }] = config.endpoints as [Endpoint];
    const down = without(healthy, id.split('/')[0]!);
    const [begins] = planChanges(single, healthy, down);
    assert.match(begins!.text, /^nobody is eligible: the last answer is kept/);
    assert.ok(isLoud(begins!));
    const [ends] = planChanges(single, down, healthy);
    assert.equal(ends!.text, 'somebody is eligible again');
    assert.ok(!isLoud(ends!));
  });

  test('tell a route once, when it is announced or withdrawn', () => {
    const withdrawn = {
      ...healthy,
      routes: healthy.routes.map((route) => ({ ...route, announce: false })),
    };
    const prefixes = '198.18.80.80/32 2001:db8:80::80/128';
    assert.deepEqual(texts(null, healthy), [`route: announce ${prefixes}`]);
    assert.deepEqual(texts(healthy, withdrawn), [`route: withdraw ${prefixes}`]);
  });

  test('tell that a site is announced in another way, and to whom', () => {
    const offers = ['n1', 'n2', 'n3', 'n4', 'n5'].map((neighbor) => ({
      ...UNCHANGED,
      neighbor,
      announce: true,
      reason: healthy.routes[0]!.reason,
    }));
    const [web] = healthy.routes;
    const plan = (change: Partial<RoutePlan>): Plan => ({
      ...healthy,
      routes: [{ ...web!, offers, ...change }],
    });
    const leaving = {
      ...offers[0]!,
      prepend: 2,
      local_pref: 0,
      communities: ['graceful-shutdown'],
    };
    const draining = plan({ fitness: 'draining', offers: [leaving, ...offers.slice(1)] });
    assert.deepEqual(texts(plan({}), draining), [
      'route: healthy → draining; n1: prepend 2, local_pref 0, graceful-shutdown',
    ]);
    assert.deepEqual(texts(draining, { ...draining }), []);
    assert.deepEqual(texts(plan({}), plan({ fitness: 'degraded' })), ['route: healthy → degraded']);
    const silent = offers.map((offer) => ({ ...offer, announce: false }));
    assert.deepEqual(texts(plan({}), plan({ offers: [...silent.slice(0, 4), offers[4]!] })), [
      'route: told anew; n1: not told; n2: not told; n3: not told; and 1 more',
    ]);
    assert.deepEqual(texts(null, plan({ fitness: 'last-site-kept' })), [
      'route: announce as last-site-kept 198.18.80.80/32 2001:db8:80::80/128',
    ]);
  });

  test('compare by name when the configuration has changed in between', () => {
    // A load balancer is taken out in front, so every index moves by one.
    const endpoints = config.endpoints.slice(1);
    const pool = endpoints.map((_, endpoint) => ({ endpoint, weight: 1 }));
    const services = config.services.map((service) => ({ ...service, pool }));
    const next = { ...config, endpoints, services };
    const plan = decide(next, healthyWorld(next, 'fra', 0), 0);
    assert.deepEqual(texts(healthy, plan, next), []);
    assert.deepEqual(texts(healthy, without(plan, 'fra-lb2'), next), [
      'answer: europe → iad-lb1 iad-lb2',
    ]);
  });
});

describe('what is seen of others', () => {
  test('is told by who sees it, and suspicion as what it is', () => {
    const sight = { up: false, for_ms: 0, detail: 'timeout' };
    const tell = (news: ObserverNews): string => {
      const { subject, text, reason } = newsChange(news, 'fra');
      return `${subject}: ${text} (${reason?.text})`;
    };
    assert.deepEqual(
      [
        tell({ kind: 'observed', id: 'iad-lb1/web', sight }),
        tell({ kind: 'suspect', why: 'sees none of 4 endpoints of other sites' }),
        tell({ kind: 'suspect', why: null }),
        tell({ kind: 'uplink', up: true, detail: 'HTTP 200' }),
      ],
      [
        'iad-lb1/web: seen down from fra (timeout)',
        'site fra: does not trust its own eyes (sees none of 4 endpoints of other sites)',
        'site fra: trusts its own eyes again (undefined)',
        'site fra: uplink up (HTTP 200)',
      ],
    );
  });
});
