import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planChanges } from '../../src/agent/events.ts';
import { decide } from '../../src/decide/decide.ts';
import { healthyWorld } from '../../src/decide/explain.ts';
import type { Config } from '../../src/model/config.ts';
import type { Plan } from '../../src/model/plan.ts';
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

  test('tell a route once, when it is announced or withdrawn', () => {
    const withdrawn = {
      ...healthy,
      routes: healthy.routes.map((route) => ({ ...route, announce: false })),
    };
    const prefixes = '198.18.80.80/32 2001:db8:80::80/128';
    assert.deepEqual(texts(null, healthy), [`route: announce ${prefixes}`]);
    assert.deepEqual(texts(healthy, withdrawn), [`route: withdraw ${prefixes}`]);
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
