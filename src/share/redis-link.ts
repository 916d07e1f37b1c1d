/**
 * One of a store's Redis servers (6 or later: commands and pushes share one RESP3 connection), be it a
 * server by itself, a Sentinel group or a Cluster: all keys of a deployment lie on one node, and this
 * is the connection to that.
 *
 * Must hold: nothing here makes a caller wait; a server that hangs is treated as one that is gone; of
 * the reports to write only the newest is kept, and what overrides to write the book knows. After a
 * heal the next attempt begins within `RETRY.max_ms`, or ends within `CONNECT_TIMEOUT_MS` and is
 * followed by another.
 */
import type { Socket } from 'node:net';
import { backoff_ms } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { Result } from '../base/result.ts';
import type { RedisNode, RedisServerConfig } from '../model/config.ts';
import { laterStamp, type Override, type OverrideSight } from '../model/override.ts';
import { openRedis, type RedisSecrets } from './redis-connector.ts';
import { ServerHealth } from './redis-health.ts';
import { locate } from './redis-locate.ts';
import {
  newsChannel,
  newsOf,
  OVERRIDES_PER_WRITE,
  type OverrideText,
  type ReportHeader,
  readNews,
  tryToWrite,
  writeOverrides,
  writeReport,
} from './redis-scripts.ts';
import { newSession, type OutgoingReport, type Session, UNREAD } from './redis-session.ts';
import type { StoreServer } from './store.ts';

/** What the links to all servers of one store have in common. */
export interface RedisSettings {
  /** Separates deployments that share a Redis server. */
  readonly deployment: string;
  /** "SITE/AGENT" of all that are configured now, whose reports are read. */
  readonly writers: () => readonly string[];
  /** Life of a report in Redis, in milliseconds: a few report intervals. */
  readonly ttl_ms: number;
  /**
   * The secrets of a server as its files have them now; asked at each connection, so that changed files
   * need no restart. While they cannot be read, the last good ones are used.
   */
  readonly secrets: (server: RedisServerConfig) => Promise<Result<RedisSecrets, string>>;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

export interface LinkOptions extends RedisSettings {
  readonly server: RedisServerConfig;
  /** Called with what was pushed or read, new or not. Must not throw. */
  readonly onReport: (header: ReportHeader, json: () => string) => void;
  /** The same: gives the override, or null if it is malformed. */
  readonly onOverride: (text: OverrideText) => Override | null;
  /** What the servers should hold. */
  readonly overrides: () => readonly OverrideSight[];
  /** Another number whenever `overrides` has changed. */
  readonly revision: () => number;
  /** Called when `health` has changed. Must not throw. */
  readonly onHealth: () => void;
}

/** How often is read what a push did not bring, and written what the server has lost. */
const READ_INTERVAL_MS = 1_000;
/** How often the Sentinels are asked whether the master is still the same. */
const LOCATE_INTERVAL_MS = 5_000;
/** How long `close` waits for a write under way. */
const LAST_WRITE_MS = 300;
const RETRY = { first_ms: 100, max_ms: 500 };

/** Answers after which another connection must be made, perhaps to another node. */
const LEAVE = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|NOAUTH|WRONGPASS)\b/;

export class RedisLink {
  readonly #options: LinkOptions;
  readonly #log: Log;
  #session: Session | null = null;
  #retryTimer: Timer | null = null;
  #closed = false;
  /** Connections in a row that did not come alive. */
  #failures = 0;
  #secrets: RedisSecrets | null = null;
  /** All that are open or being opened. */
  readonly #sockets = new Set<Socket>();
  /** Nodes of a Cluster that were heard of. */
  #heard: readonly RedisNode[] = [];
  readonly #health: ServerHealth;
  #newest: OutgoingReport | null = null;
  /** Writer → the stamp of the report that this server has sent last. */
  readonly #stamps = new Map<string, string>();

  constructor(options: LinkOptions) {
    this.#options = options;
    const { server, clock } = options;
    this.#log = options.log.child({ redis: server.name });
    this.#health = new ServerHealth(server.name, clock, this.#log, options.onHealth);
    void this.#connect();
  }

  get health(): StoreServer {
    return this.#health.now;
  }

  /** Writes `report` as soon as the server takes it, unless a newer one comes before. */
  publish(report: OutgoingReport): void {
    this.#newest = report;
    this.writeNow();
  }

