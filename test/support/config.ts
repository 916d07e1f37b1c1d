/**
 * The three-site deployment of the demo as a Config value, for tests of the rooms below config.
 * Two load balancers a site, one service, one VIP; no sockets are named that a test must have.
 */

import { zoneOf } from '../../src/config/zone/compile.ts';
import { buildZoneImage } from '../../src/dns/image-build.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { isWithin, wireName } from '../../src/dns/wire/name.ts';
import type { Check, CheckTiming, ProbeTarget } from '../../src/model/check.ts';
import type { Config, Endpoint, Site, Zone } from '../../src/model/config.ts';
import { routePolicy } from './bgp.ts';
import { columnsOf, type ZoneRecord } from './zone-columns.ts';

const SITES = ['fra', 'iad', 'sin'] as const;

function site(name: string, index: number): Site {
  return {
    name,
    agents: [name],
    places: {},
    dns: {
      listen: [{ address: '127.0.0.1', port: 5301 + index }],
      workers: 1,
      udp_payload_max: 1232,
      tcp_clients_max: 100,
      tcp_clients_per_address_max: 100,
      tcp_idle_ms: 10_000,
      tls: null,
      identity: null,
      version: null,
      cookies: { secret_file: null, required: false },
      rate_limit: null,
    },
    api: { listen: { address: '127.0.0.1', port: 8301 + index }, token_file: null },
    bgp: {
      as: 65001 + index,
      router_id: `10.0.0.${index + 1}`,
      listen: [],
      next_hop: `10.1.${index + 1}.1`,
      next_hop6: `2001:db8:${index + 1}::1`,
      neighbors: [],
      ranges: [],
      dead_man_ms: 0,
      vip_interface: null,
      mrt: null,
    },
    load: null,
    capacity: 200,
    spill: { address: `10.9.0.${index + 1}`, driver: 'none', path_mtu: 1500, vxlan_port: 4789 },
    state_dir: null,
    uplink: null,
    fence: false,
    announces: ['web'],
  };
}

function endpoint(siteIndex: number, number: number): Endpoint {
  const name = `${SITES[siteIndex]}-lb${number}`;
  return {
    id: `${name}/web`,
    load_balancer: name,
    site: siteIndex,
    address4: `127.1.${siteIndex + 1}.${number}`,
    address6: `2001:db8:${siteIndex + 1}::${number}`,
    labels: [],
    health: { kind: 'target', target: 2 * siteIndex + number - 1 },
    vantage: { observers: 0, rule: 'home' },
  };
}

export const HTTP_CHECK = {
  name: 'web',
  kind: 'http',
  method: 'GET',
  path: '/healthz',
  host: null,
  headers: {},
  expect: [200],
  body: null,
  body_bytes_max: 64_000,
  interval_ms: 500,
  interval_failing_ms: 500,
  timeout_ms: 300,
  rise: 2,
  fall: 2,
  jitter: 0.1,
  source4: null,
  source6: null,
} as const satisfies Check;

/** One target for each endpoint, in their order, at its first address. */
export function targetsOf(endpoints: readonly Endpoint[]): ProbeTarget[] {
  return endpoints.map(({ id, load_balancer, site, address4, address6 }) => ({
    id: `${id}/${address4 === null ? 'ipv6' : 'ipv4'}`,
    load_balancer,
    site,
    address: (address4 ?? address6)!,
    port: 8080,
    check: HTTP_CHECK,
  }));
}

/** `config` with these endpoints and one target for each; `change` is made in each check. */
export function withEndpoints(
  config: Config,
  endpoints: readonly Endpoint[],
  change: Partial<CheckTiming> = {},
): Config {
  const numbered = endpoints.map((endpoint, target): Endpoint => {
    return { ...endpoint, health: { kind: 'target', target } };
  });
  const targets = targetsOf(numbered).map((target) => {
    return { ...target, check: { ...target.check, ...change } };
  });
  return { ...config, endpoints: numbered, targets };
}

/** `text` is "owner TYPE" and rdata is given in wire form. */
export function record(owner: string, type: number, rdata: Uint8Array, ttl_s = 300): ZoneRecord {
  return { owner: wireName(owner), type, ttl_s, rdata, line: 1 };
}

