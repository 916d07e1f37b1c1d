/**
 * How late a busy machine lets a process run: what the limits of a scenario must allow beyond the
 * design's own times, measured while it runs instead of guessed.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
/** Processes that a failure passes through until it is seen: agent, Redis, agent, BIRD, watcher. */
const PROCESSES = 5;

export class Lateness {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delays.enable();
  }

  /** The longest that this process had to wait for its turn so far, in milliseconds. */
  get worst_ms(): number {
    return Math.max(0, this.#delays.max / 1e6 - RESOLUTION_MS);
  }

  /** What a chain of processes may be late by in all, in milliseconds. */
  get allowance_ms(): number {
    return PROCESSES * this.worst_ms;
  }
}
