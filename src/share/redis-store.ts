/**
 * The Redis store: one or several independent Redis servers, each of which is written and read. Any
 * one that lives is enough; the newest report and the latest override found anywhere win.
 *
 * A report lies in a key of its writer that expires `ttl_ms` after it was written. An agent that
 * has just started takes what it reads as if it had been written that moment, so this is also the
 * most by which it can take a silent site for a fresh one. Agents publish well within it.
 */
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Result } from '../base/result.ts';
import type { RedisServerConfig } from '../model/config.ts';
import type { Override, OverrideSight } from '../model/override.ts';
import { newer, type Report, writerOf } from '../model/report.ts';
import { NewestReports } from './newest.ts';
import { OverrideBook } from './override-book.ts';
import { checkOverride, parseOverride } from './override-schema.ts';
import { RedisLink, type RedisSettings } from './redis-link.ts';
import { type OverrideText, type ReportHeader, reportText } from './redis-scripts.ts';
import { checkReport, parseReport, REPORT_CHARS_MAX } from './report-schema.ts';
import type { Store, StoreServer } from './store.ts';

export interface RedisStoreOptions extends RedisSettings {
  /** At least one. */
  readonly servers: readonly RedisServerConfig[];
}

/** An agent that was silent for so many times `ttl_ms` may come back with any incarnation. */
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
  /** Grows with each override that is news. */
  #revision = 0;
  #malformed = 0;

  constructor(options: RedisStoreOptions) {
    const failed = (error: unknown): void => {
      options.log.error({ error: String(error) }, 'a listener of the store failed');
    };
    this.#log = options.log;
    const after_ms = FORGET_TTLS * options.ttl_ms;
    this.#reports = new NewestReports(failed, { clock: options.clock, after_ms });
    this.#overrides = new OverrideBook(options.clock, options.log);
    this.#connection = new Listeners(failed);
    this.#links = options.servers.map(
      (server) =>
        new RedisLink({
          ...options,
          server,
          onReport: (header, json) => this.#receive(header, json),
          onOverride: (text) => this.#receiveOverride(text),
          overrides: () => this.#overrides.all(),
          revision: () => this.#revision,
          onHealth: () => this.#noteConnection(),
        }),
    );
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Reports and overrides dropped because they were malformed. */
  get malformed(): number {
    return this.#malformed;
  }

  servers(): readonly StoreServer[] {
    return this.#links.map((link) => link.health);
  }

  publish(report: Report): void {
    if (this.#closed || (this.#published && !newer(report, this.#published))) return;
    const checked = checkReport(report);
    const json = checked.ok ? JSON.stringify(checked.value) : '';
    if (!checked.ok || json.length > REPORT_CHARS_MAX) {
      this.#drop(checked.ok ? 'too long' : checked.error);
      return;
    }
    const { incarnation, sequence } = checked.value;
    const writer = writerOf(checked.value);
    const header = { writer, stamp: `${incarnation}.${sequence}`, incarnation, sequence };
    this.#published = checked.value;
    queueMicrotask(() => this.#reports.offer(checked.value));
    const outgoing = { header, text: reportText(header, json) };
    for (const link of this.#links) link.publish(outgoing);
  }

  subscribe(listener: (report: Report) => void): () => void {
    return this.#reports.subscribe(listener);
  }

  putOverride(sight: OverrideSight): void {
    if (this.#closed) return;
    const checked = checkOverride(sight);
    if (!checked.ok) {
      this.#drop(checked.error);
      return;
    }
    queueMicrotask(() => {
      if (this.#closed || !this.#offerOverride(checked.value)) return;
      for (const link of this.#links) link.writeNow();
    });
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

  /** One that came before, by another server or the other way, costs no look inside. */
  #receive(header: ReportHeader, json: () => string): void {
    if (this.#closed || !this.#reports.isNews(header.writer, header)) return;
    const parsed = parseReport(json());
    if (!parsed.ok) this.#drop(parsed.error);
    else if (isOf(header, parsed.value)) this.#reports.offer(parsed.value);
    else this.#drop(`not what it is said to be (report of ${header.writer})`);
  }

  #receiveOverride({ times, json }: OverrideText): Override | null {
    const parsed = times === null ? parseOverride(json()) : parseWith(times, json());
    if (!parsed.ok) {
      this.#drop(parsed.error);
      return null;
    }
    if (!this.#closed) this.#offerOverride(parsed.value);
    return parsed.value.override;
  }

  #offerOverride(sight: OverrideSight): boolean {
    const isNews = this.#overrides.offer(sight);
    if (isNews) this.#revision++;
    return isNews;
  }

  /** The first is logged for all: one that lies in Redis comes again. */
  #drop(error: string): void {
    if (this.#malformed++ === 0) this.#log.warn({ error }, 'malformed report or override dropped');
  }

  #noteConnection(): void {
    const connected = this.#links.some((link) => link.health.state === 'up');
    if (this.#closed || connected === this.#connected) return;
    this.#connected = connected;
    this.#connection.emit(connected);
  }
}

function isOf({ writer, incarnation, sequence }: ReportHeader, report: Report): boolean {
  const numbers = report.incarnation === incarnation && report.sequence === sequence;
  return numbers && writerOf(report) === writer;
}

/** An override whose times were kept beside it. */
function parseWith(
  times: Pick<OverrideSight, 'for_ms' | 'left_ms'>,
  json: string,
): Result<OverrideSight, string> {
  return parseOverride(`{"override":${json},"for_ms":${times.for_ms},"left_ms":${times.left_ms}}`);
}
