/** What a running agent says of itself: the body of GET /v1/status, printed by `isobar status`. */
import process from 'node:process';
import type { NeighborStatus } from '../bgp/speaker.ts';
import { drainOf, viewOf } from '../decide/view.ts';
import type { Config } from '../model/config.ts';
import type { DrainSight } from '../model/override.ts';
import type { EndpointVerdict, Plan, RoutePlan, SiteVerdict, SpillPlan } from '../model/plan.ts';
import type { LoadSight, RouteMemory } from '../model/report.ts';
import type { World } from '../model/world.ts';
import { formatHostPort, type HostPort } from '../net/ip.ts';
import type { LoadMeterSight } from '../observe/load-meter.ts';
import type { AgentSight } from '../share/world-view.ts';
import type { FlowCounts } from '../spill/port.ts';

export interface Status {
  readonly deployment: string;
  readonly site: string;
  /** Which of the site's agents this is. */
  readonly agent: string;
  readonly version: string;
  /** Of the daemon. */
  readonly pid: number;
  readonly uptime_ms: number;
  /** False while no store can be reached: the site is on its own. */
  readonly connected: boolean;
  readonly drain: DrainSight | null;
  /** Null when nothing is known about the load; `load_detail` says why. */
  readonly load: LoadSight | null;
  readonly load_detail: string;
  readonly load_meters: readonly LoadMeterSight[];
  readonly sites: readonly SiteStatus[];
  readonly endpoints: readonly EndpointStatus[];
  readonly routes: readonly RouteStatus[];
  readonly neighbors: readonly NeighborStatus[];
  /** Names of the ranges of dynamic neighbours; who has connected is among `neighbors`. */
  readonly ranges: readonly string[];
  /** Null before the first plan. */
  readonly spill: SpillPlan | null;
  readonly flows: FlowCounts;
  readonly dns: { readonly listen: readonly string[]; readonly counters: Record<string, number> };
}

export interface SiteStatus extends SiteVerdict {
  /** Age of the newest report in milliseconds; null: never heard of. */
  readonly report_age_ms: number | null;
  /** Those of its agents that were heard, without the one that is asked. */
  readonly agents: readonly AgentSight[];
}

export interface RouteStatus extends RoutePlan {
  /** Where the VIP is on its way, and what is remembered against it; null: it is not known yet. */
  readonly memory: RouteMemory | null;
}

export interface EndpointStatus extends EndpointVerdict {
  readonly site: string;
  readonly addresses: readonly string[];
  /** What its home site's probe last said; null: nothing yet. */
  readonly detail: string | null;
}

export interface StatusParts {
  readonly config: Config;
  readonly site: string;
  readonly agent: string;
  readonly agents: (site: string) => readonly AgentSight[];
  readonly version: string;
  readonly uptime_ms: number;
  readonly now: number;
  readonly plan: Plan | null;
  /** Of the plan, as they can be announced. */
  readonly routes: readonly RoutePlan[];
  readonly world: World | null;
  readonly connected: boolean;
  readonly load_meters: readonly LoadMeterSight[];
  readonly neighbors: readonly NeighborStatus[];
  readonly flows: FlowCounts;
  /** Where DNS is answered now. */
  readonly addresses: readonly HostPort[];
  readonly counters: Record<string, number>;
}

export function buildStatus(parts: StatusParts): Status {
  const { config, plan, world, now } = parts;
  const sighting = (site: string) => world?.sightings.get(site);
  const own = config.sites.find(({ name }) => name === parts.site);
  return {
    deployment: config.deployment,
    site: parts.site,
    agent: parts.agent,
    version: parts.version,
    pid: process.pid,
    uptime_ms: Math.round(parts.uptime_ms),
    connected: parts.connected,
    drain: world && drainOf(viewOf(config, world, now), parts.site),
    load: sighting(parts.site)?.report.load ?? null,
    load_detail: loadDetail(parts.load_meters),
    load_meters: parts.load_meters,
    sites: (plan?.sites ?? []).map((verdict) => {
      const seen = sighting(verdict.site);
      const report_age_ms = seen ? Math.round(now - seen.received_at) : null;
      return { ...verdict, report_age_ms, agents: parts.agents(verdict.site) };
    }),
    endpoints: (plan?.endpoints ?? []).map((verdict, index) => {
      const endpoint = config.endpoints[index]!;
      const site = config.sites[endpoint.site]!.name;
      return {
        ...verdict,
        site,
        addresses: [endpoint.address4, endpoint.address6].filter((one) => one !== null),
        detail: sighting(site)?.report.endpoints[endpoint.id]?.detail ?? null,
      };
    }),
    routes: parts.routes.map((route) => ({
      ...route,
      memory: plan?.memory.routes[route.vip] ?? null,
    })),
    neighbors: parts.neighbors,
    ranges: own?.bgp?.ranges.map(({ name }) => name) ?? [],
    spill: plan?.spill ?? null,
    flows: parts.flows,
    dns: { listen: parts.addresses.map(formatHostPort), counters: parts.counters },
  };
}

function loadDetail(meters: readonly LoadMeterSight[]): string {
  const [first, ...more] = meters;
  if (first === undefined) return 'no load meter is configured';
  if (more.length === 0) return first.detail;
  return meters.map(({ kind, detail }) => `${kind}: ${detail}`).join('; ');
}
