/**
 * What one site's agent is to do, with the reason of each part. `decide` makes it; dns, bgp and
 * spill carry it out by changing only what differs. Plain JSON.
 */
import {
  type EndpointRuling,
  NOT_OVERLOADED,
  type OverloadSight,
  type RouteMemory,
  type SpillStance,
} from './report.ts';

export interface Plan {
  readonly site: string;
  /** Parallel to Config.sites. */
  readonly sites: readonly SiteVerdict[];
  /** Parallel to Config.endpoints. */
  readonly endpoints: readonly EndpointVerdict[];
  /** The VIPs that this site may announce. */
  readonly routes: readonly RoutePlan[];
  readonly spill: SpillPlan;
  /** What the next decision must know of this one; to be published in this site's next report. */
  readonly memory: DecisionMemory;
  /**
   * Milliseconds until the plan may change by the passing of time alone (a hold-down ends, a report
   * grows stale); Infinity when only news can change it.
   */
  readonly wake_ms: number;
}

export interface DecisionMemory {
  /** By VIP name; one for each of `Plan.routes`. An address is wanted while it is `coming` or `on`. */
  readonly routes: Readonly<Record<string, RouteMemory>>;
  readonly overload: OverloadSight;
  /** Of this site's own endpoints, by id. */
  readonly rulings: Readonly<Record<string, EndpointRuling>>;
  /** `Report.evicted` */
  readonly evicted: readonly string[];
}

export const NO_MEMORY: DecisionMemory = {
  routes: {},
  overload: NOT_OVERLOADED,
  rulings: {},
  evicted: [],
};

/** Why something is as it is: a code for machines and a sentence for people. */
export interface Reason {
  readonly code: ReasonCode;
  readonly text: string;
}

export type ReasonCode =
  | 'healthy'
  | 'probe-failed'
  | 'vote-failed'
  | 'forced-up'
  | 'forced-down'
  | 'eviction-guard'
  | 'fenced'
  | 'not-probed-yet'
  | 'hold-down'
  | 'draining'
  | 'site-lost'
  | 'site-unheard'
  | 'no-healthy-endpoint'
  | 'last-announcement-kept'
  | 'degraded'
  | 'overloaded'
  | 'damped'
  | 'address-settles'
  | 'condition-false'
  | 'not-for-neighbor'
  | 'last-answer-kept'
  | 'nearest-site'
  | 'next-nearest-site'
  | 'failover-order'
  | 'weighted-pick'
  | 'spilling'
  | 'spill-ramping'
  | 'no-grant'
  | 'not-overloaded'
  | 'load-unknown'
  | 'receiving'
  | 'on-its-own';

export interface SiteVerdict {
  readonly site: string;
  readonly state: 'healthy' | 'degraded' | 'down' | 'draining' | 'lost' | 'unknown';
  /** Load as a ratio to capacity, or null when unknown. */
  readonly load: number | null;
  readonly demand: number | null;
  readonly reason: Reason;
}

export interface EndpointVerdict {
  readonly id: string;
  /** True if DNS may answer with it. */
  readonly eligible: boolean;
  readonly reason: Reason;
  /** Whose fault it is that not all is well; null: nobody's, or nobody can tell. */
  readonly fault: Fault | null;
  /** How long it has been so, in milliseconds; null: not known. */
  readonly for_ms: number | null;
  /** When it may next change by time alone, in milliseconds; null: only news can change it. */
  readonly next_ms: number | null;
}

/**
 * `endpoint`: those who look at it agree that it is down; `path`: some reach it and some do not;
 * `observer`: one who looks at it cannot be believed, or is silent.
 */
export type Fault = 'endpoint' | 'path' | 'observer';

/** What one site says of an endpoint; `decide/votes.ts` makes them, for the verdict and for people. */
export interface Vote {
  readonly site: string;
  readonly role: 'home' | 'observer';
  /** Null: it has nothing to say. */
  readonly up: boolean | null;
  /** False: it is not counted, and `text` says why. */
  readonly counts: boolean;
  /** Since the site was heard, in milliseconds; null: it never was. */
  readonly age_ms: number | null;
  /** How long it has said so, in milliseconds; null with nothing to say. */
  readonly for_ms: number | null;
  readonly text: string;
}

export interface RoutePlan {
  readonly vip: string;
  readonly prefixes: readonly string[];
  /** True if at least one neighbour is to be told it. */
  readonly announce: boolean;
  /** How good this site is for the VIP; null while it is not announced. */
  readonly fitness: Fitness | null;
  readonly reason: Reason;
  /** One for each neighbour and range of the site, in their order. */
  readonly offers: readonly RouteOffer[];
}

/**
 * Best first. `overloaded`: the site has more than it can handle or hand on; `last-site-kept`: it
 * announces although it should not, since no better site is known.
 */
export type Fitness = 'healthy' | 'degraded' | 'overloaded' | 'draining' | 'last-site-kept';

/** What one neighbour is told of a VIP. */
export interface RouteOffer {
  /** Name of the neighbour or range. */
  readonly neighbor: string;
  readonly announce: boolean;
  readonly med: number | null;
  /** Our AS this many times more. */
  readonly prepend: number;
  /** iBGP only; null: 100. */
  readonly local_pref: number | null;
  /** As `Vip.communities`. */
  readonly communities: readonly string[];
  /** Null: the site's, or else our own address in the session. */
  readonly next_hop: string | null;
  readonly next_hop6: string | null;
  /** Why this neighbour is told something else than the plan's reason says; or that reason. */
  readonly reason: Reason;
}

export interface SpillPlan {
  /** Part of this site's new flows (0–1) that goes to each peer; absent means 0. */
  readonly shares: Readonly<Record<string, number>>;
  /** Shares end by themselves when not renewed within this time, in milliseconds. */
  readonly lease_ms: number;
  /** To be published in this site's next report. */
  readonly stance: SpillStance;
  readonly reason: Reason;
}
