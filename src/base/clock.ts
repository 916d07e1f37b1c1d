/**
 * Time as a value that is passed in. Every room takes a Clock; only this file and the agent's
 * composition root touch the machine's own. `VirtualClock` runs the same code in tests and
 * simulations, where hours pass in microseconds and always in the same order.
 */

/** A handle that stops a timer; stopping twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds on a monotonic clock of unspecified origin. For ages, timeouts, deadlines. */
  now(): number;
  /** Milliseconds since 1970 by the machine's wall clock. For display and logs only. */
  wall(): number;
  /** Calls `fire` once, at least `ms` milliseconds from now. `fire` must not throw. */
  timer(ms: number, fire: () => void): Timer;
}

/** The machine's clock. Its timers keep the process alive only when `holdsProcess` is true. */
export class SystemClock implements Clock {
  readonly #holdsProcess: boolean;

  constructor(holdsProcess = true) {
    this.#holdsProcess = holdsProcess;
  }

  now(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  timer(ms: number, fire: () => void): Timer {
    // setTimeout treats anything above 2^31-1 ms as 1 ms, so a far deadline is cut to 24 days.
    const handle = setTimeout(fire, Math.min(Math.max(0, ms), 0x7fffffff));
    if (!this.#holdsProcess) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A clock that moves only when told to. Timers due at the same instant fire in creation order. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #wallOffset: number;
  #pending: Scheduled[] = [];

  constructor(start = 0, wallOffset = Date.UTC(2026, 0, 1)) {
    this.#now = start;
    this.#wallOffset = wallOffset;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wallOffset + this.#now;
  }

  /** Number of timers not yet fired or cancelled. */
  get pending(): number {
    return this.#pending.length;
  }

  timer(ms: number, fire: () => void): Timer {
    const entry: Scheduled = { at: this.#now + Math.max(0, ms), order: this.#order++, fire };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  /** Moves time forward by `ms`, firing every timer on the way at its own instant. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let next: Scheduled | undefined;
      for (const entry of this.#pending) {
        if (entry.at > until) continue;
        if (!next || entry.at < next.at || (entry.at === next.at && entry.order < next.order)) {
          next = entry;
        }
      }
      if (!next) break;
      const due = next;
      this.#pending = this.#pending.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.fire();
    }
    this.#now = until;
  }

  /** `advance` in steps, letting promise callbacks run after each: for code that awaits. */
  async advanceAsync(ms: number, step = 10): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      this.advance(Math.min(step, left));
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
  }
}
