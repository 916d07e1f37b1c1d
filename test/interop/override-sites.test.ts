/**
 * Orders of operators among the whole agents of three sites over three real Redis servers: seen by all
 * within a second, also while servers fail, and none is lost without a word.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Agent } from '../../src/agent/agent.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { Config } from '../../src/model/config.ts';
import type { OverrideAction, OverrideScope } from '../../src/model/override.ts';
import { noSteering, noTunnel } from '../../src/spill/drivers.ts';
import { testConfig } from '../support/config.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { RedisServer } from '../support/redis.ts';
import { redisStore } from '../support/redis-store.ts';

const NAMES = ['fra', 'iad', 'sin'] as const;
type Name = (typeof NAMES)[number];

const SEEN_MAX_MS = 1_000;
const WHERE = { site: null, service: null, endpoint: null, label: null };

function config(): Config {
  const base = testConfig();
  return {
    ...base,
    sites: base.sites.map((site) => {
      return { ...site, bgp: null, dns: { ...site.dns, listen: [] } };
    }),
    endpoints: base.endpoints.map((endpoint) => {
      return { ...endpoint, labels: [`rack=${endpoint.load_balancer.at(-1)}`] };
    }),
  };
}

describe('an order over Redis', { skip: need('redis-server') }, () => {
  const servers: RedisServer[] = [];
  const agents = new Map<Name, Agent>();

  async function startAgent(site: Name, of: readonly RedisServer[] = servers): Promise<void> {
    const geo = buildGeoMap(config().geo, config().regions);
    if (!geo.ok) throw new Error(geo.error);
    const agent = new Agent({
      config: config(),
      site,
      geo: geo.value,
      store: redisStore(of.map(({ url }) => url)),
      drivers: () => ({ tunnel: noTunnel, steering: noSteering }),
      clock: new SystemClock(),
      prng: prng(1),
      log: silentLog,
      version: 'test',
      probe: async () => ({ ok: true, detail: 'fine' }),
    });
    agents.set(site, agent);
    await agent.start();
  }

  const connected = () =>
    eventually('all are connected', () =>
      [...agents.values()].every((agent) => agent.status().connected),
    );

  function order(at: Name, where: Partial<OverrideScope>, action: OverrideAction | null): void {
    const scope = { ...WHERE, ...where };
    agents
      .get(at)!
      .overrides.order({ scope, action, by: `ops at ${at}`, reason: 'test', left_ms: null });
  }

  /** Endpoints that the plan of each site has out of use, or forced. */
  const ordered = (): string[] =>
    [...agents.values()].map((agent) => {
      const all = agent.decision?.plan.endpoints ?? [];
      const codes = ['draining', 'forced-up', 'forced-down'];
      return all
        .flatMap(({ id, reason }) => (codes.includes(reason.code) ? [`${reason.code} ${id}`] : []))
        .join(', ');
    });

  /** Gives the time until all sites have nothing but `ids` in force, in milliseconds. */
  async function seen(code: string, ...ids: readonly string[]): Promise<number> {
    const began = performance.now();
    const wanted = ids.map((id) => `${code} ${id}/web`).join(', ');
    await eventually(`all see ${wanted || 'no order'}`, () =>
      ordered().every((one) => one === wanted),
    );
    return performance.now() - began;
  }

  async function seenInTime(code: string, ...ids: readonly string[]): Promise<void> {
    const ms = await seen(code, ...ids);
    assert.ok(ms <= SEEN_MAX_MS, `seen by all after ${Math.round(ms)} ms`);
  }

  beforeEach(async () => {
    for (const _ of NAMES) servers.push(await RedisServer.start());
  });
  afterEach(async () => {
    for (const server of servers) server.resume();
    await Promise.all([...agents.values()].map((agent) => agent.stop()));
    agents.clear();
    await Promise.all(servers.splice(0).map((server) => server.kill()));
  });

  test('by site, endpoint, service or label is seen by all sites within a second', async () => {
    await Promise.all(NAMES.map((name) => startAgent(name)));
    await connected();
    order('sin', { site: 'fra' }, 'drain');
    await seenInTime('draining', 'fra-lb1', 'fra-lb2');
    order('iad', { site: 'fra' }, null);
    await seenInTime('');
    order('fra', { endpoint: 'iad-lb1' }, 'down');
    await seenInTime('forced-down', 'iad-lb1');
    order('fra', { endpoint: 'iad-lb1' }, null);
    await seenInTime('');
    order('iad', { label: 'rack=2' }, 'down');
    await seenInTime('forced-down', 'fra-lb2', 'iad-lb2', 'sin-lb2');
    order('sin', { label: 'rack=2' }, null);
    await seenInTime('');
    order('iad', { service: config().services[0]!.name, site: 'sin' }, 'up');
    await seenInTime('forced-up', 'sin-lb1', 'sin-lb2');
  });

  test('is seen as soon while one server hangs and another is gone', async () => {
    await Promise.all(NAMES.map((name) => startAgent(name)));
    await connected();
    servers[0]!.pause();
    await servers[1]!.kill();
    order('iad', { site: 'sin' }, 'drain');
    await seenInTime('draining', 'sin-lb1', 'sin-lb2');
  });

  test('outlives the loss of all that the servers held, and an agent that starts then is told', async () => {
    await Promise.all((['fra', 'iad'] as const).map((name) => startAgent(name)));
    await connected();
    order('iad', { site: 'fra' }, 'drain');
    await seen('draining', 'fra-lb1', 'fra-lb2');
    for (const server of servers) await server.kill();
    for (const server of servers) await server.restart();
    await startAgent('sin');
    await seen('draining', 'fra-lb1', 'fra-lb2');
  });

  test('that crosses another about the same thing wins or loses everywhere, and is listed as lost where it was given', async () => {
    await startAgent('fra', [servers[0]!]);
    await startAgent('iad', [servers[1]!]);
    await connected();
    order('fra', { site: 'sin' }, 'drain');
    order('iad', { site: 'sin' }, 'down');
    // sin is the first to hear both, and tells each server what it does not know.
    await startAgent('sin');
    await seen('forced-down', 'sin-lb1', 'sin-lb2');
    const lostAt = (name: Name): string[] =>
      agents
        .get(name)!
        .overrides.list()
        .flatMap(({ lost }) => lost.map(({ by }) => by));
    await eventually('fra lists who lost', () => lostAt('fra').includes('ops at fra'));
  });
});
