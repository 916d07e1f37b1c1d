/**
 * When the agent's loop turns: regularly, when a plan says that time will change it, and soon after
 * news that come in bursts.
 *
 * What must always hold: once stopped, no timer is left and none begins.
 */
import type { Clock, Timer } from '../base/clock.ts';

/** News of others and of BGP is gathered this long before the next plan, so that a burst costs one. */
const GATHER_MS = 2;

export class Turns {
  readonly #clock: Clock;
  readonly #turn: (publish: boolean) => void;
  #tick: Timer | null = null;
  #wake: Timer | null = null;
  #gather: Timer | null = null;
  /** True if there is news of our own among what is gathered. */
  #ownNews = false;
  #stopped = false;

  /** `turn` plans anew; `publish`: there is news of our own for the other sites. */
  constructor(clock: Clock, turn: (publish: boolean) => void) {
    this.#clock = clock;
    this.#turn = turn;
  }

  /** From now on regularly, by which the others hear that this agent lives. */
  begin(interval_ms: () => number): void {
    if (this.#stopped) return;
    this.#tick = this.#clock.timer(interval_ms(), () => {
      this.#turn(true);
      this.begin(interval_ms);
    });
  }

  /** In place of the wake-up before: in `ms`, or only with news if that is Infinity. */
  wakeIn(ms: number): void {
    this.#wake?.cancel();
    this.#wake = null;
    if (this.#stopped || ms === Number.POSITIVE_INFINITY) return;
    this.#wake = this.#clock.timer(Math.max(1, ms), () => this.#turn(true));
  }

  soon(publish: boolean): void {
    this.#ownNews ||= publish;
    if (this.#gather || this.#stopped) return;
    this.#gather = this.#clock.timer(GATHER_MS, () => {
      this.#gather = null;
      const news = this.#ownNews;
      this.#ownNews = false;
      this.#turn(news);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of [this.#tick, this.#wake, this.#gather]) timer?.cancel();
  }
}
