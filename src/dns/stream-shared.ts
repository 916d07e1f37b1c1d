/** What the DNS server and its stream thread agree on: settings, counters, the transfer hook. */
import { Counters } from '../base/counters.ts';
import type { DnsListen, DnsTls } from '../model/config.ts';

export interface StreamLimits {
  /** Open connections in total. */
  readonly tcp_clients_max: number;
  /** Open connections of one client: an IPv4 address, or an IPv6 /56. */
  readonly tcp_clients_per_address_max: number;
  /** A connection without a whole query, or without taking its answers, for so long is closed. */
  readonly tcp_idle_ms: number;
}

export interface StreamSettings extends StreamLimits {
  /** DNS over TCP. */
  readonly listen: DnsListen['listen'];
  readonly tls: DnsTls | null;
}

/**
 * How an address is opened. 'alone': one that anyone has is an error. 'beside': it may be shared with
 * a predecessor, from which all new connections are taken over. 'again': shared, after a thread of
 * ours that died.
 */
export type Bind = 'alone' | 'beside' | 'again';

export type StreamLog = (level: 'info' | 'warn', fields: object, message: string) => void;

export const STREAM_COUNTERS = [
  /** Open now, of all kinds. */
  'tcp_clients',
  /** Turned away because their address had enough. */
  'tcp_refused',
  /** Closed, idle the longest, for a new one. */
  'tcp_evicted',
  /** Closed when their time was over. */
  'tcp_expired',
  'tls_failed',
] as const;
export type StreamCounters = Counters<(typeof STREAM_COUNTERS)[number]>;

export function streamCounters(buffer?: SharedArrayBuffer): StreamCounters {
  return new Counters(STREAM_COUNTERS, buffer);
}

/** What the stream thread is told beside the snapshot. */
export interface StreamPlace {
  readonly settings: StreamSettings;
  /** For the addresses that a thread opens at its start; later ones are opened 'alone'. */
  readonly bind: Bind;
  readonly counters: SharedArrayBuffer;
}

/**
 * Answers what `respond` does not: zone transfers, of many messages, and queries signed with TSIG.
 * It is asked first about every query that looks like one of these (`asksHandler`).
 */
export interface StreamHandler {
  /**
   * The answer's messages in order, each at most 65535 octets, made as they are asked for; or null
   * when `respond` shall answer. `packet` and `client` (4 or 16 octets) stay as they are until the
   * iterator has ended. Its `return` is called when the client leaves before.
   */
  answer(packet: Uint8Array, client: Uint8Array): Iterator<Uint8Array> | null;
}
