/**
 * The verdict on one target, as a state machine: probe results in, up or down out. The very first
 * result settles the state, so that an agent knows its targets after one round and can answer;
 * from then on `rise` successes or `fall` failures in a row are needed to turn it, and one result
 * that agrees with the present verdict starts the count again. Pure.
 */
import type { CheckTiming } from '../model/check.ts';
import type { EndpointSight } from '../model/report.ts';

export interface ProbeResult {
  readonly ok: boolean;
  /** What happened, as a sentence for people. */
  readonly detail: string;
}

/** Of a result's detail so much is kept: it goes into each report, whose size has a limit. */
export const DETAIL_CHARS_MAX = 200;

export interface VerdictState {
  /** Null until the first result. */
  readonly up: boolean | null;
  /** When `up` last changed, on the agent's monotonic clock in milliseconds. */
  readonly since: number;
  /** Results in a row that contradict `up`. */
  readonly against: number;
  /** How often `up` went from true to false. */
  readonly downs: number;
  readonly detail: string;
}

export const UNKNOWN: VerdictState = { up: null, since: 0, against: 0, downs: 0, detail: '' };

/** The state after `result` came in at `now`, and whether the verdict changed by it. */
export function judge(
  state: VerdictState,
  result: ProbeResult,
  now: number,
  timing: Pick<CheckTiming, 'rise' | 'fall'>,
): [state: VerdictState, changed: boolean] {
  const { ok } = result;
  const detail = shortened(result.detail);
  if (state.up === ok) return [{ ...state, against: 0, detail }, false];
  const against = state.against + 1;
  const needed = state.up === null ? 1 : ok ? timing.rise : timing.fall;
  if (against < needed) return [{ ...state, against, detail }, false];
  const downs = state.downs + (state.up === true ? 1 : 0);
  return [{ up: ok, since: now, against: 0, downs, detail }, true];
}

/** `text` as it fits into a report. */
export function shortened(text: string): string {
  return text.length <= DETAIL_CHARS_MAX ? text : `${text.slice(0, DETAIL_CHARS_MAX - 1)}…`;
}

/** What a report says of the endpoint at `now`; null while nothing is known. */
export function sight(state: VerdictState, now: number): EndpointSight | null {
  if (state.up === null) return null;
  const { up, downs, detail } = state;
  return { up, for_ms: Math.max(0, now - state.since), downs, detail };
}
