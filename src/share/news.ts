/**
 * Whether a report says anything that others must act on at once. Most repeat the one before with
 * longer durations: with fifty sites that each report every second, a plan for each of them would be
 * most of an agent's work. Pure.
 *
 * Must hold: what is not news here (durations, loads, penalties that decay, words for people) is taken
 * into account by the next regular plan.
 */
import type {
  EndpointRuling,
  EndpointSight,
  ObservedSight,
  Report,
  RouteSight,
  SpillStance,
} from '../model/report.ts';

/** `before`, `after`: reports of one writer. */
export function saysNews(before: Report, after: Report): boolean {
  return !(
    sameUnder(before.endpoints, after.endpoints, sameSight) &&
    sameUnder(before.rulings, after.rulings, sameRuling) &&
    sameUnder(before.observed, after.observed, sameObserved) &&
    sameUnder(before.routes, after.routes, sameRoute) &&
    (before.suspect === null) === (after.suspect === null) &&
    before.uplink === after.uplink &&
    before.overload.overloaded === after.overload.overloaded &&
    (before.load === null) === (after.load === null) &&
    sameList(before.evicted, after.evicted) &&
    sameStance(before.spill, after.spill)
  );
}

function sameUnder<Value>(
  a: Readonly<Record<string, Value>>,
  b: Readonly<Record<string, Value>>,
  same: (a: Value, b: Value) => boolean,
): boolean {
  let left = 0;
  for (const key in a) {
    const other = b[key];
    if (other === undefined || !same(a[key]!, other)) return false;
    left++;
  }
  for (const _ in b) left--;
  return left === 0;
}

const sameSight = (a: EndpointSight, b: EndpointSight): boolean =>
  a.up === b.up && a.downs === b.downs;

const sameObserved = (a: ObservedSight, b: ObservedSight): boolean => a.up === b.up;

const sameRuling = (a: EndpointRuling, b: EndpointRuling): boolean =>
  a.up === b.up && a.downs === b.downs && a.suppressed === b.suppressed;

const sameRoute = (a: RouteSight, b: RouteSight): boolean =>
  a.phase === b.phase &&
  a.fitness === b.fitness &&
  a.heard === b.heard &&
  a.withdrawn_by === b.withdrawn_by &&
  a.suppressed === b.suppressed &&
  (a.fit_for_ms === null) === (b.fit_for_ms === null);

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

const same = Object.is;

const sameStance = (a: SpillStance, b: SpillStance): boolean =>
  a.sending === b.sending &&
  a.open === b.open &&
  a.wanted === b.wanted &&
  (a.over_for_ms === null) === (b.over_for_ms === null) &&
  sameUnder(a.grants, b.grants, same) &&
  sameUnder(a.shares, b.shares, same);
