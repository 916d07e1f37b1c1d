/** One site's daemon: the agent with its API. Used by `isobar run` and, three times, by the demo. */
import { Agent, type AgentOptions } from '../agent/agent.ts';
import type { Control } from '../api/control.ts';
import { ApiServer } from '../api/server.ts';
import type { Clock } from '../base/clock.ts';
import { siteOf } from './config-dir.ts';
import { type Predecessor, whenFree } from './take-over.ts';
import { VERSION } from './version.ts';

export interface DaemonOptions extends Omit<AgentOptions, 'version' | 'takeOver'> {
  /** Of the site's API; null: none is asked for. */
  readonly token: string | null;
  /** Null where the process is not this daemon's alone. */
  readonly control: Control | null;
  /** A running process that this daemon succeeds; null: it is the first. */
  readonly predecessor: Predecessor | null;
}

export class Daemon {
  readonly agent: Agent;
  readonly #api: ApiServer;
  readonly #clock: Clock;
  readonly #predecessor: Predecessor | null;
  /** Ends the waiting for the predecessor. */
  readonly #stopping = new AbortController();

  constructor(options: DaemonOptions) {
    const { config, site, clock, log, token, control } = options;
    const takeOver = options.predecessor !== null;
    this.agent = new Agent({ ...options, takeOver, version: VERSION });
    this.#clock = clock;
    this.#predecessor = options.predecessor;
    const { listen } = siteOf(config, site).api;
    this.#api = new ApiServer({ agent: this.agent, listen, token, control, clock, log });
  }

  /**
   * The API listens first, so that whoever waits for `/readyz` sees the start; after a predecessor,
   * only when that has left. Rejects, with nothing left open, when an address cannot be bound.
   */
  async start(): Promise<void> {
    const predecessor = this.#predecessor;
    try {
      if (predecessor) {
        await this.agent.start(() => this.#succeed(predecessor));
      } else {
        await this.#api.start();
        await this.agent.start();
      }
    } catch (error) {
      await this.#api.stop();
      throw error;
    }
  }

  /** Also ends a start that is under way. The API is last: its port tells that all else is over. */
  async stop(text: string, succeeded = false): Promise<void> {
    this.#stopping.abort();
    await this.agent.stop(text, succeeded);
    await this.#api.stop();
  }

  async #succeed(predecessor: Predecessor): Promise<void> {
    const { signal } = this.#stopping;
    this.agent.overrides.adopt(await predecessor.leave(signal));
    await whenFree(() => this.#api.start(), this.#clock, signal);
  }
}
