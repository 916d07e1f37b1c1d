/** How the load of a site is read: by one meter or several, each in the unit of its own capacity. */

export type LoadMeterConfig = LoadMeterTiming & LoadSource;

export interface LoadMeterTiming {
  readonly interval_ms: number;
  /** Time constant of the average over the readings; 0: each reading counts as it is. */
  readonly smoothing_ms: number;
  /** What is wanted at most in normal life, in the meter's unit; > 0. */
  readonly capacity: number;
}

export type LoadSource =
  | HaproxySource
  | NginxSource
  | IpvsSource
  | PrometheusSource
  | JsonSource
  | FileSource
  | LinuxSource
  | CommandSource;

/** HAProxy's statistics: the sum of a field over the rows that are chosen. */
export interface HaproxySource {
  readonly kind: 'haproxy';
  /** The stats socket's path, or the address of the statistics as CSV. */
  readonly from: { readonly socket: string } | { readonly url: string };
  /** Names of proxies, with `*` and `?`; each must be there. */
  readonly proxies: readonly string[];
  readonly rows: 'frontend' | 'backend' | 'server';
  /** Names of servers, with `*` and `?`; for rows of servers only. */
  readonly servers: readonly string[];
  readonly field: HaproxyField;
  readonly timeout_ms: number;
}

/** Fields that say what is now. */
export const HAPROXY_GAUGES = ['scur', 'qcur', 'rate', 'conn_rate', 'req_rate'] as const;
/** Fields that count up; the load is their growth per second. */
export const HAPROXY_COUNTERS = ['stot', 'conn_tot', 'req_tot', 'bin', 'bout'] as const;

export type HaproxyField = (typeof HAPROXY_GAUGES)[number] | (typeof HAPROXY_COUNTERS)[number];

export interface NginxSource {
  readonly kind: 'nginx';
  /** Address of a location with `stub_status`. */
  readonly url: string;
  readonly measure: (typeof NGINX_MEASURES)[number];
  readonly timeout_ms: number;
}

/** `busy`: active without those that wait for a next request. */
export const NGINX_MEASURES = ['active', 'busy', 'requests_per_s', 'connections_per_s'] as const;

export interface IpvsSource {
  readonly kind: 'ipvs';
  readonly measure: (typeof IPVS_MEASURES)[number];
  /** "tcp/192.0.2.1:443", "udp/[2001:db8::1]:53", "fwmark/7"; empty: all. For `active` only. */
  readonly services: readonly string[];
  /** Where the proc file system is. */
  readonly proc: string;
}

/** `active` is of virtual services; the rates are the kernel's totals, of both directions. */
export const IPVS_MEASURES = [
  'active',
  'connections_per_s',
  'packets_per_s',
  'bytes_per_s',
] as const;

/** Prometheus' text format over HTTP. */
export interface PrometheusSource {
  readonly kind: 'prometheus';
  readonly url: string;
  /** See observe/metric-expression.ts. */
  readonly expression: string;
  readonly timeout_ms: number;
}

export interface JsonSource {
  readonly kind: 'json';
  readonly url: string;
  /** Dotted path of the number inside the document, e.g. "load.requests". */
  readonly field: string;
  readonly timeout_ms: number;
}

/** A file that holds one number; older than `stale_ms` counts as unknown. */
export interface FileSource {
  readonly kind: 'file';
  readonly path: string;
  readonly stale_ms: number;
}

export interface LinuxSource {
  readonly kind: 'linux';
  readonly measure: (typeof LINUX_MEASURES)[number];
  /** Where the proc file system is. */
  readonly proc: string;
}

/**
 * Pressure: the percentage of the last 10 s in which something waited (`some`). `load_per_cpu`: the load
 * average of one minute by the number of CPUs.
 */
export const LINUX_MEASURES = [
  'cpu_pressure',
  'io_pressure',
  'memory_pressure',
  'load_per_cpu',
] as const;

/** A program that prints one number. */
export interface CommandSource {
  readonly kind: 'command';
  /** The program and its arguments; there is no shell. */
  readonly argv: readonly string[];
  readonly timeout_ms: number;
}
