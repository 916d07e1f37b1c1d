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
  /** What the meters were made from. */
  #made = 'null';

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins to read `meters`, unless they are what is read already; null: nothing is to be read. */
  use(meters: readonly LoadMeterConfig[] | null): void {
    const wanted = JSON.stringify(meters);
    if (wanted === this.#made) return;
    this.#made = wanted;
    for (const meter of this.#meters) meter.stop();
    const [clock, log] = [this.#clock, this.#log];
    this.#meters = (meters ?? []).map((meter) => new LoadMeter({ meter, clock, log }));
    for (const meter of this.#meters) meter.start();
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
}
