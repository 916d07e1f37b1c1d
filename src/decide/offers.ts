/**
 * What each neighbour is told of a VIP: whether, and with which attributes. Pure.
 *
 * Must hold: the same function says what is offered and, for the ranking of sites, whether a site
 * would tell anybody at all; so no site relies on one that by its own rules tells nobody.
 */
import type { AnnouncePolicy, FitnessRule, RouteChanges, RoutePolicy } from '../model/bgp.ts';
import type { Site, Vip } from '../model/config.ts';
import type { Fitness, Reason, RouteOffer } from '../model/plan.ts';
import { evaluate, type Facts } from './conditions.ts';

/** Longer paths are cut off by some networks, and nobody needs them to lose a comparison. */
export const PREPEND_MAX = 16;

/** A VIP as its neighbours are to be told it. */
export interface Telling {
  readonly site: Site;
  readonly vip: Vip;
  readonly policy: RoutePolicy;
  readonly fitness: Fitness;
  readonly facts: Facts;
  /** What becomes of a condition that is not known: as it was. */
  readonly stands: boolean;
}

/** Neighbours that are told the same by the same rules; there may be a hundred for a thousand VIPs. */
interface Audience {
  readonly announce: AnnouncePolicy;
  /** The first of them, for the reasons. */
  readonly example: string;
}

interface Listeners {
  readonly audiences: readonly Audience[];
  /** Neighbours and ranges in their order; `audience` is an index. */
  readonly members: readonly { readonly neighbor: string; readonly audience: number }[];
}

/** Sites are immutable, so this is found once for each configuration. */
const LISTENERS = new WeakMap<Site, Listeners>();

function listenersOf(site: Site): Listeners {
  const found = LISTENERS.get(site);
  if (found !== undefined) return found;
  const { neighbors = [], ranges = [] } = site.bgp ?? {};
  const keys: string[] = [];
  const audiences: Audience[] = [];
  const members = [...neighbors, ...ranges].map(({ name, announce }) => {
    const key = JSON.stringify(announce);
    if (!keys.includes(key)) {
      keys.push(key);
      audiences.push({ announce, example: name });
    }
    return { neighbor: name, audience: keys.indexOf(key) };
  });
  const listeners = { audiences, members };
  LISTENERS.set(site, listeners);
  return listeners;
}

/** False if no neighbour is told the VIP, whatever its state; a site without neighbours has no such rule. */
export function hasTakers(site: Site, vip: Vip): boolean {
  const { audiences } = listenersOf(site);
  return audiences.length === 0 || audiences.some(({ announce }) => takes(announce, vip));
}

/** True if by table and conditions somebody is told; a site without neighbours has nobody to ask. */
export function tellsAnybody(telling: Telling): boolean {
  const { audiences } = listenersOf(telling.site);
  return audiences.length === 0 || audiences.some(({ announce }) => tells(telling, announce));
}

function tells(telling: Telling, announce: AnnouncePolicy): boolean {
  return takes(announce, telling.vip) && barrier(telling, announce) === null;
}

/** Why nobody is told, by the example of the first who might be. */
export function whyNobody(telling: Telling): Reason {
  for (const { announce, example } of listenersOf(telling.site).audiences) {
    const bar = takes(announce, telling.vip) ? barrier(telling, announce) : null;
    if (bar !== null) return { code: bar.code, text: `${example} and all others: ${bar.text}` };
  }
  return NOT_TAKEN;
}

/**
 * One offer for each neighbour and range, in their order. The last site's route is not lost to rules
 * and conditions: if they leave nobody to tell, all who take the VIP are told.
 */
