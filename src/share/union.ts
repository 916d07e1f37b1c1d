/**
 * What several agents of one site say together, as one report. Pure.
 *
 * Must hold: agents that agree are repeated; of two that disagree, the one whose word changed last is
 * believed, and stays so until one of them changes its mind, however their reports are delayed; the order
 * of the reports does not matter; one agent alone says exactly what it says.
 */
import type { EndpointRuling, LoadSight, Report, RouteSight } from '../model/report.ts';

/** Agents of one site. */
export const SITE_AGENTS_MAX = 8;

/** What an agent said last, and how long ago that came, in milliseconds. */
export interface Word {
  readonly report: Report;
  readonly age_ms: number;
}

/** What was joined before, and of what. */
export interface Union {
  readonly reports: readonly Report[];
  readonly joined: Report;
}

/** All durations in `joined` are as of when the youngest report came, `age_ms` ago. */
export interface Joined extends Union {
  readonly age_ms: number;
}

/** `words`: at least one, each of another agent of the same site. */
export function joinReports(words: readonly Word[], before: Union | null): Joined {
  const sorted = [...words].sort((a, b) => (a.report.agent < b.report.agent ? -1 : 1));
  const age_ms = Math.min(...sorted.map((word) => word.age_ms));
  const reports = sorted.map(({ report }) => report);
  const [first] = sorted;
  if (sorted.length === 1) return { reports, joined: first!.report, age_ms };
  const youngest = sorted.find((word) => word.age_ms === age_ms)!.report;
  const ages = sorted.map((word) => word.age_ms - age_ms);
  const of = <Said extends Sight>(field: Field, ruled: readonly number[] = ages) =>
    joinSights<Said>(reports, ruled, field, before);
  const ruled = reports.map((report, i) => ages[i]! + report.ruled_ms);
  const ruled_ms = Math.min(...ruled);
  const leader = first!.report;
  const joined: Report = {
    ...youngest,
    endpoints: of('endpoints'),
    observed: of('observed'),
    // A penalty may be some decay too high: by as much as its agent ruled earlier than the last one.
    rulings: of<EndpointRuling>(
      'rulings',
      ruled.map((age) => age - ruled_ms),
    ),
    ruled_ms,
    suspect: reports.every(({ suspect }) => suspect !== null) ? leader.suspect : null,
    uplink: joinUplinks(reports),
    evicted: leader.evicted,
    load: newestLoad(sorted),
    routes: joinRoutes(reports, ages),
    // Of one agent, so that no two controllers mix: of the first by name among those who are heard.
    overload: { ...leader.overload, age_ms: leader.overload.age_ms + ages[0]! },
    spill: { ...leader.spill, for_ms: leader.spill.for_ms + ages[0]! },
  };
  return { reports, joined, age_ms };
}

/**
 * The same for one of the agents: what it decides by. What it remembers itself is its own, and so
 * are its routes; what it has no memory of, as after a start, it takes from the others.
 */
export function joinOwn(own: Report, others: readonly Word[], before: Union | null): Joined {
  const all = joinReports([{ report: own, age_ms: 0 }, ...others], before);
  if (others.length === 0) return all;
  const { incarnation, sequence, agent, routes, evicted, ruled_ms } = own;
  const age = all.joined.ruled_ms - ruled_ms;
  const rulings: Record<string, EndpointRuling> = {};
  for (const [id, ruling] of Object.entries(all.joined.rulings)) {
    const mine = own.rulings[id];
    rulings[id] = mine ?? { ...ruling, for_ms: Math.max(0, ruling.for_ms + age) };
  }
  const numbers = { agent, incarnation, sequence };
  return { ...all, joined: { ...all.joined, ...numbers, routes, evicted, rulings, ruled_ms } };
}

interface Sight {
  readonly up: boolean;
  readonly for_ms: number;
  readonly downs?: number;
}

type Field = 'endpoints' | 'observed' | 'rulings';

interface Candidate<Said> {
  readonly report: Report;
  readonly sight: Said;
}

