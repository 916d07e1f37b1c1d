import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../src/base/clock.ts';
import { Fleet } from '../../../src/cli/demo/fleet.ts';
import { testConfig } from '../../support/config.ts';

const fleet = new Fleet(testConfig(), new VirtualClock());

test('there is one machine for each load balancer, however many checks it has', () => {
  const config = testConfig();
  const second = config.targets.map((target) => ({
    ...target,
    id: `${target.load_balancer}/api/ipv4`,
    port: 8081,
  }));
  const twice = { ...config, targets: [...config.targets, ...second] };
  const names = ['fra-lb1', 'fra-lb2', 'iad-lb1', 'iad-lb2', 'sin-lb1', 'sin-lb2'];
  assert.deepEqual(new Fleet(twice, new VirtualClock()).names(), names);
});

test('a site’s name means all its load balancers, a load balancer’s only itself', () => {
  const named = (target: string): string[] => fleet.of(target).map(({ name }) => name);
  assert.deepEqual(named('iad'), ['iad-lb1', 'iad-lb2']);
  assert.deepEqual(named('iad-lb2'), ['iad-lb2']);
  assert.deepEqual(named('lhr'), []);
});

test('a site may forward to every other site, and to itself never', async () => {
  const driver = fleet.forwarding.get('fra')!;
  await driver.apply({ iad: 0.5, sin: 0.5 }, 1_000);
  await assert.rejects(driver.apply({ fra: 0.1 }, 1_000), /fra is not a peer/);
});
