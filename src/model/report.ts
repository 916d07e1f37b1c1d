/**
 * What one site saw, and what it does: the only thing that sites tell each other. A report is a
 * single-writer register; (incarnation, sequence) orders it. It holds durations and ratios, never
 * wall-clock times, so wrong clocks do no harm. Plain JSON.
 */
import type { Fitness } from './plan.ts';

export interface Report {
  readonly site: string;
  /** Name of the agent of the site that made it; the register is this agent's alone. */
  readonly agent: string;
  /** Grows with every start of the agent. */
  readonly incarnation: number;
  /** Grows with every report of one incarnation. */
  readonly sequence: number;
  /** Endpoint id → what the home site's probes say. An endpoint not listed is unknown. */
  readonly endpoints: Readonly<Record<string, EndpointSight>>;
  /** Endpoint id → the home's joined verdict, which the other sites follow while it can be heard. */
  readonly rulings: Readonly<Record<string, EndpointRuling>>;
  /** Milliseconds since the rulings were made; their numbers are as of then. */
  readonly ruled_ms: number;
  /** Endpoints of other sites that this site probes, too: id → what its probes say. */
  readonly observed: Readonly<Record<string, ObservedSight>>;
  /** Why this site does not trust its own eyes, in words; then it says nothing of others. */
  readonly suspect: string | null;
  /** Whether the site's uplink can be seen to work; null: not known, or not configured. */
  readonly uplink: boolean | null;
  /**
   * Ids of endpoints of all sites that this site has taken out of use for their health; memory of the
   * guard, so that what stayed in use only by the guard goes on to do so.
   */
  readonly evicted: readonly string[];
  /** Null: the meter is silent or there is none. Unknown is never read as zero. */
  readonly load: LoadSight | null;
  /** VIP name → what this site's speaker does with it. */
  readonly routes: Readonly<Record<string, RouteSight>>;
  readonly overload: OverloadSight;
  readonly spill: SpillStance;
}

export interface EndpointSight {
  readonly up: boolean;
  /** Milliseconds since `up` last changed (or since the first verdict). */
  readonly for_ms: number;
  /** How often it has gone down since the agent began to probe it. */
  readonly downs: number;
  /** The last probe's outcome, in words. */
  readonly detail: string;
}

/** The home's memory of one of its endpoints. */
export interface EndpointRuling {
  /** What the votes say, before hold-down and guards. */
  readonly up: boolean;
  /** Milliseconds since `up` last changed. */
  readonly for_ms: number;
  /** How often `up` went from true to false. */
  readonly downs: number;
  /** Of damping. */
  readonly penalty: number;
  readonly suppressed: boolean;
}

/** What an observer says of an endpoint whose home is elsewhere. */
export interface ObservedSight {
  readonly up: boolean;
  /** Milliseconds since `up` last changed (or since the first verdict). */
  readonly for_ms: number;
  readonly detail: string;
}

export interface LoadSight {
  /** What is on this site now, in capacity units. */
  readonly used: number;
  /** What the site's own clients would put on it if it kept all of them, in capacity units. */
  readonly demand: number;
  /** The part of `used` that comes from the site's own clients, in capacity units. */
  readonly own: number;
  /** In the same unit; > 0. */
  readonly capacity: number;
}

/**
 * What the site decided about a VIP last: `RouteMemory`, which is also the decision's own memory, and
 * what became of it.
 */
export interface RouteSight extends RouteMemory {
  /**
   * True while the route is announced and each of its prefixes has reached a BGP neighbour: only then may
   * others rely on it.
   */
  readonly heard: boolean;
  /** Milliseconds since it was decided; all other numbers are as of then. */
  readonly age_ms: number;
}

