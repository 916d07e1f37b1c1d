/**
 * The way of a VIP at its site, one step for each decision: off → coming (its address is put on the
 * interface) → on → going (the route is withdrawn, the address still stands) → off. Pure.
 *
 * Must hold: the address stands whenever the route is announced, and for the settling time before and
 * after; a step at the same instant again changes nothing. Who takes the address off waits by itself,
 * since a VIP may leave the configuration; `going` only remembers for as long that it still stands.
 */
import type { Damping } from '../model/bgp.ts';
import type { Fitness } from '../model/plan.ts';
import type { RouteMemory, RoutePhase } from '../model/report.ts';
import { decayed, penalized } from './damping.ts';

export interface Wish {
  /** What the site is while the VIP is to be announced; null: it is not to be. */
  readonly fitness: Fitness | null;
  /** Why it is not to be, should that be new. */
  readonly cause: NonNullable<RouteMemory['withdrawn_by']>;
  /** True while the site could serve the VIP, whether or not it is to. */
  readonly isFit: boolean;
  readonly drained: boolean;
}

/**
 * `memory` as it is `ms` later, and nothing else that is in it. Field by field: with a thousand VIPs
 * at each of several sites, spreads took half the time of a decision.
 */
export function laterBy(memory: RouteMemory, ms: number, damping: Damping | null): RouteMemory {
  const { penalty, suppressed } = decayed(damping, memory, ms);
  return {
    phase: memory.phase,
    for_ms: memory.for_ms + ms,
    fitness: memory.fitness,
    withdrawn_by: memory.withdrawn_by,
    fit_for_ms: memory.fit_for_ms === null ? null : memory.fit_for_ms + ms,
    drained: memory.drained,
    penalty,
    suppressed,
  };
}

/**
 * What a process makes of the memory of the one before it: the route went with its sessions, fitness
 * has to be proved anew, and an address that nobody vouches for has to settle again.
 */
export function resumed(memory: RouteMemory, addressStands: boolean): RouteMemory {
  const again = { ...memory, fit_for_ms: null };
  const stood = memory.phase === 'on' || memory.phase === 'coming';
  return stood && !addressStands ? { ...again, phase: 'coming', for_ms: 0 } : again;
}

/** `settle_ms` is 0 where the address is not our task. */
export function stepRoute(
  memory: RouteMemory,
  wish: Wish,
  settle_ms: number,
  damping: Damping | null,
): RouteMemory {
  const phase = nextPhase(memory, wish.fitness !== null, settle_ms);
  const stands = phase === 'on' || phase === 'coming';
  const falls = memory.phase === 'on' && phase !== 'on';
  const withdrawn_by = phase === 'on' ? null : falls ? wish.cause : memory.withdrawn_by;
  const proves = wish.isFit && withdrawn_by === 'failure';
  const { penalty, suppressed } =
    falls && wish.cause === 'failure' ? penalized(damping, memory) : memory;
  return {
    phase,
    for_ms: phase === memory.phase ? memory.for_ms : 0,
    fitness: stands ? wish.fitness : null,
    withdrawn_by,
    fit_for_ms: proves ? (memory.fit_for_ms ?? 0) : null,
    drained: wish.drained,
    penalty,
    suppressed,
  };
}

function nextPhase({ phase, for_ms }: RouteMemory, wanted: boolean, settle_ms: number): RoutePhase {
  const settled = for_ms >= settle_ms;
  switch (phase) {
    case 'on':
      return wanted ? 'on' : settle_ms > 0 ? 'going' : 'off';
    case 'going':
      // Its address has never left.
      return wanted ? 'on' : settled ? 'off' : 'going';
    case 'coming':
      return wanted ? (settled ? 'on' : 'coming') : 'off';
    case 'off':
      return wanted ? (settle_ms > 0 ? 'coming' : 'on') : 'off';
  }
}
