/**
 * One site's authoritative DNS server: UDP workers and the TCP listener over one snapshot. It carries
 * out a Plan by writing the health table; it decides nothing itself.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { GeoMap } from '../geo/map.ts';
import type { Config, DnsListen } from '../model/config.ts';
import type { Plan } from '../model/plan.ts';
import type { HostPort } from '../net/ip.ts';
import { type HealthTable, HealthWriter } from './health-table.ts';
import { type ResponsePolicy, responsePolicy } from './policy.ts';
import { rateTable } from './rate-limit.ts';
import { DNS_COUNTERS, dnsCounters, Responder } from './respond.ts';
import { makeSnapshot, type Snapshot } from './snapshot.ts';
import { TcpListener } from './tcp.ts';
import { UdpPool } from './udp-pool.ts';
import type { UdpEngine } from './udp-shared.ts';

export interface DnsServerOptions {
  readonly config: Config;
  /** Name of the site whose `dns` part of the configuration is served. */
  readonly site: string;
  readonly geo: GeoMap;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** 'batch' (default): batched system calls where they can be made; 'dgram': Node's own sockets. */
  readonly udp?: UdpEngine;
  /**
   * Secrets of 16 octets for server cookies: the first makes them, all are accepted. By default one
   * that nobody knows and that lives as long as this server.
   */
  readonly cookieSecrets?: readonly Uint8Array[];
}

export class DnsServer {
  readonly #site: string;
  readonly #listen: DnsListen;
  readonly #log: Log;
  readonly #counters = dnsCounters();
  readonly #responder: Responder;
  readonly #tcp: TcpListener;
  readonly #udp: UdpPool;
  readonly #rateTable = rateTable();
  #cookieSecrets: readonly Uint8Array[];
  #health: HealthWriter;
  #snapshot: Snapshot;
  #addresses: readonly HostPort[] = [];

  constructor(options: DnsServerOptions) {
    const { config, site, geo, clock, prng, log, udp = 'batch' } = options;
    this.#site = site;
    this.#cookieSecrets = options.cookieSecrets ?? [randomBytes(16)];
    this.#listen = dnsOf(config, site);
    this.#log = log;
    this.#health = new HealthWriter(config.endpoints);
    this.#snapshot = this.#compile(config, geo, this.#health);
    this.#responder = new Responder(this.#snapshot, prng.int(0x7fffffff), this.#counters, clock);
    this.#tcp = new TcpListener(this.#responder, this.#listen, clock);
    this.#udp = new UdpPool(udp, this.#snapshot, clock, prng, log);
  }

  /** Where it listens, both UDP and TCP, with the real ports where 0 was asked for. */
  get addresses(): readonly HostPort[] {
    return this.#addresses;
  }

  /** How UDP packets are moved here. */
  get engine(): UdpEngine {
    return this.#udp.engine;
  }

  /**
   * Resolves when every address answers. Rejects with one clear sentence if an address cannot be
   * had; then nothing is left open. TCP comes first: its port cannot be shared, so that a second
   * daemon fails here although the UDP workers' ports can be.
   */
  async start(): Promise<void> {
    try {
      const bound: HostPort[] = [];
      for (const address of this.#listen.listen) bound.push(await this.#tcp.listen(address));
      await this.#udp.start(bound, this.#listen.workers);
      this.#addresses = bound;
    } catch (error) {
      await this.stop();
      throw error;
    }
    const { engine } = this;
    if (engine === 'dgram' && this.#listen.workers > 1) {
      this.#log.warn({ workers: 1 }, 'one UDP worker for each address: koffi is missing');
    }
    this.#log.info({ addresses: this.#addresses, engine }, 'DNS answers');
  }

  /** Takes a Plan's verdicts; every thread answers by them from its next query on. */
  apply(plan: Plan): void {
    this.#health.apply(plan);
  }

  /**
   * Swaps zones, services, regions, geo map and what the site's `dns` says of responses. No query is lost; resolves when every worker answers
   * from the new ones. Endpoints known before keep their health, new ones wait for the next Plan.
   * Listen addresses and the number of workers stay as they were at the start.
   */
  async reload(config: Config, geo: GeoMap): Promise<void> {
    // Nothing is replaced before all of it stands: what cannot be compiled leaves the old in use.
    const health = new HealthWriter(config.endpoints, this.#health);
    this.#snapshot = this.#compile(config, geo, health);
    this.#health = health;
    this.#responder.use(this.#snapshot);
    await this.#udp.use(this.#snapshot);
  }

  /**
   * Makes cookies with the first of `secrets` and accepts all of them, in every thread when it
   * resolves. A rollover adds the new one at the end everywhere, then moves it to the front
   * everywhere, then drops the old one (RFC 9018 §5).
   */
  async useCookieSecrets(secrets: readonly Uint8Array[]): Promise<void> {
    this.#cookieSecrets = secrets;
    const policy = { ...this.#snapshot.policy, cookie_secrets: secrets };
    this.#snapshot = { ...this.#snapshot, policy };
    this.#responder.use(this.#snapshot);
    await this.#udp.use(this.#snapshot);
  }

  /** Closes everything after the answers under way; takes about 300 ms at most. */
  async stop(): Promise<void> {
    await Promise.all([this.#tcp.stop(), this.#udp.stop()]);
  }

  /** Sums over all threads since the start, by name, and `tcp_clients` open now. */
  counters(): Record<string, number> {
    const all = [this.#counters, ...this.#udp.counters()];
    const sums: Record<string, number> = { tcp_clients: this.#tcp.clients };
    for (const name of DNS_COUNTERS) {
      sums[name] = all.reduce((sum, counters) => sum + counters.get(name), 0);
    }
    return sums;
  }

  #compile(config: Config, geo: GeoMap, health: HealthTable): Snapshot {
    // The workers' buffers are as large as at the start, so the payload stays what it was then.
    const { udp_payload_max } = this.#listen;
    return makeSnapshot(config, geo, health.buffer, udp_payload_max, this.#policy(config));
  }

  #policy(config: Config): ResponsePolicy {
    // Connections are kept as long as was said at the start.
    const { tcp_idle_ms } = this.#listen;
    const dns = { ...dnsOf(config, this.#site), tcp_idle_ms };
    return responsePolicy(dns, this.#cookieSecrets, this.#rateTable);
  }
}

function dnsOf(config: Config, name: string): DnsListen {
  const site = config.sites.find((one) => one.name === name);
  if (!site) throw new Error(`the configuration has no site "${name}"`);
  return site.dns;
}
