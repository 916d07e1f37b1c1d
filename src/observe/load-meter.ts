/**
 * Reads a site's load on an interval and keeps it smoothed. One reading at a time; a meter that is
 * silent for three intervals is unknown, which nobody may take for zero.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { LoadMeterConfig } from '../model/load.ts';
import { readMeter } from './meter-source.ts';
import { currentLoad, type MeterState, takeReading, UNREAD } from './meter-state.ts';

export interface LoadMeterOptions {
  readonly meter: LoadMeterConfig;
  readonly clock: Clock;
  readonly log: Log;
}

const SILENT_INTERVALS_MAX = 3;

export class LoadMeter {
  readonly #options: LoadMeterOptions;
  #state: MeterState = UNREAD;
  #timer: Timer | null = null;
  #stopping = new AbortController();
  #failing = false;

  constructor(options: LoadMeterOptions) {
    this.#options = options;
  }

  /** Reads at once, and then on the interval. */
  start(): void {
    void this.#read();
  }

  stop(): void {
    this.#stopping.abort();
    this.#timer?.cancel();
  }

  /** The smoothed load in the meter's unit, ≥ 0; null when it is unknown. */
  value(now: number): number | null {
    return currentLoad(this.#state, now);
  }

  /** The outcome of the last reading, in words. */
  detail(): string {
    return this.#state.detail;
  }

  async #read(): Promise<void> {
    const { meter, clock } = this.#options;
    const begun = clock.now();
    const reading = await readMeter(meter, clock, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    const silent_ms = SILENT_INTERVALS_MAX * meter.interval_ms;
    const stale_ms = meter.kind === 'file' ? meter.stale_ms : Infinity;
    this.#state = takeReading(this.#state, reading, clock.now(), {
      stale_ms,
      silent_ms,
      smoothing_ms: meter.smoothing_ms,
    });
    this.#noteFailing(!reading.ok);
    const wait_ms = begun + meter.interval_ms - clock.now();
    this.#timer = clock.timer(wait_ms, () => void this.#read());
  }

  /** Logs a change only: a meter that stays broken would otherwise fill the log. */
  #noteFailing(failing: boolean): void {
    if (failing === this.#failing) return;
    this.#failing = failing;
    const fields = { detail: this.#state.detail };
    if (failing) this.#options.log.warn(fields, 'the load meter cannot be read');
    else this.#options.log.info(fields, 'the load meter is read again');
  }
}
