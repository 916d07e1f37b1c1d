/**
 * Sites that see, hear and decide for themselves, on virtual time: the real `decide`, and around it
 * all that may go wrong. Each eye may see something else; reports get through or not, by direction;
 * a store is lost, an order reaches some sites only, an agent starts again with or without memory.
 */
import { decide } from '../../src/decide/decide.ts';
import { observersOf } from '../../src/decide/vantage.ts';
import type { Config } from '../../src/model/config.ts';
import type { HeldOverride } from '../../src/model/override.ts';
import { type DecisionMemory, NO_MEMORY, type Plan } from '../../src/model/plan.ts';
import { blankReport, type ObservedSight, type Report } from '../../src/model/report.ts';
import type { Sighting, World } from '../../src/model/world.ts';

export const TICK_MS = 500;

interface Eye {
  up: boolean;
  since: number;
  downs: number;
}

class Station {
  readonly index: number;
  readonly name: string;
  /** By index in Config.endpoints; only those that it looks at count. */
  eyes: Eye[] = [];
  memory: DecisionMemory = NO_MEMORY;
  decidedAt = 0;
  plan: Plan | null = null;
  world: World | null = null;
  heard = new Map<string, Sighting>();
  overrides = new Map<string, HeldOverride>();
  suspect: string | null = null;
  cutAt: number | null = null;

  constructor(index: number, name: string) {
    this.index = index;
    this.name = name;
  }
}

export class Mesh {
  /** Another one may take its place, with the same sites and endpoints. */
  config: Config;
  readonly stations: readonly Station[];
  /** "from>to" of reports that do not arrive. */
  readonly deaf = new Set<string>();
  now = 1_000_000;
  /** Told after each decision. */
  readonly #look: (station: Station, mesh: Mesh) => void;

  constructor(config: Config, look: (station: Station, mesh: Mesh) => void = () => {}) {
    this.config = config;
    this.#look = look;
    this.stations = config.sites.map(({ name }, index) => new Station(index, name));
    for (const station of this.stations) this.#open(station);
  }

  /** What this site's probes say of an endpoint from now on. */
  see(site: number, endpoint: number, up: boolean): void {
    const eye = this.stations[site]!.eyes[endpoint]!;
    if (eye.up === up) return;
    if (!up) eye.downs++;
    Object.assign(eye, { up, since: this.now });
  }

  /** An order, or with null its end, that reaches the sites in `to`. */
  order(id: string, held: HeldOverride | null, to: readonly number[]): void {
    for (const site of to) {
      const { overrides } = this.stations[site]!;
      if (held) overrides.set(id, held);
      else overrides.delete(id);
    }
  }

  /** All sites know what any of them knows; the later order stays. */
  shareOrders(): void {
    const all = new Map(this.stations.flatMap(({ overrides }) => [...overrides]));
    for (const station of this.stations) station.overrides = new Map(all);
  }

  cut(site: number): void {
    this.stations[site]!.cutAt ??= this.now;
  }

  mend(site: number): void {
    const station = this.stations[site]!;
    const { cutAt, heard } = station;
    if (cutAt === null) return;
    for (const [name, sighting] of heard) {
      const cut_ms = sighting.cut_ms + this.now - Math.max(cutAt, sighting.received_at);
      heard.set(name, { ...sighting, cut_ms });
    }
    station.cutAt = null;
  }

  heal(): void {
    this.deaf.clear();
    for (const { index } of this.stations) this.mend(index);
  }

  /** Another process takes its place, which knows at most what its file says. */
  restart(site: number, remembers: boolean): void {
    const station = this.stations[site]!;
    const { rulings, evicted } = station.memory;
    station.memory = remembers ? { ...NO_MEMORY, rulings, evicted } : NO_MEMORY;
    if (!remembers) station.heard = new Map();
    const downs = 0;
    station.eyes = station.eyes.map(({ up }) => ({ up, since: this.now, downs }));
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += TICK_MS;
      // All at once, none before it has heard of another's step.
      for (const station of this.stations) this.#decide(station);
      for (const station of this.stations) this.#publish(station);
      for (const station of this.stations) this.#look(station, this);
    }
  }

  #decide(station: Station): void {
    const world = this.worldOf(station, this.report(station));
    const plan = decide(this.config, world, this.now);
    Object.assign(station, { world, plan, memory: plan.memory, decidedAt: this.now });
  }

  report(station: Station, at = this.now, memory = station.memory): Report {
    const { index, name, eyes, suspect, decidedAt } = station;
    const endpoints: Report['endpoints'] = this.#sights(eyes, at, (home) => home === index);
    const observed = this.#sights(eyes, at, (_, i) => {
      return suspect === null && observersOf(this.config, i).includes(index);
    });
    const age_ms = at - decidedAt;
    const routes = Object.entries(memory.routes).map(([vip, route]) => {
      return [vip, { ...route, heard: route.phase === 'on', age_ms }];
    });
    return {
      ...blankReport(name),
      incarnation: 1,
      sequence: at,
      endpoints,
      observed,
      suspect,
      rulings: memory.rulings,
      ruled_ms: age_ms,
      evicted: memory.evicted,
      routes: Object.fromEntries(routes),
      overload: { ...memory.overload, age_ms },
    };
  }

  worldOf(station: Station, own: Report, at = this.now): World {
    const { name, heard, cutAt, overrides } = station;
    const sightings = new Map(heard);
    sightings.set(name, { report: own, received_at: at, cut_ms: 0 });
    const connected = cutAt === null;
    const held = [...overrides.values()];
    return { self: name, sightings, overrides: held, connected, cut_at: cutAt };
  }

  #open(station: Station): void {
    const since = this.now - 60_000;
    station.eyes = this.config.endpoints.map(() => ({ up: true, since, downs: 0 }));
  }

  #sights(eyes: readonly Eye[], at: number, looks: (home: number, endpoint: number) => boolean) {
    const sights: Record<string, ObservedSight & { downs: number }> = {};
    for (const [i, { id, site }] of this.config.endpoints.entries()) {
      const { up, since, downs } = eyes[i]!;
      const detail = up ? '200' : 'refused';
      if (looks(site, i)) sights[id] = { up, for_ms: at - since, downs, detail };
    }
    return sights;
  }

  #publish(from: Station): void {
    if (from.cutAt !== null) return;
    const report = this.report(from);
    for (const to of this.stations) {
      if (to === from || to.cutAt !== null || this.deaf.has(`${from.index}>${to.index}`)) continue;
      const before = to.heard.get(from.name);
      const since = before?.received_at ?? this.now;
      const wasSilent = this.now - since >= this.config.policy.report_stale_ms;
      const silence = wasSilent ? { from: since, to: this.now } : before?.silence;
      const sighting = { report, received_at: this.now, cut_ms: 0, ...(silence && { silence }) };
      to.heard.set(from.name, sighting);
    }
  }
}

export type { Station };
