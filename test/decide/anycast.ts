/**
 * Sites that announce VIPs, on virtual time: the real `decide`, reports that all sites have at the
 * next step, and a chronicle of what each site does with the VIP "web".
 */

import { dampingOf, siteFactor } from '../../src/decide/damping.ts';
import { decide } from '../../src/decide/decide.ts';
import { laterBy, resumed } from '../../src/decide/route-phase.ts';
import type { BgpSite, RoutePolicy } from '../../src/model/bgp.ts';
import type { Config, PolicyConfig } from '../../src/model/config.ts';
import type { HeldOverride } from '../../src/model/override.ts';
import { type DecisionMemory, NO_MEMORY, type Plan } from '../../src/model/plan.ts';
import {
  blankReport,
  IDLE_STANCE,
  type LoadSight,
  type Report,
  type RouteSight,
  type SpillStance,
} from '../../src/model/report.ts';
import type { Sighting } from '../../src/model/world.ts';
import { bgpSite, neighbor, routePolicy } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';
import { drainOrder, UP } from './world.ts';

const STEP_MS = 100;

class Station {
  readonly name: string;
  /** Parallel to the site's endpoints. */
  up: boolean[] = [true, true];
  upSince: number[] = [0, 0];
  downs: number[] = [0, 0];
  load: LoadSight | null = null;
  /** When the drain began, on the clock of the whole. */
  drainedAt: number | null = null;
  overrides: readonly HeldOverride[] = [];
  hasSession = true;
  uplink: boolean | null = null;
  suspect: string | null = null;
  isRunning = true;
  memory: DecisionMemory = NO_MEMORY;
  stance: SpillStance = IDLE_STANCE;
  decidedAt = 0;
  plan: Plan | null = null;

  constructor(name: string) {
    this.name = name;
  }
}

export interface AnycastOptions {
  readonly sites?: number;
  readonly routes?: Partial<RoutePolicy>;
  readonly policy?: Partial<PolicyConfig>;
  readonly bgp?: Partial<BgpSite>;
  readonly config?: (config: Config) => Config;
}

export class Anycast {
  readonly config: Config;
  readonly stations: readonly Station[];
  /** "1.5 fra on draining": seconds, site, phase, fitness. */
  readonly chronicle: string[] = [];
  now = 0;
  /** Since then no site hears another; null: all hear all. */
  cutAt: number | null = null;
  #heard: ReadonlyMap<string, Sighting> = new Map();

  constructor({ sites = 2, routes, policy, bgp, config = (same) => same }: AnycastOptions = {}) {
    const base = testConfig();
    const router = neighbor({ address: '192.0.2.254', port: 179 });
    this.config = config({
      ...base,
      sites: base.sites.map((site, index) => ({
        ...site,
        announces: index < sites ? site.announces : [],
        bgp: bgpSite([router], bgp),
      })),
      policy: {
        ...base.policy,
        health: { ...base.policy.health, hold_down_ms: 0, hold_down_max_ms: 0 },
        ...policy,
        routes: routePolicy(routes),
      },
    });
    this.stations = base.sites.map(({ name }) => new Station(name));
  }

  station(name: string): Station {
    return this.stations.find((station) => station.name === name)!;
  }

  /** What the site plans for the VIP "web" now. */
  route(name: string) {
    return this.station(name).plan!.routes.find(({ vip }) => vip === 'web')!;
  }

  offer(name: string, of = 'router') {
    return this.route(name).offers.find(({ neighbor: one }) => one === of)!;
  }

