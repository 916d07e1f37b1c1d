/**
 * The configuration as every room sees it: immutable, fully resolved, defaults filled in, references
 * checked. `src/config` is the only place that makes one. Durations are in milliseconds, addresses
 * are canonical text, names are lower-case and without a trailing dot unless said otherwise.
 */
import type { HostPort } from '../net/ip.ts';
import type { BgpSite, Damping, RoutePolicy } from './bgp.ts';
import type { HealthExpression, ProbeTarget } from './check.ts';
import type { LoadMeterConfig } from './load.ts';
import type { ZoneImage } from './zone.ts';

export interface Config {
  /** The deployment's name; it also separates deployments that share one store. */
  readonly deployment: string;
  /** Sorted by name. */
  readonly sites: readonly Site[];
  /** Region classes; a region's index is its class number in the geo map. Never empty. */
  readonly regions: readonly Region[];
  readonly geo: GeoConfig;
  /** What is probed for the endpoints and for the uplinks of sites. */
  readonly targets: readonly ProbeTarget[];
  /** Every (load balancer, check) pair in use; its index is its slot in the health table. */
  readonly endpoints: readonly Endpoint[];
  readonly services: readonly Service[];
  readonly vips: readonly Vip[];
  readonly zones: readonly Zone[];
  readonly tsig_keys: readonly TsigKey[];
  readonly share: ShareConfig;
  readonly policy: PolicyConfig;
}

/** One data centre, run by one agent, or by several that do the same beside each other. */
export interface Site {
  readonly name: string;
  /** At least one, sorted; the only one usually has the name of its site. */
  readonly agents: readonly string[];
  /** Agent name → its place, where that differs from the site's; see `configFor`. */
  readonly places: Readonly<Record<string, AgentPlace>>;
  readonly dns: DnsListen;
  readonly api: ApiListen;
  readonly bgp: BgpSite | null;
  /** The highest ratio to capacity is the site's load; null: it is not known. */
  readonly load: readonly LoadMeterConfig[] | null;
  /** The load that the operator wants at most in normal life, in the meter's unit; > 0. */
  readonly capacity: number;
  readonly spill: SpillSite | null;
  /**
   * Absolute path of the directory where the site's agent keeps what must outlive it: a drain, what it
   * remembers of its routes, and the last it heard of the others; null: nothing outlives it.
   */
  readonly state_dir: string | null;
  /** What shows that the site reaches the world outside; null: nothing is known of that. */
  readonly uplink: HealthExpression | null;
  /** Withdraw all routes while neither the uplink nor any other site can be seen. */
  readonly fence: boolean;
  /** Names of the VIPs that this site announces. */
  readonly announces: readonly string[];
}

/** What agents of one site have each for themselves. */
export type AgentPlace = Pick<Site, 'dns' | 'api' | 'bgp' | 'state_dir'>;

export interface DnsListen {
  readonly listen: readonly HostPort[];
  /** Threads that answer UDP, at least 1. */
  readonly workers: number;
  /** Largest UDP response, in bytes (RFC 6891 §6.2.5; 1232 by default). */
  readonly udp_payload_max: number;
  /** Open connections at most (TCP, TLS and HTTPS together), in total. */
  readonly tcp_clients_max: number;
  /** The same from one client: an IPv4 address, or an IPv6 /56. */
  readonly tcp_clients_per_address_max: number;
  readonly tcp_idle_ms: number;
  /** DNS over TLS and HTTPS; null: neither. */
  readonly tls: DnsTls | null;
  /** What NSID (RFC 5001) and id.server (RFC 4892) tell; null: nothing. */
  readonly identity: string | null;
  /** What version.bind tells; null: nothing. */
  readonly version: string | null;
  readonly cookies: DnsCookies;
  /** Response rate limiting; null: none. */
  readonly rate_limit: RateLimit | null;
}

export interface DnsTls {
  /** Absolute paths of PEM files: the certificate with its chain, and its private key. */
  readonly certificate: string;
  readonly key: string;
  /** DNS over TLS (RFC 7858). */
  readonly listen: readonly HostPort[];
  /** DNS over HTTPS (RFC 8484), at `https_path`. */
  readonly https_listen: readonly HostPort[];
  readonly https_path: string;
}

/** DNS cookies (RFC 7873, RFC 9018). */
export interface DnsCookies {
  /**
   * Absolute path of a file with secrets of 32 hexadecimal digits, one a line: the first makes
   * cookies, all are accepted. Null: a random secret that lives as long as the process.
   */
  readonly secret_file: string | null;
  /** Over UDP a query with a client cookie but no good server cookie is answered BADCOOKIE. */
  readonly required: boolean;
}

