/**
 * What a site sees: of its own endpoints, of those of other sites that it is assigned to look at, and
 * of its uplink. The prober has a verdict on each target; an endpoint's follows from those at once.
 *
 * Must hold: a result costs the same however many endpoints there are; what is seen of other sites
 * is told only while this site may believe its eyes, and is forgotten after it could not.
 */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { observersOf } from '../decide/vantage.ts';
import type { HealthExpression, ProbeTarget } from '../model/check.ts';
import type { Config } from '../model/config.ts';
import type { EndpointSight, ObservedSight } from '../model/report.ts';
import { evaluateHealth, targetsOf } from './health.ts';
import { Outlook, type Witness } from './outlook.ts';
import { type Probe, probe } from './probe.ts';
import { Prober, type TargetSight } from './prober.ts';
import { judge, shortened, sight, UNKNOWN, type VerdictState } from './verdict.ts';

export interface ObserverOptions {
  readonly config: Config;
  /** Name of this agent's site. */
  readonly site: string;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  readonly probe?: Probe;
  readonly in_flight_max?: number;
  readonly per_address_max?: number;
}

/** What is new besides the verdicts on this site's own endpoints. */
export type ObserverNews =
  | { readonly kind: 'observed'; readonly id: string; readonly sight: ObservedSight }
  /** Null: it believes its eyes again. */
  | { readonly kind: 'suspect'; readonly why: string | null }
  | { readonly kind: 'uplink'; readonly up: boolean; readonly detail: string };

/** Something whose health is looked at. */
interface Subject extends Witness {
  readonly role: 'own' | 'foreign' | 'uplink';
  /** Of the endpoint; of the uplink, the name of the site. */
  readonly id: string;
  /** What it is: another one of the same id has no past. */
  readonly being: string;
  readonly health: HealthExpression;
  state: VerdictState;
}

/** An endpoint's verdict follows its targets at once: they have been counted. */
const AT_ONCE = { rise: 1, fall: 1 };

