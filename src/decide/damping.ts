/**
 * Damping of what comes and goes, VIPs and endpoints, after RFC 2439 §4: each fall adds a penalty, which
 * halves with every half-life; above one threshold what has fallen is held back, until it has decayed to
 * a lower one. Pure.
 *
 * Must hold: nobody is held back longer than `suppress_max_ms`; deciding more often changes nothing.
 */
import { hashOf } from '../base/hash.ts';
import type { Damping } from '../model/bgp.ts';

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

/** One more fall. */
export function penalized(damping: Damping | null, before: Penalty): Penalty {
  if (damping === null) return NONE;
  const penalty = Math.min(before.penalty + damping.penalty, penaltyMax(damping));
  return { penalty, suppressed: before.suppressed || penalty > damping.suppress };
}

/** How long what is suppressed stays so, in milliseconds; 0 if it is not suppressed. */
export function suppressedFor_ms(damping: Damping | null, now: Penalty): number {
  if (damping === null || !now.suppressed) return 0;
  return Math.max(0, damping.half_life_ms * Math.log2(now.penalty / damping.reuse));
}

/** With the site's own times, which keep sites from returning together; null: no damping. */
export function dampingOf(
  { damping }: { readonly damping: Damping | null },
  site: string,
): Damping | null {
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

/** 1–1.25, the same for a site always. */
export function siteFactor(name: string): number {
  return 1 + (SPREAD * hashOf(name)) / 0x1_0000_0000;
}
