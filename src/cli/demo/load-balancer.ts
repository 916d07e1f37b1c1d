/**
 * One small HTTP load balancer of a demo site, with a fixed capacity. It answers `/healthz` and,
 * on every other path, who served the request; above its capacity its answers grow slow, above
 * twice that it refuses. Own requests that the spill plan sends away are forwarded.
 *
 * Must hold: while broken it refuses connections like a dead machine's neighbour would, and its
 * open ones are gone; a guest is served here whatever the plan says.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { listenErrorText } from '../../net/listen-error.ts';
import { FLOW, type ForwardingDriver, SPILLED_FROM, slotOf } from './forwarding.ts';
import { RateMeter } from './rate.ts';

export const SERVED_BY = 'x-isobar-served-by';
export const SERVED_AT = 'x-isobar-site';

const SERVICE_MS = 2;
/** Added to the service time for each whole capacity that the load is above capacity. */
const QUEUEING_MS = 200;
const REFUSE_ABOVE = 2;
const IN_FLIGHT_MAX = 1_000;
/** Longer than any client of the demo keeps an idle connection. */
const KEEP_ALIVE_MS = 60_000;

export interface LoadBalancerOptions {
  readonly name: string;
  readonly site: string;
  /** Where it listens; port 0: any free one. */
  readonly address: string;
  readonly port: number;
  /** Requests per second. */
  readonly capacity: number;
  readonly forwarding: ForwardingDriver;
  readonly clock: Clock;
}

export class LoadBalancer {
  readonly name: string;
  readonly site: string;
  readonly #options: LoadBalancerOptions;
  readonly #rate: RateMeter;
  #server: http.Server | null = null;
  #in_flight = 0;

  constructor(options: LoadBalancerOptions) {
    this.name = options.name;
    this.site = options.site;
    this.#options = options;
    this.#rate = new RateMeter(options.clock);
  }

  /** The port that it listens on; 0 while broken. */
  get port(): number {
    const address = this.#server?.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  /** Requests per second that it serves itself, guests among them. */
  requestsPerSecond(): number {
    return this.#rate.perSecond();
  }

  /** Listens. Does nothing when it does already; rejects when the address cannot be had. */
  async repair(): Promise<void> {
    if (this.#server) return;
    const server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
      this.#handle(request, response),
    );
    this.#server = server;
    try {
      await listen(server, this.#options.address, this.#options.port);
    } catch (error) {
      this.#server = null;
      throw error;
    }
  }

  /** Stops listening and cuts every connection. */
  async break(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') {
      response.writeHead(405, { allow: 'GET' }).end();
    } else if (request.url === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
    } else if (this.#in_flight >= IN_FLIGHT_MAX) {
      response.writeHead(503).end();
    } else {
      this.#in_flight++;
      response.on('close', () => this.#in_flight--);
      void this.#answer(request, response);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { forwarding } = this.#options;
    const from = request.headers[SPILLED_FROM];
    if (from !== undefined) {
      forwarding.admit(String(from));
      this.#serve(response, String(from));
      return;
    }
    const { remoteAddress, remotePort } = request.socket;
    const flow = request.headers[FLOW] ?? `${remoteAddress} ${remotePort}`;
    const peer = forwarding.route(slotOf(String(flow)));
    if (peer !== null && (await forwarding.forward(peer, request, response))) return;
    forwarding.keep();
    this.#serve(response, null);
  }

  #serve(response: ServerResponse, from: string | null): void {
    const { name, site, capacity, clock } = this.#options;
    this.#rate.count();
    const load = this.#rate.perSecond() / capacity;
    if (load > REFUSE_ABOVE) {
      response.writeHead(503, { [SERVED_BY]: name }).end();
      return;
    }
    const body = `${JSON.stringify({ served_by: name, site, spilled_from: from })}\n`;
    clock.timer(SERVICE_MS + QUEUEING_MS * Math.max(0, load - 1), () => {
      response
        .writeHead(200, {
          'content-type': 'application/json',
          'content-length': body.length,
          [SERVED_BY]: name,
          [SERVED_AT]: site,
          ...(from === null ? {} : { [SPILLED_FROM]: from }),
        })
        .end(body);
    });
  }
}

/** Settles when `server` listens; rejects with a sentence that names the address. */
export function listen(server: http.Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`cannot listen on ${address} port ${port}: ${listenErrorText(error)}`)),
    );
    server.listen(port, address, () => resolve());
  });
}