function joinSights<Said extends Sight>(
  reports: readonly Report[],
  ages: readonly number[],
  field: Field,
  before: Union | null,
): Record<string, Said> {
  const said = new Map<string, Candidate<Said>[]>();
  reports.forEach((report, i) => {
    const age = ages[i]!;
    for (const [id, sight] of Object.entries(report[field] as unknown as Record<string, Said>)) {
      const aged = age === 0 ? sight : { ...sight, for_ms: sight.for_ms + age };
      const candidates = said.get(id);
      if (candidates) candidates.push({ report, sight: aged });
      else said.set(id, [{ report, sight: aged }]);
    }
  });
  const joined: Record<string, Said> = {};
  for (const [id, all] of said) joined[id] = chosen(all, id, field, before);
  return joined;
}

function chosen<Said extends Sight>(
  all: readonly Candidate<Said>[],
  id: string,
  field: Field,
  before: Union | null,
): Said {
  // Who does not trust its own eyes is believed only where nobody else has looked.
  const sure = all.filter(({ report }) => report.suspect === null);
  const counted = sure.length > 0 && field !== 'rulings' ? sure : all;
  const sights = counted.map(({ sight }) => sight);
  const agreed = sights.every(({ up }) => up === sights[0]!.up);
  const last = sights.reduce((a, b) => (b.for_ms < a.for_ms ? b : a));
  const up = agreed ? last.up : (sameAsBefore(all, id, field, before) ?? last.up);
  // Of those who say so, the one who has seen it fall more often: one that has just started knows less.
  return sights.filter((sight) => sight.up === up).reduce((a, b) => (knowsMore(b, a) ? b : a));
}

function knowsMore(a: Sight, b: Sight): boolean {
  const [downs, others] = [a.downs ?? 0, b.downs ?? 0];
  return downs !== others ? downs > others : a.for_ms > b.for_ms;
}

/**
 * What was believed before, if nobody has said anything else since: a report that comes a little late
 * must not turn round who changed last. Null if somebody has.
 */
function sameAsBefore(
  all: readonly Candidate<Sight>[],
  id: string,
  field: Field,
  before: Union | null,
): boolean | null {
  const speakers = before?.reports.filter((report) => report[field][id] !== undefined) ?? [];
  if (speakers.length !== all.length) return null;
  const same = all.every(({ report, sight }) => {
    const old = speakers.find(({ agent }) => agent === report.agent);
    if (!old || (old.suspect === null) !== (report.suspect === null)) return false;
    return old[field][id]!.up === sight.up;
  });
  return same ? (before!.joined[field][id]?.up ?? null) : null;
}

/** It works if one of them reaches it. */
function joinUplinks(reports: readonly Report[]): boolean | null {
  const seen = reports.flatMap(({ uplink }) => (uplink === null ? [] : [uplink]));
  return seen.length === 0 ? null : seen.includes(true);
}

/** All of them read the same meter: the newest that is known. */
function newestLoad(words: readonly Word[]): LoadSight | null {
  const known = words.filter(({ report }) => report.load !== null);
  if (known.length === 0) return null;
  return known.reduce((a, b) => (b.age_ms < a.age_ms ? b : a)).report.load;
}

const PHASES = ['off', 'going', 'coming', 'on'] as const;

/** The site announces a VIP while one of its agents does: of each VIP the best. */
function joinRoutes(
  reports: readonly Report[],
  ages: readonly number[],
): Record<string, RouteSight> {
  const joined: Record<string, RouteSight> = {};
  const rank = ({ heard, phase }: RouteSight): number => (heard ? 4 : 0) + PHASES.indexOf(phase);
  reports.forEach(({ routes }, i) => {
    for (const [vip, sight] of Object.entries(routes)) {
      const best = joined[vip];
      if (best && rank(best) >= rank(sight)) continue;
      joined[vip] = { ...sight, age_ms: sight.age_ms + ages[i]! };
    }
  });
  return joined;
}
