/**
 * This agent's own report: what the probes and the meter say now, and what was decided last (the
 * spill stance is the decision's memory, so it is carried here from one plan to the next). Only
 * `next` counts the sequence up: one number for each report that leaves.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type DemandState, measureDemand } from '../decide/demand.ts';
import { laterBy, resumed } from '../decide/route-phase.ts';
import { forgiven, isReproached } from '../decide/rulings.ts';
import type { Damping } from '../model/bgp.ts';
import type { SpillPolicy } from '../model/config.ts';
import { type DecisionMemory, NO_MEMORY, type Plan } from '../model/plan.ts';
import {
  blankReport,
  IDLE_STANCE,
  type LoadSight,
  type Report,
  type RouteMemory,
  type RouteSight,
  type SpillStance,
} from '../model/report.ts';
import { Numbering } from '../share/numbering.ts';
import type { Store } from '../share/store.ts';
import type { FlowCounts } from '../spill/port.ts';
import type { LoadedState } from './state-file.ts';

/** What the site's own eyes say. */
export type Seen = Pick<Report, 'endpoints' | 'observed' | 'suspect' | 'uplink'>;

export interface ReporterOptions {
  readonly site: string;
  readonly agent: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export class Reporter {
  readonly #site: string;
  readonly #agent: string;
  readonly #numbering: Numbering;
  #numbers: Pick<Report, 'incarnation' | 'sequence'>;
  #load: LoadSight | null = null;
  #demand: DemandState | null = null;
  #memory: DecisionMemory = NO_MEMORY;
  /** The VIPs whose routes a neighbour hears. */
  #heard: ReadonlySet<string> = new Set();
  #stance: SpillStance = IDLE_STANCE;
  #decidedAt: number;
  #ruledAt: number;

  constructor({ site, agent, store, clock, log }: ReporterOptions) {
    this.#site = site;
    this.#agent = agent;
    const incarnation = Math.floor(clock.wall());
    this.#numbering = new Numbering({ site, agent, incarnation, store, log });
    this.#numbers = { incarnation, sequence: 0 };
    this.#decidedAt = clock.now();
    this.#ruledAt = this.#decidedAt;
  }

  close(): void {
    this.#numbering.close();
  }

  /**
   * Notes a reading of the load meter, in capacity units; null when the meter is silent or there is
   * none. A flow's cost is learnt over about ten ticks of the spill loop.
   */
  measured(
    used: number | null,
    capacity: number,
    flows: FlowCounts,
    { tick_ms }: SpillPolicy,
    now: number,
  ): void {
    if (used === null) {
      this.#load = null;
      return;
    }
    const timing = { rate_ms: Math.max(1_000, tick_ms), cost_ms: Math.max(5_000, 10 * tick_ms) };
    const sample = { used, capacity, ...flows };
    [this.#demand, this.#load] = measureDemand(this.#demand, sample, now, timing);
  }

  /** `heard`: the VIPs whose routes BGP neighbours have, so that others may rely on them. */
  decided(plan: Plan, heard: ReadonlySet<string>, now: number): void {
    this.#stance = plan.spill.stance;
    this.#memory = plan.memory;
    this.#decidedAt = now;
    this.#ruledAt = now;
    const announced = plan.routes.filter(({ vip, announce }) => announce && heard.has(vip));
    this.#heard = new Set(announced.map(({ vip }) => vip));
  }

  /**
   * Goes on from what the process before has left, in place of what was decided here so far.
   * `addressStands`: the VIPs' addresses have never left the interface.
   */
  resume(
    { routes, elapsed_ms }: LoadedState,
    damping: Damping | null,
    addressStands: boolean,
    now: number,
  ): void {
    const memories: Record<string, RouteMemory> = {};
    for (const [vip, sight] of Object.entries(routes)) {
      const memory = laterBy(sight, sight.age_ms + elapsed_ms, damping);
      memories[vip] = resumed(memory, addressStands);
    }
    this.#memory = { ...NO_MEMORY, routes: memories };
    this.#heard = new Set();
    this.#decidedAt = now;
  }

  /** Goes on from the rulings of `report`, which the process before made at `made_at`. */
  recall(report: Report, made_at: number): void {
    const { rulings, ruled_ms, evicted } = report;
    this.#numbering.goBeyond(report);
    this.#memory = { ...this.#memory, rulings, evicted };
    this.#ruledAt = made_at - ruled_ms;
  }

  /**
   * Forgets penalties and hold-downs: of one VIP, or of all. Returns the VIPs that had any; null if
   * there is no such VIP here.
   */
  resetPenalty(vip: string | null): string[] | null {
    if (vip !== null && this.#memory.routes[vip] === undefined) return null;
    const reset: string[] = [];
    const routes = { ...this.#memory.routes };
    for (const [name, memory] of Object.entries(routes)) {
      if (vip !== null && name !== vip) continue;
      if (memory.penalty === 0 && memory.withdrawn_by !== 'failure') continue;
      routes[name] = { ...memory, penalty: 0, suppressed: false, withdrawn_by: null };
      reset.push(name);
    }
    this.#memory = { ...this.#memory, routes };
    return reset;
  }

  /** The same for this site's endpoints, of which `chosen` takes some; returns those that had any. */
  forgive(chosen: (id: string) => boolean): string[] {
    const rulings = { ...this.#memory.rulings };
    const reset = Object.keys(rulings).filter((id) => chosen(id) && isReproached(rulings[id]!));
    for (const id of reset) rulings[id] = forgiven(rulings[id]!);
    this.#memory = { ...this.#memory, rulings };
    return reset;
  }

  /** Of the last decision. */
  routeSights(now: number): Record<string, RouteSight> {
    const age_ms = now - this.#decidedAt;
    const sights: Record<string, RouteSight> = {};
    for (const [vip, memory] of Object.entries(this.#memory.routes)) {
      // Field by field: with a thousand VIPs a spread took as long as half a decision.
      sights[vip] = {
        phase: memory.phase,
        for_ms: memory.for_ms,
        fitness: memory.fitness,
        withdrawn_by: memory.withdrawn_by,
        fit_for_ms: memory.fit_for_ms,
        drained: memory.drained,
        penalty: memory.penalty,
        suppressed: memory.suppressed,
        heard: this.#heard.has(vip),
        age_ms,
      };
    }
    return sights;
  }

  /** The report as it stands now, with the number of the last one that left. */
  report(seen: Seen, now: number): Report {
    const age_ms = now - this.#decidedAt;
    const { overload, rulings, evicted } = this.#memory;
    return {
      ...blankReport(this.#site, this.#agent),
      ...this.#numbers,
      ...seen,
      rulings,
      ruled_ms: now - this.#ruledAt,
      evicted,
      load: this.#load,
      routes: this.routeSights(now),
      overload: { ...overload, age_ms },
      spill: { ...this.#stance, for_ms: this.#stance.for_ms + age_ms },
    };
  }

  /**
   * The last one, once the routes are withdrawn: sites that have left a VIP to this one need not wait
   * until they miss it.
   */
  farewell(seen: Seen, now: number): Report {
    this.#heard = new Set();
    return this.next(seen, now);
  }

  /** The same, to be published: its sequence is one higher. */
  next(seen: Seen, now: number): Report {
    this.#numbers = this.#numbering.next();
    return this.report(seen, now);
  }
}
