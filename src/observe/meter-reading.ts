/** What a load meter reads, whatever its kind: a load, or why there is none. Pure. */
import { err, ok, type Result } from '../base/result.ts';

export type MeterReading =
  | {
      /** In the meter's unit, finite and ≥ 0. */
      readonly value: number;
      /** How old the value already was when it was read, in milliseconds. */
      readonly age_ms: number;
    }
  | {
      /** Nothing is wrong, but a rate needs another reading. */
      readonly value: null;
      readonly detail: string;
    };

/** A reading of a meter. It never rejects; aborting `signal` ends it at once where it has to wait. */
export type ReadMeter = (signal: AbortSignal) => Promise<Result<MeterReading, string>>;

/** `value` as a reading, if a load can be that; `what` names it in the error. */
export function loadReading(
  value: unknown,
  what: string,
  age_ms = 0,
): Result<MeterReading, string> {
  if (typeof value !== 'number' || !Number.isFinite(value)) return err(`${what} is not a number`);
  return value < 0 ? err(`${what} is negative`) : ok({ value, age_ms });
}

const NUMBER = /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?$/i;

/** The decimal number that `text` is, white space around it aside; else null. */
export function decimal(text: string): number | null {
  const trimmed = text.trim();
  return NUMBER.test(trimmed) ? Number(trimmed) : null;
}
