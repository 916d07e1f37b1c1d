/**
 * This site's own report: what the probes and the meter say now, what an operator ordered, and what
 * was decided last (the spill stance is the decision's memory, so it is carried here from one plan
 * to the next). Only `next` counts the sequence up: one number for each report that leaves.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type DemandState, measureDemand } from '../decide/demand.ts';
import type { SpillPolicy } from '../model/config.ts';
import type { Plan } from '../model/plan.ts';
import {
  type DrainSight,
  type EndpointSight,
  IDLE_STANCE,
  type LoadSight,
  type Report,
  type RouteSight,
  type SpillStance,
} from '../model/report.ts';
import { Numbering } from '../share/numbering.ts';
import type { Store } from '../share/store.ts';
import type { FlowCounts } from '../spill/port.ts';

interface Drain {
  readonly since: number;
  readonly by: string;
  readonly reason: string;
}

export interface ReporterOptions {
  readonly site: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export class Reporter {
  readonly #site: string;
  readonly #numbering: Numbering;
  #numbers: Pick<Report, 'incarnation' | 'sequence'>;
  #drain: Drain | null = null;
  #load: LoadSight | null = null;
  #demand: DemandState | null = null;
  #routes: Record<string, RouteSight> = {};
  #stance: SpillStance = IDLE_STANCE;
  #stanceAt: number;

  constructor({ site, store, clock, log }: ReporterOptions) {
    this.#site = site;
    const incarnation = Math.floor(clock.wall());
    this.#numbering = new Numbering({ site, incarnation, store, log });
    this.#numbers = { incarnation, sequence: 0 };
    this.#stanceAt = clock.now();
  }

  close(): void {
    this.#numbering.close();
  }

  /** A second drain keeps the first one's beginning: what has been waited for is not waited twice. */
  drain(by: string, reason: string, now: number): void {
    this.#drain = { since: this.#drain?.since ?? now, by, reason };
  }

  undrain(): void {
    this.#drain = null;
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

  /** `hasSession`: a BGP neighbour hears the plan's routes, so that others may rely on them. */
  decided(plan: Plan, hasSession: boolean, now: number): void {
    this.#stance = plan.spill.stance;
    this.#stanceAt = now;
    this.#routes = {};
    for (const route of plan.routes) {
      this.#routes[route.vip] = route.announce && hasSession ? 'announced' : 'withdrawn';
    }
  }

  drainSight(now: number): DrainSight | null {
    if (!this.#drain) return null;
    return { for_ms: now - this.#drain.since, by: this.#drain.by, reason: this.#drain.reason };
  }

  /** The report as it stands now, with the number of the last one that left. */
  report(endpoints: Readonly<Record<string, EndpointSight>>, now: number): Report {
    return {
      site: this.#site,
      ...this.#numbers,
      endpoints,
      load: this.#load,
      drain: this.drainSight(now),
      routes: this.#routes,
      spill: { ...this.#stance, for_ms: this.#stance.for_ms + (now - this.#stanceAt) },
    };
  }

  /** The same, to be published: its sequence is one higher. */
  next(endpoints: Readonly<Record<string, EndpointSight>>, now: number): Report {
    this.#numbers = this.#numbering.next();
    return this.report(endpoints, now);
  }
}
