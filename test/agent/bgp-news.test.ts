/** What becomes of a BGP session is news for the other sites, at once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import { bgpSite, neighbor } from '../support/bgp.ts';
import { eventually } from '../support/eventually.ts';
import { TwoSites } from '../support/site.ts';

const sites = new TwoSites();
const collectors = ['127.66.9.2', '127.66.9.3'].map(
  (address) =>
    new Collector({
      as: 65_000,
      router_id: '10.9.9.9',
      listen: { address, port: 0 },
      hold_time_ms: 90_000,
      clock: new SystemClock(),
      prng: prng(3),
      log: silentLog,
    }),
);

before(async () => {
  await Promise.all(collectors.map((one) => one.start()));
  await sites.start();
  await Promise.all([...sites.agents.values()].map((agent) => agent.stop()));
  const policy = { ...sites.config.policy, report_interval_ms: 60_000, report_stale_ms: 180_000 };
  sites.config = {
    ...sites.config,
    policy,
    sites: sites.config.sites.map((site, index) => {
      const router = neighbor(collectors[index]!.address, { connect_retry_ms: 50 });
      return { ...site, bgp: bgpSite([router], { as: 65_001 + index, next_hop: '127.0.0.1' }) };
    }),
  };
  await Promise.all(['fra', 'iad'].map((site) => sites.startAgent(site)));
});
after(async () => {
  await sites.stop();
  await Promise.all(collectors.map((one) => one.stop()));
});

test('a route is withdrawn before anything is told of the verdict that takes it', async () => {
  const fra = sites.agents.get('fra')!;
  const state = () => fra.speaker?.routes()[0]?.state;
  const iad = () => fra.decision!.world.sightings.get('iad')?.report.routes.web;
  await eventually('both announce', () => state() === 'announced' && iad()?.heard === true, 5_000);
  const told: string[] = [];
  const end = fra.events.add(({ kind, text }) => {
    if (kind === 'health' && text === 'down') told.push(`${kind} ${text}: ${state()}`);
  });
  sites.backends[0]!.healthy = false;
  await eventually('it is told', () => told.length > 0, 5_000);
  end();
  assert.equal(told[0], 'health down: not-announced');
  sites.backends[0]!.healthy = true;
  await eventually('fra is back', () => state() === 'announced', 5_000);
});

test('a site takes over when the one that it has left a VIP to loses its router', async () => {
  const fra = sites.agents.get('fra')!;
  const announced = (agent: Agent): boolean => agent.status().routes[0]!.announce;
  const heard = (): boolean | undefined =>
    fra.decision!.world.sightings.get('iad')?.report.routes.web?.heard;
  await eventually('iad is heard', () => heard() === true, 5_000);
  sites.backends[0]!.healthy = false;
  await eventually('fra withdraws', () => !announced(fra), 5_000);
  await collectors[1]!.stop();
  await eventually('fra announces again', () => announced(fra), 5_000);
  assert.equal(fra.status().routes[0]!.fitness, 'last-site-kept');
});

test('sessions come up while the first probes run, and routes follow the probes', async () => {
  const { policy } = sites.config;
  const collector = new Collector({
    as: 65_000,
    router_id: '10.9.9.8',
    listen: { address: '127.66.9.4', port: 0 },
    hold_time_ms: 90_000,
    clock: new SystemClock(),
    prng: prng(4),
    log: silentLog,
  });
  await collector.start();
  const router = neighbor(collector.address, { connect_retry_ms: 50 });
  const bgp = bgpSite([router], { next_hop: '127.0.0.1' });
  const [fra, iad] = sites.config.sites;
  sites.config = { ...sites.config, policy, sites: [{ ...fra!, bgp }, iad!] };
  const backend = sites.backends[0]!;
  backend.silent = true;
  const agent = sites.makeAgent('fra');
  await sites.agents.get('fra')!.stop();
  const started = agent.start();
  await eventually('the session is up', () => collector.peers().length === 1);
  assert.deepEqual(collector.routes(), []);
  assert.deepEqual(agent.addresses, []);
  backend.silent = false;
  backend.healthy = true;
  await started;
  await eventually('the route is there', () => collector.routes().length > 0, 5_000);
  await agent.stop();
  await collector.stop();
});