function soa(): Uint8Array {
  const numbers = new Uint8Array(20);
  new DataView(numbers.buffer).setUint32(0, 2026112001);
  [7200, 900, 1209600, 60].forEach((value, i) => {
    new DataView(numbers.buffer).setUint32(4 + i * 4, value);
  });
  return Uint8Array.from([
    ...wireName('ns1.example.com'),
    ...wireName('hostmaster.example.com'),
    ...numbers,
  ]);
}

const ZONES: readonly TestZone[] = [
  {
    origin: 'example.com',
    file: 'zones/example.com.zone',
    records: [
      record('example.com', TYPE.SOA, soa()),
      record('example.com', TYPE.NS, wireName('ns1.example.com')),
      record('ns1.example.com', TYPE.A, Uint8Array.of(192, 0, 2, 53)),
      record('alias.example.com', TYPE.CNAME, wireName('www.example.com')),
    ],
    transfer: null,
  },
];

/** A zone by its records, before its image is built. */
export interface TestZone extends Pick<Zone, 'origin' | 'file' | 'transfer'> {
  readonly records: readonly ZoneRecord[];
}

export interface TestConfig extends Config {
  readonly zones: readonly (Zone & TestZone)[];
}

export type ConfigParts = Partial<Omit<Config, 'zones'>> & { readonly zones?: readonly TestZone[] };

/** `config` with these zones, their images built. */
export function withZones(config: Omit<Config, 'zones'>, zones: readonly TestZone[]): TestConfig {
  const names = zones.map(({ origin }) => wireName(origin));
  const built = zones.map((zone) => {
    const apex = wireName(zone.origin);
    const own = config.services.filter((service) => service.zone === zone.origin);
    const image = buildZoneImage({
      apex,
      records: columnsOf(zone.records, zone.file),
      services: own.map(({ name }) => wireName(name)),
      childApexes: names.filter((name) => name.length > apex.length && isWithin(name, apex)),
    });
    return { ...zoneOf(zone.origin, zone.file, image), ...zone, image };
  });
  return { ...config, zones: built };
}

export function testConfig({ zones = ZONES, ...overrides }: ConfigParts = {}): TestConfig {
  const endpoints = SITES.flatMap((_, index) => [endpoint(index, 1), endpoint(index, 2)]);
  const config = {
    deployment: 'test',
    sites: SITES.map(site),
    regions: [
      { name: 'europe', order: [0, 1, 2], countries: [], continents: ['EU', 'AF'] },
      { name: 'america', order: [1, 0, 2], countries: [], continents: ['NA', 'SA'] },
      { name: 'asia', order: [2, 1, 0], countries: [], continents: ['AS', 'OC'] },
    ],
    geo: {
      mmdb: null,
      default_region: 0,
      prefixes: [
        { prefix: '192.0.2.0/24', region: 0 },
        { prefix: '198.51.100.0/24', region: 1 },
        { prefix: '203.0.113.0/24', region: 2 },
      ],
    },
    targets: targetsOf(endpoints),
    endpoints,
    services: [
      {
        name: 'www.example.com',
        zone: 'example.com',
        ttl_s: 5,
        policy: 'nearest',
        pool: endpoints.map((_, index) => ({ endpoint: index, weight: 1 })),
        order: [],
        answers_max: 8,
      },
    ],
    vips: [
      {
        name: 'web',
        prefixes: ['198.18.80.80/32', '2001:db8:80::80/128'],
        services: ['www.example.com'],
        spill_ports: [{ protocol: 'tcp', port: 80 }],
        communities: ['65000:80'],
        med: null,
      },
    ],
    tsig_keys: [],
    share: { kind: 'memory' },
    policy: {
      report_stale_ms: 5_000,
      report_interval_ms: 1_000,
      health: {
        hold_down_ms: 3_000,
        hold_down_max_ms: 3_000,
        damping: null,
        evict_max: 1,
        sites_min: 0,
      },
      drain_ms: 10_000,
      routes: routePolicy(),
      spill: {
        overload: 1.1,
        relief: 0.95,
        target: 1.0,
        quiet: 0.7,
        quiet_end: 0.8,
        fill: 0.9,
        tick_ms: 2_000,
        lease_ms: 10_000,
        onset_ms: 4_000,
        rise_per_s: 0.025,
        fall_per_s: 0.05,
        share_max: 1,
      },
    },
    ...overrides,
  } satisfies Omit<Config, 'zones'>;
  return withZones(config, zones);
}
