/** One site's daemon: the agent with its API. Used by `isobar run` and, three times, by the demo. */
import { Agent, type AgentOptions } from '../agent/agent.ts';
import { ApiServer } from '../api/server.ts';
import { siteOf } from './config-dir.ts';
import { VERSION } from './version.ts';

export interface DaemonOptions extends Omit<AgentOptions, 'version'> {
  /** Of the site's API; null: none is asked for. */
  readonly token: string | null;
}

export class Daemon {
  readonly agent: Agent;
  readonly #api: ApiServer;

  constructor(options: DaemonOptions) {
    const { config, site, clock, log, token } = options;
    this.agent = new Agent({ ...options, version: VERSION });
    const { api } = siteOf(config, site);
    this.#api = new ApiServer({ agent: this.agent, listen: api.listen, token, clock, log });
  }

  /**
   * The API listens first, so that whoever waits for `/readyz` sees the start. Rejects, with
   * nothing left open, when an address cannot be bound.
   */
  async start(): Promise<void> {
    try {
      await this.#api.start();
      await this.agent.start();
    } catch (error) {
      await this.#api.stop();
      throw error;
    }
  }

  /** Also ends a start that is under way. */
  async stop(text: string): Promise<void> {
    await this.agent.stop(text);
    await this.#api.stop();
  }
}
