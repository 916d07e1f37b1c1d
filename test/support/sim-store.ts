/**
 * Stores on a simulated network: each site has a line of its own to each server, one way in and one
 * way out, that a test can cut. Written to all, read from all, pushed, with a full read beneath, as
 * over Redis; all on virtual time.
 */
import type { Clock, Timer } from '../../src/base/clock.ts';
import { Listeners } from '../../src/base/listeners.ts';
import { silentLog } from '../../src/base/log.ts';
import { laterStamp, type OverrideSight } from '../../src/model/override.ts';
import { newer, type Report, writerOf } from '../../src/model/report.ts';
import { NewestReports } from '../../src/share/newest.ts';
import { OverrideBook } from '../../src/share/override-book.ts';
import { checkReport } from '../../src/share/report-schema.ts';
import type { Store } from '../../src/share/store.ts';

/** One way through the network. */
const WAY_MS = 2;
const READ_INTERVAL_MS = 1_000;
/** A server that says nothing for so long counts as gone. */
const SILENCE_MAX_MS = 1_500;
/** How long a report that nobody renews lies in a server. */
const TTL_MS = 15_000;

const ignore = (): void => {};

interface Held {
  readonly report: Report;
  readonly until: number;
}

interface HeldSight {
  readonly sight: OverrideSight;
  readonly at: number;
}

/** As it is so much later, in milliseconds. */
function aged({ override, for_ms, left_ms }: OverrideSight, ms: number): OverrideSight {
  return { override, for_ms: for_ms + ms, left_ms: left_ms === null ? null : left_ms - ms };
}

/** A server; it survives the stores, and may lose everything. */
class SimServer {
  readonly reports = new Map<string, Held>();
  readonly overrides = new Map<string, HeldSight>();

  wipe(): void {
    this.reports.clear();
    this.overrides.clear();
  }
}

export interface Line {
  /** From the site to the server. */
  out: boolean;
  /** From the server to the site. */
  in: boolean;
  /** False: the server refuses what this site writes. */
  writes: boolean;
}

export class SimNetwork {
  /** True time; sites have clocks of their own. */
  readonly clock: Clock;
  readonly servers: readonly SimServer[];
  readonly #lines = new Map<string, Line>();
  readonly #stores = new Set<SimStore>();

  constructor(clock: Clock, servers: number) {
    this.clock = clock;
    this.servers = Array.from({ length: servers }, () => new SimServer());
  }

  /** The line of a site to a server, by its index; to be changed at will. */
  line(site: string, server: number): Line {
    const key = `${site} ${server}`;
    const line = this.#lines.get(key) ?? { out: true, in: true, writes: true };
    this.#lines.set(key, line);
    return line;
  }

  /** `clock` is the site's. */
  store(site: string, clock: Clock): Store {
    const store = new SimStore(this, site, clock);
    this.#stores.add(store);
    return store;
  }

  write(site: string, server: number, report: Report): void {
    this.#later(() => {
      if (!this.#takes(site, server)) return;
      const { reports } = this.servers[server]!;
      const held = reports.get(writerOf(report));
      const now = this.clock.now();
      if (held && held.until > now && newer(held.report, report)) return;
      reports.set(writerOf(report), { report, until: now + TTL_MS });
      this.#push(server, (store) => store.receive([report]));
    });
  }

  writeOverride(site: string, server: number, sight: OverrideSight): void {
    this.#later(() => {
      if (!this.#takes(site, server)) return;
      const { overrides } = this.servers[server]!;
      const { override } = sight;
      const held = overrides.get(override.id);
      if (held && !laterStamp(override.stamp, held.sight.override.stamp)) return;
      overrides.set(override.id, { sight, at: this.clock.now() });
      this.#push(server, (store) => store.receiveOverrides([sight]));
    });
  }

  /** A full read; calls `done` only if both ways are open. */
  read(store: SimStore, server: number, done: () => void): void {
    this.#later(() => {
      if (!this.line(store.site, server).out) return;
      const now = this.clock.now();
      const { reports, overrides } = this.servers[server]!;
      const current = [...reports.values()].filter(({ until }) => until > now);
      const orders = [...overrides.values()].map(({ sight, at }) => aged(sight, now - at));
      this.#later(() => {
        if (!this.line(store.site, server).in) return;
        store.receive(current.map(({ report }) => report));
        store.receiveOverrides(orders);
        store.rewrite(server, orders);
        done();
      });
    });
  }

  leave(store: SimStore): void {
    this.#stores.delete(store);
  }

  #takes(site: string, server: number): boolean {
    const { out, writes } = this.line(site, server);
    return out && writes;
  }

  #push(server: number, deliver: (store: SimStore) => void): void {
    this.#later(() => {
      for (const store of this.#stores) if (this.line(store.site, server).in) deliver(store);
    });
  }

  #later(done: () => void): void {
    this.clock.timer(WAY_MS, done);
  }
}

