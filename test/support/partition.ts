/**
 * Sites with whole agents on virtual time: real probing rules, sharing, decisions and events. Only
 * the ends are simulated: what a probe finds, the network with its store servers, and the clock of
 * each site, whose wall time a test may set wrong. DNS listens nowhere, and nobody speaks BGP: every
 * announced VIP counts as heard.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../../src/agent/agent.ts';
import { type Clock, type Timer, VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { observersOf } from '../../src/decide/vantage.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { ProbeTarget } from '../../src/model/check.ts';
import type { Config, Endpoint, HealthPolicy, PolicyConfig, Site } from '../../src/model/config.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { World } from '../../src/model/world.ts';
import type { Probe } from '../../src/observe/probe.ts';
import { noSteering, noTunnel } from '../../src/spill/drivers.ts';
import { testConfig, withEndpoints } from './config.ts';
import { SimNetwork } from './sim-store.ts';

export const NAMES = ['fra', 'iad', 'sin', 'nrt', 'gru'] as const;

/** Of endpoints that nobody has known yet, so that nothing was taken away. */
const NOT_KNOWN: readonly string[] = ['not-probed-yet', 'site-unheard'];

/** What the world looks like is looked at so often. */
const LOOK_MS = 100;

/** A site's own clock: its monotonic time begins anywhere, and its wall clock may be moved. */
class SiteClock implements Clock {
  readonly #truth: Clock;
  readonly #begun: number;
  moved_ms = 0;

  constructor(truth: Clock, begun: number) {
    this.#truth = truth;
    this.#begun = begun;
  }

  now(): number {
    return this.#truth.now() + this.#begun;
  }

  wall(): number {
    return this.#truth.wall() + this.moved_ms;
  }

  timer(ms: number, fire: () => void): Timer {
    return this.#truth.timer(ms, fire);
  }
}

export interface PartitionOptions {
  /** 3–5 */
  readonly sites: number;
  readonly servers?: number;
  readonly observers?: number;
  readonly policy?: Partial<PolicyConfig>;
  /** Of the guard of capacity; without it, the defaults. */
  readonly limits?: Pick<HealthPolicy, 'evict_max' | 'sites_min'>;
  readonly site?: Partial<Site>;
}

/** Two load balancers a site, one service, one VIP that all announce. */
function configOf({ sites, observers = 2, policy, limits, site }: PartitionOptions): Config {
  const base = testConfig();
  const names = NAMES.slice(0, sites);
  const endpoints = names.flatMap((name, home) =>
    [1, 2].map((number): Endpoint => {
      return {
        ...base.endpoints[0]!,
        id: `${name}-lb${number}/web`,
        load_balancer: `${name}-lb${number}`,
        site: home,
        address4: `127.1.${home + 1}.${number}`,
        address6: null,
        vantage: { observers, rule: 'majority' },
      };
    }),
  );
  const [service] = base.services;
  const pool = endpoints.map((_, endpoint) => ({ endpoint, weight: 1 }));
  const config: Config = {
    ...base,
    sites: names.map((name) => {
      const own = { ...base.sites[0]!, name, agents: [name], bgp: null, ...site };
      return { ...own, dns: { ...own.dns, listen: [] } };
    }),
    regions: [{ ...base.regions[0]!, order: names.map((_, index) => index) }],
    geo: { mmdb: null, default_region: 0, prefixes: [] },
    services: [{ ...service!, pool }],
    policy: {
      ...base.policy,
      // The defaults, but for the times.
      health: { ...base.policy.health, evict_max: 0.75, sites_min: 1, ...limits },
      ...policy,
    },
  };
  const times = { interval_ms: 500, interval_failing_ms: 250 };
  return withUplinks(withEndpoints(config, endpoints, times));
}

/** A target for each site's uplink, after those of the endpoints. */
function withUplinks(config: Config): Config {
  const { sites, targets } = config;
  const uplinks = sites.map(({ name }, site): ProbeTarget => {
    const id = `${name}/uplink`;
    return { ...targets[0]!, id, load_balancer: id, site, address: '192.0.2.1' };
  });
  return {
    ...config,
    targets: [...targets, ...uplinks],
    sites: sites.map((site, index) => {
      return { ...site, uplink: { kind: 'target', target: targets.length + index } };
    }),
  };
}

/** Sites that hear each other. */
export type Groups = readonly (readonly string[])[];

export interface Change {
  readonly at_ms: number;
  readonly site: string;
  /** A VIP or an endpoint, and whether it is announced or answered from then on. */
  readonly what: string;
  readonly on: boolean;
}

