/** What a running agent says of itself: the body of GET /v1/status, printed by `isobar status`. */
import process from 'node:process';
import type { NeighborStatus } from '../bgp/speaker.ts';
import { isLastAnswer } from '../decide/steering.ts';
import { drainOf, viewOf } from '../decide/view.ts';
import type { Config } from '../model/config.ts';
import type { DrainSight, Override, OverrideAction, OverrideScope } from '../model/override.ts';
import type { Plan, RoutePlan, SiteVerdict, SpillPlan } from '../model/plan.ts';
import type { LoadSight, RouteMemory } from '../model/report.ts';
import type { World } from '../model/world.ts';
import { formatHostPort, type HostPort } from '../net/ip.ts';
import type { LoadMeterSight } from '../observe/load-meter.ts';
import type { ListedOverride } from '../share/override-book.ts';
import type { StoreServer } from '../share/store.ts';
import type { AgentSight } from '../share/world-view.ts';
import type { FlowCounts } from '../spill/port.ts';
import { type EndpointStatus, endpointStatuses } from './endpoint-status.ts';
import { concernOf } from './override-effect.ts';

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
  /** The servers that the store is made of. */
  readonly store: readonly StoreServerStatus[];
  /** Of this site. */
  readonly drain: DrainSight | null;
  /** Of all sites; by scope. */
  readonly overrides: readonly OverrideStatus[];
  /** Null when nothing is known about the load; `load_detail` says why. */
  readonly load: LoadSight | null;
  readonly load_detail: string;
  readonly load_meters: readonly LoadMeterSight[];
  readonly sites: readonly SiteStatus[];
  readonly endpoints: readonly EndpointStatus[];
  readonly services: readonly ServiceStatus[];
  readonly routes: readonly RouteStatus[];
  readonly neighbors: readonly NeighborStatus[];
  /** Names of the ranges of dynamic neighbours; who has connected is among `neighbors`. */
  readonly ranges: readonly string[];
  /** Null before the first plan. */
  readonly spill: SpillPlan | null;
  readonly flows: FlowCounts;
  readonly dns: { readonly listen: readonly string[]; readonly counters: Record<string, number> };
}

export interface OverrideStatus {
  readonly id: string;
  readonly scope: OverrideScope;
  /** Null: removed, and listed for what the removal has overwritten. */
  readonly action: OverrideAction | null;
  readonly by: string;
  readonly reason: string;
  /** "SITE/AGENT" that took the order. */
  readonly agent: string;
  readonly for_ms: number;
  /** Null: it does not end by itself. */
  readonly left_ms: number | null;
  /** Ids of the endpoints that fit the scope. */
  readonly endpoints: readonly string[];
  /** Other services that use some of them, for the scope of a service. */
  readonly shared: readonly string[];
  /** What it has overwritten although its author did not know it, latest first. */
  readonly lost: readonly Pick<Override, 'action' | 'by' | 'reason'>[];
}

export interface SiteStatus extends SiteVerdict {
  /** Age of the newest report in milliseconds; null: never heard of. */
  readonly report_age_ms: number | null;
  /** Why it does not trust its own eyes, as it last said; null: it does. */
  readonly suspect: string | null;
  /** Whether its uplink works, as it last said; null: not known, or not configured. */
  readonly uplink: boolean | null;
  /** Its agents without the one that is asked: those of the configuration, and any other that is heard. */
  readonly agents: readonly AgentStatus[];
}

export interface ServiceStatus {
  readonly name: string;
  /** True while nobody of its pool is eligible, of one family at least: then all of it is answered. */
  readonly last_answer_kept: boolean;
}

export interface AgentStatus extends Pick<AgentSight, 'agent' | 'fresh'> {
  /** Age of its newest report in milliseconds; null: never heard of. */
  readonly report_age_ms: number | null;
}

export interface RouteStatus extends RoutePlan {
  /** Where the VIP is on its way, and what is remembered against it; null: it is not known yet. */
  readonly memory: RouteMemory | null;
}

export interface StoreServerStatus extends Pick<StoreServer, 'name' | 'state' | 'error'> {
  /** Since `state` began. */
  readonly for_ms: number;
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
  readonly servers: readonly StoreServer[];
  readonly overrides: readonly ListedOverride[];
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
    store: parts.servers.map(({ name, state, since, error }) => {
      return { name, state, for_ms: Math.round(now - since), error };
    }),
    drain: world && drainOf(viewOf(config, world, now), parts.site),
    overrides: parts.overrides.map((listed) => overrideStatus(config, listed)),
    load: sighting(parts.site)?.report.load ?? null,
    load_detail: loadDetail(parts.load_meters),
    load_meters: parts.load_meters,
    sites: (plan?.sites ?? []).map((verdict) => {
      const seen = sighting(verdict.site);
      return {
        ...verdict,
        report_age_ms: seen ? Math.round(now - seen.received_at) : null,
        suspect: seen?.report.suspect ?? null,
        uplink: seen?.report.uplink ?? null,
        agents: agentsOf(parts, verdict.site),
      };
    }),
    endpoints: plan && world ? endpointStatuses({ config, plan, world, now }) : [],
    services: plan ? serviceStatuses(config, plan) : [],
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

function serviceStatuses({ services, endpoints }: Config, plan: Plan): ServiceStatus[] {
  const eligible = (endpoint: number): boolean => plan.endpoints[endpoint]?.eligible ?? false;
  return services.map((service) => {
    return { name: service.name, last_answer_kept: isLastAnswer(service, endpoints, eligible) };
  });
}

function agentsOf({ config, site, agent, agents }: StatusParts, name: string): AgentStatus[] {
  const heard = agents(name);
  const named = config.sites.find((one) => one.name === name)?.agents ?? [];
  const known = [...named, ...heard.flatMap((one) => (one.fresh ? [one.agent] : []))];
  const others = [...new Set(known)].filter((each) => name !== site || each !== agent);
  return others.map((each): AgentStatus => {
    const sight = heard.find((one) => one.agent === each);
    if (!sight) return { agent: each, report_age_ms: null, fresh: false };
    return { ...sight, report_age_ms: Math.round(sight.report_age_ms) };
  });
}

export function overrideStatus(config: Config, listed: ListedOverride): OverrideStatus {
  const { override, for_ms, left_ms, lost } = listed;
  const { id, scope, action, by, reason, stamp } = override;
  return {
    id,
    scope,
    action,
    by,
    reason,
    agent: stamp.agent,
    for_ms: Math.round(for_ms),
    left_ms: left_ms === null ? null : Math.round(left_ms),
    ...concernOf(config, scope),
    lost: lost.map((one) => ({ action: one.action, by: one.by, reason: one.reason })),
  };
}

function loadDetail(meters: readonly LoadMeterSight[]): string {
  const [first, ...more] = meters;
  if (first === undefined) return 'no load meter is configured';
  if (more.length === 0) return first.detail;
  return meters.map(({ kind, detail }) => `${kind}: ${detail}`).join('; ');
}
