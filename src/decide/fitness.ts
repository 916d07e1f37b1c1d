/**
 * How good each site is for a VIP: its rank among the sites, and its fitness, by which neighbours are
 * told of the VIP in one way or another. Pure.
 *
 * Must hold: what a site is follows from its report alone, by the verdicts that DNS and spill use, so
 * that every site that has the same reports ranks all of them equally.
 */
import type { RouteDamping } from '../model/bgp.ts';
import type { Site, Vip } from '../model/config.ts';
import type { EndpointVerdict, Fitness, SiteVerdict } from '../model/plan.ts';
import { type Report, ROUTE_OFF, type RouteMemory } from '../model/report.ts';
import type { Facts } from './conditions.ts';
import { dampingOf, siteFactor, suppressedFor_ms } from './damping.ts';
import { serves } from './endpoints.ts';
import { hasTakers, type Telling, tellsAnybody } from './offers.ts';
import type { Overload } from './overload.ts';
import { laterBy } from './route-phase.ts';
import type { Hearing, View } from './view.ts';

/**
 * Worst first. `unknown` cannot be judged; `failing` has a service without any healthy endpoint;
 * `draining` could answer, but is to be emptied; `barred` is fit, and its rules or conditions leave
 * nobody to tell; `held` is fit again, but waits; `fit` answers everything.
 */
export const RANKS = ['unknown', 'failing', 'draining', 'barred', 'held', 'fit'] as const;
export type Rank = (typeof RANKS)[number];

export interface Standing {
  readonly site: Site;
  readonly rank: Rank;
  /** What the site is without regard to the others; null while it is unknown or failing. */
  readonly fitness: Fitness | null;
  readonly report: Report | null;
  /** What the site's last report remembers of the VIP, as it is now. */
  readonly memory: RouteMemory;
  /** For its own plan: what would be told, were it of this fitness. */
  telling(fitness: Fitness): Telling;
  readonly sums: Sums;
}

/** Endpoints of a service, or of all services of a VIP, at one site. */
export interface Sums {
  /** Those of which a probe has ended. */
  readonly judged: number;
  readonly eligible: number;
}

interface ServiceSums extends Sums {
  readonly all: number;
  readonly serving: number;
}

const NOBODY: ServiceSums = { all: 0, eligible: 0, serving: 0, judged: 0 };

