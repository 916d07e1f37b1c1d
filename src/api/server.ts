/**
 * The HTTP API of one agent: status, plan, explain, BGP, overrides, events, metrics. It reads the agent
 * and hands orders to it and to its daemon; it decides nothing. Reading is open to whoever reaches
 * the address (loopback by default); changing needs the site's token where one is configured, and
 * never comes from a web page: a request with an Origin header is refused.
 */

import { timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Agent } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { configFacts } from '../config/changes.ts';
import { agentName } from '../model/report.ts';
import { formatHostPort, type HostPort, parseAddress } from '../net/ip.ts';
import { listenErrorText } from '../net/listen-error.ts';
import type { App, Env } from './app.ts';
import { bgpChanging, bgpReading } from './bgp.ts';
import type { ConfigInUse, Control, Farewell } from './control.ts';
import { endpointsChanging, endpointsReading } from './endpoints.ts';
import { EVENT_STREAM_HEADERS, EventStreams, READERS_MAX } from './event-stream.ts';
import { explainFor } from './explain.ts';
import { metricsText } from './metrics.ts';
import { overridesChanging, overridesReading } from './overrides.ts';

/** Largest body of a request, in bytes. */
const BODY_MAX = 16 * 1024;
/** A client that holds its connection open for longer does not hold the daemon open. */
const CLOSE_WITHIN_MS = 500;
/** The version names the exposition format, which newer Prometheus insists on. */
const METRICS_HEADERS = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };

export interface ApiOptions {
  readonly agent: Agent;
  readonly listen: HostPort;
  /** Bearer token that changing requests must carry; null: anyone who reaches the address. */
  readonly token: string | null;
  /** Null where several daemons share a process, which then takes no orders. */
  readonly control: Control | null;
  readonly clock: Clock;
  readonly log: Log;
}

export class ApiServer {
  readonly #options: ApiOptions;
  readonly #streams: EventStreams;
  #server: Server | null = null;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#streams = new EventStreams(options.agent.events, options.clock);
  }

  /** Where it listens; once started with the real port, if 0 was asked for. */
  get address(): HostPort {
    const bound = this.#server?.address();
    const { listen } = this.#options;
    return bound && typeof bound === 'object' ? { ...listen, port: bound.port } : listen;
  }

  /** Rejects with a plain sentence when the address cannot be bound. */
  async start(): Promise<void> {
    const { listen, log } = this.#options;
    const server = createServer(getRequestListener(this.#routes().fetch));
    server.headersTimeout = 5_000;
    server.requestTimeout = 10_000;
    server.maxConnections = 200;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(
          new Error(`API ${formatHostPort(listen)}: ${listenErrorText(error)}`, { cause: error }),
        ),
      );
      server.listen(listen.port, listen.address, resolve);
    });
    server.on('error', (error) => log.error({ error: error.message }, 'API server'));
    this.#server = server;
  }

  /** Also ends what the constructor began, so it is to be called after a failed start, too. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#streams.close();
    if (!server) return;
    const force = this.#options.clock.timer(CLOSE_WITHIN_MS, () => server.closeAllConnections());
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    force.cancel();
  }

  #routes(): App {
    const app = new Hono<Env>();
    app.onError((error, c) => {
      this.#options.log.error({ error: error.message, path: c.req.path }, 'request failed');
      return c.json({ error: 'internal error' }, 500);
    });
    app.notFound((c) => c.json({ error: `nothing at ${c.req.method} ${c.req.path}` }, 404));
    this.#reading(app);
    this.#changing(app);
    return app;
  }

  #reading(app: App): void {
    const { agent, clock } = this.#options;
    app.get('/healthz', (c) => c.text('ok\n'));
    app.get('/readyz', (c) => (agent.decision ? c.text('ready\n') : c.text('starting\n', 503)));
    app.get('/metrics', (c) => c.body(metricsText(agent.status()), 200, METRICS_HEADERS));
    app.get('/v1/status', (c) => c.json(agent.status()));
    endpointsReading(app, agent);
    bgpReading(app, agent, () => clock.now());
    overridesReading(app, agent);
    app.get('/v1/plan', (c) => c.json(agent.decision?.plan ?? null));
    app.get('/v1/events', (c) => {
      // A HEAD request has no body that could be streamed.
      if (c.req.method === 'HEAD') return c.body(null, 200, EVENT_STREAM_HEADERS);
      if (this.#streams.full) return c.json({ error: `${READERS_MAX} readers already` }, 503);
      this.#streams.open(c.env.outgoing);
      return RESPONSE_ALREADY_SENT;
    });
    app.get('/v1/explain', (c) => {
      const { name, client = '' } = c.req.query();
      if (!name) return c.json({ error: 'give ?name=, e.g. www.example.com' }, 400);
      if (!parseAddress(client)) {
        return c.json({ error: 'give ?client=, an IPv4 or IPv6 address' }, 400);
      }
      const { decision } = agent;
      if (!decision) return c.json({ error: 'the agent has made no plan yet' }, 503);
      const explanation = explainFor(agent.config, agent.geo, decision, name, client);
      return explanation.ok ? c.json(explanation.value) : c.json({ error: explanation.error }, 404);
    });
  }

  #changing(app: App): void {
    const { agent, clock } = this.#options;
    app.use('/v1/*', async (c, next) => {
      if (c.req.header('origin') !== undefined) {
        return c.json({ error: 'changes are not taken from web pages' }, 403);
      }
      if (!this.#authorized(c.req.header('authorization'))) {
        return c.json({ error: 'send the token of this site as "Authorization: Bearer …"' }, 401);
      }
      return next();
    });
    app.post(
      '/v1/*',
      bodyLimit({
        maxSize: BODY_MAX,
        onError: (c) => c.json({ error: `the body is larger than ${BODY_MAX} bytes` }, 413),
      }),
    );
    overridesChanging(app, agent, clock);
    endpointsChanging(app, agent);
    bgpChanging(app, agent);
    if (this.#options.control) this.#controlling(app, this.#options.control);
  }

  #controlling(app: App, control: Control): void {
    const { agent } = this.#options;
    app.get('/v1/config', (c) => {
      const { config, site, name } = agent;
      const { dir } = control;
      return c.json({ site, agent: name, dir, config: configFacts(config) } satisfies ConfigInUse);
    });
    app.post('/v1/reload', async (c) => {
      const report = await control.reload();
      return c.json(report, report.problems.length > 0 ? 422 : 200);
    });
    // Who asks says whom it means: an address may have come to belong to another agent.
    app.post('/v1/leave', async (c) => {
      const body: unknown = await c.req.json().catch(() => null);
      const { deployment, site, agent: name = site } = (body ?? {}) as Record<string, unknown>;
      const { deployment: own, pid } = agent.status();
      if (deployment !== own || site !== agent.site || name !== agent.name) {
        const whole = `${own}/${agentName({ site: agent.site, agent: agent.name })}`;
        return c.json({ error: `this is the agent of ${whole}, which goes on` }, 409);
      }
      control.leave();
      return c.json({ pid, overrides: agent.overrides.known() } satisfies Farewell);
    });
  }

  #authorized(header: string | undefined): boolean {
    const { token } = this.#options;
    if (token === null) return true;
    const wanted = Buffer.from(`Bearer ${token}`);
    const given = Buffer.from(header ?? '');
    return wanted.length === given.length && timingSafeEqual(wanted, given);
  }
}
