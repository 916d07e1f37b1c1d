/** What an operator is told of a reload: names, never indices, and what waits for a restart. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CHANGES_MAX,
  configChanges,
  endingSessions,
  restartKeys,
} from '../../src/config/changes.ts';
import type { Config, Site } from '../../src/model/config.ts';
import { bgpSite, neighbor } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';
import { redisServer } from '../support/redis-store.ts';

const base = testConfig();

function withFra(change: Partial<Site>): Config {
  const [fra, ...others] = base.sites;
  return { ...base, sites: [{ ...fra!, ...change }, ...others] };
}

const dnsOf = (dns: Partial<Site['dns']>): Config =>
  withFra({ dns: { ...base.sites[0]!.dns, ...dns } });

describe('what has changed', () => {
  test('nothing between two configurations that say the same', () => {
    assert.deepEqual(configChanges(base, testConfig()), []);
  });

  test('zones, services, sites and the rest by their names', () => {
    const zone = base.zones[0]!;
    const [service] = base.services;
    const after: Config = {
      ...withFra({ capacity: 300 }),
      zones: [
        { ...zone, records: zone.records.slice(1) },
        { ...zone, origin: 'example.net' },
      ],
      services: [{ ...service!, name: 'web.example.com' }],
      policy: { ...base.policy, drain_ms: 1 },
      tsig_keys: [{ name: 'k', algorithm: 'hmac-sha256', secret_file: '/k' }],
    };
    assert.deepEqual(configChanges(base, after), [
      'zone example.com: changed',
      'zone example.net: added',
      'service web.example.com: added',
      'site fra: changed',
      'TSIG key k: added',
      'policy: changed',
      'service www.example.com: removed',
    ]);
  });

  test('a service does not change because the indices of its endpoints do', () => {
    const [first] = base.endpoints;
    const added = { ...first!, id: 'fra-lb0/web', load_balancer: 'fra-lb0' };
    const pool = base.services[0]!.pool.map((one) => ({ ...one, endpoint: one.endpoint + 1 }));
    const after: Config = {
      ...base,
      endpoints: [added, ...base.endpoints],
      services: [{ ...base.services[0]!, pool }],
    };
    assert.deepEqual(configChanges(base, after), ['endpoint fra-lb0/web: added']);
    assert.deepEqual(configChanges(after, base), ['endpoint fra-lb0/web: removed']);
  });

  test('an endpoint changes with what is probed for it, not with the indices of targets', () => {
    const [first, ...others] = base.targets;
    const moved: Config = {
      ...base,
      targets: [{ ...first!, id: 'fra-lb0/web/ipv4' }, ...base.targets],
      endpoints: base.endpoints.map((one) => {
        assert.equal(one.health.kind, 'target');
        const target = one.health.kind === 'target' ? one.health.target + 1 : 0;
        return { ...one, health: { kind: 'target', target } };
      }),
    };
    assert.deepEqual(configChanges(base, moved), []);
    const after: Config = { ...base, targets: [{ ...first!, port: first!.port + 1 }, ...others] };
    assert.deepEqual(configChanges(base, after), [`endpoint ${base.endpoints[0]!.id}: changed`]);
  });

  test('of many changes some are listed and the others counted', () => {
    const zones = Array.from({ length: CHANGES_MAX + 7 }, (_, i) => ({
      ...base.zones[0]!,
      origin: `z${i}.example`,
    }));
    const lines = configChanges({ ...base, zones: [] }, { ...base, zones });
    assert.deepEqual([lines.length, lines.at(-1)], [CHANGES_MAX + 1, '… and 7 more']);
  });
});

describe('BGP sessions', () => {
  const one = neighbor({ address: '192.0.2.1', port: 179 }, { name: 'one' });
  const two = neighbor({ address: '192.0.2.2', port: 179 }, { name: 'two' });
  const before = withFra({ bgp: bgpSite([one, two]) });

  test('each neighbour is told by its name, beside the site', () => {
    const after = withFra({
      bgp: bgpSite([
        { ...one, ttl: 2 },
        { ...two, name: 'three' },
      ]),
    });
    assert.deepEqual(configChanges(before, after), [
      'neighbor one of fra: changed',
      'neighbor three of fra: added',
      'neighbor two of fra: removed',
    ]);
    const elsewhere = withFra({ bgp: bgpSite([one, two], { router_id: '10.9.9.9' }) });
    assert.deepEqual(configChanges(before, elsewhere), ['site fra: changed']);
  });

  test('those end whose neighbour goes or is opened otherwise, of this site only', () => {
    const announce = { ...one.announce, vips: ['web'] };
    const after = withFra({ bgp: bgpSite([{ ...one, announce }]) });
    assert.deepEqual(endingSessions(before, after, 'fra'), [
      'two: no longer configured: its session ends',
    ]);
    assert.deepEqual(endingSessions(before, after, 'iad'), []);
    assert.deepEqual(endingSessions(before, withFra({ bgp: null }), 'fra').length, 2);
    assert.deepEqual(endingSessions(withFra({ bgp: null }), before, 'fra'), []);
    const renumbered = withFra({ bgp: bgpSite([one, two], { as: 65_099 }) });
    assert.equal(
      endingSessions(before, renumbered, 'fra')[0],
      'one: changed our AS: its session is made anew',
    );
  });
});

describe('what waits for a restart', () => {
  test('keys in the files’ words, of this site only', () => {
    const after: Config = { ...dnsOf({ udp_payload_max: 512 }), share: redis };
    assert.deepEqual(restartKeys(base, after, 'fra'), ['dns.udp_payload_max', 'store']);
    assert.deepEqual(restartKeys(base, after, 'iad'), ['store']);
    const api = { listen: { address: '127.0.0.1', port: 1 }, token_file: null };
    assert.deepEqual(restartKeys(base, withFra({ api }), 'fra'), ['api']);
  });

  test('not what a running server takes over', () => {
    const cookies = { secret_file: '/s', required: true };
    const rate_limit = { responses_per_s: 1, slip: 2, prefix4: 24, prefix6: 56 };
    const listen = [{ address: '127.0.0.1', port: 53 }];
    const after = dnsOf({ identity: 'a', listen, workers: 2, cookies, rate_limit });
    assert.deepEqual(restartKeys(base, after, 'fra'), []);
  });
});

const redis: Config['share'] = {
  kind: 'redis',
  servers: [redisServer('redis://192.0.2.1:6379')],
};
