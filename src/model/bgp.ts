/**
 * The BGP part of the configuration: neighbours with everything that a session and its routes can be
 * told. Types only; `src/config` applies groups and defaults, so that every value here is final.
 */
import type { HostPort } from '../net/ip.ts';
import type { Fitness } from './plan.ts';

export interface BgpSite {
  /** Our AS number, 1–4294967295. */
  readonly as: number;
  /** BGP identifier as dotted quad (RFC 6286). */
  readonly router_id: string;
  /** Where neighbours reach us; empty: we only dial. */
  readonly listen: readonly HostPort[];
  readonly next_hop: string | null;
  readonly next_hop6: string | null;
  readonly neighbors: readonly Neighbor[];
  readonly ranges: readonly NeighborRange[];
  /**
   * Verdicts that are not renewed for this long withdraw everything, by a thread that does not need
   * the stalled one; 0: never.
   */
  readonly dead_man_ms: number;
  /** Interface that carries the VIPs' addresses while they may be announced; null: not our task. */
  readonly vip_interface: string | null;
  /** Every message to and from neighbours in MRT format (RFC 6396); null: none. */
  readonly mrt: MrtDump | null;
}

export interface MrtDump {
  /** Absolute path. */
  readonly file: string;
  /** The file is replaced when it would grow beyond; one older file is kept beside it. */
  readonly bytes_max: number;
}

/** What a neighbour and a range of neighbours have in common. */
export interface SessionSettings {
  readonly name: string;
  readonly port: number;
  /** Source address to dial from; null: the system chooses. */
  readonly source: string | null;
  /** Interface that a link-local neighbour is on, and that packets must use; null: any. */
  readonly interface: string | null;
  /** Proposed hold time (RFC 4271 §4.2): 0, or at least 3000 ms. */
  readonly hold_time_ms: number;
  readonly connect_retry_ms: number;
  /** How long an OPEN is held back to let the peer speak first (RFC 4271 §8.1.1); 0: not. */
  readonly delay_open_ms: number;
  /** A peer that takes nothing for this long is dropped (RFC 9687); 0: never. */
  readonly send_hold_ms: number;
  /** Longest wait in Idle after failures in a row. */
  readonly idle_hold_max_ms: number;
  /** TTL of what we send, 1–255: 1 for a neighbour on the same link. Not used with `ttl_security`. */
  readonly ttl: number;
  /** GTSM (RFC 5082): the neighbour is at most this many hops away, 1–254; null: not checked. */
  readonly ttl_security: number | null;
  /** Absolute path of the file with the key for TCP MD5 (RFC 2385); null: none. */
  readonly md5_key_file: string | null;
  /** Families offered (RFC 4760). */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** Offer IPv4 routes with an IPv6 next hop (RFC 8950). */
  readonly extended_next_hop: boolean;
  /** Offer to receive several paths for one prefix (RFC 7911). */
  readonly add_path: boolean;
  /** Help a neighbour that restarts (RFC 4724); we never ask to be helped ourselves. */
  readonly graceful_restart_helper: boolean;
  /** Our role towards the neighbour (RFC 9234); null: none. */
  readonly role: BgpRole | null;
  /** Refuse a neighbour that tells no role. */
  readonly role_strict: boolean;
  readonly bfd: BfdSettings | null;
  readonly receive: ReceivePolicy;
  readonly announce: AnnouncePolicy;
}

export interface Neighbor extends SessionSettings {
  readonly address: string;
  readonly as: number;
  /** True: wait for the neighbour to connect instead of dialling it. */
  readonly passive: boolean;
}

/** Neighbours that are not named: any address of a prefix may connect. */
export interface NeighborRange extends SessionSettings {
  readonly prefix: string;
  /** The AS that they must have; null: any. */
  readonly as: number | null;
  /** Sessions at once, at most. */
  readonly sessions_max: number;
}

/** RFC 9234 §4.1: what *we* are to the neighbour. */
export type BgpRole = 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer';

