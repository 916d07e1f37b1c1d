/**
 * One site's view of all sites: the newest report of each agent, when it arrived, what those of one site
 * say together, and the overrides. Durations inside a report count from that arrival, so a report that
 * is read again does not become younger by it.
 *
 * Must hold: an agent that has fallen silent has no say while another of its site is heard; nobody
 * grows younger by a cut or a restart.
 */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Report } from '../model/report.ts';
import type { Sighting, World } from '../model/world.ts';
import { saysNews } from './news.ts';
import { OverrideBook } from './override-book.ts';
import type { Store } from './store.ts';
import { type Joined, joinOwn, joinReports, SITE_AGENTS_MAX, type Word } from './union.ts';

export interface WorldViewOptions {
  /** The site whose view this is. */
  readonly self: string;
  /** Its agent; by default the one that has the site's name. */
  readonly agent?: string;
  /** The configured sites now; reports of any other site are not taken into the view. */
  readonly sites: () => readonly string[];
  /** `PolicyConfig.report_stale_ms`, now. */
  readonly stale_ms: () => number;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** A report as it can be kept for the next life of an agent. */
export interface KeptReport {
  readonly report: Report;
  /** Since it arrived, in milliseconds; … */
  readonly age_ms: number;
  /** … for so much of that nobody could be heard. */
  readonly cut_ms: number;
}

/** One of the agents of a site, as it is heard. */
export interface AgentSight {
  readonly agent: string;
  /** Since its newest report arrived, in milliseconds. */
  readonly report_age_ms: number;
  /** False: it has been silent for too long. */
  readonly fresh: boolean;
}

/** What the agents of a site said together, and of which sightings it was made. */
interface SiteUnion extends Joined {
  readonly heard: readonly Sighting[];
  readonly sighting: Sighting;
}

export class WorldView {
  readonly overrides: OverrideBook;
  readonly #options: WorldViewOptions;
  readonly #agent: string;
  /** Site → agent → what it said last. */
  readonly #heard = new Map<string, Map<string, Sighting>>();
  readonly #unions = new Map<string, SiteUnion>();
  /** Of the own site, with the own report. */
  #ownUnion: Joined | null = null;
  readonly #news: Listeners<string>;
  readonly #unsubscribe: () => void;
  #strangers = 0;
  /** When the store was lost; null while it can be reached. */
  #cutAt: number | null;

