/**
 * The Redis store: one or several independent Redis servers, each of which is written and read. Any
 * one that lives is enough; the newest report found anywhere wins.
 *
 * A site's report lies in a key of its own that expires `ttl_ms` after it was written. An agent that
 * has just started takes what it reads as if it had been written that moment, so this is also the
 * most by which it can take a silent site for a fresh one. Agents publish well within it.
 */
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { OverrideSight } from '../model/override.ts';
import { newer, type Report } from '../model/report.ts';
import { NewestReports } from './newest.ts';
import { OverrideBook } from './override-book.ts';
import { RedisLink, type RedisSettings } from './redis-link.ts';
import { checkReport, parseReport, REPORT_CHARS_MAX } from './report-schema.ts';
import type { Store } from './store.ts';

export interface RedisStoreOptions extends RedisSettings {
  /** At least one. */
  readonly urls: readonly string[];
}

/** A site that was silent for so many times `ttl_ms` may come back with any incarnation. */
const FORGET_TTLS = 3;

export class RedisStore implements Store {
  readonly #log: Log;
  readonly #reports: NewestReports;
  readonly #overrides: OverrideBook;
  readonly #connection: Listeners<boolean>;
  readonly #links: readonly RedisLink[];
  #connected = false;
  #closed = false;
  #published: Report | null = null;
  #malformed = 0;

  constructor(options: RedisStoreOptions) {
    const failed = (error: unknown): void => {
      options.log.error({ error: String(error) }, 'a listener of the store failed');
    };
    this.#log = options.log;
    const after_ms = FORGET_TTLS * options.ttl_ms;
    this.#reports = new NewestReports(failed, { clock: options.clock, after_ms });
    this.#overrides = new OverrideBook(options.clock, failed);
    this.#connection = new Listeners(failed);
    this.#links = options.urls.map((url) => {
      const onReport = (json: string): void => this.#receive(json);
      const onAlive = (): void => this.#noteConnection();
      return new RedisLink({ ...options, url, onReport, onAlive });
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Reports dropped because they were malformed. */
  get malformed(): number {
    return this.#malformed;
  }

  publish(report: Report): void {
    if (this.#closed || (this.#published && !newer(report, this.#published))) return;
    const checked = checkReport(report);
    const json = checked.ok ? JSON.stringify(checked.value) : '';
    if (!checked.ok || json.length > REPORT_CHARS_MAX) {
      this.#drop(checked.ok ? 'too long' : checked.error);
      return;
    }
    const { site, incarnation, sequence } = checked.value;
    this.#published = checked.value;
    queueMicrotask(() => this.#reports.offer(checked.value));
    for (const link of this.#links) link.publish({ site, incarnation, sequence, json });
  }

  subscribe(listener: (report: Report) => void): () => void {
    return this.#reports.subscribe(listener);
  }

  putOverride(sight: OverrideSight): void {
    if (!this.#closed) this.#overrides.offer(sight);
  }

  subscribeOverrides(listener: (sight: OverrideSight) => void): () => void {
    return this.#overrides.subscribe(listener);
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    return this.#connection.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connected = false;
    this.#reports.close();
    await Promise.all(this.#links.map((link) => link.close()));
  }

  #receive(json: string): void {
    const parsed = parseReport(json);
    if (parsed.ok) this.#reports.offer(parsed.value);
    else this.#drop(parsed.error);
  }

  /** The first is logged for all: one that lies in Redis comes again with every read. */
  #drop(error: string): void {
    if (this.#malformed++ === 0) this.#log.warn({ error }, 'malformed report dropped');
  }

  #noteConnection(): void {
    const connected = this.#links.some((link) => link.alive);
    if (this.#closed || connected === this.#connected) return;
    this.#connected = connected;
    this.#connection.emit(connected);
  }
}
