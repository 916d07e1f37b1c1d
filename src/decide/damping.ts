/**
 * Damping of what comes and goes, VIPs and endpoints, after RFC 2439 §4: each fall adds a penalty, which
 * halves with every half-life; above one threshold what has fallen is held back, until it has decayed to
 * a lower one. Pure.
 *
 * Must hold: nobody is held back longer than `suppress_max_ms`; deciding more often changes nothing.
 */
import { hashOf } from '../base/hash.ts';
import type { Damping } from '../model/bgp.ts';
import type { Config } from '../model/config.ts';

export interface Penalty {
  readonly penalty: number;
  readonly suppressed: boolean;
}

const NONE: Penalty = { penalty: 0, suppressed: false };

/** `before` as it is `ms` later. */
export function decayed(damping: Damping | null, before: Penalty, ms: number): Penalty {
  if (damping === null || before.penalty === 0) return NONE;
  // The ceiling also binds what was added under an older configuration, with a higher one.
  const penalty = Math.min(before.penalty, penaltyMax(damping)) * 2 ** (-ms / damping.half_life_ms);
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

/** With times that are longer by a site's factor; null: no damping. */
export function dampingOf(
  { damping }: { readonly damping: Damping | null },
  factor: number,
): Damping | null {
  if (damping === null) return null;
  const { half_life_ms, suppress_max_ms } = damping;
  return {
    ...damping,
    half_life_ms: half_life_ms * factor,
    suppress_max_ms: suppress_max_ms * factor,
  };
}

/** Waiting times are longer by less than this part. */
const SPREAD = 0.25;

/** A configuration never changes, so what follows from one is worked out once. */
const factors = new WeakMap<Config['sites'], readonly number[]>();

/**
 * 1–1.25 for each site, by which it waits longer than the others, so that sites do not return together.
 * The hash of the name gives the order alone: by itself it would put some sites next to each other.
 */
export function siteFactors(sites: Config['sites']): readonly number[] {
  let known = factors.get(sites);
  if (known === undefined) {
    const hashes = sites.map(({ name }) => hashOf(name));
    const ranks = hashes.map((hash) => hashes.filter((other) => other < hash).length);
    known = ranks.map((rank) => 1 + (SPREAD * rank) / sites.length);
    factors.set(sites, known);
  }
  return known;
}

/** That of one site. */
export function siteFactor(sites: Config['sites'], site: string): number {
  return siteFactors(sites)[sites.findIndex(({ name }) => name === site)] ?? 1;
}
