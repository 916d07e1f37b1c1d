/**
 * One site's view of all sites: the newest report of each, and when it arrived, and the overrides. Durations inside a
 * report count from that arrival, so a report that is read again does not become younger by it.
 */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Sighting, World } from '../model/world.ts';
import { OverrideBook } from './override-book.ts';
import type { Store } from './store.ts';

export interface WorldViewOptions {
  /** The site whose view this is. */
  readonly self: string;
  /** The configured sites now; reports of any other site are not taken into the view. */
  readonly sites: () => readonly string[];
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export class WorldView {
  readonly overrides: OverrideBook;
  readonly #options: WorldViewOptions;
  readonly #sightings = new Map<string, Sighting>();
  readonly #news: Listeners<string>;
  readonly #unsubscribe: () => void;
  #strangers = 0;
  /** When the store was lost; null while it can be reached. */
  #cutAt: number | null;

  constructor(options: WorldViewOptions) {
    const { store, clock, log } = options;
    this.#options = options;
    this.#news = new Listeners((error) => {
      log.error({ error: String(error) }, 'a listener for news failed');
    });
    this.overrides = new OverrideBook(clock, (error) => {
      log.error({ error: String(error) }, 'a listener for overrides failed');
    });
    this.#cutAt = store.connected ? null : clock.now();
    const unwatch = store.onConnection((connected) => {
      if (connected) this.#endCut();
      else this.#cutAt = clock.now();
    });
    const unsubscribe = store.subscribe((report) => {
      if (!options.sites().includes(report.site)) {
        this.#strangers++;
        return;
      }
      this.#sightings.set(report.site, { report, received_at: clock.now(), cut_ms: 0 });
      this.#news.emit(report.site);
    });
    const unfollow = store.subscribeOverrides((sight) => this.overrides.offer(sight));
    this.#unsubscribe = () => {
      unwatch();
      unfollow();
      unsubscribe();
    };
  }

  /** Reports dropped because their site is not configured. */
  get strangers(): number {
    return this.#strangers;
  }

  /** The world as it is known now; later news do not change the returned value. */
  world(): World {
    const { self, sites, store } = this.#options;
    const sightings = new Map<string, Sighting>();
    for (const site of sites()) {
      const sighting = this.#sightings.get(site);
      if (sighting) sightings.set(site, sighting);
    }
    const overrides = this.overrides.held();
    return { self, sightings, overrides, connected: store.connected, cut_at: this.#cutAt };
  }

  /** Calls `listener` with the site's name when a newer report of a site has arrived. */
  onNews(listener: (site: string) => void): () => void {
    return this.#news.add(listener);
  }

  /** Takes in nothing more; the view stays as it is. */
  close(): void {
    this.#unsubscribe();
  }

  /** The time of the cut counts for nobody's silence. */
  #endCut(): void {
    if (this.#cutAt === null) return;
    const now = this.#options.clock.now();
    for (const [site, sighting] of this.#sightings) {
      const from = Math.max(this.#cutAt, sighting.received_at);
      this.#sightings.set(site, { ...sighting, cut_ms: sighting.cut_ms + now - from });
    }
    this.#cutAt = null;
  }
}
