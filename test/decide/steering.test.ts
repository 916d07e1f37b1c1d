import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { steer, steeringReason } from '../../src/decide/steering.ts';
import type { Endpoint, Service } from '../../src/model/config.ts';
import { testConfig } from '../support/config.ts';

const config = testConfig();
const www = config.services[0]!;
const EUROPE = config.regions[0]!.order;
const ASIA = config.regions[2]!.order;

/** Steers among all endpoints but those that are down; gives the ids of who is answered. */
function answered(service: Service, order: readonly number[], down: number[], family: 4 | 6 = 4) {
  const steered = steer(service, config.endpoints, order, (e) => !down.includes(e), family);
  const members = steered.members.map(({ endpoint }) => endpoint);
  return { ...steered, members, text: steeringReason(steered, config).text };
}

describe('nearest', () => {
  test('all healthy: the members at the client’s own site, in turns', () => {
    const result = answered(www, EUROPE, []);
    assert.deepEqual(result.members, [0, 1]);
    assert.equal(result.code, 'nearest-site');
    assert.ok(result.rotate && !result.weighted);
    assert.deepEqual(answered(www, ASIA, []).members, [4, 5]);
  });

  test('a load balancer down: its address leaves, the site stays', () => {
    assert.deepEqual(answered(www, EUROPE, [0]).members, [1]);
  });

  test('a site down: the next nearest answers, and the reason names both', () => {
    const result = answered(www, ASIA, [4, 5]);
    assert.deepEqual(result.members, [2, 3]);
    assert.equal(result.code, 'next-nearest-site');
    assert.equal(result.text, 'iad: nobody is eligible at sin');
  });

  test('everything down: the last answer is kept, nearest first', () => {
    const result = answered(www, ASIA, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(result.members, [4, 5, 2, 3, 0, 1]);
    assert.equal(result.code, 'last-answer-kept');
  });

  test('a site that the region does not list still serves when all that it lists are down', () => {
    assert.deepEqual(answered(www, [0], [0, 1]).members, [2, 3]);
  });
});

test('failover: the service’s order counts, wherever the client is; then the pool’s', () => {
  const service: Service = { ...www, policy: 'failover', order: [2] };
  assert.deepEqual(answered(service, EUROPE, []).members, [4, 5]);
  const result = answered(service, ASIA, [4, 5]);
  assert.deepEqual(result.members, [0, 1]);
  assert.equal(result.code, 'failover-order');
});

test('weighted: all eligible members, left to the server’s pick', () => {
  const result = answered({ ...www, policy: 'weighted' }, EUROPE, [0, 5]);
  assert.deepEqual(result.members, [1, 2, 3, 4]);
  assert.ok(result.weighted && !result.rotate);
});

test('a family that the pool lacks gets nothing, and is not called unhealthy', () => {
  const only4 = config.endpoints.map((endpoint) => ({ ...endpoint, address6: null }));
  const steered = steer(www, only4, EUROPE, () => true, 6);
  assert.deepEqual(steered.members, []);
  assert.equal(steeringReason(steered, config).text, 'the pool has no address of this family');
});

const cases = fc.record({
  policy: fc.constantFrom('nearest' as const, 'failover' as const, 'weighted' as const),
  order: fc.uniqueArray(fc.nat(2)),
  region: fc.uniqueArray(fc.nat(2), { minLength: 1 }),
  pool: fc.uniqueArray(fc.nat(5), { minLength: 1 }),
  up: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  has: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  family: fc.constantFrom(4 as const, 6 as const),
});

test('never someone ineligible while another is eligible, never nobody while there is an address', () => {
  fc.assert(
    fc.property(cases, ({ policy, order, region, pool, up, has, family }) => {
      const endpoints = config.endpoints.map((endpoint, i): Endpoint => {
        const lacks = family === 4 ? { address4: null } : { address6: null };
        return has[i] ? endpoint : { ...endpoint, ...lacks };
      });
      const members = pool.map((endpoint) => ({ endpoint, weight: 1 }));
      const service: Service = { ...www, policy, order, pool: members };
      const given = steer(service, endpoints, region, (e) => up[e]!, family).members;
      const candidates = pool.filter((e) => has[e]);
      assert.ok(given.every(({ endpoint }) => candidates.includes(endpoint)));
      assert.equal(new Set(given).size, given.length);
      if (candidates.some((e) => up[e])) assert.ok(given.every(({ endpoint }) => up[endpoint]));
      assert.equal(given.length === 0, candidates.length === 0);
    }),
  );
});
