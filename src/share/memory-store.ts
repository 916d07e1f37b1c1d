/**
 * The memory store: several agents in one process share one hub, as in the demo and in tests.
 * Reports are checked and copied on their way, as they would be over a network, and are delivered
 * in microtasks: within a millisecond, but never inside the call that published them.
 */
import { type Clock, SystemClock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import { type Log, silentLog } from '../base/log.ts';
import type { OverrideSight } from '../model/override.ts';
import { newer, type Report, writerOf } from '../model/report.ts';
import { NewestReports } from './newest.ts';
import { OverrideBook } from './override-book.ts';
import { checkOverride } from './override-schema.ts';
import { checkReport } from './report-schema.ts';
import type { Store, StoreServer } from './store.ts';

export class MemoryHub {
  readonly clock: Clock;
  readonly #log: Log;
  readonly #newest = new Map<string, Report>();
  readonly #overrides: OverrideBook;
  readonly #stores = new Set<MemoryStore>();
  readonly #cut = new Set<string>();

  constructor(log: Log = silentLog, clock: Clock = new SystemClock()) {
    this.#log = log;
    this.clock = clock;
    this.#overrides = new OverrideBook(clock, log);
  }

  /** The store of one site's agent. */
  store(site: string): Store {
    const store = new MemoryStore(this, site, this.#log);
    this.#stores.add(store);
    return store;
  }

  /** Cuts `site` off, as a broken network would: nothing reaches it and nothing comes from it. */
  cut(site: string): void {
    if (this.isCut(site)) return;
    this.#cut.add(site);
    this.#connection(site);
  }

  /** Ends the cut: the site's last report goes out, and the newest of all come in. */
  heal(site: string): void {
    if (this.#cut.delete(site)) this.#connection(site);
  }

  isCut(site: string): boolean {
    return this.#cut.has(site);
  }

  known(): Iterable<Report> {
    return this.#newest.values();
  }

  spread(report: Report): void {
    const writer = writerOf(report);
    const known = this.#newest.get(writer);
    if (known && !newer(report, known)) return;
    this.#newest.set(writer, report);
    for (const store of this.#stores) if (!this.isCut(store.site)) store.receive(report);
  }

  overrides(): readonly OverrideSight[] {
    return this.#overrides.all();
  }

  spreadOverride(sight: OverrideSight): void {
    if (!this.#overrides.offer(sight)) return;
    for (const store of this.#stores) if (!this.isCut(store.site)) store.receiveOverride(sight);
  }

  leave(store: MemoryStore): void {
    this.#stores.delete(store);
  }

  #connection(site: string): void {
    for (const store of [...this.#stores]) if (store.site === site) store.connectionChanged();
  }
}

class MemoryStore implements Store {
  readonly site: string;
  readonly #hub: MemoryHub;
  readonly #log: Log;
  readonly #reports: NewestReports;
  readonly #overrides: OverrideBook;
  readonly #connection: Listeners<boolean>;
  #closed = false;
  /** The newest own report: what goes out when a cut has ended. */
  #published: Report | null = null;

  constructor(hub: MemoryHub, site: string, log: Log) {
    const failed = (error: unknown): void => {
      log.error({ error: String(error) }, 'a listener of the store failed');
    };
    this.site = site;
    this.#hub = hub;
    this.#log = log;
    this.#reports = new NewestReports(failed, null);
    this.#overrides = new OverrideBook(hub.clock, log);
    this.#connection = new Listeners(failed);
    if (!this.connected) return;
    for (const report of hub.known()) this.#reports.offer(report);
    for (const sight of hub.overrides()) this.#overrides.offer(sight);
  }

  get connected(): boolean {
    return !this.#closed && !this.#hub.isCut(this.site);
  }

  publish(report: Report): void {
    if (this.#closed || (this.#published && !newer(report, this.#published))) return;
    const checked = checkReport(report);
    if (!checked.ok) {
      this.#log.warn({ site: this.site, error: checked.error }, 'malformed report dropped');
      return;
    }
    this.#published = checked.value;
    this.receive(checked.value);
    if (this.connected) this.#hub.spread(checked.value);
  }

  subscribe(listener: (report: Report) => void): () => void {
    return this.#reports.subscribe(listener);
  }

  putOverride(sight: OverrideSight): void {
    if (this.#closed) return;
    const checked = checkOverride(sight);
    if (!checked.ok) {
      this.#log.warn({ site: this.site, error: checked.error }, 'malformed override dropped');
      return;
    }
    this.receiveOverride(checked.value);
    if (this.connected) this.#hub.spreadOverride(checked.value);
  }

  subscribeOverrides(listener: (sight: OverrideSight) => void): () => void {
    return this.#overrides.subscribe(listener);
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    return this.#connection.add(listener);
  }

  servers(): readonly StoreServer[] {
    return [];
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reports.close();
    this.#hub.leave(this);
  }

  receive(report: Report): void {
    queueMicrotask(() => this.#reports.offer(report));
  }

  receiveOverride(sight: OverrideSight): void {
    queueMicrotask(() => {
      if (!this.#closed) this.#overrides.offer(sight);
    });
  }

  connectionChanged(): void {
    this.#connection.emit(this.connected);
    if (!this.connected) return;
    for (const report of this.#hub.known()) this.receive(report);
    for (const sight of this.#overrides.all()) this.#hub.spreadOverride(sight);
    for (const sight of this.#hub.overrides()) this.receiveOverride(sight);
    if (this.#published) this.#hub.spread(this.#published);
  }
}