class SimStore implements Store {
  readonly site: string;
  readonly #network: SimNetwork;
  readonly #reports: NewestReports;
  readonly #overrides: OverrideBook;
  readonly #connection = new Listeners<boolean>(ignore);
  /** When each server was last heard, in true time; null: never. */
  readonly #heardAt: (number | null)[];
  #published: Report | null = null;
  #connected = false;
  #closed = false;
  #timer: Timer | null = null;

  constructor(network: SimNetwork, site: string, clock: Clock) {
    this.#network = network;
    this.site = site;
    this.#reports = new NewestReports(ignore, { clock, after_ms: 3 * TTL_MS });
    this.#overrides = new OverrideBook(clock, silentLog);
    this.#heardAt = network.servers.map(() => null);
    this.#poll();
  }

  get connected(): boolean {
    return this.#connected;
  }

  servers(): readonly [] {
    return [];
  }

  publish(report: Report): void {
    if (this.#closed || (this.#published && !newer(report, this.#published))) return;
    const checked = checkReport(JSON.parse(JSON.stringify(report)));
    if (!checked.ok) throw new Error(checked.error);
    const { value } = checked;
    this.#published = value;
    queueMicrotask(() => this.#reports.offer(value));
    for (const server of this.#network.servers.keys()) {
      this.#network.write(this.site, server, value);
    }
  }

  subscribe(listener: (report: Report) => void): () => void {
    return this.#reports.subscribe(listener);
  }

  putOverride(sight: OverrideSight): void {
    if (this.#closed || !this.#overrides.offer(sight)) return;
    for (const server of this.#network.servers.keys()) {
      this.#network.writeOverride(this.site, server, sight);
    }
  }

  subscribeOverrides(listener: (sight: OverrideSight) => void): () => void {
    return this.#overrides.subscribe(listener);
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    return this.#connection.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#reports.close();
    this.#network.leave(this);
  }

  receive(reports: readonly Report[]): void {
    for (const report of reports) this.#reports.offer(report);
  }

  receiveOverrides(sights: readonly OverrideSight[]): void {
    if (this.#closed) return;
    for (const sight of sights) this.#overrides.offer(sight);
  }

  /** Writes what the server lacks of what it was just read to hold, as after it has lost everything. */
  rewrite(server: number, orders: readonly OverrideSight[]): void {
    if (this.#closed) return;
    const held = new Map(orders.map(({ override }) => [override.id, override.stamp]));
    for (const sight of this.#overrides.all()) {
      const { id, stamp } = sight.override;
      const known = held.get(id);
      if (known && !laterStamp(stamp, known)) continue;
      this.#network.writeOverride(this.site, server, sight);
    }
  }

  #poll(): void {
    const { clock, servers } = this.#network;
    for (const server of servers.keys()) {
      this.#network.read(this, server, () => this.#heard(server));
    }
    this.#note();
    this.#timer = clock.timer(READ_INTERVAL_MS, () => this.#poll());
  }

  /** A server that was away gets our newest again: it may have lost it, or never had it. */
  #heard(server: number): void {
    if (this.#closed) return;
    const now = this.#network.clock.now();
    const before = this.#heardAt[server] ?? Number.NEGATIVE_INFINITY;
    this.#heardAt[server] = now;
    if (now - before > SILENCE_MAX_MS && this.#published) {
      this.#network.write(this.site, server, this.#published);
    }
    this.#note();
  }

  #note(): void {
    const now = this.#network.clock.now();
    const connected = this.#heardAt.some((at, server) => {
      const { writes } = this.#network.line(this.site, server);
      return writes && at !== null && now - at <= SILENCE_MAX_MS;
    });
    if (this.#closed || connected === this.#connected) return;
    this.#connected = connected;
    this.#connection.emit(connected);
  }
}
