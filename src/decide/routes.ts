/**
 * Which anycast VIPs this site announces. Every announcing site is ranked for a VIP by the shared
 * world, and a site withdraws only in favour of a better one.
 *
 * Must hold: the site that ranks highest by its own view announces, so sites that share one world
 * never withdraw a VIP everywhere; nothing is announced before the site's own probes have said
 * something about each service of the VIP; and nothing is withdrawn for want of a probe, as after
 * a new configuration that asks all sites something new at once.
 */
import type { Site, Vip } from '../model/config.ts';
import type { EndpointVerdict, Reason, RouteOffer, RoutePlan } from '../model/plan.ts';
import { serves } from './endpoints.ts';
import type { Hearing, View } from './view.ts';
import { seconds } from './view.ts';

/**
 * How good a site is for a VIP: `fit` answers everything; `draining` could, but is to be emptied;
 * `failing` has a service without any healthy endpoint; `unknown` cannot be judged.
 */
const RANKS = ['unknown', 'failing', 'draining', 'fit'] as const;
type Rank = (typeof RANKS)[number];

interface Standing {
  readonly site: Site;
  readonly hearing: Hearing;
  readonly rank: Rank;
}

/** One plan for each VIP that this site may announce. */
export function planRoutes(
  view: View,
  hearings: readonly Hearing[],
  endpoints: readonly EndpointVerdict[],
): RoutePlan[] {
  const { config, world } = view;
  const self = config.sites.find((site) => site.name === world.self);
  if (self === undefined) return [];
  return config.vips
    .filter((vip) => self.announces.includes(vip.name))
    .map((vip) => {
      const standingOf = (site: Site): Standing => {
        const index = config.sites.indexOf(site);
        return { site, hearing: hearings[index]!, rank: rankOf(view, vip, index, endpoints) };
      };
      // Ranked only if asked for: a fit site, the common case, asks for nobody.
      const better = (own: Standing): Standing | undefined =>
        config.sites
          .filter((site) => site !== self && site.announces.includes(vip.name))
          .map(standingOf)
          .find((other) => isBetter(other, own, vip));
      const [announce, reason] = judge(view, vip, standingOf(self), better);
      return {
        vip: vip.name,
        prefixes: vip.prefixes,
        announce,
        fitness: announce ? 'healthy' : null,
        reason,
        offers: offersOf(self, vip, announce, reason),
      };
    });
}

function offersOf(self: Site, vip: Vip, announce: boolean, reason: Reason): RouteOffer[] {
  const { neighbors = [], ranges = [] } = self.bgp ?? {};
  return [...neighbors, ...ranges].map(({ name }) => ({
    neighbor: name,
    announce,
    med: vip.med,
    prepend: 0,
    local_pref: null,
    communities: vip.communities,
    next_hop: null,
    next_hop6: null,
    reason,
  }));
}

function judge(
  view: View,
  vip: Vip,
  own: Standing,
  betterThan: (own: Standing) => Standing | undefined,
): readonly [boolean, Reason] {
  if (own.rank === 'unknown') {
    const { hearing } = own;
    const stands = hearing.state !== 'unheard' && hearing.report.routes[vip.name] === 'announced';
    const text = `the first probes have not ended${stands ? ': kept as it was' : ''}`;
    return [stands, { code: 'not-probed-yet', text }];
  }
  if (own.rank === 'fit') {
    return [true, { code: 'healthy', text: 'each service has an eligible endpoint here' }];
  }
  // Clients that hold an old answer, and flows in flight, still come by this route: it goes last.
  const left_ms = own.rank === 'draining' ? drainLeft_ms(view, own.hearing) : 0;
  if (left_ms > 0) {
    view.wake.after(left_ms);
    return [true, { code: 'draining', text: `drained; withdrawn in ${seconds(left_ms)}` }];
  }
  const draining = own.rank === 'draining';
  const why = draining ? 'drained' : 'a service has no eligible endpoint here';
  const better = betterThan(own);
  if (better !== undefined) {
    const code = draining ? 'draining' : 'no-healthy-endpoint';
    return [false, { code, text: `${why}; ${better.site.name} announces it` }];
  }
  const text = `${why}, but no other site is known to be better: kept`;
  return [true, { code: 'last-announcement-kept', text }];
}

function drainLeft_ms(view: View, hearing: Hearing): number {
  if (hearing.state === 'unheard' || hearing.report.drain === null) return 0;
  return view.config.policy.drain_ms - hearing.report.drain.for_ms - hearing.age_ms;
}

/**
 * A better site counts unless it says that its speaker does not announce. On our own we judge by
 * the last that was heard: if another site was better then, the failure here is the surer news, and
 * keeping a route to nothing would hurt our clients more than trusting an old report.
 */
function isBetter(other: Standing, own: Standing, vip: Vip): boolean {
  if (other.hearing.state === 'unheard') return false;
  if (other.hearing.report.routes[vip.name] === 'withdrawn') return false;
  return RANKS.indexOf(other.rank) > RANKS.indexOf(own.rank);
}

/** A service counts at a site only if its pool has members there; a VIP needs one that does. */
function rankOf(view: View, vip: Vip, site: number, endpoints: readonly EndpointVerdict[]): Rank {
  const ranks = vip.services.map((name): Rank => {
    const pool = view.config.services.find((service) => service.name === name)?.pool ?? [];
    const here = pool
      .filter(({ endpoint }) => view.config.endpoints[endpoint]!.site === site)
      .map(({ endpoint }) => endpoints[endpoint]!);
    if (here.some(({ eligible }) => eligible)) return 'fit';
    if (here.some(serves)) return 'draining';
    return here.every(isJudged) ? 'failing' : 'unknown';
  });
  return RANKS.find((rank) => ranks.includes(rank)) ?? 'fit';
}

function isJudged({ reason }: EndpointVerdict): boolean {
  const { code } = reason;
  return code !== 'not-probed-yet' && code !== 'site-unheard' && code !== 'site-lost';
}
