/**
 * One site's authoritative DNS server: UDP workers and the stream thread over one snapshot. It
 * carries out a Plan by writing the health table; it decides nothing itself.
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
import { DNS_COUNTERS } from './respond.ts';
import { makeSnapshot, type Snapshot } from './snapshot.ts';
import { readCertificate } from './stream-certificate.ts';
import { StreamPool } from './stream-pool.ts';
import { Announcer } from './transfer/announcer.ts';
import { Notifier } from './transfer/notifier.ts';
import { NotifySocket } from './transfer/notify-socket.ts';
import type { TsigSecret } from './transfer/signing.ts';
import { UdpPool } from './udp-pool.ts';
import type { UdpEngine } from './udp-shared.ts';
import { WorkerPool } from './worker-pool.ts';
import type { StreamKind } from './worker-shared.ts';

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
   * True: start beside another process that serves the same addresses, and take the queries over
   * from it as it stops. Otherwise an address that anyone has is an error.
   */
  readonly takeOver?: boolean;
  /** The keys of the configuration with their secrets; by default none. */
  readonly tsigKeys?: readonly TsigSecret[];
  /**
   * Secrets of 16 octets for server cookies: the first makes them, all are accepted. By default one
   * that nobody knows and that lives as long as this server.
   */
  readonly cookieSecrets?: readonly Uint8Array[];
}

export class DnsServer {
  readonly #site: string;
  readonly #log: Log;
  readonly #pool: WorkerPool;
  readonly #streams: StreamPool;
  readonly #udp: UdpPool;
  /** The workers' buffers are as large as at the start, so the payload stays what it was then. */
  readonly #udp_payload_max: number;
  #listen: DnsListen;
  readonly #announcer: Announcer;
  #tsigKeys: readonly TsigSecret[];
  readonly #rateTable = rateTable();
  #cookieSecrets: readonly Uint8Array[];
  #health: HealthWriter;
  #snapshot: Snapshot;
  #addresses: readonly HostPort[] = [];
  /** Reloads are done one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: DnsServerOptions) {
    const { config, site, geo, clock, prng, log, udp = 'batch', takeOver = false } = options;
    this.#site = site;
    this.#cookieSecrets = options.cookieSecrets ?? [randomBytes(16)];
    this.#listen = dnsOf(config, site);
    this.#udp_payload_max = this.#listen.udp_payload_max;
    this.#log = log;
    this.#health = new HealthWriter(config.endpoints);
    this.#tsigKeys = options.tsigKeys ?? [];
    this.#announcer = new Announcer(clock, new Notifier(clock, log, new NotifySocket()));
    this.#snapshot = this.#compile(config, geo, this.#health);
    this.#announcer.use(this.#snapshot);
    this.#pool = new WorkerPool(this.#snapshot, clock, prng, log);
    this.#streams = new StreamPool(this.#pool, this.#listen, takeOver);
    this.#udp = new UdpPool(udp, this.#pool);
  }

  /** Where it listens, both UDP and TCP, with the real ports where 0 was asked for. */
  get addresses(): readonly HostPort[] {
    return this.#addresses;
  }

  /** Where it listens for DNS over TLS. */
  get tlsAddresses(): readonly HostPort[] {
    return this.#bound('tls');
  }

  /** Where it listens for DNS over HTTPS. */
  get httpsAddresses(): readonly HostPort[] {
    return this.#bound('https');
  }

  /** How UDP packets are moved here. */
  get engine(): UdpEngine {
    return this.#udp.engine;
  }

