/**
 * Who of a service's pool is answered to a client. The same function compiles the cached answers
 * of the DNS worker threads and explains them, so both always agree.
 *
 * Must hold: while the pool has an eligible member with an address of the family, no other kind is
 * answered; and health never takes away the last answer, so the result is empty only when the pool
 * has no address of the family. `answers_max` and the pick by weight are the DNS server's work.
 */
import type { Config, Endpoint, PoolMember, Service } from '../model/config.ts';
import type { Reason, ReasonCode } from '../model/plan.ts';

export interface Steered {
  /** Who may be answered; in order of preference only where several sites are named. */
  readonly members: readonly PoolMember[];
  /** True: the members are equals, and the server turns their order from answer to answer. */
  readonly rotate: boolean;
  /** True: the server picks by `weight`. */
  readonly weighted: boolean;
  readonly code: ReasonCode;
  /** Index of the site that was chosen; null when the choice was not made by site. */
  readonly site: number | null;
  /** Indices of the sites before it in order that have the family but nobody eligible. */
  readonly passed: readonly number[];
}

export function steer(
  service: Service,
  endpoints: readonly Endpoint[],
  regionOrder: readonly number[],
  eligible: (endpoint: number) => boolean,
  family: 4 | 6,
): Steered {
  const candidates = service.pool.filter(({ endpoint }) => hasFamily(endpoints[endpoint]!, family));
  const fit = candidates.filter(({ endpoint }) => eligible(endpoint));
  const siteOf = (member: PoolMember): number => endpoints[member.endpoint]!.site;
  const order = siteOrder(service, regionOrder, candidates.map(siteOf));

  if (fit.length === 0) {
    // Nobody knows which of them still works, so all of them are given, nearest first.
    const members = order.flatMap((site) => candidates.filter((m) => siteOf(m) === site));
    const weighted = service.policy === 'weighted';
    const code = candidates.length === 0 ? 'no-healthy-endpoint' : 'last-answer-kept';
    return { members, rotate: !weighted, weighted, code, site: null, passed: order };
  }
  if (service.policy === 'weighted') {
    return {
      members: fit,
      rotate: false,
      weighted: true,
      code: 'weighted-pick',
      site: null,
      passed: [],
    };
  }
  const fitSites = new Set(fit.map(siteOf));
  const rank = order.findIndex((site) => fitSites.has(site));
  const site = order[rank]!;
  const near = rank === 0 ? 'nearest-site' : 'next-nearest-site';
  return {
    members: fit.filter((m) => siteOf(m) === site),
    rotate: true,
    weighted: false,
    code: service.policy === 'failover' ? 'failover-order' : near,
    site,
    passed: order.slice(0, rank),
  };
}

/** True if there is a family of which nobody is eligible, so that clients get all of the pool there is. */
export function isLastAnswer(
  { pool }: Service,
  endpoints: readonly Endpoint[],
  eligible: (endpoint: number) => boolean,
): boolean {
  return ([4, 6] as const).some((family) => {
    const candidates = pool.filter(({ endpoint }) => hasFamily(endpoints[endpoint]!, family));
    return candidates.length > 0 && !candidates.some(({ endpoint }) => eligible(endpoint));
  });
}

/** The reason of an answer in words; apart from `steer`, whose hot callers need no text. */
export function steeringReason(steered: Steered, config: Config): Reason {
  const { code, site, passed } = steered;
  const name = (index: number): string => config.sites[index]!.name;
  const names = passed.map(name).join(', ');
  switch (code) {
    case 'no-healthy-endpoint':
      return { code, text: 'the pool has no address of this family' };
    case 'last-answer-kept':
      return { code, text: `nobody is eligible at ${names}; the whole pool is answered` };
    case 'weighted-pick':
      return { code, text: `picked by weight among ${steered.members.length} eligible` };
    default: {
      const why = passed.length === 0 ? 'first in order' : `nobody is eligible at ${names}`;
      return { code, text: `${name(site!)}: ${why}` };
    }
  }
}

function hasFamily(endpoint: Endpoint, family: 4 | 6): boolean {
  return (family === 4 ? endpoint.address4 : endpoint.address6) !== null;
}

/** Every site that has a candidate, once: first as preferred, then what is left in pool order. */
function siteOrder(
  service: Service,
  regionOrder: readonly number[],
  candidateSites: readonly number[],
): readonly number[] {
  const preferred = service.policy === 'failover' ? service.order : regionOrder;
  const present = new Set(candidateSites);
  const first = preferred.filter((site) => present.has(site));
  return [...new Set([...first, ...candidateSites])];
}
