/**
 * The load of the agent's site: of its meters, the one that is highest by its own capacity counts. While
 * one of them is unknown the load is unknown, as that one could be the highest.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { LoadMeterConfig } from '../model/load.ts';
import { LoadMeter, type LoadMeterSight } from '../observe/load-meter.ts';

export class LoadWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  #meters: readonly LoadMeter[] = [];

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** From now on reads `meters`; of those that are read already, none forgets. Null: reads nothing. */
  use(meters: readonly LoadMeterConfig[] | null): void {
    const before = new Set(this.#meters);
    this.#meters = (meters ?? []).map((meter) => {
      const known = [...before].find((each) => each.become(meter));
      if (known) before.delete(known);
      return known ?? this.#begin(meter);
    });
    for (const gone of before) gone.stop();
  }

  stop(): void {
    this.use(null);
  }

  /** As a ratio to capacity; null: unknown, which is not zero. */
  ratio(now: number): number | null {
    let highest: number | null = null;
    for (const meter of this.#meters) {
      const ratio = meter.ratio(now);
      if (ratio === null) return null;
      highest = Math.max(highest ?? 0, ratio);
    }
    return highest;
  }

  /** One for each meter, in the order of the site's file. */
  sights(now: number): LoadMeterSight[] {
    return this.#meters.map((meter) => meter.sight(now));
  }

  #begin(meter: LoadMeterConfig): LoadMeter {
    const made = new LoadMeter({ meter, clock: this.#clock, log: this.#log });
    made.start();
    return made;
  }
}
