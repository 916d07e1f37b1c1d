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
  /**
   * Those of its register that whoever ordered it could know of, newest first, `REPLACES_MAX` at most;
   * empty: there was none. One that is missing here was overwritten unseen.
   */
  readonly replaces: readonly OverrideStamp[];
}

export const REPLACES_MAX = 8;

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
  /**
   * Until it ends by itself, in milliseconds; 0 or less: it ended so long ago; null: it does not, or it
   * was removed.
   */
  readonly left_ms: number | null;
}

/** The same on the reader's own monotonic clock, in milliseconds. */
export interface HeldOverride {
  readonly override: Override;
  readonly since: number;
  /** Null: it does not end, or it was removed. */
  readonly until: number | null;
}

/** The drain of a whole site. */
export interface DrainSight {
  readonly for_ms: number;
  /** Until it ends by itself, in milliseconds; null: it does not. */
  readonly left_ms: number | null;
  readonly by: string;
  readonly reason: string;
}

/** True if `a` wins over `b`. */
export function laterStamp(a: OverrideStamp, b: OverrideStamp): boolean {
  return a.clock !== b.clock ? a.clock > b.clock : a.agent > b.agent;
}

export function sameStamp(a: OverrideStamp, b: OverrideStamp): boolean {
  return a.clock === b.clock && a.agent === b.agent;
}

/** A wall clock that tells more is not believed; twice as much is still an exact number. */
const WALL_MAX_MS = 2 ** 52;

/**
 * The stamp of an order that replaces `known`. It wins over it however wrong the clock was that made
 * it, and whatever `wall_ms`, the own wall clock, tells.
 */
export function nextStamp(
  known: OverrideStamp | null,
  wall_ms: number,
  agent: string,
): OverrideStamp {
  const wall = Math.min(Math.max(0, Math.floor(wall_ms)), WALL_MAX_MS);
  return { clock: Math.max(wall, known === null ? 0 : known.clock + 1), agent };
}

const PARTS = ['site', 'service', 'endpoint', 'label'] as const satisfies (keyof OverrideScope)[];

/** The id of the register. No name has a space in it, so no two scopes have the same id. */
export function idOf(scope: OverrideScope): string {
  return PARTS.flatMap((part) => (scope[part] === null ? [] : [`${part}=${scope[part]}`])).join(
    ' ',
  );
}

export function siteScope(site: string): OverrideScope {
  return { site, service: null, endpoint: null, label: null };
}
