/**
 * What changed between two plans, or in what a site sees, as events: the lines that people read on the
 * screen, in the log and in the API's event stream. Pure; time and site are stamped on them later.
 */
import { isLastAnswer, steer, steeringReason } from '../decide/steering.ts';
import type { Config, Service } from '../model/config.ts';
import type { Happening } from '../model/event.ts';
import type {
  EndpointVerdict,
  Plan,
  Reason,
  ReasonCode,
  RouteOffer,
  RoutePlan,
} from '../model/plan.ts';
import { type EndpointSight, writerOf } from '../model/report.ts';
import type { ObserverNews } from '../observe/observer.ts';
import type { AgentSight } from '../share/world-view.ts';

/** A guard holds something that health would have taken away: more is wrong than may be. */
const LOUD: readonly ReasonCode[] = [
  'eviction-guard',
  'last-answer-kept',
  'last-announcement-kept',
];

/** Whether the event is a warning in the log. */
export function isLoud({ reason }: Pick<Happening, 'reason'>): boolean {
  return reason !== null && LOUD.includes(reason.code);
}

/** `config` is the one of `after`; `before` may be of an older one, so it is read by names only. */
export function planChanges(config: Config, before: Plan | null, after: Plan): Happening[] {
  return [
    ...siteChanges(before, after),
    ...guardChanges(before, after),
    ...answerChanges(config, before, after),
    ...routeChanges(before, after),
  ];
}

/** One event whenever the guard of capacity begins or ends to keep endpoints in use. */
function guardChanges(before: Plan | null, after: Plan): Happening[] {
  const was = keptOf(before);
  const is = keptOf(after);
  const ids = is.map(({ id }) => id);
  if (was.map(({ id }) => id).join() === ids.join()) return [];
  const more = ids.length > NAMED_MAX ? ` and ${ids.length - NAMED_MAX} more` : '';
  const text =
    ids.length === 0
      ? 'keeps nothing in use any more'
      : `keeps in use: ${ids.slice(0, NAMED_MAX).join(', ')}${more}`;
  return [{ kind: 'health', subject: 'eviction guard', text, reason: is[0]?.reason ?? null }];
}

function keptOf(plan: Plan | null): readonly EndpointVerdict[] {
  return plan?.endpoints.filter(({ reason }) => reason.code === 'eviction-guard') ?? [];
}

/** What is seen now, of an endpoint of this site or of another `subject`. */
export function seenChange(subject: string, { up, detail }: SeenNow): Happening {
  const reason: Reason = { code: up ? 'healthy' : 'probe-failed', text: detail };
  return { kind: 'health', subject, text: up ? 'up' : 'down', reason };
}

type SeenNow = Pick<EndpointSight, 'up' | 'detail'>;

/** What `site` sees of the others, or of its own eyes and uplink. */
export function newsChange(news: ObserverNews, site: string): Happening {
  const kind = 'health';
  if (news.kind === 'suspect') {
    const subject = `site ${site}`;
    if (news.why === null)
      return { kind, subject, text: 'trusts its own eyes again', reason: null };
    const reason: Reason = { code: 'probe-failed', text: news.why };
    return { kind, subject, text: 'does not trust its own eyes', reason };
  }
  if (news.kind === 'uplink') {
    const { text, ...rest } = seenChange(`site ${site}`, news);
    return { ...rest, text: `uplink ${text}` };
  }
  const { text, ...rest } = seenChange(news.id, news.sight);
  return { ...rest, text: `seen ${text} from ${site}` };
}

/** Those of the other agents of `site` that have fallen silent, or are heard again. */
export function siblingChanges(
  site: string,
  before: readonly AgentSight[],
  after: readonly AgentSight[],
): Happening[] {
  return after.flatMap(({ agent, fresh }): Happening[] => {
    const was = before.find((one) => one.agent === agent);
    if (!was || was.fresh === fresh) return [];
    const text = fresh ? 'heard again' : 'silent: the site goes on without it';
    return [{ kind: 'health', subject: `agent ${writerOf({ site, agent })}`, text, reason: null }];
  });
}

/** The store can be reached again, or no longer. */
export function storeChange(connected: boolean, site: string): Happening {
  const text = connected ? 'store reached' : 'store lost';
  const reason: Reason = connected
    ? { code: 'healthy', text: 'reports of the other sites are current' }
    : {
        code: 'on-its-own',
        text: 'going on with own probes and the last reports of the others',
      };
  return { kind: 'store', subject: site, text, reason };
}

/** This site's own state; another's only when it is lost or heard again: the rest it tells itself. */
function siteChanges(before: Plan | null, after: Plan): Happening[] {
  const changes: Happening[] = [];
  for (const verdict of after.sites) {
    const old = before?.sites.find(({ site }) => site === verdict.site);
    if (!old || old.state === verdict.state) continue;
    const lost = old.state === 'lost' || verdict.state === 'lost';
    if (!lost && verdict.site !== after.site) continue;
    changes.push({
      kind: 'health',
      subject: `site ${verdict.site}`,
      text: verdict.state,
      reason: verdict.reason,
    });
  }
  return changes;
}

