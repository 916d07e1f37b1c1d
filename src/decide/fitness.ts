/**
 * How good each site is for a VIP: its rank among the sites, and its fitness, by which neighbours are
 * told of the VIP in one way or another. Pure.
 *
 * Must hold: what a site is follows from its report alone, by the verdicts that DNS and spill use, so
 * that every site that has the same reports ranks all of them equally.
 */
import type { Damping } from '../model/bgp.ts';
import type { Site, Vip } from '../model/config.ts';
import type { EndpointVerdict, Fitness, SiteVerdict } from '../model/plan.ts';
import { type Report, ROUTE_OFF, type RouteMemory } from '../model/report.ts';
import type { Facts } from './conditions.ts';
import { dampingOf, siteFactors, suppressedFor_ms } from './damping.ts';
import { isSound, serves } from './endpoints.ts';
import { hasTakers, type Telling, tellsAnybody } from './offers.ts';
import type { Overload } from './overload.ts';
import { laterBy } from './route-phase.ts';
import { drainOf, type Hearing, INSTANT_MS, type View } from './view.ts';

/**
 * Worst first. `unknown` cannot be judged; `failing` has a service without any healthy endpoint;
 * `draining` could answer, but is to be emptied; `barred` is fit, and its rules or conditions leave
 * nobody to tell; `held` is fit again, but waits; `fit` answers everything. An endpoint that only the
 * guard of health keeps in use is none that is healthy: it works for no VIP better than one that is
 * out, and each site's guard keeps others, so sites would leave in favour of each other.
 */
export const RANKS = ['unknown', 'failing', 'draining', 'barred', 'held', 'fit'] as const;
export type Rank = (typeof RANKS)[number];

export interface Standing {
  readonly site: Site;
  /** Of the site, in Config.sites. */
  readonly index: number;
  readonly vip: Vip;
  readonly rank: Rank;
  /** What the site is without regard to the others; null while it is unknown or failing. */
  readonly fitness: Fitness | null;
  readonly report: Report | null;
  /** What the site's last report remembers of the VIP, as it is now. */
  readonly memory: RouteMemory;
  readonly sums: Sums;
}

/** Endpoints of a service, or of all services of a VIP, at one site. */
export interface Sums {
  /** Those of which a probe has ended. */
  readonly judged: number;
  /** Those that DNS may answer with, and that the site's own probes do not call down. */
  readonly well: number;
  /** Those that are in use only because the guard of health keeps them there. */
  readonly kept: number;
}

interface ServiceSums extends Sums {
  readonly all: number;
  readonly serving: number;
}

const NOBODY: ServiceSums = { all: 0, judged: 0, well: 0, serving: 0, kept: 0 };

/** All that the ranking looks at; made once for each decision. */
export class Ground {
  readonly view: View;
  readonly #hearings: readonly Hearing[];
  readonly #sites: readonly SiteVerdict[];
  readonly #overloads: readonly Overload[];
  /** How much longer each site waits than configured, and damping with its times. */
  readonly #factors: readonly number[];
  readonly #dampings: readonly (Damping | null)[];
  /** Service name → sums parallel to Config.sites. */
  readonly #services = new Map<string, ServiceSums[]>();
  /** Parallel to Config.sites, by fitness; the same for all VIPs. */
  readonly #facts: readonly Map<Fitness, Facts>[];

  constructor(
    view: View,
    hearings: readonly Hearing[],
    endpoints: readonly EndpointVerdict[],
    sites: readonly SiteVerdict[],
    overloads: readonly Overload[],
  ) {
    this.view = view;
    this.#hearings = hearings;
    this.#sites = sites;
    this.#overloads = overloads;
    const { sites: all, policy } = view.config;
    this.#facts = all.map(() => new Map());
    this.#factors = siteFactors(all);
    this.#dampings = this.#factors.map((one) => dampingOf(policy.routes, one));
    for (const { name, pool } of view.config.services) {
      const sums = view.config.sites.map(() => NOBODY);
      for (const { endpoint } of pool) {
        const { site } = view.config.endpoints[endpoint]!;
        sums[site] = add(sums[site]!, endpoints[endpoint]!, hearings[site]!);
      }
      this.#services.set(name, sums);
    }
  }

  overloadOf(index: number): Overload {
    return this.#overloads[index]!;
  }

  hearingOf(index: number): Hearing {
    return this.#hearings[index]!;
  }

  /** `index` is the site's in Config.sites. */
  standing(vip: Vip, index: number): Standing {
    const site = this.view.config.sites[index]!;
    const hearing = this.#hearings[index]!;
    const report = hearing.state === 'unheard' ? null : hearing.report;
    const memory = this.#memory(vip, index, hearing);
    const { health, ...sums } = this.#healthOf(vip, index);
    if (
      report === null ||
      hearing.state === 'lost' ||
      health === 'unknown' ||
      !hasTakers(site, vip)
    ) {
      return { site, index, vip, rank: 'unknown', fitness: null, report, memory, sums };
    }
    if (health === 'failing') {
      return { site, index, vip, rank: 'failing', fitness: null, report, memory, sums };
    }
    const fitness = this.#fitness(index, sums);
    const rank = this.#rank(index, memory, this.#telling(vip, index, memory, fitness));
    return { site, index, vip, rank, fitness, report, memory, sums };
  }

