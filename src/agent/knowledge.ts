/**
 * All that an agent knows: what its own eyes see, what it hears of the others, and what it decided
 * last; and what of that it tells the others and keeps for its next life.
 *
 * What must always hold: the others are told what the decision before was made of.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { dampingOf, siteFactor } from '../decide/damping.ts';
import type { Config } from '../model/config.ts';
import type { Happening } from '../model/event.ts';
import type { World } from '../model/world.ts';
import { Observer } from '../observe/observer.ts';
import type { Probe } from '../observe/probe.ts';
import type { Store } from '../share/store.ts';
import { type AgentSight, WorldView } from '../share/world-view.ts';
import { siblingChanges } from './events.ts';
import { Keeper } from './keeper.ts';
import { Reporter, type Seen } from './reporter.ts';
import type { LoadedState } from './state-file.ts';

export interface KnowledgeOptions {
  readonly config: Config;
  readonly site: string;
  readonly agent: string;
  readonly store: Store;
  /** How a target is probed; by default over the network. */
  readonly probe?: Probe;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

export class Knowledge {
  readonly observer: Observer;
  readonly view: WorldView;
  readonly reporter: Reporter;
  readonly #keeper: Keeper;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #site: string;
  #config: Config;
  /** What the last world was made with. */
  #seen: Seen;
  /** As they were when `siblingNews` was asked last. */
  #siblings: readonly AgentSight[] = [];

  constructor({ config, site, agent, store, probe, clock, prng, log }: KnowledgeOptions) {
    this.#config = config;
    this.#site = site;
    this.#store = store;
    this.#clock = clock;
    this.observer = new Observer({ config, site, clock, prng, log, ...(probe && { probe }) });
    const sites = (): string[] => this.#config.sites.map(({ name }) => name);
    const stale_ms = (): number => this.#config.policy.report_stale_ms;
    this.view = new WorldView({ self: site, agent, sites, stale_ms, store, clock, log });
    this.reporter = new Reporter({ site, agent, store, clock, log });
    this.#keeper = new Keeper({ site, agent, clock, log }, config);
    this.#seen = this.#look(clock.now());
  }

  use(config: Config): void {
    this.#config = config;
    this.#keeper.use(config);
    this.observer.reconfigure(config);
  }

  /**
   * Goes on with what the process before has left: what it decided and what it heard. Resolves to the
   * rest, which is not known here. `addressesStand`: the VIPs' addresses have never left the interface.
   */
  async resume(addressesStand: boolean): Promise<LoadedState | null> {
    const { state, world, own } = await this.#keeper.load();
    const now = this.#clock.now();
    if (state) {
      const { policy, sites } = this.#config;
      const damping = dampingOf(policy.routes, siteFactor(sites, this.#site));
      this.reporter.resume(state, damping, addressesStand, now);
    }
    if (world) this.view.restore(world.reports, world.elapsed_ms);
    if (own) this.reporter.recall(own.report, now - own.age_ms);
    return state;
  }

  /** All that there is to decide by now. */
  world(now: number): World {
    this.#seen = this.#look(now);
    return this.view.world(this.reporter.report(this.#seen, now));
  }

  /** What has become of the other agents of this site since this was asked last. */
  siblingNews(): Happening[] {
    const before = this.#siblings;
    this.#siblings = this.view.agents(this.#site);
    return siblingChanges(this.#site, before, this.#siblings);
  }

  /** Tells the others what the last world was made with, and what was decided. */
  publish(now: number): void {
    this.#store.publish(this.reporter.next(this.#seen, now));
  }

  /** Tells the others that the routes are withdrawn. */
  sayFarewell(): void {
    const now = this.#clock.now();
    this.#store.publish(this.reporter.farewell(this.#look(now), now));
  }

  /** For the next life; what is written, and when, the keeper knows. */
  keep(now: number): void {
    const [overrides, routes] = [this.view.overrides.all(), this.reporter.routeSights(now)];
    this.#keeper.save({ overrides, routes }, () => this.view.kept());
  }

  /** Nothing is seen or heard any more. */
  close(): void {
    this.view.close();
    this.reporter.close();
  }

  /** Resolves when the last that is to be kept is written, or could not be. */
  keepLast(): Promise<void> {
    return this.#keeper.close(() => this.view.kept());
  }

  #look(now: number): Seen {
    const { suspect, uplink } = this.observer;
    const [endpoints, observed] = [this.observer.sights(now), this.observer.observed(now)];
    return { endpoints, observed, suspect, uplink };
  }
}