export interface RateLimit {
  /** Like responses per second to one client prefix. */
  readonly responses_per_s: number;
  /** Of the responses beyond the limit each n-th is sent, truncated; 0: none, 1: all. */
  readonly slip: number;
  /** Length of the client prefixes, in bits. */
  readonly prefix4: number;
  readonly prefix6: number;
}

export interface ApiListen {
  readonly listen: HostPort;
  /**
   * Absolute path of the file with the bearer token that changing requests must carry; null: anyone
   * who reaches the address. The token itself is never in a Config, which is shown and compared.
   */
  readonly token_file: string | null;
}

export interface SpillSite {
  /** Address of this site's tunnel end, reachable from the other sites. */
  readonly address: string;
  readonly driver: 'kernel' | 'none';
  /** Path MTU between sites in bytes, before tunnel overhead. */
  readonly path_mtu: number;
  /** UDP port of the VXLAN tunnels (RFC 7348: 4789). */
  readonly vxlan_port: number;
}

export interface Region {
  readonly name: string;
  /** Site indices (into Config.sites), nearest first; every site at most once, at least one. */
  readonly order: readonly number[];
  /** ISO 3166-1 alpha-2 country codes and two-letter continent codes taken from the mmdb. */
  readonly countries: readonly string[];
  readonly continents: readonly string[];
}

export interface GeoConfig {
  /** Absolute path of a MaxMind-format database, or null. */
  readonly mmdb: string | null;
  /** Region of a client that nothing else places. */
  readonly default_region: number;
  /** Prefix in canonical text → region index; the longest match wins over the mmdb. */
  readonly prefixes: readonly { readonly prefix: string; readonly region: number }[];
}

/**
 * A load balancer as seen by one check, or by several that are put together; shared by all services
 * that use both.
 */
export interface Endpoint {
  /** "LOADBALANCER/CHECK", and "/ipv4" or "/ipv6" where each address counts for itself; unique. */
  readonly id: string;
  readonly load_balancer: string;
  /** Index into Config.sites: the endpoint's home. */
  readonly site: number;
  readonly address4: string | null;
  readonly address6: string | null;
  /** "key=value" of the load balancer and of its site. */
  readonly labels: readonly string[];
  readonly health: HealthExpression;
  readonly vantage: Vantage;
}

/** Who looks at an endpoint besides its home, and what their words count. */
export interface Vantage {
  /** So many other sites probe it, too. */
  readonly observers: number;
  readonly rule: VerdictRule;
}

/**
 * Up by: `home` the home's word alone; `majority` more than half of those who say something, the
 * home's word where they are equal; `any` one of them; `all` each of them.
 */
export type VerdictRule = 'home' | 'majority' | 'any' | 'all';

/** A health-aware name. */
export interface Service {
  /** Fully qualified, lower-case, without the trailing dot. */
  readonly name: string;
  /** Origin of the zone that holds it, in the same form. */
  readonly zone: string;
  readonly ttl_s: number;
  readonly policy: 'nearest' | 'failover' | 'weighted';
  readonly pool: readonly PoolMember[];
  /** `failover`: site indices in order of preference; otherwise empty. */
  readonly order: readonly number[];
  /** Addresses in one answer at most. */
  readonly answers_max: number;
}

export interface PoolMember {
  /** Index into Config.endpoints. */
  readonly endpoint: number;
  /** 1–255; used by `weighted`. */
  readonly weight: number;
}

/** An anycast address that sites announce by BGP. */
export interface Vip {
  readonly name: string;
  /** Canonical prefixes, IPv4 and IPv6. */
  readonly prefixes: readonly string[];
  /** Names of services; the VIP is fit at a site while each has an eligible endpoint there. */
  readonly services: readonly string[];
  /** TCP and UDP ports whose flows may be spilled to another site. */
  readonly spill_ports: readonly { readonly protocol: 'tcp' | 'udp'; readonly port: number }[];
  /**
   * Canonical text: "as:value" (RFC 1997) or a well-known name, "target:as:value" and "origin:as:value"
   * (RFC 4360), "as:a:b" (RFC 8092).
   */
  readonly communities: readonly string[];
  readonly med: number | null;
}

/** One zone: its static records, as the zone file gave them, ready to be answered from. */
export interface Zone {
  /** Lower-case, without the trailing dot. */
  readonly origin: string;
  readonly file: string;
  /** Of the SOA record. */
  readonly serial: number;
  /** Zones with one digest have the same image. */
  readonly digest: string;
  readonly image: ZoneImage;
  /** Who may copy the zone (RFC 5936) and who is told of changes (RFC 1996); null: nobody. */
  readonly transfer: ZoneTransfer | null;
}

