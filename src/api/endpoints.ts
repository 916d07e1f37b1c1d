/** Endpoints over HTTP: everything about one, and the end of what is held against it. */
import type { Agent } from '../agent/agent.ts';
import type { EndpointsAnswer } from '../agent/endpoint-status.ts';
import { suggest } from '../config/nearest.ts';
import type { App } from './app.ts';
import { orderOf, type PenaltiesReset } from './order.ts';

function unknown(agent: Agent, name: string): { error: string } {
  const { endpoints } = agent.config;
  const known = endpoints.flatMap(({ id, load_balancer }) => [load_balancer, id]);
  return {
    error: `no endpoint or load balancer is named "${name}": ${suggest(name, new Set(known))}`,
  };
}

/** An id has slashes in it, which may be written as they are. */
export function endpointsReading(app: App, agent: Agent): void {
  app.get('/v1/endpoints/:name{.+}', (c) => {
    const name = c.req.param('name');
    const endpoints = agent.endpoints.details(name);
    if (endpoints === null) return c.json({ error: 'the agent has made no plan yet' }, 503);
    if (endpoints.length === 0) return c.json(unknown(agent, name), 404);
    return c.json({ endpoints } satisfies EndpointsAnswer);
  });
}

const RESET = /^(?:(.+)\/)?reset-penalty$/;

export function endpointsChanging(app: App, agent: Agent): void {
  app.post('/v1/endpoints/:order{.+}', async (c) => {
    const match = RESET.exec(c.req.param('order'));
    if (!match) return c.notFound();
    const order = orderOf(await c.req.text(), {});
    if (!order.ok) return c.json({ error: order.error }, 400);
    const name = match[1] ?? null;
    const reset = agent.endpoints.resetPenalties(name, order.value.by);
    if (reset !== null) return c.json({ reset } satisfies PenaltiesReset);
    const endpoint = agent.config.endpoints.find((one) =>
      [one.id, one.load_balancer].includes(name!),
    );
    if (!endpoint) return c.json(unknown(agent, name!), 404);
    const home = agent.config.sites[endpoint.site]!.name;
    return c.json({ error: `${name} is ruled on by its home: ask the agent of ${home}` }, 409);
  });
}
