/** A deployment of real agents in this process: two sites, one load balancer each, free ports. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, type AgentOptions } from '../../src/agent/agent.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { Config } from '../../src/model/config.ts';
import type { SiteEvent } from '../../src/model/event.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import { noSteering, noTunnel } from '../../src/spill/drivers.ts';
import { targetsOf, testConfig } from './config.ts';

/** An HTTP server that says 200 while `healthy`, else 503; nothing at all while `silent`. */
export class Backend {
  healthy = true;
  silent = false;
  readonly #server: Server = createServer((_, response) => {
    if (!this.silent) response.writeHead(this.healthy ? 200 : 503).end();
  });

  async listen(address: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, address, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<unknown>((resolve) => this.#server.close(resolve));
  }
}

export class TwoSites {
  readonly hub = new MemoryHub();
  readonly clock = new SystemClock();
  readonly backends: readonly Backend[] = [new Backend(), new Backend()];
  readonly agents = new Map<string, Agent>();
  readonly events: SiteEvent[] = [];
  config: Config = testConfig();

  async start(): Promise<void> {
    // One port for the check, free on both addresses because nobody else uses this block.
    const port = await this.backends[0]!.listen('127.66.1.1', 0);
    await this.backends[1]!.listen('127.66.2.1', port);
    this.config = twoSiteConfig(port);
    await Promise.all(['fra', 'iad'].map((site) => this.startAgent(site)));
  }

  /** Not started, and not stopped by `stop()`. */
  makeAgent(site: string, changes: Partial<AgentOptions> = {}): Agent {
    const geo = buildGeoMap(this.config.geo, this.config.regions);
    if (!geo.ok) throw new Error(geo.error);
    return new Agent({
      config: this.config,
      site,
      geo: geo.value,
      store: this.hub.store(site),
      drivers: () => ({ tunnel: noTunnel, steering: noSteering }),
      clock: this.clock,
      prng: prng(1),
      log: silentLog,
      version: 'test',
      ...changes,
    });
  }

  async startAgent(site: string): Promise<Agent> {
    const agent = this.makeAgent(site);
    agent.events.add((event) => this.events.push(event));
    this.agents.set(site, agent);
    await agent.start();
    return agent;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.agents.values()].map((agent) => agent.stop()));
    await Promise.all(this.backends.map((backend) => backend.close()));
  }
}

/** One endpoint a site, at `address` in the first. */
export function twoSiteConfig(port: number, address = '127.66.1.1'): Config {
  const base = testConfig();
  const endpoints = [0, 1].map((site) => {
    const endpoint = base.endpoints.find((candidate) => candidate.site === site)!;
    const health = { kind: 'target', target: site } as const;
    return { ...endpoint, address4: site === 0 ? address : '127.66.2.1', health };
  });
  const times = { interval_ms: 40, interval_failing_ms: 40, timeout_ms: 2_000 };
  const targets = targetsOf(endpoints).map((target) => ({
    ...target,
    port,
    check: { ...target.check, ...times },
  }));
  return {
    ...base,
    sites: base.sites.slice(0, 2).map((site) => ({
      ...site,
      bgp: null,
      dns: { ...site.dns, listen: [{ address: '127.0.0.1', port: 0 }] },
      api: { ...site.api, listen: { address: '127.0.0.1', port: 0 } },
    })),
    regions: base.regions
      .slice(0, 2)
      .map((region, index) => ({ ...region, order: [index, 1 - index] })),
    geo: { ...base.geo, prefixes: base.geo.prefixes.slice(0, 2) },
    targets,
    endpoints,
    services: base.services.map((service) => ({
      ...service,
      pool: [0, 1].map((endpoint) => ({ endpoint, weight: 1 })),
    })),
    policy: {
      ...base.policy,
      health: { ...base.policy.health, hold_down_ms: 300, hold_down_max_ms: 300 },
      drain_ms: 200,
      report_interval_ms: 50,
    },
  };
}
