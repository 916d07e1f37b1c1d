/**
 * Who would be answered what, and each step that led there, in words; for `isobar explain`, the API
 * and the dashboard.
 *
 * Must hold: it decides nothing. Verdicts come from the plan and the choice from `steer`, so what
 * is explained is what is answered.
 */
import type { Config, Service } from '../model/config.ts';
import type { Plan, RoutePlan } from '../model/plan.ts';
import { blankReport, type Report, ROUTE_OFF, type RouteSight } from '../model/report.ts';
import type { Sighting, World } from '../model/world.ts';
import { steer, steeringReason } from './steering.ts';
import { percent } from './view.ts';

export interface ExplainQuestion {
  readonly config: Config;
  readonly plan: Plan;
  /** Fully qualified, lower-case, without the trailing dot. */
  readonly service: string;
  /** Index of the client's region. */
  readonly region: number;
  /** How the region was found: "192.0.2.0/24 is placed by geo.prefixes". */
  readonly found: string;
}

export interface Explanation {
  readonly steps: readonly { readonly title: string; readonly text: string }[];
  /** IPv4 first. The DNS server gives at most the service's `answers_max` of one family. */
  readonly answer: readonly { readonly endpoint: string; readonly address: string }[];
}

/** Null when no service has that name. */
export function explain(question: ExplainQuestion): Explanation | null {
  const { config, plan, found } = question;
  const service = config.services.find(({ name }) => name === question.service);
  const region = config.regions[question.region];
  if (service === undefined || region === undefined) return null;
  const order = region.order.map((site) => config.sites[site]!.name).join(', ');
  const a = choose(question, service, region.order, 4);
  const aaaa = choose(question, service, region.order, 6);
  return {
    steps: [
      { title: 'service', text: describeService(config, service) },
      { title: 'client', text: `region ${region.name} (${found}); sites nearest first: ${order}` },
      ...plan.sites.map(({ site, state, load, reason }) => ({
        title: `site ${site}`,
        text: `${state}: ${reason.text}${load === null ? '' : `; load ${percent(load)}`}`,
      })),
      ...service.pool.map(({ endpoint }) => {
        const { id, eligible, reason, fault } = plan.endpoints[endpoint]!;
        const verdict = eligible ? 'eligible' : 'not eligible';
        const whose = fault === null ? '' : `; fault of the ${fault}`;
        const text = `${verdict} (${reason.code}): ${reason.text}${whose}`;
        return { title: `endpoint ${id}`, text };
      }),
      ...routesOf(question).map((route) => ({
        title: `route ${route.vip}`,
        text: `${routeText(route)} at ${plan.site} (${route.reason.code}): ${route.reason.text}`,
      })),
      { title: 'choice A', text: a.text },
      { title: 'choice AAAA', text: aaaa.text },
    ],
    answer: [...a.answer, ...aaaa.answer],
  };
}

/** The plan's routes of the VIPs that stand for the service. */
function routesOf({ config, plan, service }: ExplainQuestion): RoutePlan[] {
  const vips = new Set(
    config.vips.filter(({ services }) => services.includes(service)).map(({ name }) => name),
  );
  return plan.routes.filter(({ vip }) => vips.has(vip));
}

function routeText({ announce, fitness }: RoutePlan): string {
  return announce ? `announced as ${fitness}` : 'withdrawn';
}

function describeService(config: Config, service: Service): string {
  const order = service.order.map((site) => config.sites[site]!.name).join(', ');
  const policy = order === '' ? service.policy : `${service.policy} (${order})`;
  const size = `${service.pool.length} endpoints, at most ${service.answers_max} in an answer`;
  return `${service.name} of zone ${service.zone}: ${policy}, ${size}, TTL ${service.ttl_s} s`;
}

function choose(
  { config, plan }: ExplainQuestion,
  service: Service,
  order: readonly number[],
  family: 4 | 6,
): { text: string; answer: Explanation['answer'] } {
  const eligible = (endpoint: number): boolean => plan.endpoints[endpoint]!.eligible;
  const steered = steer(service, config.endpoints, order, eligible, family);
  const { code, text } = steeringReason(steered, config);
  const answer = steered.members.flatMap(({ endpoint }) => {
    const { id, address4, address6 } = config.endpoints[endpoint]!;
    const address = family === 4 ? address4 : address6;
    return address === null ? [] : [{ endpoint: id, address }];
  });
  return { text: `${code}: ${text}`, answer };
}

/** Announced and heard, with nothing against it. */
const STANDING: RouteSight = { ...ROUTE_OFF, phase: 'on', heard: true, age_ms: 0 };

/** A world where every endpoint of every site is up and every VIP announced: what `explain` shows without an agent. */
export function healthyWorld(config: Config, self: string, now: number): World {
  const sightings = config.sites.map((site, index): [string, Sighting] => {
    const own = config.endpoints.filter((endpoint) => endpoint.site === index);
    const sight = { up: true, for_ms: 0, downs: 0, detail: 'assumed healthy' };
    const report: Report = {
      ...blankReport(site.name, site.agents[0]),
      endpoints: Object.fromEntries(own.map(({ id }) => [id, sight])),
      routes: Object.fromEntries(site.announces.map((vip) => [vip, STANDING])),
    };
    return [site.name, { report, received_at: now, cut_ms: 0 }];
  });
  return { self, sightings: new Map(sightings), overrides: [], connected: true, cut_at: null };
}