export function offersOf(telling: Telling, reason: Reason): RouteOffer[] {
  const { site, fitness } = telling;
  const isForced = fitness === 'last-site-kept' && !tellsAnybody(telling);
  const { audiences, members } = listenersOf(site);
  const told = audiences.map(({ announce }): Told => {
    if (!takes(announce, telling.vip)) return silence(NOT_TAKEN);
    const bar = barrier(telling, announce);
    if (bar === null) return { ...attributesOf(telling, announce), reason };
    if (!isForced) return silence(bar);
    const text = `${reason.text}; told although ${bar.text}, or nobody would be`;
    return { ...attributesOf(telling, announce), reason: { ...reason, text } };
  });
  return members.map(({ neighbor, audience }) => offer(neighbor, told[audience]!));
}

/** The offers of a VIP that is not announced. */
export function noOffers(site: Site, vip: Vip, reason: Reason): RouteOffer[] {
  const { audiences, members } = listenersOf(site);
  const told = audiences.map(({ announce }) => silence(takes(announce, vip) ? reason : NOT_TAKEN));
  return members.map(({ neighbor, audience }) => offer(neighbor, told[audience]!));
}

type Told = Omit<RouteOffer, 'neighbor'>;

/** Field by field: there are very many, and a spread takes several times as long. */
function offer(neighbor: string, told: Told): RouteOffer {
  return {
    neighbor,
    announce: told.announce,
    med: told.med,
    prepend: told.prepend,
    local_pref: told.local_pref,
    communities: told.communities,
    next_hop: told.next_hop,
    next_hop6: told.next_hop6,
    reason: told.reason,
  };
}

function takes({ vips }: AnnouncePolicy, vip: Vip): boolean {
  return vips === null || vips.includes(vip.name);
}

const NOT_TAKEN: Reason = { code: 'not-for-neighbor', text: 'it is not told this VIP' };

/** Why this neighbour is not told; null if it is. */
function barrier(telling: Telling, announce: AnnouncePolicy): Reason | null {
  const { vip, fitness, facts, stands } = telling;
  if (!ruleOf(telling, announce).announce) {
    const code = fitness === 'healthy' ? 'not-for-neighbor' : codeOf(fitness);
    return { code, text: `it is not told while the site is ${fitness}` };
  }
  for (const when of [announce.when, announce.by_vip[vip.name]?.when ?? null]) {
    if (when === null) continue;
    const { holds, why } = evaluate(when, facts);
    if (!(holds ?? stands)) return { code: 'condition-false', text: `its condition fails: ${why}` };
  }
  return null;
}

function codeOf(fitness: Exclude<Fitness, 'healthy'>): Reason['code'] {
  return fitness === 'last-site-kept' ? 'last-announcement-kept' : fitness;
}

function ruleOf({ policy, fitness }: Telling, { by_fitness }: AnnouncePolicy): FitnessRule {
  return by_fitness[fitness] ?? policy.fitness[fitness];
}

/** The later value wins, and fitness comes last; hops and communities add up. */
function attributesOf(telling: Telling, announce: AnnouncePolicy): Omit<Told, 'reason'> {
  const { vip } = telling;
  const changes: readonly (RouteChanges | undefined)[] = [
    announce.changes,
    announce.by_vip[vip.name]?.changes,
    ruleOf(telling, announce).changes,
  ];
  let { med, communities } = vip;
  let prepend = 0;
  let local_pref: number | null = null;
  let next_hop: string | null = null;
  let next_hop6: string | null = null;
  for (const change of changes) {
    if (change === undefined) continue;
    med = change.med ?? med;
    local_pref = change.local_pref ?? local_pref;
    next_hop = change.next_hop ?? next_hop;
    next_hop6 = change.next_hop6 ?? next_hop6;
    prepend += change.prepend;
    if (change.communities.length > 0) communities = union(communities, change.communities);
  }
  prepend = Math.min(prepend, PREPEND_MAX);
  return { announce: true, med, prepend, local_pref, communities, next_hop, next_hop6 };
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])];
}

function silence(reason: Reason): Told {
  return {
    announce: false,
    med: null,
    prepend: 0,
    local_pref: null,
    communities: [],
    next_hop: null,
    next_hop6: null,
    reason,
  };
}
