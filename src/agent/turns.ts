/**
 * When the agent's loop turns: regularly, when a plan says that time will change it, and soon after
 * news that come in bursts.
 *
 * What must always hold: once stopped, no timer is left and none begins.
 */
import type { Clock, Timer } from '../base/clock.ts';

/**
 * News is gathered this long before the next plan, so that a burst costs one; and for twice as long as
 * the last plan took, so that no flood of news keeps the event loop from all else …
 */
const GATHER_MS = 2;
/** … up to this. */
const GATHER_MAX_MS = 40;

export class Turns {
  readonly #clock: Clock;
  readonly #turn: (publish: boolean) => void;
  #tick: Timer | null = null;
  #wake: Timer | null = null;
  #gather: Timer | null = null;
  /** True if there is news of our own among what is gathered. */
  #ownNews = false;
  #stopped = false;
  #gather_ms = GATHER_MS;
  /** When the last turn ended. */
  #turned_at = Number.NEGATIVE_INFINITY;

  /** `turn` plans anew; `publish`: there is news of our own for the other sites. */
  constructor(clock: Clock, turn: (publish: boolean) => void) {
    this.#clock = clock;
    this.#turn = turn;
  }

  /** From now on regularly, by which the others hear that this agent lives. */
  begin(interval_ms: () => number): void {
    if (this.#stopped) return;
    this.#tick = this.#clock.timer(interval_ms(), () => {
      this.#take(true);
      this.begin(interval_ms);
    });
  }

  /** In place of the wake-up before: in `ms`, or only with news if that is Infinity. */
  wakeIn(ms: number): void {
    this.#wake?.cancel();
    this.#wake = null;
    if (this.#stopped || ms === Number.POSITIVE_INFINITY) return;
    this.#wake = this.#clock.timer(Math.max(1, ms), () => this.#take(true));
  }

  soon(publish: boolean): void {
    this.#ownNews ||= publish;
    if (this.#gather || this.#stopped) return;
    this.#gather = this.#clock.timer(this.#gather_ms, () => {
      this.#gather = null;
      const news = this.#ownNews;
      this.#ownNews = false;
      this.#take(news);
    });
  }

  /** True just after a turn: a change that comes then is better gathered with those that follow it. */
  get busy(): boolean {
    return this.#clock.now() - this.#turned_at < this.#gather_ms;
  }

  /** A turn at once. */
  run(turn: () => void): void {
    const from = this.#clock.now();
    turn();
    this.#turned_at = this.#clock.now();
    this.#gather_ms = Math.min(Math.max(GATHER_MS, 2 * (this.#turned_at - from)), GATHER_MAX_MS);
  }

  #take(publish: boolean): void {
    this.run(() => this.#turn(publish));
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of [this.#tick, this.#wake, this.#gather]) timer?.cancel();
  }
}
