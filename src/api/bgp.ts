/**
 * The part of the API about BGP: neighbours, what each is told and why, what they send, why a session
 * is not up; and orders to reset a session or the penalties of VIPs.
 */
import type { Agent } from '../agent/agent.ts';
import { WHYS_MAX } from '../agent/bgp-desk.ts';
import type { ReceivedRoute } from '../bgp/adj-rib-in.ts';
import type { NeighborStatus } from '../bgp/speaker.ts';
import type { ToldRoute } from '../bgp/told-route.ts';
import type { Fitness } from '../model/plan.ts';
import type { App } from './app.ts';
import { orderOf, type PenaltiesReset } from './order.ts';

/** The body of GET /v1/bgp/neighbors. */
export interface BgpNeighbors {
  /** The agent's clock, which the times in `neighbors` are of. */
  readonly now_ms: number;
  readonly neighbors: readonly NeighborStatus[];
}

/** The body of GET /v1/bgp/routes. */
export interface BgpRoutes {
  readonly routes: readonly (ToldRoute & { readonly fitness: Fitness | null })[];
  /** Neighbours that are left out, since there would be too many routes. */
  readonly left_out: readonly string[];
}

/** The body of GET /v1/bgp/received. */
export interface BgpReceived {
  readonly routes: readonly ReceivedRoute[];
}

/**
 * No further neighbour is begun beyond so many routes: making the answer holds up all else. Whoever
 * wants the rest asks for one neighbour after the other.
 */
export const ROUTES_MAX = 10_000;

/** The neighbour of that name, or those of the range of that name; all of them without one. */
function neighborsOf(agent: Agent, asked: string | undefined): NeighborStatus[] {
  const all = agent.speaker?.neighbors() ?? [];
  return all.filter(({ name, range }) => [undefined, name, range].includes(asked));
}

function routesOf(agent: Agent, neighbor: string | undefined): BgpRoutes {
  const plans = agent.decision?.plan.routes ?? [];
  const fitness = new Map(plans.map((route) => [route.vip, route.fitness]));
  const routes: BgpRoutes['routes'][number][] = [];
  const left_out: string[] = [];
  for (const { name } of neighborsOf(agent, neighbor)) {
    if (routes.length >= ROUTES_MAX) {
      left_out.push(name);
      continue;
    }
    for (const route of agent.speaker?.routes(name) ?? []) {
      routes.push({ ...route, fitness: fitness.get(route.vip) ?? null });
    }
  }
  return { routes, left_out };
}

function unknown(agent: Agent, name = ''): { readonly error: string } {
  if (agent.status().ranges.includes(name))
    return { error: `nobody of the range "${name}" is connected` };
  const known = agent.speaker?.neighbors().map((one) => one.name) ?? [];
  const text = known.length === 0 ? 'there is none' : `there are: ${known.slice(0, 20).join(', ')}`;
  return { error: `no neighbour is named "${name}"; ${text}` };
}

const isKnown = (agent: Agent, name: string | undefined): boolean =>
  name === undefined || neighborsOf(agent, name).length > 0;

export function bgpReading(app: App, agent: Agent, now: () => number): void {
  app.get('/v1/bgp/neighbors', (c) => {
    const { neighbor } = c.req.query();
    if (!isKnown(agent, neighbor)) return c.json(unknown(agent, neighbor), 404);
    const neighbors = neighborsOf(agent, neighbor);
    return c.json({ now_ms: now(), neighbors } satisfies BgpNeighbors);
  });
  app.get('/v1/bgp/routes', (c) => {
    const { neighbor } = c.req.query();
    if (!isKnown(agent, neighbor)) return c.json(unknown(agent, neighbor), 404);
    return c.json(routesOf(agent, neighbor));
  });
  app.get('/v1/bgp/received', (c) => {
    const { neighbor } = c.req.query();
    if (!neighbor) return c.json({ error: 'give ?neighbor=, the name of one' }, 400);
    const routes = agent.speaker?.received(neighbor) ?? null;
    if (!routes) return c.json(unknown(agent, neighbor), 404);
    return c.json({ routes: routes.slice(0, ROUTES_MAX) } satisfies BgpReceived);
  });
  // The name of a neighbour of a range has a slash in it.
  app.get('/v1/bgp/why/:name{.+}', async (c) => {
    const name = c.req.param('name');
    const why = await agent.bgpDesk.why(name);
    if (why === 'busy') return c.json({ error: `${WHYS_MAX} such questions already` }, 503);
    return why ? c.json(why) : c.json(unknown(agent, name), 404);
  });
}

export function bgpChanging(app: App, agent: Agent): void {
  app.post('/v1/bgp/reset', async (c) => {
    const order = orderOf(await c.req.text(), { neighbor: 'string' });
    if (!order.ok) return c.json({ error: order.error }, 400);
    const { neighbor, by, reason } = order.value;
    if (neighbor === undefined) return c.json({ error: 'say which "neighbor"' }, 400);
    if (!agent.routes.resetNeighbor(neighbor, by, reason))
      return c.json(unknown(agent, neighbor), 404);
    return c.json({ reset: neighbor });
  });
  app.post('/v1/bgp/reset-penalty', async (c) => {
    const order = orderOf(await c.req.text(), { vip: 'string' });
    if (!order.ok) return c.json({ error: order.error }, 400);
    const { vip = null, by } = order.value;
    const reset = agent.routes.resetPenalty(vip, by);
    if (!reset) return c.json({ error: `this site announces no VIP "${vip}"` }, 404);
    return c.json({ reset } satisfies PenaltiesReset);
  });
}
