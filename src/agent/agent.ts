/**
 * One site's loop: observe → share → decide → act. The composition root of everything that runs in
 * a site's daemon except its HTTP API.
 *
 * What must always hold: a change of a verdict leads to a new plan in the same turn of the event
 * loop, or of several in a row the first one does, and the others as soon as that is done; only
 * `decide` decides; a room that fails is logged and never stops the others; start, reload and stop
 * never overlap.
 */
import type { Clock } from '../base/clock.ts';
import type { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { BgpKeys } from '../bgp/ports.ts';
import type { Speaker } from '../bgp/speaker.ts';
import { decide } from '../decide/decide.ts';
import type { TsigSecret } from '../dns/transfer/signing.ts';
import type { GeoMap } from '../geo/map.ts';
import type { Config } from '../model/config.ts';
import type { Happening, SiteEvent } from '../model/event.ts';
import type { Plan } from '../model/plan.ts';
import { writerOf } from '../model/report.ts';
import type { World } from '../model/world.ts';
import type { HostPort } from '../net/ip.ts';
import type { Probe } from '../observe/probe.ts';
import type { Store } from '../share/store.ts';
import type { FlowCounts } from '../spill/port.ts';
import { type ActorOptions, Actors } from './actors.ts';
import type { BgpDesk } from './bgp-desk.ts';
import { siteOf } from './config-parts.ts';
import { contain } from './contain.ts';
import { EndpointDesk } from './endpoint-desk.ts';
import { newsChange, planChanges, seenChange, storeChange } from './events.ts';
import { Knowledge } from './knowledge.ts';
import { LoadWatch } from './load-watch.ts';
import { OverrideDesk } from './override-desk.ts';
import { RouteDesk } from './route-desk.ts';
import { buildStatus, type Status } from './status.ts';
import { Teller } from './teller.ts';
import { Turns } from './turns.ts';

/** `site` is the one that this agent runs; `config` is always as this agent sees it. */
export interface AgentOptions extends ActorOptions {
  /** Which of the site's agents it is; by default its first, which is mostly the only one. */
  readonly agent?: string;
  readonly store: Store;
  readonly version: string;
  /** How a target is probed; by default over the network. */
  readonly probe?: Probe;
}

export class Agent {
  readonly site: string;
  readonly name: string;
  /** Those who take questions and orders. */
  readonly endpoints: EndpointDesk;
  readonly overrides: OverrideDesk;
  readonly routes: RouteDesk;
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #store: Store;
  readonly #teller: Teller;
  readonly #knowledge: Knowledge;
  readonly #load: LoadWatch;
  readonly #actors: Actors;
  readonly #turns: Turns;
  readonly #startedAt: number;
  readonly #unsubscribe: (() => void)[] = [];
  #config: Config;
  #geo: GeoMap;
  #plan: Plan | null = null;
  #world: World | null = null;
  #running = false;
  /** True once the first probes have ended: before that there is nothing to decide on. */
  #informed = false;
  /** False while another process may still report for this site: two would contradict each other. */
  #inOffice = false;
  /** Settles when the start or the reloads that were asked for so far have ended. */
  #changed: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(options: AgentOptions) {
    const { config, site, clock, log, store, geo } = options;
    const agent = options.agent ?? siteOf(config, site).agents[0]!;
    this.#options = options;
    this.#config = config;
    this.#geo = geo;
    this.#clock = clock;
    this.#log = log;
    this.#store = store;
    this.site = site;
    this.name = agent;
    this.#startedAt = clock.now();
    this.#teller = new Teller(site, clock, log);
    this.#knowledge = new Knowledge({ ...options, agent });
    this.#load = new LoadWatch(clock, log);
    this.#turns = new Turns(clock, (publish) => this.#think(publish));
    const { view, reporter } = this.#knowledge;
    const onEvent = (event: Happening): void => {
      this.#teller.tell(event);
      // Who hears our routes is news: others may have withdrawn in our favour.
      if (event.kind === 'bgp') this.#turns.soon(true);
    };
    const onOrder = (): void => this.#think(true);
    const orders = { onOrder, onEvent };
    const writer = writerOf({ site, agent });
    this.overrides = new OverrideDesk({
      agent: writer,
      book: view.overrides,
      store,
      clock,
      ...orders,
    });
    this.endpoints = new EndpointDesk(this, { reporter, clock, ...orders });
    this.routes = new RouteDesk(() => this.speaker, { reporter, ...orders });
    const wanted = (): boolean => this.#running;
    const onCounts = (flows: FlowCounts): void => this.#measure(flows);
    this.#actors = new Actors(options, { wanted, onEvent, onCounts });
  }

  get events(): Listeners<SiteEvent> {
    return this.#teller.events;
  }

  get config(): Config {
    return this.#config;
  }

  get geo(): GeoMap {
    return this.#geo;
  }

  /** Where DNS is answered, with the real ports where the configuration says 0. */
  get addresses(): readonly HostPort[] {
    return this.#actors.dns.addresses;
  }

  /** The sessions and routes of BGP; null where there are none. */
  get speaker(): Speaker | null {
    return this.#actors.bgp.speaker;
  }

  /** Answers why a BGP session is not up. */
  get bgpDesk(): BgpDesk {
    return this.#actors.bgp.desk;
  }

  /** The current plan and the world that it was made from; null before the first. */
  get decision(): { readonly plan: Plan; readonly world: World } | null {
    return this.#plan && this.#world ? { plan: this.#plan, world: this.#world } : null;
  }

  /**
   * Resolves once every endpoint has a first verdict, DNS answers, and BGP and spill are under way,
   * or once `stop` has been called. Rejects, with nothing left open, when an address cannot be bound.
   * Once DNS answers, `succeed` is waited for: a process that did this site's work before may end
   * then. Only after that this one reports, speaks BGP and spills.
   */
  async start(succeed: () => Promise<void> = async () => {}): Promise<void> {
    if (this.#stopped) return;
    this.#running = true;
    try {
      await this.#inTurn(() => this.#start(succeed));
    } catch (error) {
      await this.stop('could not start');
      throw error;
    }
  }

  /**
   * Withdraws the routes and waits for the peers to have them, finishes DNS queries and ends every
   * timer and socket, within 5 s. A start or a reload under way is broken off first. Spilled flows
   * stay where they are: leases end by themselves. Addresses of VIPs leave their interface last, unless
   * the agent is `succeeded` by another process.
   */
  stop(text = 'agent stopped', succeeded = false): Promise<void> {
    this.#stopped ??= this.#stop(text, succeeded);
    return this.#stopped;
  }

  /**
   * Takes a new configuration over without losing a query, a session or a verdict. Rejects, and
   * changes nothing, when this site is not in it or its spill cannot be laid out. A room that fails
   * later keeps its old configuration, and an address may be taken: there is a sentence about each
   * in what this resolves to. The same configuration again tries again.
   */
  reload(config: Config, geo: GeoMap): Promise<readonly string[]> {
    return this.#inTurn(() => this.#reload(config, geo));
  }

  /** The first of `secrets` makes server cookies from now on, all of them are accepted. */
  useCookieSecrets(secrets: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(() => this.#actors.dns.useCookieSecrets(secrets));
  }

  /** Zone transfers and notifications are signed with `keys` from now on, and with no others. */
  useTsigKeys(keys: readonly TsigSecret[]): Promise<void> {
    return this.#inTurn(() => this.#actors.dns.useTsigKeys(keys));
  }

  /** Sessions are made with these keys from now on; one whose key has changed is made anew. */
  useBgpKeys(keys: BgpKeys): Promise<void> {
    return this.#inTurn(() => this.#actors.bgp.useKeys(keys));
  }

  async #start(succeed: () => Promise<void>): Promise<void> {
    if (!this.#running) return;
    await this.#resume();
    this.overrides.open();
    const actors = this.#actors;
    const { takeOver = false } = this.#options;
    // Sessions take as long to come up as the first probes. Those of a process before are still there.
    if (!takeOver) await actors.startBgp();
    this.#knowledge.observer.start();
    this.#load.use(siteOf(this.#config, this.site).load);
    await this.#knowledge.observer.ready;
    // Each step looks whether it is still wanted: `stop` waits for this to end.
    const takeOffice = async (): Promise<void> => {
      await succeed();
      // The process before has gone on with its orders and its routes until now.
      if (takeOver) await this.#resume();
      this.#inOffice = true;
      this.#think(true);
      this.#turns.begin(() => this.#config.policy.report_interval_ms);
    };
    const announce = async (): Promise<void> => {
      if (takeOver) await actors.startBgp();
      actors.bgp.begin();
    };
    const steps = [() => actors.dns.start(), takeOffice, announce, () => actors.startSpill()];
    this.#subscribe();
    this.#informed = true;
    this.#think(false);
    for (const step of steps) if (this.#running) await step();
    if (!this.#running) return;
    this.#think(true);
    this.#tellOfLife('life', 'agent is up');
  }

  async #stop(text: string, succeeded: boolean): Promise<void> {
    const started = this.#running;
    this.#running = false;
    this.#knowledge.observer.stop();
    await this.#changed;
    this.#turns.stop();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#load.stop();
    this.overrides.close();
    this.#knowledge.close();
    await this.#actors.stop(text, succeeded);
    if (this.#inOffice && !succeeded) this.#knowledge.sayFarewell();
    if (this.#inOffice) await this.#knowledge.keepLast();
    await contain(this.#log, 'share', () => this.#store.close());
    if (started) this.#tellOfLife('life', text);
  }

  async #reload(config: Config, geo: GeoMap): Promise<readonly string[]> {
    if (!this.#running) return [];
    const change = this.#actors.prepare(config, geo);
    this.#config = config;
    this.#geo = geo;
    this.#knowledge.use(config);
    this.#load.use(siteOf(config, this.site).load);
    this.#think(false); // a plan's indices belong to its configuration: the old one's is over
    const problems = await change();
    if (!this.#running) return problems;
    this.#think(true);
    this.#tellOfLife('config', 'new configuration in use');
    return problems;
  }

  /** Goes on with what the process before has left. */
  async #resume(): Promise<void> {
    const left = await this.#knowledge.resume(this.#options.takeOver === true);
    if (left) this.overrides.restore(left.overrides, left.elapsed_ms);
  }

  /** Runs `work` after all that was begun before: two changes at once would mix their rooms. */
  #inTurn<Done>(work: () => Promise<Done>): Promise<Done> {
    const done = this.#changed.then(work);
    this.#changed = done.catch(() => {});
    return done;
  }

  status(): Status {
    const now = this.#clock.now();
    return buildStatus({
      config: this.#config,
      site: this.site,
      agent: this.name,
      agents: (site) => this.#knowledge.view.agents(site),
      version: this.#options.version,
      uptime_ms: now - this.#startedAt,
      now,
      plan: this.#plan,
      routes: this.#actors.bgp.standing(this.#plan?.routes ?? []),
      world: this.#world,
      connected: this.#store.connected,
      servers: this.#store.servers(),
      overrides: this.overrides.list(),
      load_meters: this.#load.sights(now),
      neighbors: this.#actors.bgp.neighbors(),
      flows: this.#actors.flows(),
      addresses: this.addresses,
      counters: this.#actors.dns.counters(),
    });
  }

  // One turn of the loop.

  /**
   * `publish`: news of our own for the others; false when it is their news that we act on. What is to
   * be done is done first: telling of it, of the `cause` first, may write to a slow log.
   */
  #think(publish: boolean, cause: Happening | null = null): void {
    if (!this.#running || !this.#informed) return;
    const now = this.#clock.now();
    const knowledge = this.#knowledge;
    const world = knowledge.world(now);
    const plan = decide(this.#config, world, now);
    const before = this.#plan;
    this.#plan = plan;
    this.#world = world;
    this.#actors.apply(plan);
    if (cause) this.#teller.tell(cause);
    knowledge.reporter.decided(plan, this.#actors.bgp.heard(), now);
    if (this.#inOffice) knowledge.keep(now);
    if (publish && this.#inOffice) knowledge.publish(now);
    this.#turns.wakeIn(plan.wake_ms);
    this.overrides.tellEnded(now);
    const changes = planChanges(this.#config, before, plan);
    for (const change of [...knowledge.siblingNews(), ...changes]) this.#teller.tell(change);
  }

  #subscribe(): void {
    const { observer, view } = this.#knowledge;
    this.#unsubscribe.push(
      observer.onVerdict((endpoint, sight) => {
        const cause = seenChange(endpoint, sight);
        if (!this.#turns.busy) return this.#turns.run(() => this.#think(true, cause));
        this.#teller.tell(cause);
        this.#turns.soon(true);
      }),
      observer.onNews((news) => {
        this.#teller.tell(newsChange(news, this.site));
        this.#turns.soon(true);
      }),
      view.onNews(() => this.#turns.soon(false)),
      view.overrides.subscribe(() => this.#turns.soon(true)),
      this.#store.onConnection((connected) => {
        this.#teller.tell(storeChange(connected, this.site));
        this.#think(true);
      }),
    );
  }

  /** Load and flows are read together: a flow's cost is the one by the other. */
  #measure(flows: FlowCounts): void {
    const now = this.#clock.now();
    const { capacity } = siteOf(this.#config, this.site);
    const ratio = this.#load.ratio(now);
    const used = ratio === null ? null : ratio * capacity;
    this.#knowledge.reporter.measured(used, capacity, flows, this.#config.policy.spill, now);
  }

  #tellOfLife(kind: 'life' | 'config', text: string): void {
    this.#teller.tell({ kind, subject: this.site, text, reason: null });
  }
}
