/**
 * What is known of endpoints, for people: of all of them in short (GET /v1/status), and of one with
 * each vote (GET /v1/endpoints/NAME). The votes are counted and listed by the rules of the verdict, as
 * they are when somebody asks.
 */
import { siteFactors } from '../decide/damping.ts';
import { type Held, healthTimes, heldBack, rulingIn } from '../decide/rulings.ts';
import { type Hearing, hear, viewOf } from '../decide/view.ts';
import { Tally, votesOf } from '../decide/votes.ts';
import type { Config, Endpoint, VerdictRule } from '../model/config.ts';
import type { EndpointVerdict, Plan, Vote } from '../model/plan.ts';
import type { EndpointRuling } from '../model/report.ts';
import type { World } from '../model/world.ts';

export interface EndpointStatus extends EndpointVerdict {
  readonly site: string;
  readonly addresses: readonly string[];
  /** What its home site's probe last said; null: nothing yet. */
  readonly detail: string | null;
  readonly votes: VoteCount;
  /** For coming and going, as its home tells it; null: the home is not heard, or knows nothing yet. */
  readonly penalty: number | null;
}

export interface VoteCount {
  readonly up: number;
  readonly down: number;
  /** The home and its observers; who is in neither of the other two is silent or not believed. */
  readonly assigned: number;
}

/** The answer to GET /v1/endpoints/NAME, of an endpoint or of a load balancer. */
export interface EndpointsAnswer {
  readonly endpoints: readonly EndpointDetail[];
}

export interface EndpointDetail extends EndpointStatus {
  /** Whose pools it is in. */
  readonly services: readonly string[];
  /** How the votes are joined. */
  readonly rule: VerdictRule;
  /** The home first. */
  readonly ballot: readonly Vote[];
  /** What its home remembers of it; null: the home is not heard, or knows nothing yet. */
  readonly ruling: EndpointRuling | null;
  /** Why it is up and not used yet, and for how long; null: it is not held back. */
  readonly held: Held | null;
}

interface Known {
  readonly config: Config;
  readonly plan: Plan;
  readonly world: World;
  readonly now: number;
}

/** Parallel to Config.endpoints. */
export function endpointStatuses(known: Known): EndpointStatus[] {
  const tools = toolsOf(known);
  return known.plan.endpoints.map((_, index) => statusOf(known, tools, index));
}

/** Of the endpoint with that id, or of all of a load balancer; empty: there is no such one. */
export function endpointDetails(known: Known, name: string): EndpointDetail[] {
  const tools = toolsOf(known);
  return known.config.endpoints.flatMap((endpoint, index) =>
    isNamed(endpoint, name) ? detailOf(known, tools, index) : [],
  );
}

/** Whether `name` is its id or that of its load balancer. */
export function isNamed({ id, load_balancer }: Endpoint, name: string): boolean {
  return id === name || load_balancer === name;
}

function detailOf(known: Known, tools: Tools, index: number): EndpointDetail {
  const { config, world, now } = known;
  const { site, vantage } = config.endpoints[index]!;
  const ruling = rulingOf(known, tools, index);
  const users = config.services.filter(({ pool }) =>
    pool.some(({ endpoint }) => endpoint === index),
  );
  return {
    ...statusOf(known, tools, index),
    services: users.map(({ name }) => name),
    rule: vantage.rule,
    ballot: votesOf({ config, world, now }, index),
    ruling,
    held: ruling?.up === true ? heldBack(ruling, tools.times[site]!) : null,
  };
}

/** What is the same for all endpoints. */
type Tools = ReturnType<typeof toolsOf>;

function toolsOf({ config, world, now }: Known) {
  const view = viewOf(config, world, now);
  const hearings = config.sites.map((site): Hearing => hear(view, site));
  const times = siteFactors(config.sites).map((one) => healthTimes(config.policy.health, one));
  return { hearings, times, tally: new Tally(view, hearings) };
}

function statusOf(known: Known, tools: Tools, index: number): EndpointStatus {
  const { config, plan, world } = known;
  const { id, site, address4, address6 } = config.endpoints[index]!;
  const home = config.sites[site]!.name;
  const { tally } = tools;
  tally.count(index);
  return {
    ...plan.endpoints[index]!,
    site: home,
    addresses: [address4, address6].filter((one) => one !== null),
    detail: world.sightings.get(home)?.report.endpoints[id]?.detail ?? null,
    votes: { up: tally.ups, down: tally.downs, assigned: tally.assigned },
    penalty: rulingOf(known, tools, index)?.penalty ?? null,
  };
}

/** Our own are those that the plan was made with; the report in the world is the one before. */
function rulingOf({ config, plan }: Known, tools: Tools, index: number): EndpointRuling | null {
  const { id, site } = config.endpoints[index]!;
  const own = plan.memory.rulings[id];
  if (own !== undefined) return own;
  const hearing = tools.hearings[site]!;
  if (hearing.state === 'unheard' || hearing.state === 'lost') return null;
  return rulingIn(hearing.report, id, hearing.age_ms, tools.times[site]!);
}
