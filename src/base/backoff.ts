/** Capped exponential backoff with jitter, the same for every retry in isobar. */
import type { Prng } from './prng.ts';

export interface BackoffLimits {
  /** Delay after the first failure, in milliseconds. */
  readonly first_ms: number;
  /** No delay is longer than this, in milliseconds. */
  readonly max_ms: number;
}

/**
 * The delay before attempt number `failures + 1`, in milliseconds. The upper half is random, so
 * that many agents that lost the same peer at once do not all come back at once.
 */
export function backoff_ms(
  limits: BackoffLimits,
  failures: number,
  random: Pick<Prng, 'next'>,
): number {
  const full = Math.min(limits.max_ms, limits.first_ms * 2 ** Math.min(failures, 30));
  return full * (0.5 + random.next() / 2);
}
