/**
 * Damping of VIPs that come and go, after RFC 2439 §4: each withdrawal for a failure adds a penalty,
 * which halves with every half-life; above one threshold the route is held back, until it has decayed
 * to a lower one. Pure.
 *
 * Must hold: nobody is held back longer than `suppress_max_ms`; deciding more often changes nothing.
 */
import type { Damping, RoutePolicy } from '../model/bgp.ts';

export interface Penalty {
  readonly penalty: number;
  readonly suppressed: boolean;
}

const NONE: Penalty = { penalty: 0, suppressed: false };

/** `before` as it is `ms` later. */
export function decayed(damping: Damping | null, before: Penalty, ms: number): Penalty {
  if (damping === null || before.penalty === 0) return NONE;
  const penalty = before.penalty * 2 ** (-ms / damping.half_life_ms);
  // RFC 2439 §4.8.3: what is well below the threshold is forgotten.
  if (penalty < damping.reuse / 2) return NONE;
  // A wake-up at the very instant must not find a rounding error above the threshold.
  return { penalty, suppressed: before.suppressed && penalty > damping.reuse * (1 + 1e-9) };
}

/** RFC 2439 §4.2: a ceiling on penalties is what bounds the time of suppression. */
export function penaltyMax({
  reuse,
  half_life_ms,
  suppress_max_ms,
}: Pick<Damping, 'reuse' | 'half_life_ms' | 'suppress_max_ms'>): number {
  return reuse * 2 ** (suppress_max_ms / half_life_ms);
}

/** One more withdrawal. */
export function penalized(damping: Damping | null, before: Penalty): Penalty {
  if (damping === null) return NONE;
  const penalty = Math.min(before.penalty + damping.penalty, penaltyMax(damping));
  return { penalty, suppressed: before.suppressed || penalty > damping.suppress };
}

/** How long a suppressed route stays so, in milliseconds; 0 if it is not suppressed. */
export function suppressedFor_ms(damping: Damping | null, now: Penalty): number {
  if (damping === null || !now.suppressed) return 0;
  return Math.max(0, damping.half_life_ms * Math.log2(now.penalty / damping.reuse));
}

/** With the site's own times, which keep sites from returning together; null: no damping. */
export function dampingOf({ damping }: RoutePolicy, site: string): Damping | null {
  if (damping === null) return null;
  const factor = siteFactor(site);
  const { half_life_ms, suppress_max_ms } = damping;
  return {
    ...damping,
    half_life_ms: half_life_ms * factor,
    suppress_max_ms: suppress_max_ms * factor,
  };
}

/** Waiting times are longer by at most this part. */
const SPREAD = 0.25;

/** 1–1.25, the same for a site always: FNV-1a of its name, mixed, as a part of the spread. */
export function siteFactor(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return 1 + (SPREAD * ((hash ^ (hash >>> 13)) >>> 0)) / 0x1_0000_0000;
}
