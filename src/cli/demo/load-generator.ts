/**
 * The demo's clients: a small pool in each region. Every client asks its own site's DNS as a
 * resolver of its region would, keeps the answer for its TTL, and sends its part of the region's
 * requests to the addresses in it. A failed request makes it ask again.
 *
 * Must hold: requests in flight and queries are bounded, whatever the sites do; every request
 * ends as ok or failed, exactly once.
 */
import http from 'node:http';
import type { Clock, Timer } from '../../base/clock.ts';
import type { HostPort } from '../../net/ip.ts';
import type { DnsClient, Lookup } from './dns-client.ts';
import { FLOW, SPILLED_FROM } from './forwarding.ts';
import { SERVED_AT } from './load-balancer.ts';

const CLIENTS_PER_REGION = 8;
const PACE_MS = 10;
const REQUEST_TIMEOUT_MS = 2_000;
/** Requests of one region that wait for an answer at once; more are failed at once. */
const IN_FLIGHT_MAX = 500;
/** A client asks no more often than this, however many of its requests fail. */
const RESOLVE_GAP_MS = 250;
/** When a site answers nothing, for how long a client does without asking again. */
const NEGATIVE_TTL_S = 1;
/** Below the load balancers' keep-alive time, so that no request meets a closing connection. */
const IDLE_MS = 4_000;
/** Highest ratio that can be asked for: three regions at it still fit two cores. */
export const RATIO_MAX = 2;

export interface RegionLoad {
  readonly region: string;
  /** Where its clients ask; the first is their own site's. */
  readonly servers: readonly HostPort[];
  /** IPv4 prefix of its clients. */
  readonly subnet: string;
  /** Requests per second that are a ratio of 1. */
  readonly capacity: number;
  readonly ratio: number;
}

export interface GeneratorOptions {
  readonly regions: readonly RegionLoad[];
  /** Name that the clients ask for, and the port that they connect to. */
  readonly name: string;
  readonly port: number;
  readonly dns: DnsClient;
  readonly clock: Clock;
}

/** Requests of one region's clients since the start; they only grow. */
export interface RegionCounts {
  readonly ok: number;
  readonly failed: number;
  /** Site → requests that it served. */
  readonly served: Readonly<Record<string, number>>;
  /** Of those served, how many another site had spilled. */
  readonly spilled: number;
}

interface Client {
  addresses: readonly string[];
  expires_at: number;
  asked_at: number;
  asking: boolean;
  turn: number;
}

interface Pool {
  readonly load: RegionLoad;
  readonly clients: readonly Client[];
  ratio: number;
  /** Requests that are due; the fraction is carried to the next pace. */
  due: number;
  sent: number;
  in_flight: number;
  readonly counts: { ok: number; failed: number; served: Record<string, number>; spilled: number };
}

