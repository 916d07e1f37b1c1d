/**
 * Events per second, now: each event counts 1/τ and fades with time constant τ. Needs no timer and
 * two numbers of memory; after a change the reading is 63 % there in τ, 95 % in 3 τ.
 */
import type { Clock } from '../../base/clock.ts';

export class RateMeter {
  readonly #clock: Clock;
  readonly #tau_ms: number;
  #per_ms = 0;
  #at: number;

  constructor(clock: Clock, tau_ms = 1_000) {
    this.#clock = clock;
    this.#tau_ms = tau_ms;
    this.#at = clock.now();
  }

  count(): void {
    this.#fade();
    this.#per_ms += 1 / this.#tau_ms;
  }

  perSecond(): number {
    this.#fade();
    return this.#per_ms * 1_000;
  }

  #fade(): void {
    const now = this.#clock.now();
    this.#per_ms *= Math.exp((this.#at - now) / this.#tau_ms);
    this.#at = now;
  }
}