  /** Writes what the server does not hold, if it can be reached. */
  writeNow(): void {
    if (this.#session?.alive) void this.#write(this.#session);
  }

  /** Lets a write under way finish and ends the connection; done within a second. */
  async close(): Promise<void> {
    this.#closed = true;
    const writing = this.#session?.writing;
    if (writing) {
      const patience = new Promise<void>((done) => {
        this.#options.clock.timer(LAST_WRITE_MS, done);
      });
      await Promise.race([writing, patience]);
    }
    this.#retryTimer?.cancel();
    this.#end();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #connect(): Promise<void> {
    let session: Session;
    try {
      const { server, deployment, clock } = this.#options;
      const secrets = await this.#readSecrets();
      const heard = this.#heard;
      const sockets = this.#sockets;
      // No connection may begin that `close` would not see.
      if (this.#closed) return;
      const location = await locate({ server, secrets, deployment, heard, sockets, clock });
      if (this.#closed) return;
      const { node } = location;
      const { password } = secrets;
      const redis = await openRedis({ ...server, node, secrets, password, sockets, clock });
      if (this.#closed) return redis.disconnect();
      this.#heard = location.heard;
      session = newSession(redis, node);
    } catch (error) {
      return this.#fail(error as Error, null);
    }
    this.#session = session;
    await this.#attempt(session, () => this.#begin(session));
  }

  async #readSecrets(): Promise<RedisSecrets> {
    const read = await this.#options.secrets(this.#options.server);
    if (read.ok) this.#secrets = read.value;
    if (!read.ok)
      this.#log.warn({ error: read.error }, 'secrets for a Redis server cannot be read');
    if (this.#secrets === null) throw new Error('the secrets cannot be read');
    return this.#secrets;
  }

  async #begin(session: Session): Promise<void> {
    const { redis } = session;
    redis.on('close', () => this.#fail(new Error('the connection was closed'), session));
    redis.on('error', (error: Error) => this.#fail(error, session));
    redis.on('messageBuffer', (_channel: Buffer, octets: Buffer) => {
      if (session === this.#session) this.#receive(octets, session);
    });
    // Subscribed before the first read: nothing can be missed between the two.
    await redis.subscribe(newsChannel(this.#options.deployment));
    await this.#cycle(session);
    if (this.#options.server.kind === 'sentinel') this.#watchMaster(session);
  }

  /** Runs `work`; if it fails while its connection is still the present one, ends that. */
  async #attempt(session: Session, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#fail(error as Error, session);
    }
  }

  #later(session: Session, ms: number, work: () => Promise<void>): void {
    if (session !== this.#session) return;
    const timer = this.#options.clock.timer(ms, () => {
      session.timers.delete(timer);
      void this.#attempt(session, work);
    });
    session.timers.add(timer);
  }

  /** Reads, writes what the server has lost, and sets the timer for the next time. */
  async #cycle(session: Session): Promise<void> {
    const more = await this.#read(session);
    if (session !== this.#session) return;
    await this.#write(session);
    const quiet_ms = this.#options.clock.now() - session.tookAt;
    if (session.refusal !== null || quiet_ms >= READ_INTERVAL_MS) await this.#tryToWrite(session);
    if (session !== this.#session) return;
    this.#failures = 0;
    session.alive = true;
    this.#noteState(session);
    // What came while the first read was under way.
    this.writeNow();
    this.#later(session, more ? 0 : READ_INTERVAL_MS, () => this.#cycle(session));
  }

  /** True if there is more to read. */
  async #read(session: Session): Promise<boolean> {
    const { deployment, writers, onOverride } = this.#options;
    const stamps = new Map(writers().map((one) => [one, this.#stamps.get(one) ?? '']));
    for (const writer of this.#stamps.keys()) if (!stamps.has(writer)) this.#stamps.delete(writer);
    const sent = session.written;
    const self = this.#newest?.header.writer ?? null;
    const read = await readNews(session.redis, deployment, {
      stamps,
      version: session.version,
      self,
    });
    if (session !== this.#session) return false;
    for (const octets of read.reports) this.#receive(octets, session);
    // A report that the server has lost since it took it is written again.
    if (sent === session.written && read.own !== sent?.header.stamp) session.written = null;
    if (read.version !== session.version) {
      session.revision = Number.NaN;
      session.held.clear();
      for (const text of read.overrides) this.#hold(session, onOverride(text));
      session.version = read.version;
    }
    return read.more;
  }

  #receive(octets: Buffer, session: Session): void {
    const { writers, onReport, onOverride } = this.#options;
    const news = newsOf(octets);
    if (news?.kind === 'override') this.#hold(session, onOverride(news));
    if (news?.kind !== 'report') return;
    const { writer, stamp } = news.header;
    if (writers().includes(writer)) this.#stamps.set(writer, stamp);
    onReport(news.header, news.json);
  }

  /** What was written or pushed belongs to no version that was read: the next read is of all. */
  #hold(session: Session, override: Override | null): void {
    if (!override) return;
    session.held.set(override.id, override.stamp);
    session.version = UNREAD;
  }

  #write(session: Session): Promise<void> {
    session.writing ??= this.#writeAll(session);
    return session.writing;
  }

  /** Between the last look at what is left and `writing` null there is no turn in which more could come. */
  async #writeAll(session: Session): Promise<void> {
    // The caller first sets `writing` to this promise.
    await Promise.resolve();
    try {
      while (session === this.#session) {
        const write = this.#nextWrite(session);
        if (!write) break;
        await write();
        this.#accept(session);
      }
    } catch (error) {
      this.#refuse(session, error as Error);
    } finally {
      session.writing = null;
    }
  }

  #nextWrite(session: Session): (() => Promise<void>) | null {
    const { deployment, ttl_ms } = this.#options;
    const report = this.#newest;
    if (report && report !== session.written) {
      return async () => {
        await writeReport(session.redis, deployment, report, ttl_ms);
        session.written = report;
      };
    }
    const overrides = this.#missing(session);
    if (overrides.length === 0) return null;
    return async () => {
      await writeOverrides(session.redis, deployment, overrides);
      for (const { override } of overrides) this.#hold(session, override);
    };
  }

  /** Overrides that the server lacks, or of which it holds an earlier one. */
  #missing(session: Session): OverrideSight[] {
    const revision = this.#options.revision();
    if (session.revision === revision) return [];
    const missing = this.#options.overrides().filter(({ override }) => {
      const held = session.held.get(override.id);
      return !held || laterStamp(override.stamp, held);
    });
    if (missing.length === 0) session.revision = revision;
    return missing.slice(0, OVERRIDES_PER_WRITE);
  }

  async #tryToWrite(session: Session): Promise<void> {
    try {
      await tryToWrite(session.redis, this.#options.deployment);
      this.#accept(session);
    } catch (error) {
      this.#refuse(session, error as Error);
    }
  }

  #accept(session: Session): void {
    session.tookAt = this.#options.clock.now();
    session.refusal = null;
    this.#noteState(session);
  }

  /** A server that can be read is still good for something, unless another one should be asked. */
  #refuse(session: Session, error: Error): void {
    const { kind } = this.#options.server;
    const follower = kind !== 'standalone' && /\bREADONLY\b/.test(error.message);
    if (error.name !== 'ReplyError' || LEAVE.test(error.message) || follower) {
      this.#fail(error, session);
    } else {
      session.refusal = error.message;
      this.#noteState(session);
    }
  }