export class LoadGenerator {
  readonly #options: GeneratorOptions;
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 128, timeout: IDLE_MS });
  #timer: Timer | null = null;
  #paced_at = 0;

  constructor(options: GeneratorOptions) {
    this.#options = options;
    this.#pools = new Map(options.regions.map((load) => [load.region, makePool(load)]));
  }

  start(): void {
    this.#paced_at = this.#options.clock.now();
    this.#schedule();
  }

  /** Ends pacing at once; what is in flight is cut. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#agent.destroy();
  }

  get regions(): readonly string[] {
    return [...this.#pools.keys()];
  }

  /** Sets a region's load as a ratio of its own site's capacity, from 0 to `RATIO_MAX`. */
  setRatio(region: string, ratio: number): void {
    const pool = this.#pools.get(region);
    if (pool) pool.ratio = Math.min(RATIO_MAX, Math.max(0, ratio));
  }

  counts(region: string): RegionCounts {
    const counts = this.#pools.get(region)?.counts;
    if (!counts) throw new Error(`there is no region ${region}`);
    return { ...counts, served: { ...counts.served } };
  }

  /** Failed requests of all regions since the start. */
  get failed(): number {
    return [...this.#pools.values()].reduce((sum, pool) => sum + pool.counts.failed, 0);
  }

  #schedule(): void {
    this.#timer = this.#options.clock.timer(PACE_MS, () => {
      const now = this.#options.clock.now();
      // After a stall the clients do not make up for what they did not send.
      const elapsed_ms = Math.min(now - this.#paced_at, 10 * PACE_MS);
      this.#paced_at = now;
      for (const pool of this.#pools.values()) this.#pace(pool, elapsed_ms);
      this.#schedule();
    });
  }

  #pace(pool: Pool, elapsed_ms: number): void {
    pool.due += (pool.ratio * pool.load.capacity * elapsed_ms) / 1_000;
    for (; pool.due >= 1; pool.due--) {
      const client = pool.clients[pool.sent % pool.clients.length]!;
      if (client.expires_at <= this.#options.clock.now()) this.#resolve(pool, client);
      const address = client.addresses[client.turn++ % client.addresses.length];
      // A client that has no address yet has nothing to send to, which is not a failed request.
      if (address !== undefined) this.#send(pool, client, address);
      pool.sent++;
    }
  }

  #resolve(pool: Pool, client: Client): void {
    const now = this.#options.clock.now();
    if (client.asking || now - client.asked_at < RESOLVE_GAP_MS) return;
    client.asking = true;
    client.asked_at = now;
    void this.#ask(pool.load).then((answer) => {
      client.asking = false;
      if (answer.error === null) client.addresses = answer.addresses;
      const ttl_s = answer.error === null ? answer.ttl_s : NEGATIVE_TTL_S;
      client.expires_at = this.#options.clock.now() + ttl_s * 1_000;
    });
  }

  /** The first answer of the region's servers, in their order. */
  async #ask(load: RegionLoad): Promise<Lookup> {
    let last: Lookup = { addresses: [], ttl_s: 0, error: 'no server' };
    for (const server of load.servers) {
      last = await this.#options.dns.lookup(server, this.#options.name, load.subnet);
      if (last.error === null) break;
    }
    return last;
  }

  #send(pool: Pool, client: Client, address: string): void {
    const { counts } = pool;
    if (pool.in_flight >= IN_FLIGHT_MAX) {
      counts.failed++;
      return;
    }
    pool.in_flight++;
    let ended = false;
    const end = (ok: boolean): void => {
      if (ended) return;
      ended = true;
      pool.in_flight--;
      if (ok) {
        counts.ok++;
        return;
      }
      counts.failed++;
      client.expires_at = 0;
      this.#resolve(pool, client);
    };
    const request = http.get({
      host: address,
      port: this.#options.port,
      path: '/',
      agent: this.#agent,
      timeout: REQUEST_TIMEOUT_MS,
      headers: { host: this.#options.name, [FLOW]: `${pool.load.subnet} ${pool.sent}` },
    });
    request.on('response', (response) => {
      response.on('end', () => {
        if (response.statusCode === 200) note(counts, response.headers);
        end(response.statusCode === 200);
      });
      response.on('close', () => end(false));
      response.resume();
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => end(false));
  }
}

function makePool(load: RegionLoad): Pool {
  const clients = Array.from({ length: CLIENTS_PER_REGION }, () => ({
    addresses: [],
    expires_at: 0,
    asked_at: Number.NEGATIVE_INFINITY,
    asking: false,
    turn: 0,
  }));
  const counts = { ok: 0, failed: 0, served: {}, spilled: 0 };
  return { load, clients, ratio: load.ratio, due: 0, sent: 0, in_flight: 0, counts };
}

function note(counts: Pool['counts'], headers: http.IncomingHttpHeaders): void {
  const site = String(headers[SERVED_AT]);
  counts.served[site] = (counts.served[site] ?? 0) + 1;
  if (headers[SPILLED_FROM] !== undefined) counts.spilled++;
}