  /** What would be told of the VIP, were the site of this fitness. */
  telling({ vip, index, memory }: Standing, fitness: Fitness): Telling {
    return this.#telling(vip, index, memory, fitness);
  }

  /** With the site's own times. */
  dampingOf(index: number): Damping | null {
    return this.#dampings[index]!;
  }

  /** How long the site still holds the VIP back for what it did before; 0: it does not. */
  heldFor_ms(index: number, memory: RouteMemory): { dwell_ms: number; suppressed_ms: number } {
    const { routes } = this.view.config.policy;
    if (memory.withdrawn_by !== 'failure') return { dwell_ms: 0, suppressed_ms: 0 };
    const hold_down_ms = routes.hold_down_ms * this.#factors[index]!;
    const left_ms = hold_down_ms - (memory.fit_for_ms ?? 0);
    const dwell_ms = left_ms < INSTANT_MS ? 0 : left_ms;
    return { dwell_ms, suppressed_ms: suppressedFor_ms(this.dampingOf(index), memory) };
  }

  #rank(index: number, memory: RouteMemory, telling: Telling): Rank {
    if (telling.fitness === 'draining') return 'draining';
    if (!tellsAnybody(telling)) return 'barred';
    const { dwell_ms, suppressed_ms } = this.heldFor_ms(index, memory);
    return dwell_ms > 0 || suppressed_ms > 0 ? 'held' : 'fit';
  }

  #fitness(index: number, { judged, well }: Sums): Fitness {
    if (drainOf(this.view, this.view.config.sites[index]!.name) !== null) return 'draining';
    if (this.#overloads[index]!.overloaded) return 'overloaded';
    return well < judged ? 'degraded' : 'healthy';
  }

  #telling(vip: Vip, index: number, { phase }: RouteMemory, fitness: Fitness): Telling {
    const { sites, policy } = this.view.config;
    const facts = this.#factsOf(index, fitness);
    const stands = phase === 'on' || phase === 'coming';
    return { site: sites[index]!, vip, policy: policy.routes, fitness, facts, stands };
  }

  #factsOf(index: number, fitness: Fitness): Facts {
    const known = this.#facts[index]!.get(fitness);
    if (known !== undefined) return known;
    const facts: Facts = {
      service: (name) => {
        const { serving, judged } = this.#sums(name, index);
        return serving > 0 ? true : judged > 0 ? false : null;
      },
      states: [this.#sites[index]!.state, fitness],
    };
    this.#facts[index]!.set(fitness, facts);
    return facts;
  }

  /** By the worst of the services; one of which nobody can tell is worse than one that fails. */
  #healthOf(
    { services }: Vip,
    index: number,
  ): Sums & { readonly health: 'unknown' | 'failing' | 'serving' } {
    let judged = 0;
    let well = 0;
    let kept = 0;
    let health: 'unknown' | 'failing' | 'serving' = 'serving';
    for (const name of services) {
      const sums = this.#sums(name, index);
      judged += sums.judged;
      well += sums.well;
      kept += sums.kept;
      if (sums.serving > 0) continue;
      if (sums.judged < sums.all) health = 'unknown';
      else if (health === 'serving') health = 'failing';
    }
    return { judged, well, kept, health };
  }

  #sums(service: string, index: number): ServiceSums {
    return this.#services.get(service)?.[index] ?? NOBODY;
  }

  #memory(vip: Vip, index: number, hearing: Hearing): RouteMemory {
    const sight = hearing.state === 'unheard' ? undefined : hearing.report.routes[vip.name];
    if (sight === undefined || hearing.state === 'unheard') return ROUTE_OFF;
    return laterBy(sight, sight.age_ms + hearing.age_ms, this.dampingOf(index));
  }
}

/** `hearing` is the home's. */
function add(sums: ServiceSums, verdict: EndpointVerdict, hearing: Hearing): ServiceSums {
  const isWell = isSound(verdict) && !isDoubted(verdict, hearing);
  return {
    all: sums.all + 1,
    judged: sums.judged + (isJudged(verdict) ? 1 : 0),
    well: sums.well + (isWell ? 1 : 0),
    serving: sums.serving + (serves(verdict) ? 1 : 0),
    kept: sums.kept + (verdict.reason.code === 'eviction-guard' ? 1 : 0),
  };
}

/** True if the site's own probes call it down, and only the votes of others keep it in use. */
function isDoubted({ id, reason }: EndpointVerdict, hearing: Hearing): boolean {
  if (hearing.state === 'unheard' || reason.code === 'forced-up') return false;
  return hearing.report.endpoints[id]?.up === false;
}

function isJudged({ reason }: EndpointVerdict): boolean {
  const { code } = reason;
  return code !== 'not-probed-yet' && code !== 'site-unheard' && code !== 'site-lost';
}
