/**
 * What operators order beside the configuration: to drain, or to force up or down, some endpoints for
 * a while. Overrides live in the store and not in Git; every site sees them. Plain JSON.
 */

/** All parts that are given must fit; at least one is. */
export interface OverrideScope {
  readonly site: string | null;
  /** Name of a service: its endpoints, also where other services share them. */
  readonly service: string | null;
  /** "LOADBALANCER", or the beginning of an endpoint's id up to a slash, or all of it. */
  readonly endpoint: string | null;
  /** "key=value", a label of the load balancer or of its site. */
  readonly label: string | null;
}

/**
 * `drain`: no new answers, and routes leave in order, if the scope is a whole site; `down`: as if the
 * probes failed; `up`: as if they succeeded.
 */
export type OverrideAction = 'drain' | 'up' | 'down';

/** One register for each scope: the last writer wins, by clock and then by name. */
export interface Override {
  /** The scope as canonical text, "site=fra endpoint=fra-lb1/web". */
  readonly id: string;
  readonly scope: OverrideScope;
  /** Null: the override was removed; kept for a while so that no old copy brings it back. */
  readonly action: OverrideAction | null;
  readonly by: string;
  readonly reason: string;
  readonly stamp: OverrideStamp;
  /** The one that this one was knowingly put in place of; null: there was none. */
  readonly replaces: OverrideStamp | null;
}

export interface OverrideStamp {
  /**
   * Milliseconds since 1970 by the clock of the agent that took the order, but always above every
   * stamp of the register that it knew.
   */
  readonly clock: number;
  /** "SITE/AGENT" */
  readonly agent: string;
}

/** An override as one reader knows it now; durations only, so wrong clocks do no harm. */
export interface OverrideSight {
  readonly override: Override;
  /** Since it was ordered, in milliseconds. */
  readonly for_ms: number;
  /** Until it ends by itself, in milliseconds; null: it does not. */
  readonly left_ms: number | null;
}

/** True if `a` wins over `b`. */
export function laterStamp(a: OverrideStamp, b: OverrideStamp): boolean {
  return a.clock !== b.clock ? a.clock > b.clock : a.agent > b.agent;
}