export class Partition {
  readonly config: Config;
  readonly network: SimNetwork;
  readonly clocks: ReadonlyMap<string, SiteClock>;
  readonly agents = new Map<string, Agent>();
  /** Load balancers that are really down. */
  readonly broken = new Set<string>();
  /** Site → sites whose load balancers its probes do not reach. */
  readonly blind = new Map<string, Set<string>>();
  /** Sites that do not reach the world outside. */
  readonly offline = new Set<string>();
  /** What agents changed, in order, and what was wrong at each look. */
  readonly changes: Change[] = [];
  readonly wrongs: string[] = [];
  readonly #truth = new VirtualClock(1_000_000);
  readonly #before = new Map<string, boolean>();

  constructor(options: PartitionOptions) {
    this.config = configOf(options);
    this.network = new SimNetwork(this.#truth, options.servers ?? options.sites);
    const names = this.config.sites.map(({ name }) => name);
    this.clocks = new Map(names.map((name, i) => [name, new SiteClock(this.#truth, 5e6 * i)]));
    for (const name of names) this.blind.set(name, new Set());
  }

  get now(): number {
    return this.#truth.now();
  }

  get names(): string[] {
    return this.config.sites.map(({ name }) => name);
  }

  async start(): Promise<void> {
    await Promise.all(this.names.map((name) => this.startAgent(name)));
  }

  async startAgent(site: string): Promise<void> {
    const geo = buildGeoMap(this.config.geo, this.config.regions);
    if (!geo.ok) throw new Error(geo.error);
    const clock = this.clocks.get(site)!;
    const agent = new Agent({
      config: this.config,
      site,
      geo: geo.value,
      store: this.network.store(site, clock),
      drivers: () => ({ tunnel: noTunnel, steering: noSteering }),
      clock,
      prng: prng(this.names.indexOf(site) + 1),
      log: silentLog,
      version: 'test',
      probe: (target, _, signal) => this.#probe(site, target, signal),
    });
    await this.#settle(agent.start());
    this.agents.set(site, agent);
  }

  async stopAgent(site: string): Promise<void> {
    const agent = this.agents.get(site);
    this.agents.delete(site);
    if (agent) await this.#settle(agent.stop());
  }

  async stop(): Promise<void> {
    for (const site of this.names) await this.stopAgent(site);
  }

  plan(site: string): Plan {
    return this.agents.get(site)!.decision!.plan;
  }

  announces(site: string): boolean {
    return this.plan(site).routes[0]!.announce;
  }

  /** Sites that have an endpoint which the site answers with. */
  sitesAnswered(site: string): number {
    return new Set(this.answers(site).map((name) => name.split('-')[0])).size;
  }

  /** The endpoints that the site answers with, without "/web". */
  answers(site: string): string[] {
    const eligible = this.plan(site).endpoints.filter((verdict) => verdict.eligible);
    return eligible.map(({ id }) => id.split('/')[0]!);
  }

  /** Lets time pass and looks at the agents ten times a second. */
  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      await this.#truth.advanceAsync(Math.min(LOOK_MS, left));
      this.#look();
    }
  }

  /** Runs until `done`; gives how long it took, or throws after `within_ms`. */
  async until(what: string, done: () => boolean, within_ms: number): Promise<number> {
    const begun = this.now;
    while (!done()) {
      if (this.now - begun >= within_ms) throw new Error(`${what}: not within ${within_ms} ms`);
      await this.run(LOOK_MS);
    }
    return this.now - begun;
  }

  /**
   * Splits the sites into groups that hear each other, each by the servers of its own members; true
   * for `probes` cuts their probes as well.
   */
  split(groups: Groups, probes = true): void {
    const groupOf = (site: string): number => groups.findIndex((group) => group.includes(site));
    for (const site of this.names) {
      for (const server of this.network.servers.keys()) {
        const place = this.names[server % this.names.length]!;
        const open = groupOf(site) === groupOf(place);
        Object.assign(this.network.line(site, server), { in: open, out: open, writes: true });
      }
      const others = this.names.filter((name) => groupOf(name) !== groupOf(site));
      this.blind.set(site, new Set(probes ? others : []));
    }
  }

  heal(): void {
    this.split([this.names]);
    this.offline.clear();
  }

  /** What a site says that no longer agrees with the others, or null. */
  disagreement(): string | null {
    const [first, ...rest] = [...this.agents.keys()].map((site) => this.answers(site).join(' '));
    return rest.every((answer) => answer === first) ? null : [first, ...rest].join(' | ');
  }

  /** How often each thing changed, as "fra web" → 2. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { site, what } of this.changes) {
      const key = `${site} ${what}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  /** Endpoints of `home`, as `counts` has them for `site`. */
  keys(site: string, home: string): string[] {
    return [1, 2].map((number) => `${site} ${home}-lb${number}/web`);
  }

  /** Drives the clock for what needs it, and waits for what takes real time (a thread). */
  async #settle(work: Promise<void>): Promise<void> {
    let settled = false;
    const done = work.finally(() => {
      settled = true;
    });
    for (let spent = 0; !settled; spent += 10) {
      if (spent < 1_000) await this.#truth.advanceAsync(10);
      else await sleep(1);
    }
    await done;
  }

  async #probe(site: string, target: ProbeTarget, signal: AbortSignal): ReturnType<Probe> {
    const home = this.config.sites[target.site]!.name;
    const isUplink = target.id === `${site}/uplink`;
    const reached = isUplink ? !this.offline.has(site) : !this.blind.get(site)!.has(home);
    const ok = reached && !this.broken.has(target.load_balancer);
    const ms = reached ? 5 : target.check.timeout_ms;
    await new Promise<void>((resolve) => {
      const timer = this.#truth.timer(ms, resolve);
      signal.addEventListener('abort', () => {
        timer.cancel();
        resolve();
      });
    });
    return { ok, detail: ok ? 'fine' : reached ? 'refused' : 'no answer' };
  }

  #look(): void {
    if (this.agents.size === 0) return;
    for (const [site] of this.agents) {
      const { routes, endpoints } = this.plan(site);
      for (const { vip, announce } of routes) this.#note(site, vip, announce);
      for (const { id, eligible } of endpoints) this.#note(site, id, eligible);
      if (this.answers(site).length === 0) this.wrongs.push(`${this.now} ${site} answers nothing`);
      const excess = this.#excess(site);
      if (excess !== null) this.wrongs.push(`${this.now} ${site}: ${excess}`);
    }
    const announcers = [...this.agents.keys()].filter((site) => this.announces(site));
    if (announcers.length === 0) this.wrongs.push(`${this.now} nobody announces`);
  }

