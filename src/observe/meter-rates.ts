/**
 * Counters, read again and again, as rates. A counter that is lower than before has begun anew with its
 * server: there is no rate across that, least of all a negative one. One that was not there before has
 * none yet.
 */
import { ok, type Result } from '../base/result.ts';
import { loadReading, type MeterReading } from './meter-reading.ts';

export type Rates =
  | {
      readonly kind: 'rates';
      /** Per second, by the counter's name; never empty. */
      readonly of: ReadonlyMap<string, number>;
    }
  | { readonly kind: 'none'; readonly detail: string };

const none = (detail: string): Rates => ({ kind: 'none', detail });

export class CounterBook {
  readonly #gapMax: number;
  #before: { readonly at: number; readonly counters: ReadonlyMap<string, number> } | null = null;

  /** `gap_max_ms`: readings further apart make no rate, which would be one of long ago. */
  constructor(gap_max_ms: number) {
    this.#gapMax = gap_max_ms;
  }

  /** Notes a reading, made at `now`, and compares it with the one before. */
  rates(counters: ReadonlyMap<string, number>, now: number): Rates {
    const before = this.#before;
    this.#before = { at: now, counters };
    if (!before) return none('a rate needs a second reading');
    const elapsed_ms = now - before.at;
    if (elapsed_ms <= 0) return none('two readings at the same instant');
    if (elapsed_ms > this.#gapMax) return none('a rate needs a second reading after the silence');
    const of = new Map<string, number>();
    for (const [name, value] of counters) {
      const last = before.counters.get(name);
      if (last === undefined) continue;
      if (value < last) return none('a counter went back: what it counts was started anew');
      of.set(name, ((value - last) * 1_000) / elapsed_ms);
    }
    return of.size > 0 ? { kind: 'rates', of } : none('all counters are new');
  }

  /** The sum of all rates, as a reading. */
  total(
    counters: ReadonlyMap<string, number>,
    now: number,
    what: string,
  ): Result<MeterReading, string> {
    const rates = this.rates(counters, now);
    if (rates.kind === 'none') return ok({ value: null, detail: rates.detail });
    let sum = 0;
    for (const rate of rates.of.values()) sum += rate;
    return loadReading(sum, what);
  }
}
