/**
 * Sites on a virtual clock: the real `decide` and `measureDemand` against a fluid of flows. Flows
 * arrive at each site, live for a mean time wherever they were steered, and load the site that
 * carries them. Reports travel with a delay, and every reading is noisy. Same seed, same run.
 */
import { type Prng, prng } from '../../src/base/prng.ts';
import { decide } from '../../src/decide/decide.ts';
import { type DemandState, type DemandTiming, measureDemand } from '../../src/decide/demand.ts';
import type { Config } from '../../src/model/config.ts';
import { IDLE_STANCE, type Report, type SpillStance } from '../../src/model/report.ts';
import type { Sighting } from '../../src/model/world.ts';
import { DOWN, reportOf, UP } from './world.ts';

export interface Scenario {
  readonly config: Config;
  readonly length_s: number;
  readonly flow_life_ms: number;
  readonly delay_ms: number;
  /** Standard deviation of every load reading and of every second's arrivals, as a ratio. */
  readonly noise: number;
  /** Time constant of the load meter itself; 0: it reads the load of the moment. */
  readonly meter_ms: number;
  readonly timing: DemandTiming;
  /** What the site's own clients would load it with, as a ratio to capacity. */
  demand(site: number, at_s: number): number;
  /** Load of one flow against the normal: 2 when half of the servers are gone. */
  cost?(site: number, at_s: number): number;
  isUp?(site: number, at_s: number): boolean;
  /** True while the site cannot reach the store. */
  isCut?(site: number, at_s: number): boolean;
}

/** One value a site for every 100 ms. */
export interface Trace {
  readonly load: readonly (readonly number[])[];
  readonly share: readonly (readonly number[])[];
}

const STEP_MS = 10;
const RECORD_MS = 100;

interface Station {
  readonly index: number;
  /** Open flows of its own clients, by the site that carries them; in capacity units. */
  readonly flows: Float64Array;
  readonly sent: number[];
  readonly guests: number[];
  kept: number;
  metered: number | null;
  sequence: number;
  demand: DemandState | null;
  stance: SpillStance;
  stance_at: number;
  shares: Readonly<Record<string, number>>;
  shares_until: number;
  cut_at: number | null;
  readonly sightings: Map<string, Sighting>;
}

export function simulate(scenario: Scenario, seed = 1): Trace {
  const { config, length_s } = scenario;
  const random = prng(seed);
  const stations = config.sites.map((_, index) => newStation(config, index));
  const mail: { to: Station; at: number; report: Report }[] = [];
  const lists = (): number[][] => config.sites.map(() => []);
  const trace = { load: lists(), share: lists() };
  const tick_ms = config.policy.spill.tick_ms;

  for (let now = 0; now < length_s * 1000; now += STEP_MS) {
    while (mail[0] !== undefined && mail[0].at <= now) {
      const { to, report } = mail.shift()!;
      to.sightings.set(report.site, { report, received_at: now, cut_ms: 0 });
    }
    for (const station of stations) flow(scenario, stations, station, now, random);
    for (const station of stations) meter(scenario, stations, station, now);
    for (const station of stations) {
      if ((now + station.index * 70) % tick_ms >= STEP_MS) continue;
      const report = tick(scenario, station, now, random);
      if (scenario.isCut?.(station.index, now / 1000)) continue;
      for (const to of stations) {
        if (to === station || scenario.isCut?.(to.index, now / 1000)) continue;
        mail.push({ to, at: now + scenario.delay_ms, report });
      }
    }
    if (now % RECORD_MS !== 0) continue;
    for (const { index, shares, shares_until } of stations) {
      trace.load[index]!.push(loadOn(scenario, stations, index, now / 1000));
      trace.share[index]!.push(now < shares_until ? total(shares) : 0);
    }
  }
  return trace;
}

function newStation(config: Config, index: number): Station {
  return {
    index,
    flows: new Float64Array(config.sites.length),
    sent: config.sites.map(() => 0),
    guests: config.sites.map(() => 0),
    kept: 0,
    metered: null,
    sequence: 0,
    demand: null,
    stance: IDLE_STANCE,
    stance_at: 0,
    shares: {},
    shares_until: 0,
    cut_at: null,
    sightings: new Map(),
  };
}

