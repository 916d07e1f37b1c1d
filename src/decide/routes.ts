/**
 * Which anycast VIPs this site announces, and how. Every announcing site is ranked for a VIP by the
 * shared world, and a site withdraws, or waits with an announcement, only in favour of a better one.
 *
 * Must hold: the site that ranks highest by its own view announces, so sites that share one world
 * never withdraw a VIP everywhere, whatever their rules, damping and drains; nothing is announced
 * before the site's own probes have said something about each service of the VIP; and nothing is
 * withdrawn for want of a probe, as after a new configuration that asks all sites something new at
 * once.
 */
import type { Site, Vip } from '../model/config.ts';
import type { EndpointVerdict, Fitness, Reason, RoutePlan, SiteVerdict } from '../model/plan.ts';
import { NOT_OVERLOADED, type OverloadSight, type RouteMemory } from '../model/report.ts';
import { fenced } from './fence.ts';
import { Ground, RANKS, type Rank, type Standing } from './fitness.ts';
import { hasTakers, noOffers, offersOf, tellsAnybody, whyNobody } from './offers.ts';
import { judgeOverload } from './overload.ts';
import { stepRoute, type Wish } from './route-phase.ts';
import type { Hearing, View } from './view.ts';
import { drainOf, percent, seconds } from './view.ts';

export interface RoutesDecided {
  readonly routes: RoutePlan[];
  readonly memory: { routes: Record<string, RouteMemory>; readonly overload: OverloadSight };
}

/** One plan for each VIP that this site may announce. `sites` is parallel to Config.sites. */
export function planRoutes(
  view: View,
  hearings: readonly Hearing[],
  endpoints: readonly EndpointVerdict[],
  sites: readonly SiteVerdict[],
): RoutesDecided {
  const { config, world } = view;
  const overloads = config.sites.map((site, i) => judgeOverload(view, site, hearings[i]!));
  const ground = new Ground(view, hearings, endpoints, sites, overloads);
  const index = config.sites.findIndex(({ name }) => name === world.self);
  const { text: _, ...overload } = overloads[index] ?? { ...NOT_OVERLOADED, text: '' };
  const decided: RoutesDecided = { routes: [], memory: { routes: {}, overload } };
  const fence = fenced(view, hearings, index);
  const announces = new Set(config.sites[index]?.announces);
  for (const vip of config.vips) {
    if (!announces.has(vip.name)) continue;
    const [plan, memory] = planRoute({ ground, vip, index, fence });
    decided.routes.push(plan);
    decided.memory.routes[vip.name] = memory;
  }
  return decided;
}

function planRoute(here: Omit<Case, 'own'>): [RoutePlan, RouteMemory] {
  const { ground, vip, index } = here;
  const own = ground.standing(vip, index);
  const verdict = judge({ ...here, own });
  const { site } = own;
  const { routes } = ground.view.config.policy;
  const settle_ms = site.bgp?.vip_interface == null ? 0 : routes.settle_ms;
  const memory = stepRoute(own.memory, verdict, settle_ms, ground.dampingOf(index));
  const isSettling = memory.phase === 'coming' || memory.phase === 'going';
  if (isSettling) ground.view.wake.after(settle_ms - memory.for_ms);
  const fitness = memory.phase === 'on' ? verdict.fitness : null;
  const announce = fitness !== null;
  const reason = memory.phase === 'coming' ? settling(site, settle_ms, memory) : verdict.reason;
  const offers = announce
    ? offersOf(ground.telling(own, fitness), reason)
    : noOffers(site, vip, reason);
  return [{ vip: vip.name, prefixes: vip.prefixes, announce, fitness, reason, offers }, memory];
}

function settling({ bgp }: Site, settle_ms: number, { for_ms }: RouteMemory): Reason {
  const left = seconds(settle_ms - for_ms);
  return {
    code: 'address-settles',
    text: `its address is put on ${bgp?.vip_interface}; announced in ${left}`,
  };
}

/** One VIP at this site. */
interface Case {
  readonly ground: Ground;
  readonly vip: Vip;
  /** Of this site. */
  readonly index: number;
  /** Why this site announces nothing at all; null: it may. */
  readonly fence: Reason | null;
  readonly own: Standing;
}

interface Verdict extends Wish {
  readonly reason: Reason;
}

function judge(the: Case): Verdict {
  const { own, ground, vip, index } = the;
  const drained = drainOf(ground.view, own.site.name) !== null && own.memory.drained;
  const stands = own.memory.phase === 'on' || own.memory.phase === 'coming';
  const wish: Wish = { fitness: null, cause: 'failure', isFit: false, drained };
  if (the.fence !== null) return { ...wish, reason: the.fence };
  switch (own.rank) {
    case 'unknown': {
      if (!hasTakers(own.site, vip)) {
        const text = 'no neighbour of this site is told it';
        return { ...wish, cause: 'policy', reason: { code: 'not-for-neighbor', text } };
      }
      const fitness = stands ? (own.memory.fitness ?? 'healthy') : null;
      const text = `the first probes have not ended${stands ? ': kept as it was' : ''}`;
      return { ...wish, fitness, reason: { code: 'not-probed-yet', text } };
    }
    case 'failing':
      return unlessLast(the, wish, own.sums.kept > 0 ? GUARDED : NO_ENDPOINT, 'last-site-kept');
    case 'draining':
      return judgeDrain(the, wish, stands);
    case 'barred':
      return unlessLast(
        the,
        { ...wish, cause: 'policy', isFit: true },
        whyNobody(ground.telling(own, own.fitness!)),
        'last-site-kept',
      );
    case 'held':
      return unlessLast(the, { ...wish, isFit: true }, heldBack(the), own.fitness!);
    case 'fit': {
      const text = ground.overloadOf(index).text;
      return { ...wish, fitness: own.fitness, isFit: true, reason: fitReason(own, text) };
    }
  }
}

