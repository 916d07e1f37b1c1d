/** The lab's deployment as the configuration files that the agents read, and its address plan. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const SITES = ['fra', 'iad', 'sin'] as const;
export type SiteName = (typeof SITES)[number];

export const VIP = '198.18.80.80';
export const NAME = 'www.example.com';
export const ROUTER_AS = 65_000;
export const DNS_PORT = 53;
export const API_PORT = 8301;
export const WEB_PORT = 80;
export const REDIS = '10.9.0.100';

const number = (site: SiteName): number => SITES.indexOf(site) + 1;

/** Where everything is; the third octet is the site. */
export const plan = {
  client: (site: SiteName) => `10.1.${number(site)}.2`,
  clientGateway: (site: SiteName) => `10.1.${number(site)}.1`,
  site: (site: SiteName) => `10.2.${number(site)}.2`,
  siteGateway: (site: SiteName) => `10.2.${number(site)}.1`,
  core: (site: SiteName) => `10.3.0.${number(site)}`,
  backbone: (site: SiteName) => `10.9.0.${number(site)}`,
  as: (site: SiteName) => 65_000 + number(site),
} as const;

/**
 * What the scenarios derive their limits from. A site must be silent for about a second before it
 * is called dead: on a busy machine a living one may be for half of that.
 */
export const TIMING = {
  probe_interval_ms: 250,
  probe_timeout_ms: 250,
  probe_jitter: 0.1,
  probe_fall: 4,
  report_interval_ms: 250,
  report_stale_ms: 2_000,
  hold_down_ms: 2_000,
  load_smoothing_ms: 1_000,
  spill_onset_ms: 1_000,
  spill_tick_ms: 500,
  spill_lease_ms: 3_000,
  /** Chance moves the load of so small a site by some hundredths: this keeps it below 1. */
  spill_target: 0.9,
  spill_rise_per_s: 0.1,
  spill_fall_per_s: 0.2,
} as const;

function deploymentFile(): string {
  const regions = SITES.map((site, index) => {
    const order = [...SITES.slice(index), ...SITES.slice(0, index)].join(', ');
    return `  near-${site}:
    sites: [${order}]
    prefixes: [10.1.${index + 1}.0/24]`;
  });
  return `deployment: lab
store:
  redis: ["redis://${REDIS}:6379"]
regions:
${regions.join('\n')}
default_region: near-fra
checks:
  web:
    kind: http
    port: ${WEB_PORT}
    path: /healthz
    interval: ${TIMING.probe_interval_ms}ms
    timeout: ${TIMING.probe_timeout_ms}ms
    rise: 2
    fall: ${TIMING.probe_fall}
    jitter: ${TIMING.probe_jitter}
vips:
  - name: web
    prefixes: [${VIP}/32]
    services: [${NAME}]
    spill_ports: [tcp/${WEB_PORT}]
policy:
  report_interval: ${TIMING.report_interval_ms}ms
  report_stale: ${TIMING.report_stale_ms}ms
  health: {hold_down: ${TIMING.hold_down_ms}ms, damping: none}
  drain: 2s
  routes: {hold_down: 0s, damping: none}
  spill:
    relief: 0.85
    target: ${TIMING.spill_target}
    fill: 0.85
    tick: ${TIMING.spill_tick_ms}ms
    onset: ${TIMING.spill_onset_ms}ms
    lease: ${TIMING.spill_lease_ms}ms
    rise: ${TIMING.spill_rise_per_s}
    fall: ${TIMING.spill_fall_per_s}
`;
}

function siteFile(site: SiteName, capacity: number): string {
  return `site: ${site}
dns:
  listen: ["${plan.site(site)}:${DNS_PORT}"]
api:
  listen: ${plan.site(site)}:${API_PORT}
load_balancers:
  - name: ${site}-lb1
    address: ${plan.site(site)}
bgp:
  as: ${plan.as(site)}
  router_id: ${plan.site(site)}
  next_hop: ${plan.site(site)}
  neighbors:
    - name: router
      address: ${plan.siteGateway(site)}
      as: ${ROUTER_AS}
      hold_time: 9s
      connect_retry: 500ms
announce: [web]
# Requests under way.
capacity: ${capacity}
load:
  kind: json
  url: http://${plan.site(site)}:${WEB_PORT}/load
  field: requests
  interval: 250ms
  timeout: 200ms
  smoothing: ${TIMING.load_smoothing_ms}ms
spill:
  address: ${plan.backbone(site)}
  driver: kernel
`;
}

const ZONE = `$ORIGIN example.com.
$TTL 60
@ IN SOA ns1 hostmaster 1 7200 900 1209600 60
  IN NS ns1
ns1 IN A ${plan.site('fra')}
`;

const SERVICES = `zone: example.com
services:
  - name: www
    check: web
    ttl: 1s
    policy: nearest
    pool: all
`;

/** Writes the configuration below `dir`; every site has room for `capacity` requests at once. */
export function writeDeployment(dir: string, capacity: number): void {
  mkdirSync(join(dir, 'sites'), { recursive: true });
  mkdirSync(join(dir, 'zones'), { recursive: true });
  writeFileSync(join(dir, 'deployment.yaml'), deploymentFile());
  for (const site of SITES)
    writeFileSync(join(dir, 'sites', `${site}.yaml`), siteFile(site, capacity));
  writeFileSync(join(dir, 'zones', 'example.com.zone'), ZONE);
  writeFileSync(join(dir, 'zones', 'example.com.yaml'), SERVICES);
}