  set(name: string, up: boolean, endpoints: readonly number[] = [0, 1]): void {
    const station = this.station(name);
    for (const index of endpoints) {
      if (station.up[index] !== up) station.upSince[index] = this.now;
      if (station.up[index] && !up) station.downs[index]!++;
      station.up[index] = up;
    }
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += STEP_MS) this.#step();
  }

  /** Has time pass without a process at the site, and starts another with what its file says. */
  restart(name: string, down_ms: number): void {
    const station = this.station(name);
    const saved = JSON.stringify(this.#sights(station));
    station.isRunning = false;
    const before = this.now;
    this.run(down_ms);
    const routes = JSON.parse(saved) as Record<string, RouteSight>;
    const damping = dampingOf(this.config.policy.routes, siteFactor(this.config.sites, name));
    const memories = Object.entries(routes).map(([vip, { heard: _, age_ms, ...memory }]) => [
      vip,
      resumed(laterBy(memory, age_ms + this.now - before, damping), false),
    ]);
    station.memory = { ...NO_MEMORY, routes: Object.fromEntries(memories) };
    station.decidedAt = this.now;
    station.isRunning = true;
  }

  report(station: Station): Report {
    const index = this.stations.indexOf(station);
    const own = this.config.endpoints.filter(({ site }) => site === index);
    const age_ms = this.now - station.decidedAt;
    return {
      ...blankReport(station.name),
      incarnation: 1,
      sequence: this.now,
      endpoints: Object.fromEntries(
        own.map(({ id }, i) => [
          id,
          {
            ...UP,
            up: station.up[i]!,
            for_ms: this.now - station.upSince[i]!,
            downs: station.downs[i]!,
          },
        ]),
      ),
      uplink: station.uplink,
      suspect: station.suspect,
      load: station.load,
      routes: this.#sights(station),
      overload: { ...station.memory.overload, age_ms },
      spill: { ...station.stance, for_ms: age_ms },
    };
  }

  #sights(station: Station): Record<string, RouteSight> {
    const age_ms = this.now - station.decidedAt;
    const { hasSession } = station;
    return Object.fromEntries(
      Object.entries(station.memory.routes).map(([vip, memory]) => [
        vip,
        { ...memory, heard: memory.phase === 'on' && hasSession, age_ms },
      ]),
    );
  }

  #step(): void {
    const running = this.stations.filter(({ isRunning }) => isRunning);
    const sightings = new Map<string, Sighting>(
      running.map((station) => [
        station.name,
        { report: this.report(station), received_at: this.now, cut_ms: 0 },
      ]),
    );
    if (this.cutAt === null) this.#heard = sightings;
    const drains = this.stations.flatMap(({ name, drainedAt }) =>
      drainedAt === null ? [] : [drainOrder(name, drainedAt)],
    );
    for (const station of running) {
      const { name } = station;
      const known = new Map(this.#heard).set(name, sightings.get(name)!);
      const connected = this.cutAt === null;
      // During a cut an order reaches the site that it is given at, and no other.
      if (connected) station.overrides = drains;
      else
        station.overrides = [
          ...station.overrides.filter(({ override }) => override.scope.site !== name),
          ...drains.filter(({ override }) => override.scope.site === name),
        ];
      const { overrides } = station;
      const world = { self: name, sightings: known, overrides, connected, cut_at: this.cutAt };
      const plan = decide(this.config, world, this.now);
      const [was, is] = [station.plan, plan].map((one) => this.#word(one));
      if (was !== is) this.chronicle.push(`${this.now / 1000} ${station.name} ${is}`);
      station.plan = plan;
    }
    for (const station of running) {
      station.memory = station.plan!.memory;
      station.stance = station.plan!.spill.stance;
      station.decidedAt = this.now;
    }
  }

  #word(plan: Plan | null): string {
    const memory = plan?.memory.routes.web;
    const fitness = plan?.routes.find(({ vip }) => vip === 'web')?.fitness;
    return memory ? `${memory.phase}${fitness ? ` ${fitness}` : ''}` : 'nothing';
  }

  /** The chronicle of one site from now on. */
  follow(name: string): () => string[] {
    const from = this.chronicle.length;
    return () =>
      this.chronicle
        .slice(from)
        .filter((line) => line.split(' ')[1] === name)
        .map((line) => line.replace(` ${name}`, ''));
  }
}