export interface RouteMemory {
  readonly phase: RoutePhase;
  /** Milliseconds since `phase` began. */
  readonly for_ms: number;
  /** What the site was for the VIP when it was last announced in this phase; else null. */
  readonly fitness: Fitness | null;
  /** Why it is withdrawn; null while it is announced, and if it never was. */
  readonly withdrawn_by: 'failure' | 'drain' | 'policy' | null;
  /** How long the site has been fit for a VIP that a failure withdrew, in milliseconds; else null. */
  readonly fit_for_ms: number | null;
  /** True once the waiting of a drain is over; it stays so until the drain ends. */
  readonly drained: boolean;
  /** Of damping, in the unit of `Damping`. */
  readonly penalty: number;
  /** True from a penalty above `suppress` until it has decayed to `reuse`. */
  readonly suppressed: boolean;
}

/**
 * `coming`: the VIP's address stands on its interface and the route is about to be announced;
 * `going`: the route is withdrawn and the address still stands.
 */
export type RoutePhase = 'off' | 'coming' | 'on' | 'going';

export const ROUTE_OFF: RouteMemory = {
  phase: 'off',
  for_ms: 0,
  fitness: null,
  withdrawn_by: null,
  fit_for_ms: null,
  drained: false,
  penalty: 0,
  suppressed: false,
};

/** Whether the site has more than it can carry and hand on; published as the stance of spill is. */
export interface OverloadSight {
  readonly overloaded: boolean;
  /**
   * How long it has had more, without a break, in milliseconds; null while it has not. It must have
   * had for a while before it counts as overloaded.
   */
  readonly over_for_ms: number | null;
  /** Milliseconds since this was decided. */
  readonly age_ms: number;
}

export const NOT_OVERLOADED: OverloadSight = { overloaded: false, over_for_ms: null, age_ms: 0 };

/**
 * What the site decided about spill at its last tick. It is published so that others can act on it,
 * and it is the decision's own memory: decide is pure and reads it back from the world.
 */
export interface SpillStance {
  /** Milliseconds since this stance was decided. */
  readonly for_ms: number;
  /**
   * How long demand has been above the overload threshold without a break, in milliseconds; null
   * when it is not above.
   */
  readonly over_for_ms: number | null;
  /** True while this site asks for help. */
  readonly sending: boolean;
  /** True while this site offers room. */
  readonly open: boolean;
  /** How much this site wants others to take now or soon, in its capacity units; or 0. */
  readonly wanted: number;
  /** Site → how much we take from it, in the unit that capacities share. */
  readonly grants: Readonly<Record<string, number>>;
  /** Site → part of our own new flows (0–1) that we send to it. */
  readonly shares: Readonly<Record<string, number>>;
  /** Site → the share that `shares` is moving to, at a limited speed; it holds the dead band. */
  readonly aims: Readonly<Record<string, number>>;
}

export const IDLE_STANCE: SpillStance = {
  for_ms: 0,
  over_for_ms: null,
  sending: false,
  open: false,
  wanted: 0,
  grants: {},
  shares: {},
  aims: {},
};

/** A report with nothing in it. */
export function blankReport(site: string, agent: string = site): Report {
  return {
    site,
    agent,
    incarnation: 0,
    sequence: 0,
    endpoints: {},
    rulings: {},
    ruled_ms: 0,
    observed: {},
    suspect: null,
    uplink: null,
    evicted: [],
    load: null,
    routes: {},
    overload: NOT_OVERLOADED,
    spill: IDLE_STANCE,
  };
}

/** Whose register it is: "SITE/AGENT". */
export function writerOf({ site, agent }: Pick<Report, 'site' | 'agent'>): string {
  return `${site}/${agent}`;
}

/** For people: "SITE", or "SITE/AGENT" where the agent has a name of its own. */
export function agentName({ site, agent }: Pick<Report, 'site' | 'agent'>): string {
  return agent === site ? site : `${site}/${agent}`;
}

/** True if `a` is newer than `b` (newest wins, by incarnation and then sequence). */
export function newer(
  a: Pick<Report, 'incarnation' | 'sequence'>,
  b: Pick<Report, 'incarnation' | 'sequence'>,
): boolean {
  return a.incarnation !== b.incarnation ? a.incarnation > b.incarnation : a.sequence > b.sequence;
}
