/**
 * What changed between two plans, as events: the lines that people read on the screen, in the log
 * and in the API's event stream. Pure; the agent stamps time and site on what comes out.
 */
import { steer, steeringReason } from '../decide/steering.ts';
import type { Config, Service } from '../model/config.ts';
import type { SiteEvent } from '../model/event.ts';
import type { Plan } from '../model/plan.ts';

export type PlanChange = Pick<SiteEvent, 'kind' | 'subject' | 'text' | 'reason'>;

/** `config` is the one of `after`; `before` may be of an older one, so it is read by names only. */
export function planChanges(config: Config, before: Plan | null, after: Plan): PlanChange[] {
  return [
    ...siteChanges(before, after),
    ...answerChanges(config, before, after),
    ...routeChanges(before, after),
  ];
}

/** This site's own state; another's only when it is lost or heard again: the rest it tells itself. */
function siteChanges(before: Plan | null, after: Plan): PlanChange[] {
  const changes: PlanChange[] = [];
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
function answerChanges(config: Config, before: Plan | null, after: Plan): PlanChange[] {
  if (!before) return [];
  const was = eligibleIn(config, before);
  const is = eligibleIn(config, after);
  const changes: PlanChange[] = [];
  for (const service of config.services) {
    if (service.pool.every(({ endpoint }) => was(endpoint) === is(endpoint))) continue;
    const parts: string[] = [];
    let reason = null as PlanChange['reason'];
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

function routeChanges(before: Plan | null, after: Plan): PlanChange[] {
  const old = new Map(before?.routes.map((route) => [route.vip, route]));
  return after.routes
    .filter((route) => (old.get(route.vip)?.announce ?? false) !== route.announce)
    .map((route) => ({
      kind: 'route',
      subject: `vip ${route.vip}`,
      text: `${route.announce ? 'announce' : 'withdraw'} ${route.prefixes.join(' ')}`,
      reason: route.reason,
    }));
}
