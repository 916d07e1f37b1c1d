/**
 * Demand from what can be counted: the load now, and the new flows that were kept, sent away, and
 * taken in for others. A flow's cost is learnt slowly as load over carried flows; demand is that
 * cost times all new flows of own clients. Flows live on after they were steered, so load follows
 * the counters late; the slow cost keeps this lag from looking like more or less demand.
 *
 * Must hold: sending flows away changes no demand once the cost is learnt; own ≤ demand; without
 * usable counters demand and own are what is used, as for a site that neither sends nor takes.
 */
import type { LoadSight } from '../model/report.ts';

/** Cumulative counters of new flows, summed by peer; a peer's name is of no account here. */
export interface DemandSample {
  /** Load now, in capacity units. */
  readonly used: number;
  /** In the same unit; > 0. */
  readonly capacity: number;
  readonly kept: number;
  readonly sent: Readonly<Record<string, number>>;
  readonly guests: Readonly<Record<string, number>>;
}

export interface DemandTiming {
  /** Time constant of the flow rates and of the load. */
  readonly rate_ms: number;
  /** Time constant of the cost of a flow: several times the mean life of a flow and `rate_ms`. */
  readonly cost_ms: number;
}

export const DEMAND_TIMING: DemandTiming = { rate_ms: 2_000, cost_ms: 20_000 };

/** Sums that forget with time; only their ratios are used, so they need no warming up. */
interface Sums {
  readonly used: number;
  readonly kept: number;
  readonly sent: number;
  readonly guests: number;
  /** The weight of the sums themselves, in milliseconds. */
  readonly time_ms: number;
}

export interface DemandState {
  readonly at: number;
  readonly counted: { readonly kept: number; readonly sent: number; readonly guests: number };
  readonly fast: Sums;
  readonly slow: Sums;
}

/** Fewer carried flows than this per second tell nothing about the cost of one. */
const FLOWS_MIN_PER_S = 1;
/** The learnt cost is believed within this factor of what the load says at the moment. */
const COST_FACTOR_MAX = 2;

const EMPTY: Sums = { used: 0, kept: 0, sent: 0, guests: 0, time_ms: 0 };

/** `state` is null at first; `now` is monotonic, in milliseconds. */
export function measureDemand(
  state: DemandState | null,
  sample: DemandSample,
  now: number,
  timing: DemandTiming = DEMAND_TIMING,
): readonly [DemandState, LoadSight] {
  const counted = {
    kept: sample.kept,
    sent: sumOf(sample.sent),
    guests: sumOf(sample.guests),
  };
  if (state === null) {
    return [{ at: now, counted, fast: EMPTY, slow: EMPTY }, asUsed(sample)];
  }
  const dt_ms = now - state.at;
  if (dt_ms <= 0) return [state, sight(state, sample)];
  const news: Sums = {
    used: sample.used * dt_ms,
    kept: grown(counted.kept, state.counted.kept),
    sent: grown(counted.sent, state.counted.sent),
    guests: grown(counted.guests, state.counted.guests),
    time_ms: dt_ms,
  };
  const fast = learn(state.fast, news, timing.rate_ms);
  // Load without flows, as of a backup at night, says nothing about a flow's cost. That is judged
  // over `rate_ms`: one sample without news may only mean that the counters are read less often.
  const slow = isTelling(fast) ? learn(state.slow, news, timing.cost_ms) : state.slow;
  const next: DemandState = { at: now, counted, fast, slow };
  return [next, sight(next, sample)];
}

function sight(state: DemandState, sample: DemandSample): LoadSight {
  const { fast, slow } = state;
  if (!isTelling(fast)) return asUsed(sample);
  const carried = fast.kept + fast.guests;
  const ownPart = fast.kept / carried;
  const now = fast.used / carried;
  const learnt = isTelling(slow) ? slow.used / (slow.kept + slow.guests) : now;
  const cost = Math.min(now * COST_FACTOR_MAX, Math.max(now / COST_FACTOR_MAX, learnt));
  const perFlow = cost / fast.time_ms;
  // What the load itself says is quicker to tell that servers were lost; the greater is the safer.
  const own = Math.max(perFlow * fast.kept, (fast.used / fast.time_ms) * ownPart);
  const demand = Math.max(own, perFlow * (fast.kept + fast.sent));
  return { used: sample.used, capacity: sample.capacity, own, demand };
}

function learn(sums: Sums, news: Sums, time_ms: number): Sums {
  const left = Math.exp(-news.time_ms / time_ms);
  // Within a long interval, too, what is older counts less.
  const gain = (time_ms * (1 - left)) / news.time_ms;
  return {
    used: sums.used * left + news.used * gain,
    kept: sums.kept * left + news.kept * gain,
    sent: sums.sent * left + news.sent * gain,
    guests: sums.guests * left + news.guests * gain,
    time_ms: sums.time_ms * left + news.time_ms * gain,
  };
}

function isTelling({ kept, guests, time_ms }: Sums): boolean {
  return kept + guests > 0 && (kept + guests) * 1000 >= FLOWS_MIN_PER_S * time_ms;
}

/** A counter that went back was reset: what it has counted since is unknown, so nothing. */
function grown(after: number, before: number): number {
  return Math.max(0, after - before);
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function asUsed({ used, capacity }: DemandSample): LoadSight {
  return { used, capacity, own: used, demand: used };
}