/** All that the ranking looks at; made once for each decision. */
export class Ground {
  readonly view: View;
  readonly #hearings: readonly Hearing[];
  readonly #sites: readonly SiteVerdict[];
  readonly #overloads: readonly Overload[];
  /** How much longer each site waits than configured, and damping with its times. */
  readonly #factors: readonly number[];
  readonly #dampings: readonly (RouteDamping | null)[];
  /** Service name → sums parallel to Config.sites. */
  readonly #services = new Map<string, ServiceSums[]>();

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
    this.#factors = all.map(({ name }) => siteFactor(name));
    this.#dampings = all.map(({ name }) => dampingOf(policy.routes, name));
    for (const { name, pool } of view.config.services) {
      const sums = view.config.sites.map(() => NOBODY);
      for (const { endpoint } of pool) {
        const { site } = view.config.endpoints[endpoint]!;
        sums[site] = add(sums[site]!, endpoints[endpoint]!);
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
    const { config } = this.view;
    const site = config.sites[index]!;
    const hearing = this.#hearings[index]!;
    const report = hearing.state === 'unheard' ? null : hearing.report;
    const memory = this.#memory(vip, index, hearing);
    const stands = memory.phase === 'on' || memory.phase === 'coming';
    const telling = (fitness: Fitness): Telling => ({
      site,
      vip,
      policy: config.policy.routes,
      fitness,
      facts: this.#facts(index, fitness),
      stands,
    });
    const services = vip.services.map((name) => this.#sums(name, index));
    const sums = { judged: sumOf(services, 'judged'), eligible: sumOf(services, 'eligible') };
    const base = { site, report, memory, telling, sums };
    const health = healthOf(services);
    if (
      report === null ||
      hearing.state === 'lost' ||
      health === 'unknown' ||
      !hasTakers(site, vip)
    ) {
      return { ...base, rank: 'unknown', fitness: null };
    }
    if (health === 'failing') return { ...base, rank: 'failing', fitness: null };
    const fitness = this.#fitness(index, report, sums);
    const rank = this.#rank(index, memory, telling(fitness));
    return { ...base, rank, fitness };
  }

  /** With the site's own times. */
  dampingOf(index: number): RouteDamping | null {
    return this.#dampings[index]!;
  }

  /** How long the site still holds the VIP back for what it did before; 0: it does not. */
  heldFor_ms(index: number, memory: RouteMemory): { dwell_ms: number; suppressed_ms: number } {
    const { routes } = this.view.config.policy;
    if (memory.withdrawn_by !== 'failure') return { dwell_ms: 0, suppressed_ms: 0 };
    const hold_down_ms = routes.hold_down_ms * this.#factors[index]!;
    const dwell_ms = Math.max(0, hold_down_ms - (memory.fit_for_ms ?? 0));
    return { dwell_ms, suppressed_ms: suppressedFor_ms(this.dampingOf(index), memory) };
  }

  #rank(index: number, memory: RouteMemory, telling: Telling): Rank {
    if (telling.fitness === 'draining') return 'draining';
    if (!tellsAnybody(telling)) return 'barred';
    const { dwell_ms, suppressed_ms } = this.heldFor_ms(index, memory);
    return dwell_ms > 0 || suppressed_ms > 0 ? 'held' : 'fit';
  }

  #fitness(index: number, report: Report, { judged, eligible }: Sums): Fitness {
    if (report.drain !== null) return 'draining';
    if (this.#overloads[index]!.overloaded) return 'overloaded';
    return eligible < judged ? 'degraded' : 'healthy';
  }

  #facts(index: number, fitness: Fitness): Facts {
    return {
      service: (name) => {
        const { serving, judged } = this.#sums(name, index);
        return serving > 0 ? true : judged > 0 ? false : null;
      },
      states: [this.#sites[index]!.state, fitness],
    };
  }

  #sums(service: string, index: number): ServiceSums {
    return this.#services.get(service)?.[index] ?? NOBODY;
  }

  #memory(vip: Vip, index: number, hearing: Hearing): RouteMemory {
    const sight = hearing.state === 'unheard' ? undefined : hearing.report.routes[vip.name];
    if (sight === undefined || hearing.state === 'unheard') return ROUTE_OFF;
    const { heard: _, age_ms, ...memory } = sight;
    return laterBy(memory, age_ms + hearing.age_ms, this.dampingOf(index));
  }
}

function add(sums: ServiceSums, verdict: EndpointVerdict): ServiceSums {
  return {
    all: sums.all + 1,
    eligible: sums.eligible + (verdict.eligible ? 1 : 0),
    serving: sums.serving + (serves(verdict) ? 1 : 0),
    judged: sums.judged + (isJudged(verdict) ? 1 : 0),
  };
}

/** By the worst of the services; one of which nobody can tell is worse than one that fails. */
function healthOf(services: readonly ServiceSums[]): 'unknown' | 'failing' | 'serving' {
  const ill = services.filter(({ serving }) => serving === 0);
  if (ill.some(({ judged, all }) => judged < all)) return 'unknown';
  return ill.length > 0 ? 'failing' : 'serving';
}

function isJudged({ reason }: EndpointVerdict): boolean {
  const { code } = reason;
  return code !== 'not-probed-yet' && code !== 'site-unheard' && code !== 'site-lost';
}

function sumOf(services: readonly ServiceSums[], key: 'judged' | 'eligible'): number {
  return services.reduce((sum, service) => sum + service[key], 0);
}