  /** What health has taken out of the one service beyond the limits; null: nothing. */
  #excess(site: string): string | null {
    const { sites, endpoints, policy } = this.config;
    const { plan, world } = this.agents.get(site)!.decision!;
    const known = plan.endpoints.map(({ reason }) => !NOT_KNOWN.includes(reason.code));
    const out = plan.endpoints.map(({ eligible }, index) => known[index] && !eligible);
    const doubtful = out.map((isOut, index) => isOut && !this.#isAgreed(world, index));
    if (!doubtful.includes(true)) return null;
    const part = out.filter(Boolean).length / known.filter(Boolean).length;
    if (part > policy.health.evict_max + 1e-9) return `health has taken ${part} of the capacity`;
    const at = (home: number, of: readonly unknown[]): boolean =>
      endpoints.some((endpoint, index) => endpoint.site === home && of[index]);
    const inUse = plan.endpoints.map((_, index) => known[index] && !out[index]);
    const left = sites.filter((_, home) => at(home, inUse)).length;
    const emptied = sites.some((_, home) => !at(home, inUse) && at(home, doubtful));
    return emptied && left < policy.health.sites_min ? `health has left ${left} sites` : null;
  }

  /** Most of those who are to look at the endpoint say that it is down; counted by hand. */
  #isAgreed(world: World, index: number): boolean {
    const { endpoints, sites, policy } = this.config;
    const { id, site: home } = endpoints[index]!;
    const assigned = [home, ...observersOf(this.config, index)];
    const downs = assigned.filter((site) => {
      const { name } = sites[site]!;
      const sighting = world.sightings.get(name);
      if (!sighting) return false;
      const { report, received_at, cut_ms } = sighting;
      const now = this.clocks.get(world.self)!.now();
      const quiet_ms = (world.cut_at ?? now) - received_at - cut_ms;
      if (name !== world.self && quiet_ms >= policy.report_stale_ms + LOOK_MS) return false;
      if (site === home) return report.endpoints[id]?.up === false;
      return report.suspect === null && report.observed[id]?.up === false;
    });
    return 2 * downs.length > assigned.length;
  }

  #note(site: string, what: string, on: boolean): void {
    const key = `${site} ${what}`;
    const was = this.#before.get(key);
    this.#before.set(key, on);
    if (was !== undefined && was !== on) this.changes.push({ at_ms: this.now, site, what, on });
  }
}

/** One full read of the store, one report, and the probes that bring an endpoint back. */
export const AGREE_MAX_MS = 3_000;
export const HOUR_MS = 3_600_000;

/** Runs `body` with sites that know each other, and then looks whether anything was ever wrong. */
export async function withSites(
  options: Partial<PartitionOptions>,
  body: (sites: Partition) => Promise<void>,
): Promise<void> {
  const sites = new Partition({ sites: 3, ...options });
  try {
    await sites.start();
    await sites.run(3_000);
    assert.equal(sites.disagreement(), null);
    sites.changes.length = 0;
    await body(sites);
    assert.deepEqual(sites.wrongs, []);
  } finally {
    await sites.stop();
  }
}

export async function healed(sites: Partition): Promise<void> {
  sites.heal();
  await sites.until('all agree', () => sites.disagreement() === null, AGREE_MAX_MS);
  await sites.run(8_000);
  assert.equal(sites.disagreement(), null);
}
