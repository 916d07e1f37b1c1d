/**
 * The load of a site out of single readings, as a state machine. Readings are smoothed by an
 * exponentially weighted average in time; a value that is not renewed becomes unknown, never zero.
 * Pure.
 */
import type { Result } from '../base/result.ts';
import type { LoadMeterTiming } from '../model/load.ts';
import type { MeterReading } from './meter-reading.ts';

export interface MeterState {
  readonly load: {
    readonly value: number;
    /** When it was read, on the monotonic clock in milliseconds. */
    readonly at: number;
    /** From then on the load is unknown. */
    readonly until: number;
  } | null;
  readonly detail: string;
}

export const UNREAD: MeterState = { load: null, detail: 'not read yet' };

export interface MeterTiming {
  /** A value older than this is not believed, however often it is read. */
  readonly stale_ms: number;
  /** A value is believed for this long after its last successful reading. */
  readonly silent_ms: number;
  /** Time constant of the average; 0: each reading counts as it is. */
  readonly smoothing_ms: number;
}

const SILENT_INTERVALS_MAX = 3;

/** How long a meter may be silent before its load is unknown, in milliseconds. */
export function silenceOf({ interval_ms }: LoadMeterTiming): number {
  return SILENT_INTERVALS_MAX * interval_ms;
}

/**
 * The state after a reading at `now`. An error, or a rate that waits for another reading, leaves the last
 * value standing until its own time is over. A first value, or one after silence, is taken as it is: an
 * average with what once was would be wrong for long.
 */
export function takeReading(
  state: MeterState,
  reading: Result<MeterReading, string>,
  now: number,
  { stale_ms, silent_ms, smoothing_ms }: MeterTiming,
): MeterState {
  if (!reading.ok) return { load: state.load, detail: reading.error };
  if (reading.value.value === null) return { load: state.load, detail: reading.value.detail };
  const { value, age_ms } = reading.value;
  if (age_ms >= stale_ms) {
    return { load: null, detail: `the value is ${Math.round(age_ms / 1000)} s old` };
  }
  const before = currentLoad(state, now);
  const until = now + Math.min(silent_ms, stale_ms - age_ms);
  const detail = `read ${Math.round(value * 1000) / 1000}`;
  if (before === null) return { load: { value, at: now, until }, detail };
  const weight = smoothing_ms > 0 ? 1 - Math.exp(-(now - state.load!.at) / smoothing_ms) : 1;
  return { load: { value: before + weight * (value - before), at: now, until }, detail };
}

/** The smoothed load at `now`, or null when it is unknown. */
export function currentLoad(state: MeterState, now: number): number | null {
  return state.load !== null && now < state.load.until ? state.load.value : null;
}