const NO_ENDPOINT: Reason = {
  code: 'no-healthy-endpoint',
  text: 'a service has no eligible endpoint here',
};
const GUARDED: Reason = {
  code: 'eviction-guard',
  text: 'a service has only endpoints here that the guard of health keeps in use',
};

function fitReason({ fitness, sums }: Standing, overload: string): Reason {
  switch (fitness) {
    case 'overloaded':
      return { code: 'overloaded', text: overload };
    case 'degraded': {
      const text = `${sums.well} of ${sums.judged} endpoints of its services are well here`;
      return { code: 'degraded', text };
    }
    default:
      return { code: 'healthy', text: 'each service has an eligible endpoint here' };
  }
}

/**
 * Clients that hold an old answer, and flows in flight, still come by this route: it goes last. What
 * the drain finds withdrawn stays so, and a wait that is over stays over, whatever the load does.
 */
function judgeDrain(the: Case, wish: Wish, stands: boolean): Verdict {
  const { own, ground } = the;
  const { policy } = ground.view.config;
  const { drain_load, settle_ms } = policy.routes;
  const { load } = own.report!;
  const { for_ms } = drainOf(ground.view, own.site.name)!;
  const used = load === null ? null : load.used / load.capacity;
  const isEmpty = drain_load !== null && used !== null && used <= drain_load;
  const wait_ms = (isEmpty ? Math.min(settle_ms, policy.drain_ms) : policy.drain_ms) - for_ms;
  const isOver = own.memory.drained || wait_ms <= 0 || !stands;
  if (isOver || !tellsAnybody(ground.telling(own, 'draining'))) {
    const why = { code: 'draining', text: 'drained' } as const;
    return unlessLast(the, { ...wish, cause: 'drain', drained: true }, why, 'last-site-kept');
  }
  ground.view.wake.after(wait_ms);
  const early = drain_load === null || isEmpty ? '' : `, or at a load of ${percent(drain_load)}`;
  const text = `drained; withdrawn in ${seconds(wait_ms)}${early}`;
  return { ...wish, fitness: 'draining', cause: 'drain', reason: { code: 'draining', text } };
}

function heldBack({ ground, index, own }: Case): Reason {
  const { dwell_ms, suppressed_ms } = ground.heldFor_ms(index, own.memory);
  ground.view.wake.after(dwell_ms);
  ground.view.wake.after(suppressed_ms);
  if (suppressed_ms > dwell_ms) {
    const penalty = Math.round(own.memory.penalty);
    return {
      code: 'damped',
      text: `suppressed ${seconds(suppressed_ms)} more, penalty ${penalty}`,
    };
  }
  return { code: 'hold-down', text: `fit again; announced in ${seconds(dwell_ms)} if it stays so` };
}

/**
 * The guard of the last site: not announced only if a better one is; else announced as `kept`. The
 * operator may do without the guard where a site should not announce; one that only waits is fit.
 */
function unlessLast(the: Case, wish: Wish, why: Reason, kept: Fitness): Verdict {
  const better = betterThan(the);
  if (better !== undefined) {
    const text = `${why.text}; ${better.site.name} announces it`;
    return { ...wish, reason: { code: why.code, text } };
  }
  const { last_site } = the.ground.view.config.policy.routes;
  if (kept === 'last-site-kept' && last_site === 'withdraw') {
    const text = `${why.text}; withdrawn although no other site is known to be better (last_site)`;
    return { ...wish, reason: { code: why.code, text } };
  }
  const text = `${why.text}, but no other site is known to be better: kept`;
  return { ...wish, fitness: kept, reason: { code: 'last-announcement-kept', text } };
}

function betterThan({ ground, vip, index, own }: Case): Standing | undefined {
  const { sites } = ground.view.config;
  for (const [other, site] of sites.entries()) {
    if (other === index || !site.announces.includes(vip.name)) continue;
    const standing = ground.standing(vip, other);
    if (isBetter(standing, own) && isSure(ground.hearingOf(other), own)) return standing;
  }
  return undefined;
}

/** Only a site that says that a neighbour hears it counts. */
function isBetter(other: Standing, own: Standing): boolean {
  const sight = other.report?.routes[own.vip.name];
  if (sight?.phase !== 'on' || !sight.heard) return false;
  return RANKS.indexOf(ownWord(other.rank, sight)) > RANKS.indexOf(own.rank);
}

/**
 * What it is at best by its own word: it may know of an order that has not reached us. Two that are to
 * leave, and know it each of itself only, would else leave in favour of each other, again and again.
 */
function ownWord(rank: Rank, { fitness }: RouteMemory): Rank {
  if (rank !== 'fit' && rank !== 'held') return rank;
  if (fitness === 'last-site-kept') return 'failing';
  return fitness === 'draining' ? 'draining' : rank;
}

/**
 * On our own, and until the others are heard again, there is only what was heard last. What is
 * withdrawn stays so. But a site that announces does not leave in favour of one that may have gone
 * meanwhile: two that fail, or are drained, during one cut would leave nobody.
 */
function isSure(hearing: Hearing, own: Standing): boolean {
  return hearing.state !== 'kept' || own.memory.phase !== 'on';
}