/** One event per service whose answer changed for at least one region. */
function answerChanges(config: Config, before: Plan | null, after: Plan): Happening[] {
  if (!before || sameEligible(before, after)) return [];
  const was = eligibleIn(config, before);
  const is = eligibleIn(config, after);
  const changes: Happening[] = [];
  for (const service of config.services) {
    if (service.pool.every(({ endpoint }) => was(endpoint) === is(endpoint))) continue;
    changes.push(...lastAnswerChange(config, service, was, is));
    const parts: string[] = [];
    let reason = null as Happening['reason'];
    for (const region of config.regions) {
      const now = answer(config, service, region.order, is);
      if (now.names === answer(config, service, region.order, was).names) continue;
      parts.push(`${region.name} → ${now.names}`);
      reason ??= now.reason;
    }
    if (parts.length === 0) continue;
    changes.push({ kind: 'answer', subject: service.name, text: parts.join('; '), reason });
  }
  return changes;
}

type Eligible = (endpoint: number) => boolean;

/** Told by itself: the answer to a region may be the same as before. */
function lastAnswerChange(
  { endpoints }: Config,
  service: Service,
  was: Eligible,
  is: Eligible,
): Happening[] {
  const kept = isLastAnswer(service, endpoints, is);
  if (kept === isLastAnswer(service, endpoints, was)) return [];
  const about = { kind: 'answer', subject: service.name } as const;
  if (!kept) return [{ ...about, text: 'somebody is eligible again', reason: null }];
  const text = 'nobody is eligible: the last answer is kept, and is the whole pool';
  return [{ ...about, text, reason: { code: 'last-answer-kept', text } }];
}

/** As after most plans; to look at every member of every service's pool takes as long as the plan. */
function sameEligible({ endpoints: a }: Plan, { endpoints: b }: Plan): boolean {
  return (
    a.length === b.length &&
    a.every(({ id, eligible }, i) => {
      return eligible === b[i]!.eligible && id === b[i]!.id;
    })
  );
}

function eligibleIn(config: Config, plan: Plan): Eligible {
  const ids = new Set(plan.endpoints.flatMap(({ id, eligible }) => (eligible ? [id] : [])));
  return (endpoint) => ids.has(config.endpoints[endpoint]!.id);
}

function answer(config: Config, service: Service, order: readonly number[], eligible: Eligible) {
  const family = config.endpoints[service.pool[0]!.endpoint]!.address4 ? 4 : 6;
  const steered = steer(service, config.endpoints, order, eligible, family);
  const names = steered.members.map((m) => config.endpoints[m.endpoint]!.load_balancer);
  return { names: names.join(' ') || 'nothing', reason: steeringReason(steered, config) };
}

/** One event per VIP: announced, withdrawn, or told in another way than before. */
function routeChanges(before: Plan | null, after: Plan): Happening[] {
  const old = new Map(before?.routes.map((route) => [route.vip, route]));
  return after.routes.flatMap((route): Happening[] => {
    const text = routeText(old.get(route.vip), route);
    const subject = `vip ${route.vip}`;
    return text === null ? [] : [{ kind: 'route', subject, text, reason: route.reason }];
  });
}

function routeText(was: RoutePlan | undefined, is: RoutePlan): string | null {
  if ((was?.announce ?? false) !== is.announce) {
    return `${is.announce ? `announce${as(is)}` : 'withdraw'} ${is.prefixes.join(' ')}`;
  }
  if (!was || !is.announce) return null;
  const changed = changedOffers(was, is);
  if (was.fitness !== is.fitness) return `${was.fitness} → ${is.fitness}${inWords(changed)}`;
  return changed.length === 0 ? null : `told anew${inWords(changed)}`;
}

/** Healthy is what everybody takes for granted. */
function as({ fitness }: RoutePlan): string {
  return fitness === 'healthy' ? '' : ` as ${fitness}`;
}

/** The offers that differ in what the neighbour is told. */
function changedOffers(was: RoutePlan, is: RoutePlan): RouteOffer[] {
  const told = new Map(was.offers.map((offer) => [offer.neighbor, offerText(offer)]));
  return is.offers.filter((offer) => {
    const before = told.get(offer.neighbor);
    return before !== undefined && before !== offerText(offer);
  });
}

/** So many neighbours are named at most. */
const NAMED_MAX = 3;

function inWords(offers: readonly RouteOffer[]): string {
  if (offers.length === 0) return '';
  const named = offers.slice(0, NAMED_MAX).map((one) => `${one.neighbor}: ${offerText(one)}`);
  const more = offers.length - named.length;
  return `; ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** "med 10, prepend 2, graceful-shutdown"; what is usual is left out. */
function offerText(offer: RouteOffer): string {
  if (!offer.announce) return 'not told';
  const { med, prepend, local_pref, communities, next_hop, next_hop6 } = offer;
  const parts = [
    med === null ? '' : `med ${med}`,
    prepend === 0 ? '' : `prepend ${prepend}`,
    local_pref === null ? '' : `local_pref ${local_pref}`,
    ...communities,
    next_hop === null ? '' : `next hop ${next_hop}`,
    next_hop6 === null ? '' : `next hop ${next_hop6}`,
  ];
  return parts.filter((part) => part !== '').join(', ') || 'no attributes';
}