/** New flows of one step go where the shares say; old ones end where they are. */
function flow(
  { config, demand, flow_life_ms, noise }: Scenario,
  stations: readonly Station[],
  station: Station,
  now: number,
  random: Prng,
): void {
  const { capacity } = config.sites[station.index]!;
  const rate = (demand(station.index, now / 1000) * capacity) / flow_life_ms;
  // Noise of a second, spread over its steps as that of independent arrivals is.
  const arrived = rate * STEP_MS * (1 + noisy(noise * Math.sqrt(1000 / STEP_MS), random));
  const shares = now < station.shares_until ? station.shares : {};
  // A first step finds the site as if its clients had been there for ever.
  const left = now === 0 ? 0 : Math.exp(-STEP_MS / flow_life_ms);
  const joined = now === 0 ? rate * flow_life_ms : rate * flow_life_ms * (1 - left);
  stations.forEach(({ index, guests }) => {
    const { name } = config.sites[index]!;
    const part = index === station.index ? 1 - total(shares) : (shares[name] ?? 0);
    station.flows[index] = station.flows[index]! * left + joined * part;
    if (index === station.index) station.kept += arrived * part;
    else {
      station.sent[index]! += arrived * part;
      guests[station.index]! += arrived * part;
    }
  });
}

function meter(
  scenario: Scenario,
  stations: readonly Station[],
  station: Station,
  now: number,
): void {
  const load = loadOn(scenario, stations, station.index, now / 1000);
  const left = scenario.meter_ms > 0 ? Math.exp(-STEP_MS / scenario.meter_ms) : 0;
  station.metered = load + ((station.metered ?? load) - load) * left;
}

/** One round of a site's loop; returns the report that it publishes. */
function tick(scenario: Scenario, station: Station, now: number, random: Prng): Report {
  const { config, noise, timing } = scenario;
  const { index } = station;
  const { name, capacity } = config.sites[index]!;
  const at_s = now / 1000;
  const load = station.metered! * (1 + noisy(noise, random));
  const named = (counts: readonly number[]): Record<string, number> =>
    Object.fromEntries(config.sites.map((site, i) => [site.name, counts[i]!]));
  const sample = {
    used: load * capacity,
    capacity,
    kept: station.kept,
    sent: named(station.sent),
    guests: named(station.guests),
  };
  const [state, sight] = measureDemand(station.demand, sample, now, timing);
  station.demand = state;
  const report = reportOf(
    config,
    name,
    {
      sequence: ++station.sequence,
      load: sight,
      spill: { ...station.stance, for_ms: now - station.stance_at },
    },
    (scenario.isUp?.(index, at_s) ?? true) ? UP : DOWN,
  );
  station.sightings.set(name, { report, received_at: now, cut_ms: 0 });
  const isCut = scenario.isCut?.(index, at_s) ?? false;
  station.cut_at = isCut ? (station.cut_at ?? now) : null;
  const plan = decide(
    config,
    {
      self: name,
      sightings: station.sightings,
      overrides: [],
      connected: !isCut,
      cut_at: station.cut_at,
    },
    now,
  );
  station.stance = plan.spill.stance;
  station.stance_at = now;
  station.shares = plan.spill.shares;
  station.shares_until = now + plan.spill.lease_ms;
  return { ...report, spill: plan.spill.stance };
}

function loadOn(
  { config, cost }: Scenario,
  stations: readonly Station[],
  index: number,
  at_s: number,
): number {
  const carried = stations.reduce((sum, station) => sum + station.flows[index]!, 0);
  return (carried * (cost?.(index, at_s) ?? 1)) / config.sites[index]!.capacity;
}

/** About normal (a sum of three uniforms), with the given standard deviation. */
function noisy(deviation: number, random: Prng): number {
  return (random.next() + random.next() + random.next() - 1.5) * 2 * deviation;
}

function total(shares: Readonly<Record<string, number>>): number {
  return Object.values(shares).reduce((sum, share) => sum + share, 0);
}

/** Seconds for which a list of the trace was above `limit`, from `from_s` to `to_s`. */
export function secondsOver(
  list: readonly number[],
  limit: number,
  from_s = 0,
  to_s = Infinity,
): number {
  const over = list.slice(from_s * 10, to_s * 10).filter((value) => value > limit);
  return (over.length * RECORD_MS) / 1000;
}

/** How often a list of the trace turned round by more than `points`. */
export function reversals(list: readonly number[], points = 0.01): number {
  let turns = 0;
  let direction = 0;
  let extreme = list[0] ?? 0;
  for (const value of list) {
    const ahead = (value - extreme) * direction;
    if (direction !== 0 && ahead >= 0) extreme = value;
    else if (Math.abs(value - extreme) > points) {
      if (direction !== 0) turns++;
      direction = Math.sign(value - extreme);
      extreme = value;
    }
  }
  return turns;
}

export function mean(list: readonly number[]): number {
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}
