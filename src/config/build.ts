/** The Config value from files that have no problems: order fixed, defaults in, names resolved. */
import type {
  AgentPlace,
  Config,
  DnsListen,
  HealthPolicy,
  PolicyConfig,
  RateLimit,
  Region,
  Service,
  Site,
  TsigKey,
  Zone,
  ZoneTransfer,
} from '../model/config.ts';
import { buildBgp, buildDamping, buildRoutePolicy } from './build-bgp.ts';
import { buildUplink, EndpointTable } from './build-endpoints.ts';
import { buildLoad } from './build-load.ts';
import { buildShare } from './build-store.ts';
import { TargetTable } from './build-targets.ts';
import { pathOrNull, resolvePath } from './files.ts';
import { serviceName } from './names.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import type { HealthEntry } from './schema-health.ts';
import type { ServicesFile } from './schema-services.ts';
import type { SiteFile } from './schema-site.ts';
import { type SiteSeen, seenByAgents } from './site-agents.ts';

export interface GoodFiles {
  /** Absolute path of the deployment's directory. */
  readonly dir: string;
  readonly deployment: DeploymentFile;
  readonly sites: readonly SiteFile[];
  readonly services: readonly ServicesFile[];
  readonly zones: readonly Zone[];
}

function buildDns(dns: SiteFile['dns'], dir: string): DnsListen {
  const { tcp_idle, tls, cookies, rate_limit, identity, version, ...rest } = dns;
  return {
    ...rest,
    tcp_idle_ms: tcp_idle,
    tls: tls
      ? {
          ...tls,
          certificate: resolvePath(dir, tls.certificate),
          key: resolvePath(dir, tls.key),
        }
      : null,
    identity: identity ?? null,
    version: version ?? null,
    cookies: { ...cookies, secret_file: pathOrNull(dir, cookies.secret_file) },
    rate_limit: rate_limit ? buildRateLimit(rate_limit) : null,
  };
}

function buildRateLimit(limit: NonNullable<SiteFile['dns']['rate_limit']>): RateLimit {
  const { responses_per_second, ...rest } = limit;
  return { responses_per_s: responses_per_second, ...rest };
}

function buildPlace({ site, neighbors }: SiteSeen, dir: string): AgentPlace {
  const bgp = buildBgp(site, dir);
  const spoken = bgp?.neighbors.filter(({ name }) => neighbors?.includes(name) ?? true);
  return {
    dns: buildDns(site.dns, dir),
    api: { listen: site.api.listen, token_file: pathOrNull(dir, site.api.token_file) },
    bgp: bgp && { ...bgp, neighbors: spoken! },
    state_dir: pathOrNull(dir, site.state_dir),
  };
}

function buildSite(site: SiteFile, dir: string, uplink: Site['uplink']): Site {
  const seen = seenByAgents(site);
  const places = seen.map((one) => [one.agent, buildPlace(one, dir)] as const);
  return {
    name: site.site,
    ...places[0]![1],
    agents: seen.map(({ agent }) => agent),
    places: site.agents ? Object.fromEntries(places) : {},
    load: buildLoad(site.load, site.capacity ?? 1, dir),
    capacity: site.capacity ?? 1,
    spill: site.spill ?? null,
    uplink,
    fence: site.fence,
    announces: site.announce,
  };
}

/** The only region of a deployment that names none. */
const ONLY_REGION = 'all';

function buildRegions(deployment: DeploymentFile, sites: readonly SiteFile[]): Region[] {
  const everySite = sites.map((_, index) => index);
  const regions = Object.entries(deployment.regions).map(([name, region]): Region => {
    const named = region.sites.map((each) => sites.findIndex(({ site }) => site === each));
    const { countries, continents } = region;
    // A region names the sites that matter to it; the others are still better than no answer.
    const order = [...named, ...everySite.filter((index) => !named.includes(index))];
    return { name, order, countries, continents };
  });
  if (regions.length > 0) return regions;
  return [{ name: ONLY_REGION, order: everySite, countries: [], continents: [] }];
}