  /**
   * Resolves when every address answers. Rejects with one clear sentence if an address cannot be
   * had; then nothing is left open. TCP comes first: its port is never shared unasked, so that a
   * second daemon fails here although the UDP workers' ports can be.
   */
  async start(): Promise<void> {
    try {
      await this.#streams.start();
      const bound = this.#bound('tcp');
      await this.#udp.listen(bound, this.#listen.workers);
      this.#addresses = bound;
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#announcer.announce();
    const { engine, addresses, tlsAddresses, httpsAddresses } = this;
    if (engine === 'dgram' && this.#listen.workers > 1) {
      this.#log.warn({ workers: 1 }, 'one UDP worker for each address: koffi is missing');
    }
    this.#log.info({ addresses, tlsAddresses, httpsAddresses, engine }, 'DNS answers');
  }

  /** Takes a Plan's verdicts; every thread answers by them from its next query on. */
  apply(plan: Plan): void {
    this.#health.apply(plan);
    this.#announcer.healthMoved();
  }

  /**
   * Swaps zones, services, regions, geo map and what the site's `dns` says of responses. No query is
   * lost; resolves when every thread answers from the new ones. Endpoints known before keep their
   * health, new ones wait for the next Plan. Addresses, workers, limits and certificate become what
   * `config` says. Resolves to a sentence about each address and certificate that cannot be had; all
   * else is served, and the next reload tries again.
   */
  reload(config: Config, geo: GeoMap): Promise<readonly string[]> {
    return this.#inTurn(() => this.#reload(config, geo));
  }

  #inTurn<Done>(change: () => Promise<Done>): Promise<Done> {
    const done = this.#turn.then(change);
    this.#turn = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  async #reload(config: Config, geo: GeoMap): Promise<readonly string[]> {
    // Nothing is replaced before all of it stands: what cannot be compiled leaves the old in use.
    const listen = dnsOf(config, this.#site);
    const health = new HealthWriter(config.endpoints, this.#health);
    const snapshot = this.#compile(config, geo, health);
    this.#health = health;
    this.#listen = listen;
    this.#streams.set(listen);
    await this.#swap(snapshot);
    const problems = [...this.#streams.problems];
    const because = (error: Error): unknown => problems.push(error.message);
    if (listen.tls) await readCertificate(listen.tls).catch(because);
    this.#addresses = this.#bound('tcp');
    await this.#udp.listen(this.#addresses, listen.workers).catch(because);
    for (const problem of problems) this.#log.error({ problem }, 'DNS is not all served');
    return problems;
  }

  /** Signs with `keys` and accepts no others, in every thread when it resolves. */
  useTsigKeys(keys: readonly TsigSecret[]): Promise<void> {
    this.#tsigKeys = keys;
    return this.#inTurn(() => {
      const transfers = { ...this.#snapshot.transfers, keys };
      return this.#swap({ ...this.#snapshot, transfers });
    });
  }

  /** Resolves when every thread answers from `snapshot`; then secondaries are told of it. */
  async #swap(snapshot: Snapshot): Promise<void> {
    this.#snapshot = snapshot;
    this.#announcer.use(snapshot);
    await this.#pool.use(snapshot);
    this.#announcer.announce();
  }

  /**
   * Makes cookies with the first of `secrets` and accepts all of them, in every thread when it
   * resolves. A rollover adds the new one at the end everywhere, then moves it to the front
   * everywhere, then drops the old one (RFC 9018 §5).
   */
  useCookieSecrets(secrets: readonly Uint8Array[]): Promise<void> {
    this.#cookieSecrets = secrets;
    return this.#inTurn(() => {
      const policy = { ...this.#snapshot.policy, cookie_secrets: secrets };
      return this.#swap({ ...this.#snapshot, policy });
    });
  }

  /** Closes everything after the answers under way; takes about 300 ms at most. */
  async stop(): Promise<void> {
    this.#announcer.close();
    await this.#pool.stop();
  }

  /** Sums over all threads since the start, by name, and `tcp_clients` open now. */
  counters(): Record<string, number> {
    const all = this.#pool.counters();
    const sums: Record<string, number> = Object.fromEntries(this.#streams.counters.entries());
    for (const name of DNS_COUNTERS) {
      sums[name] = all.reduce((sum, counters) => sum + counters.get(name), 0);
    }
    return sums;
  }

  /** In the order of the configuration. */
  #bound(kind: StreamKind): readonly HostPort[] {
    return this.#streams.listening.filter((one) => one.kind === kind).map(({ bound }) => bound);
  }

  #compile(config: Config, geo: GeoMap, health: HealthTable): Snapshot {
    const transfers = this.#announcer.transfers(config, this.#tsigKeys);
    const policy = this.#policy(config);
    return makeSnapshot(config, geo, health.buffer, this.#udp_payload_max, policy, transfers);
  }

  #policy(config: Config): ResponsePolicy {
    const listen = dnsOf(config, this.#site);
    return responsePolicy(listen, this.#cookieSecrets, this.#rateTable);
  }
}

function dnsOf(config: Config, name: string): DnsListen {
  const site = config.sites.find((one) => one.name === name);
  if (!site) throw new Error(`the configuration has no site "${name}"`);
  return site.dns;
}