  constructor(options: WorldViewOptions) {
    const { store, clock, log } = options;
    this.#options = options;
    this.#agent = options.agent ?? options.self;
    this.#news = new Listeners((error) => {
      log.error({ error: String(error) }, 'a listener for news failed');
    });
    this.overrides = new OverrideBook(clock, log);
    this.#cutAt = store.connected ? null : clock.now();
    const unwatch = store.onConnection((connected) => {
      if (connected) this.#endCut();
      else this.#cutAt = clock.now();
    });
    const unsubscribe = store.subscribe((report) => this.#hear(report));
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

  /**
   * The world as it is known now; later news do not change the returned value. With `own` it is the
   * world that this agent decides by: its own report as of now, joined with those of its siblings.
   */
  world(own: Report | null = null): World {
    const { self, sites, store } = this.#options;
    const sightings = new Map<string, Sighting>();
    for (const site of sites()) {
      const sighting = site === self && own ? this.#own(own) : this.#together(site);
      if (sighting) sightings.set(site, sighting);
    }
    const overrides = this.overrides.held();
    return { self, sightings, overrides, connected: store.connected, cut_at: this.#cutAt };
  }

  /** The agents of a site that were heard, by name; this agent itself is not among them. */
  agents(site: string): AgentSight[] {
    const now = this.#options.clock.now();
    const heard = [...(this.#heard.get(site) ?? [])];
    return heard
      .filter(([agent]) => site !== this.#options.self || agent !== this.#agent)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([agent, sighting]) => {
        const report_age_ms = Math.max(0, now - sighting.received_at);
        return { agent, report_age_ms, fresh: this.#fresh(sighting) };
      });
  }

  /** What was heard of all configured sites, for the next life of this agent. */
  kept(): KeptReport[] {
    const now = this.#options.clock.now();
    const cut = this.#cutAt;
    return this.#options.sites().flatMap((site) =>
      [...(this.#heard.get(site)?.values() ?? [])].map(({ report, received_at, cut_ms }) => {
        const lasting = cut === null ? 0 : now - Math.max(cut, received_at);
        return { report, age_ms: now - received_at, cut_ms: cut_ms + lasting };
      }),
    );
  }

  /**
   * Takes in what an earlier life has kept, `elapsed_ms` ago, of agents that have not been heard since.
   * In that time nobody could be heard: who was lost stays lost, who was heard is as after a cut.
   */
  restore(kept: readonly KeptReport[], elapsed_ms: number): void {
    const now = this.#options.clock.now();
    for (const { report, age_ms, cut_ms } of kept) {
      const { site, agent } = report;
      if (!this.#options.sites().includes(site) || this.#heard.get(site)?.has(agent)) continue;
      const received_at = now - age_ms - elapsed_ms;
      this.#keep({ report, received_at, cut_ms: cut_ms + elapsed_ms });
    }
  }

  /**
   * Calls `listener` with the site's name when a report has arrived that says more than the one before;
   * this agent's own say nothing new to it.
   */
  onNews(listener: (site: string) => void): () => void {
    return this.#news.add(listener);
  }

  /** Takes in nothing more; the view stays as it is. */
  close(): void {
    this.#unsubscribe();
  }

  #hear(report: Report): void {
    const { sites, clock, self } = this.#options;
    const { site, agent } = report;
    if (!sites().includes(site)) {
      this.#strangers++;
      return;
    }
    const before = this.#heard.get(site)?.get(agent);
    const received_at = clock.now();
    const from = before?.received_at ?? received_at;
    const wasSilent = received_at - from >= this.#options.stale_ms();
    const silence = wasSilent ? { from, to: received_at } : before?.silence;
    this.#keep({ report, received_at, cut_ms: 0, ...(silence && { silence }) });
    if (site === self && agent === this.#agent) return;
    const current = before && before.cut_ms === 0 && this.#fresh(before);
    if (!current || saysNews(before.report, report)) this.#news.emit(site);
  }

  #keep(sighting: Sighting): void {
    const { site, agent } = sighting.report;
    const agents = this.#heard.get(site) ?? new Map<string, Sighting>();
    this.#heard.set(site, agents);
    if (!agents.has(agent) && agents.size >= SITE_AGENTS_MAX) {
      const silent = [...agents].reduce((a, b) => (b[1].received_at < a[1].received_at ? b : a));
      agents.delete(silent[0]);
    }
    agents.set(agent, sighting);
  }

  #fresh({ received_at, cut_ms }: Sighting): boolean {
    const { clock, stale_ms } = this.#options;
    return (this.#cutAt ?? clock.now()) - received_at - cut_ms < stale_ms();
  }

  /** Those who have a say: who is heard, or with nobody heard, who was heard last. */
  #speakers(heard: readonly Sighting[]): readonly Sighting[] {
    if (heard.length < 2) return heard;
    const fresh = heard.filter((sighting) => this.#fresh(sighting));
    if (fresh.length > 0) return fresh;
    return [heard.reduce((a, b) => (b.received_at > a.received_at ? b : a))];
  }

  #together(site: string): Sighting | null {
    const heard = this.#speakers([...(this.#heard.get(site)?.values() ?? [])]);
    if (heard.length < 2) return heard[0] ?? null;
    const before = this.#unions.get(site) ?? null;
    const same = before?.heard.length === heard.length;
    if (same && before.heard.every((each, i) => each === heard[i])) return before.sighting;
    const union = joinReports(this.#words(heard), before);
    const youngest = heard.reduce((a, b) => (b.received_at > a.received_at ? b : a));
    const sighting = { ...youngest, report: union.joined };
    this.#unions.set(site, { ...union, heard, sighting });
    return sighting;
  }

  #own(report: Report): Sighting {
    const heard = [...(this.#heard.get(this.#options.self)?.values() ?? [])];
    const received_at = this.#options.clock.now();
    // Also in a cut: what a sibling saw once must not outweigh what is seen here now.
    const least = received_at - this.#options.stale_ms();
    const siblings = heard.filter((one) => {
      return one.report.agent !== this.#agent && one.received_at > least;
    });
    this.#ownUnion = joinOwn(report, this.#words(siblings), this.#ownUnion);
    return { report: this.#ownUnion.joined, received_at, cut_ms: 0 };
  }

  #words(heard: readonly Sighting[]): Word[] {
    const now = this.#options.clock.now();
    return heard.map(({ report, received_at }) => ({ report, age_ms: now - received_at }));
  }

  /** The time of the cut counts for nobody's silence. */
  #endCut(): void {
    if (this.#cutAt === null) return;
    const now = this.#options.clock.now();
    for (const agents of this.#heard.values()) {
      for (const [agent, sighting] of agents) {
        const from = Math.max(this.#cutAt, sighting.received_at);
        agents.set(agent, { ...sighting, cut_ms: sighting.cut_ms + now - from });
      }
    }
    this.#cutAt = null;
  }
}