export interface ZoneTransfer {
  /** Secondaries that are sent a NOTIFY when the serial has risen. */
  readonly notify: readonly { readonly address: HostPort; readonly key: string | null }[];
  /**
   * A client may transfer the zone if one entry has its address and the key that it signs with.
   * A prefix of null has every address, a key of null asks for none; never both.
   */
  readonly allow: readonly { readonly prefix: string | null; readonly key: string | null }[];
}

/** A key that requests and responses are signed with (RFC 8945). */
export interface TsigKey {
  /** A domain name, lower-case, without the trailing dot. */
  readonly name: string;
  readonly algorithm: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
  /** Absolute path of a file with the secret in base64. Read as `ApiListen.token_file`. */
  readonly secret_file: string;
}

export type ShareConfig =
  | { readonly kind: 'memory' }
  | { readonly kind: 'redis'; readonly servers: readonly RedisServerConfig[] };

/** One place where reports are shared, independent of the others. */
export interface RedisServerConfig {
  readonly kind: 'standalone' | 'sentinel' | 'cluster';
  /** For people; unique. */
  readonly name: string;
  /** The server itself; or the Sentinels; or nodes of the Cluster, from which the others are found. */
  readonly nodes: readonly RedisNode[];
  /** What the Sentinels call the servers that they watch; null: there are none. */
  readonly group: string | null;
  /** Number of the database; 0 in a Cluster. */
  readonly database: number;
  /** Null: without TLS. */
  readonly tls: RedisTls | null;
  /** User of the server's ACL; null: the default user. */
  readonly username: string | null;
  /** Absolute path of the file with the password; null: none. Read as `ApiListen.token_file`. */
  readonly password_file: string | null;
  /** The same at the Sentinels. */
  readonly sentinel_username: string | null;
  readonly sentinel_password_file: string | null;
}

export interface RedisNode {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Absolute paths of PEM files, read as `ApiListen.token_file`; null: what Node does without. */
export interface RedisTls {
  readonly ca_file: string | null;
  /** Shown to the server; both or none. */
  readonly certificate: string | null;
  readonly key: string | null;
  /** Whom the server's certificate must name; null: the host. */
  readonly server_name: string | null;
}

/** Times and thresholds of the decision, one set for the deployment. */
export interface PolicyConfig {
  /** A site whose newest report is older counts as lost, while others can still be heard. */
  readonly report_stale_ms: number;
  readonly report_interval_ms: number;
  readonly health: HealthPolicy;
  /** From the start of a drain to the withdrawal of the site's routes. */
  readonly drain_ms: number;
  readonly routes: RoutePolicy;
  readonly spill: SpillPolicy;
}

/** How an endpoint returns, and how much health may take away. */
export interface HealthPolicy {
  /** An endpoint that was down must stay up this long before it is used again … */
  readonly hold_down_ms: number;
  /** … and longer, up to this, the more often it has fallen. */
  readonly hold_down_max_ms: number;
  /** Null: only the hold-down. Penalties are added when an endpoint goes down. */
  readonly damping: Damping | null;
  /**
   * Of a service's capacity no more than this part (0–1) is taken out of use for health, nor the last
   * `sites_min` sites, unless most of those who look at an endpoint agree that it is down.
   */
  readonly evict_max: number;
  readonly sites_min: number;
}

/** Loads are ratios to capacity. See DESIGN of the spill loop in docs/architecture.md. */
export interface SpillPolicy {
  /** A site asks for help when its demand stays above this (1.1) … */
  readonly overload: number;
  /** … and stops asking when its demand is below this (0.95). */
  readonly relief: number;
  /** What a spilling site aims to keep for itself (1.0). */
  readonly target: number;
  /** A site offers room while its own load is below this (0.7) … */
  readonly quiet: number;
  /** … until it is above this (0.8). */
  readonly quiet_end: number;
  /** A receiver fills itself up to this with guests (0.9). */
  readonly fill: number;
  readonly tick_ms: number;
  /** How long a grant, or a share in the kernel, lives without being renewed. */
  readonly lease_ms: number;
  /** Demand must stay above `overload` this long before spilling starts. */
  readonly onset_ms: number;
  /** The share rises and falls by at most this much per second (0.025 and 0.05). */
  readonly rise_per_s: number;
  readonly fall_per_s: number;
  /** Never more than this part of a site's new flows goes elsewhere. */
  readonly share_max: number;
}
