/**
 * Reads a site's load on an interval and keeps it smoothed. One reading at a time; a meter that is
 * silent for three intervals is unknown, which nobody may take for zero.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { LoadMeterConfig } from '../model/load.ts';
import type { ReadMeter } from './meter-reading.ts';
import { openMeter } from './meter-source.ts';
import { currentLoad, type MeterState, silenceOf, takeReading, UNREAD } from './meter-state.ts';

export interface LoadMeterOptions {
  readonly meter: LoadMeterConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a meter says, for people. */
export interface LoadMeterSight {
  readonly kind: LoadMeterConfig['kind'];
  /** Smoothed, in the meter's unit; null: unknown. */
  readonly value: number | null;
  /** In the same unit. */
  readonly capacity: number;
  /** Since the last reading that gave a value; null: there was none. */
  readonly age_ms: number | null;
  /** The outcome of the last reading, in words. */
  readonly detail: string;
}

/** What is read, and how often: all but what is made of it. */
function questionOf({ capacity, smoothing_ms, ...question }: LoadMeterConfig): string {
  return JSON.stringify(question);
}

export class LoadMeter {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #source: ReadMeter;
  #meter: LoadMeterConfig;
  #state: MeterState = UNREAD;
  #timer: Timer | null = null;
  #stopping = new AbortController();
  #failing = false;

  constructor({ meter, clock, log }: LoadMeterOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#source = openMeter(meter, clock);
    this.#meter = meter;
  }

  /** Goes on as `meter` without forgetting, if the same is read as before; false: it is another. */
  become(meter: LoadMeterConfig): boolean {
    if (questionOf(meter) !== questionOf(this.#meter)) return false;
    this.#meter = meter;
    return true;
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

  /** The same by the meter's capacity. */
  ratio(now: number): number | null {
    const value = this.value(now);
    return value === null ? null : value / this.#meter.capacity;
  }

  sight(now: number): LoadMeterSight {
    const { load, detail } = this.#state;
    const age_ms = load && Math.round(now - load.at);
    const { kind, capacity } = this.#meter;
    return { kind, value: this.value(now), capacity, age_ms, detail };
  }

  async #read(): Promise<void> {
    const clock = this.#clock;
    const begun = clock.now();
    const reading = await this.#source(this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    const meter = this.#meter;
    const stale_ms = meter.kind === 'file' ? meter.stale_ms : Infinity;
    this.#state = takeReading(this.#state, reading, clock.now(), {
      stale_ms,
      silent_ms: silenceOf(meter),
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
    const fields = { meter: this.#meter.kind, detail: this.#state.detail };
    if (failing) this.#log.warn(fields, 'the load meter cannot be read');
    else this.#log.info(fields, 'the load meter is read again');
  }
}