export class Observer {
  /**
   * Resolves when every target of this site's own endpoints has had its first result, which is within
   * the longest timeout unless there are more than may be probed at once. Also when the observer is
   * stopped before.
   */
  readonly ready: Promise<void>;
  readonly #options: ObserverOptions;
  readonly #prober: Prober;
  readonly #outlook = new Outlook();
  #config: Config;
  #own: readonly Subject[] = [];
  #foreign: readonly Subject[] = [];
  #uplink: Subject | null = null;
  /** Names of the sites that the foreign endpoints belong to. */
  #foreignSites: ReadonlySet<string> = new Set();
  /** Target id → who asks for it. */
  #askers = new Map<string, Subject[]>();
  /** Ids of the targets that `ready` waits for. */
  readonly #awaited = new Set<string>();
  readonly #verdicts: Listeners<{ id: string; sight: EndpointSight }>;
  readonly #news: Listeners<ObserverNews>;
  #running = false;
  #resolveReady: () => void = () => {};

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#prober = new Prober({
      ...options,
      probe: options.probe ?? probe,
      onResult: (id, now, before) => this.#onResult(id, now, before),
    });
    const onError = (error: unknown): void => {
      options.log.error({ error: String(error) }, 'a listener for verdicts failed');
    };
    this.#verdicts = new Listeners(onError);
    this.#news = new Listeners(onError);
    this.ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
    this.#adopt(options.config);
  }

  /** Begins to probe; this site's own targets come first. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#prober.start();
    this.#checkReady();
  }

  /** Endpoint id → what is known of it at `now`; an endpoint without a verdict is left out. */
  sights(now: number): Record<string, EndpointSight> {
    const sights: Record<string, EndpointSight> = {};
    for (const subject of this.#own) {
      const seen = this.#sight(subject, now);
      if (seen) sights[subject.id] = seen;
    }
    return sights;
  }

  /** The same of the endpoints of other sites; empty while this site does not believe its eyes. */
  observed(now: number): Record<string, ObservedSight> {
    const sights: Record<string, ObservedSight> = {};
    if (this.#outlook.blind) return sights;
    for (const subject of this.#foreign) {
      if (subject.state.up === false && !this.#outlook.believes(subject)) continue;
      const seen = this.#observed(subject, now);
      if (seen) sights[subject.id] = seen;
    }
    return sights;
  }

  /** Why this site does not believe its eyes, in words; null: it does. */
  get suspect(): string | null {
    if (!this.#outlook.blind) return null;
    const { probed } = this.#outlook;
    const [only, ...more] = this.#foreignSites;
    const whose = more.length === 0 ? only : 'other sites';
    return probed === 1
      ? `does not see the endpoint of ${whose}`
      : `sees none of ${probed} endpoints of ${whose}`;
  }

  /** Whether the uplink works; null: not known, or there is nothing to know it by. */
  get uplink(): boolean | null {
    return this.#uplink?.state.up ?? null;
  }

  /** Calls `listener` at each change of a verdict, the first one of an endpoint included. */
  onVerdict(listener: (endpointId: string, sight: EndpointSight) => void): () => void {
    return this.#verdicts.add(({ id, sight: seen }) => listener(id, seen));
  }

  onNews(listener: (news: ObserverNews) => void): () => void {
    return this.#news.add(listener);
  }

  /**
   * Takes over a new configuration. An endpoint keeps its verdict while its addresses stay, until what
   * is asked of it now has an answer; targets of which the same is asked are not asked anew; those that
   * are new are probed at once, and those that are gone no more.
   */
  reconfigure(config: Config): void {
    this.#adopt(config);
    const now = this.#options.clock.now();
    for (const subject of this.#subjects()) {
      if (subject.role === 'foreign') this.#outlook.note(subject, this.#answers(subject), now);
      this.#judge(subject, now);
    }
    this.#outlook.recount(this.#foreign);
    this.#conclude();
    if (this.#running) this.#checkReady();
  }

  /** Ends every probe and timer at once; nothing is reported afterwards. */
  stop(): void {
    this.#running = false;
    this.#prober.stop();
    this.#resolveReady();
  }

  #subjects(): Subject[] {
    return [...this.#own, ...(this.#uplink ? [this.#uplink] : []), ...this.#foreign];
  }

  #adopt(config: Config): void {
    const before = new Map(this.#subjects().map((each) => [`${each.role} ${each.id}`, each]));
    const renew = (fresh: Subject): Subject => {
      const old = before.get(`${fresh.role} ${fresh.id}`);
      if (old?.being !== fresh.being) return fresh;
      return { ...old, health: fresh.health };
    };
    const home = config.sites.findIndex(({ name }) => name === this.#options.site);
    const own: Subject[] = [];
    const foreign: Subject[] = [];
    const sites = new Set<string>();
    for (const [index, { id, site, address4, address6, health }] of config.endpoints.entries()) {
      const role = site === home ? 'own' : 'foreign';
      if (role === 'foreign' && !observersOf(config, index).includes(home)) continue;
      const subject = renew(newSubject(role, id, `${address4} ${address6}`, health));
      if (role === 'own') own.push(subject);
      else foreign.push(subject);
      if (role === 'foreign') sites.add(config.sites[site]!.name);
    }
    const uplink = config.sites[home]?.uplink ?? null;
    this.#config = config;
    this.#own = own;
    this.#foreign = foreign;
    this.#foreignSites = sites;
    this.#uplink = uplink && renew(newSubject('uplink', this.#options.site, '', uplink));
    this.#prober.watch(this.#index());
  }

  /** Notes who asks for which target, and which are waited for; gives the targets. */
  #index(): ProbeTarget[] {
    const targets: ProbeTarget[] = [];
    this.#askers = new Map();
    this.#awaited.clear();
    for (const subject of this.#subjects()) {
      for (const index of targetsOf(subject.health)) {
        const target = this.#config.targets[index]!;
        const askers = this.#askers.get(target.id);
        if (askers) askers.push(subject);
        else {
          this.#askers.set(target.id, [subject]);
          targets.push(target);
        }
        const seen = this.#prober.sight(target.id).ok !== null;
        if (subject.role === 'own' && !seen) this.#awaited.add(target.id);
      }
    }
    return targets;
  }

  #onResult(id: string, seen: TargetSight, before: TargetSight): void {
    const now = this.#options.clock.now();
    const askers = this.#askers.get(id) ?? [];
    for (const subject of askers) {
      if (subject.role === 'own') continue;
      const counts = subject.role === 'foreign' || this.#uplinkCounts();
      if (counts && seen.ok) this.#outlook.seen(now);
      if (subject.role === 'foreign' && seen.ok !== before.ok) {
        this.#outlook.note(subject, this.#answers(subject), now);
      }
    }
    if (seen.verdict.up !== before.verdict.up) {
      for (const subject of askers) this.#judge(subject, now);
    }
    this.#conclude();
    if (before.ok === null && this.#awaited.delete(id)) this.#checkReady();
  }

  /**
   * The uplink shows that this site's eyes work, but only against one other site: that several are
   * down at once is still less likely than that the way to them is.
   */
  #uplinkCounts(): boolean {
    return this.#foreignSites.size === 1;
  }

  #conclude(): void {
    const otherwise = this.#uplinkCounts() && this.uplink === true;
    if (!this.#outlook.conclude(otherwise)) return;
    const why = this.suspect;
    if (why === null) this.#forgetOthers();
    this.#news.emit({ kind: 'suspect', why });
  }

  /** What a blind site thought of the others does not outlast its blindness. */
  #forgetOthers(): void {
    for (const subject of this.#foreign) {
      subject.state = UNKNOWN;
      for (const index of targetsOf(subject.health)) {
        this.#prober.forget(this.#config.targets[index]!.id);
      }
    }
  }

  #judge(subject: Subject, now: number): void {
    const { holds, why } = this.#outcome(subject, isUp);
    if (holds === null) return;
    const first = subject.state.up === null;
    const [state, changed] = judge(subject.state, { ok: holds, detail: why }, now, AT_ONCE);
    subject.state = state;
    if (changed) this.#announce(subject, first, now);
  }

  #announce(subject: Subject, first: boolean, now: number): void {
    const { id, role, state } = subject;
    const up = state.up === true;
    const detail = this.#detail(subject);
    if (role === 'own') {
      this.#options.log.info({ endpoint: id, up, detail }, `endpoint is ${up ? 'up' : 'down'}`);
      this.#verdicts.emit({ id, sight: this.#sight(subject, now)! });
    } else if (role === 'uplink') {
      this.#news.emit({ kind: 'uplink', up, detail });
    } else if (up ? !first : this.#outlook.believes(subject)) {
      // That what was expected is found at the first look is no news.
      this.#news.emit({ kind: 'observed', id, sight: this.#observed(subject, now)! });
    }
  }

  #sight(subject: Subject, now: number): EndpointSight | null {
    const seen = sight(subject.state, now);
    return (
      seen && { up: seen.up, for_ms: seen.for_ms, downs: seen.downs, detail: this.#detail(subject) }
    );
  }

  #observed(subject: Subject, now: number): ObservedSight | null {
    const seen = this.#sight(subject, now);
    return seen && { up: seen.up, for_ms: seen.for_ms, detail: seen.detail };
  }

  /** What the last probes found, or of several targets those that make the endpoint what it is. */
  #detail(subject: Subject): string {
    const { holds, why } = this.#outcome(subject, isUp);
    return holds === subject.state.up ? shortened(why) : subject.state.detail;
  }

  #answers(subject: Subject): boolean | null {
    return this.#outcome(subject, ({ ok }) => ok).holds;
  }

  #outcome({ health }: Subject, holds: (seen: TargetSight) => boolean | null) {
    const alone = health.kind === 'target';
    return evaluateHealth(health, (index) => {
      const { id, check, address } = this.#config.targets[index]!;
      const seen = this.#prober.sight(id);
      const { detail } = seen.verdict;
      const why = alone ? detail : `${check.name} at ${address}: ${detail}`;
      return { holds: holds(seen), why };
    });
  }

  #checkReady(): void {
    if (this.#running && this.#awaited.size === 0) this.#resolveReady();
  }
}

const isUp = ({ verdict }: TargetSight): boolean | null => verdict.up;

function newSubject(
  role: Subject['role'],
  id: string,
  being: string,
  health: HealthExpression,
): Subject {
  return { role, id, being, health, state: UNKNOWN, answers: null, failing_since: 0 };
}