function buildGeo(deployment: DeploymentFile, dir: string): Config['geo'] {
  const names = Object.keys(deployment.regions);
  const { mmdb } = deployment.geo;
  return {
    mmdb: pathOrNull(dir, mmdb),
    default_region: Math.max(0, names.indexOf(deployment.default_region ?? '')),
    prefixes: Object.values(deployment.regions).flatMap(({ prefixes }, region) =>
      prefixes.map((prefix) => ({ prefix, region })),
    ),
  };
}

function buildServices(files: GoodFiles, endpoints: EndpointTable): Service[] {
  return files.services.flatMap(({ zone, services }) =>
    services.map(
      (service): Service => ({
        name: serviceName(service.name, zone),
        zone,
        ttl_s: service.ttl / 1000,
        policy: service.policy,
        pool: endpoints.pool(service),
        order: (service.order ?? []).map((name) => files.sites.findIndex((s) => s.site === name)),
        answers_max: service.answers_max,
      }),
    ),
  );
}

function buildHealth(health: HealthEntry): HealthPolicy {
  const { hold_down, hold_down_max, damping, evict_max, sites_min } = health;
  return {
    hold_down_ms: hold_down,
    hold_down_max_ms: hold_down_max ?? HOLD_DOWN_GROWTH * hold_down,
    damping: buildDamping(damping),
    evict_max,
    sites_min,
  };
}

/** A hold-down grows to so many times its length unless the deployment says otherwise. */
const HOLD_DOWN_GROWTH = 6;

function buildPolicy({ policy }: DeploymentFile): PolicyConfig {
  const { tick, lease, onset, rise, fall, ...ratios } = policy.spill;
  return {
    report_interval_ms: policy.report_interval,
    report_stale_ms: policy.report_stale,
    health: buildHealth(policy.health),
    drain_ms: policy.drain,
    routes: buildRoutePolicy(policy.routes),
    spill: {
      ...ratios,
      tick_ms: tick,
      lease_ms: lease,
      onset_ms: onset,
      rise_per_s: rise,
      fall_per_s: fall,
    },
  };
}

function buildKeys({ tsig_keys }: DeploymentFile, dir: string): TsigKey[] {
  return Object.entries(tsig_keys).map(([name, { algorithm, secret_file }]) => ({
    name,
    algorithm,
    secret_file: resolvePath(dir, secret_file),
  }));
}

function buildTransfer({ transfer }: ServicesFile): ZoneTransfer | null {
  if (!transfer) return null;
  return {
    notify: transfer.notify.map(({ address, key }) => ({ address, key: key ?? null })),
    allow: transfer.allow.map(({ prefix, key }) => ({ prefix: prefix ?? null, key: key ?? null })),
  };
}

/** A zone is made of two files: its records have been read from one, its transfers are in the other. */
function buildZones({ zones, services }: GoodFiles): Zone[] {
  const transfers = new Map(services.map((file) => [file.zone, buildTransfer(file)]));
  return zones.map((zone) => {
    const transfer = transfers.get(zone.origin) ?? null;
    // A zone that has not changed stays the same value.
    return transfer === zone.transfer ? zone : { ...zone, transfer };
  });
}

/** `files` must have passed every check. Sites are sorted by name, services by zone file. */
export function buildConfig(input: GoodFiles): Config {
  const byName = (a: SiteFile, b: SiteFile): number => (a.site < b.site ? -1 : 1);
  const files = { ...input, sites: [...input.sites].sort(byName) };
  const { deployment, dir } = files;
  const targets = new TargetTable(deployment.checks, dir);
  const endpoints = new EndpointTable(files, targets);
  return {
    deployment: deployment.deployment,
    sites: files.sites.map((site, i) => buildSite(site, dir, buildUplink(site, i, targets))),
    regions: buildRegions(deployment, files.sites),
    geo: buildGeo(deployment, dir),
    targets: targets.targets,
    endpoints: endpoints.endpoints,
    services: buildServices(files, endpoints),
    vips: deployment.vips.map((vip) => ({ ...vip, med: vip.med ?? null })),
    zones: buildZones(files),
    tsig_keys: buildKeys(deployment, dir),
    share: buildShare(deployment.store, dir),
    policy: buildPolicy(deployment),
  };
}