  /** A master that was cut off while another took its place may not know of it. */
  #watchMaster(session: Session): void {
    this.#later(session, LOCATE_INTERVAL_MS, async () => {
      const { server, deployment, clock } = this.#options;
      const known = { secrets: this.#secrets!, heard: [], sockets: this.#sockets };
      const locating = { server, deployment, ...known, clock };
      const node = await locate(locating).then(
        (location) => location.node,
        () => session.node,
      );
      const { host, port } = session.node;
      if (node.host !== host || node.port !== port)
        throw new Error('another node is the master now');
      this.#watchMaster(session);
    });
  }

  /** `session` null: no connection came about. */
  #fail(error: Error, session: Session | null): void {
    if (this.#closed || session !== this.#session) return;
    this.#end();
    this.#health.set('down', error.message);
    const { clock, prng } = this.#options;
    const delay_ms = backoff_ms(RETRY, this.#failures++, prng);
    this.#retryTimer = clock.timer(delay_ms, () => void this.#connect());
  }

  #end(): void {
    const session = this.#session;
    this.#session = null;
    if (!session) return;
    for (const timer of session.timers) timer.cancel();
    session.redis.disconnect();
  }

  #noteState(session: Session): void {
    if (session !== this.#session || !session.alive) return;
    this.#health.set(session.refusal === null ? 'up' : 'read-only', session.refusal);
  }
}