/** RFC 5880. */
export interface BfdSettings {
  /** RFC 5883 instead of RFC 5881. */
  readonly multihop: boolean;
  /** Desired Min TX and Required Min RX Interval, in milliseconds. */
  readonly transmit_ms: number;
  readonly receive_ms: number;
  /** Detect Mult: packets missed in a row before the peer counts as gone. */
  readonly multiplier: number;
  readonly auth: BfdAuth | null;
  /**
   * The session waits for BFD to be up before it opens (draft-ietf-idr-bgp-bfd-strict-mode), unless
   * one of the two sides has switched BFD off.
   */
  readonly strict: boolean;
}

export interface BfdAuth {
  readonly kind: 'simple' | 'md5' | 'meticulous-md5' | 'sha1' | 'meticulous-sha1';
  /** 0–255. */
  readonly key_id: number;
  /** Absolute path. */
  readonly key_file: string;
}

/** What becomes of the routes that a neighbour sends. They never decide what we announce. */
export interface ReceivePolicy {
  /** Routes inside one of these prefixes are kept and shown, all others are only counted. */
  readonly accept: readonly string[];
  /** Prefixes at most; more end the session (Cease/1). */
  readonly prefixes_max: number;
  /** Say so when an announced VIP is no longer among what this neighbour sends. */
  readonly watch_vips: boolean;
}

/** Changes of a route's attributes. What is null stays as it is; lists and numbers of hops add up. */
export interface RouteChanges {
  readonly med: number | null;
  /** How often our AS is put before the path in addition. */
  readonly prepend: number;
  /** iBGP only. */
  readonly local_pref: number | null;
  /** As `Vip.communities`. */
  readonly communities: readonly string[];
  readonly next_hop: string | null;
  readonly next_hop6: string | null;
}

/**
 * What a neighbour is told. A route is changed here, then per VIP, and last by its fitness: what was
 * preferred for good days must not undo a drain.
 */
export interface AnnouncePolicy {
  /** VIPs that it is told at all; null: all. */
  readonly vips: readonly string[] | null;
  /** Else nothing is announced to it; null: always. */
  readonly when: Condition | null;
  readonly changes: RouteChanges;
  /** In place of the table of `RoutePolicy`, where given. */
  readonly by_fitness: Readonly<Partial<Record<Fitness, FitnessRule>>>;
  readonly by_vip: Readonly<
    Record<string, { readonly when: Condition | null; readonly changes: RouteChanges }>
  >;
}

/** When something is to be done, as far as this site can tell. */
export type Condition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'at-least'; readonly count: number; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  /** The service has a healthy endpoint at this site; a drain of the site changes nothing of it. */
  | { readonly kind: 'service'; readonly service: string }
  /** This site is in one of these states (SiteVerdict.state, or its fitness for the VIP). */
  | { readonly kind: 'site'; readonly states: readonly string[] };

/** What a VIP's fitness at a site makes of its route. */
export interface FitnessRule {
  readonly announce: boolean;
  readonly changes: RouteChanges;
}

/** How routes follow the fitness of a site, one policy for the deployment. */
export interface RoutePolicy {
  readonly fitness: Readonly<Record<Fitness, FitnessRule>>;
  /**
   * What a site does that should not announce a VIP while it knows of no better site: keep the route,
   * least preferred, or withdraw it all the same.
   */
  readonly last_site: 'keep' | 'withdraw';
  /**
   * A drained site withdraws as soon as its load is at most this ratio to capacity, but not before
   * `settle_ms` of the drain have passed; null: never early.
   */
  readonly drain_load: number | null;
  /**
   * What routers are given to act on a change: from withdrawal to taking the VIP off its interface, and
   * from putting it there to announcing.
   */
  readonly settle_ms: number;
  /**
   * How long a VIP that was withdrawn for a failure must be fit before it is announced again; up to a
   * quarter longer, as the site's name has it, so that sites do not return all at once.
   */
  readonly hold_down_ms: number;
  readonly damping: Damping | null;
}

/**
 * Penalties for VIPs that come and go, as RFC 2439 has them for routes. Both times are up to a quarter
 * longer, as the site's name has it.
 */
export interface Damping {
  /** Added at each withdrawal of a route for a failure, or each fall of an endpoint. */
  readonly penalty: number;
  /** A penalty above holds it back … */
  readonly suppress: number;
  /** … until it has decayed to this. */
  readonly reuse: number;
  readonly half_life_ms: number;
  /** Longest that it is held back, however often it has flapped. */
  readonly suppress_max_ms: number;
}
