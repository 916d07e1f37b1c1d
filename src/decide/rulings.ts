/**
 * The home's memory of its endpoints: what the votes have come to, since when, and how often it has
 * fallen. The home steps it and publishes it; everybody works out from it how long the endpoint is
 * still held back, by the same function. Pure.
 *
 * Must hold: deciding more often changes nothing; the first verdict after a start is no return; nobody
 * is held back longer than the longer of `hold_down_max` and `suppress_max`, each up to a quarter more.
 */
import type { Damping } from '../model/bgp.ts';
import type { HealthPolicy } from '../model/config.ts';
import type { EndpointRuling, Report } from '../model/report.ts';
import { dampingOf, decayed, penalized, suppressedFor_ms } from './damping.ts';
import { INSTANT_MS } from './view.ts';

/** Waiting for a site's endpoints to return: alike for all of a site, so that it returns as a whole. */
export interface HealthTimes {
  readonly hold_down_ms: number;
  readonly hold_down_max_ms: number;
  readonly damping: Damping | null;
}

/**
 * With the site's own times, which keep sites from returning together. Without damping there is only the
 * hold-down, to the letter.
 */
export function healthTimes(policy: HealthPolicy, siteFactor: number): HealthTimes {
  const { hold_down_ms, hold_down_max_ms } = policy;
  const damping = dampingOf(policy, siteFactor);
  const factor = damping === null ? 1 : siteFactor;
  return {
    hold_down_ms: Math.round(hold_down_ms * factor),
    hold_down_max_ms: Math.round(hold_down_max_ms * factor),
    damping,
  };
}

/** What a report remembers of an endpoint, as it is `age_ms` after the report's arrival. */
export function rulingIn(
  { rulings, ruled_ms }: Report,
  id: string,
  age_ms: number,
  { damping }: HealthTimes,
): EndpointRuling | null {
  const ruling = rulings[id];
  return ruling === undefined ? null : rulingLater(ruling, ruled_ms + age_ms, damping);
}

/** `ruling` as it is `ms` later, and nothing else that is in it. */
export function rulingLater(
  ruling: EndpointRuling,
  ms: number,
  damping: Damping | null,
): EndpointRuling {
  const { penalty, suppressed } = decayed(damping, ruling, ms);
  const { up, for_ms, downs } = ruling;
  return { up, for_ms: for_ms + ms, downs, penalty, suppressed };
}

/** The first word on an endpoint. `downs`: how often the home has seen it fall. */
export function firstRuling(up: boolean, for_ms: number, downs: number): EndpointRuling {
  return { up, for_ms, downs, penalty: 0, suppressed: false };
}

/** What the votes come to now makes of what they came to before. */
export function stepRuling(
  before: EndpointRuling,
  up: boolean,
  damping: Damping | null,
): EndpointRuling {
  if (up === before.up) return before;
  if (up) return { ...before, up, for_ms: 0 };
  return { up, for_ms: 0, downs: before.downs + 1, ...penalized(damping, before) };
}

/** The same without penalty and hold-down: an endpoint that is up is used at once. */
export function forgiven(ruling: EndpointRuling): EndpointRuling {
  return { ...ruling, downs: 0, penalty: 0, suppressed: false };
}

/** True if there is something to forgive. */
export function isReproached({ downs, penalty }: EndpointRuling): boolean {
  return downs > 0 || penalty > 0;
}

export interface Held {
  readonly code: 'hold-down' | 'damped';
  readonly left_ms: number;
}

/** How long an endpoint that is up is still held back for what it did before; null: it is not. */
export function heldBack(ruling: EndpointRuling, times: HealthTimes): Held | null {
  const suppressed_ms = suppressedFor_ms(times.damping, ruling);
  const held_ms = holdDownLeft_ms(ruling, times);
  const left_ms = Math.max(suppressed_ms, held_ms);
  if (left_ms < INSTANT_MS) return null;
  return { code: suppressed_ms > held_ms ? 'damped' : 'hold-down', left_ms };
}

/** The hold-down is as much longer as the penalty at the return was above that of a single fall. */
function holdDownLeft_ms(ruling: EndpointRuling, times: HealthTimes): number {
  const { downs, for_ms, penalty } = ruling;
  const { hold_down_ms, hold_down_max_ms, damping } = times;
  if (downs === 0) return 0;
  const least_ms = hold_down_ms - for_ms;
  if (damping === null || penalty === 0) return Math.max(0, least_ms);
  const { half_life_ms } = damping;
  const atReturn = penalty * 2 ** (for_ms / half_life_ms);
  const grown_ms = Math.min(hold_down_max_ms, hold_down_ms * (atReturn / damping.penalty));
  // With the penalty all that grew by it is forgotten.
  const forgotten_ms = half_life_ms * Math.log2((2 * penalty) / damping.reuse);
  return Math.max(0, least_ms, Math.min(grown_ms - for_ms, forgotten_ms));
}
