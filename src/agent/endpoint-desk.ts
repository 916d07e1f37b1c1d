/** Answers questions about single endpoints, and takes the order to forget what they did. */
import type { Clock } from '../base/clock.ts';
import type { Agent } from './agent.ts';
import { type EndpointDetail, endpointDetails, isNamed } from './endpoint-status.ts';
import type { Reporter } from './reporter.ts';

export class EndpointDesk {
  readonly #agent: Pick<Agent, 'site' | 'config' | 'decision'>;
  readonly #reporter: Pick<Reporter, 'forgive'>;
  readonly #clock: Clock;
  readonly #onReset: (ids: readonly string[], text: string) => void;

  /** `onReset` is told of endpoints that were reset, in words, and has to have them ruled on anew. */
  constructor(
    agent: Pick<Agent, 'site' | 'config' | 'decision'>,
    reporter: Pick<Reporter, 'forgive'>,
    clock: Clock,
    onReset: (ids: readonly string[], text: string) => void,
  ) {
    this.#agent = agent;
    this.#reporter = reporter;
    this.#clock = clock;
    this.#onReset = onReset;
  }

  /**
   * Everything about the endpoint with that id, or all of a load balancer; null before the first plan,
   * empty if there is no such one.
   */
  details(name: string): EndpointDetail[] | null {
    const { config, decision } = this.#agent;
    return decision && endpointDetails({ config, ...decision, now: this.#clock.now() }, name);
  }

  /**
   * Forgets penalties and hold-downs of this site's endpoints of that name, or of all (null): they are
   * used as soon as they are up. Returns the ids that had any; null if this site has no such endpoint.
   */
  resetPenalties(name: string | null, by: string): readonly string[] | null {
    const { config, site } = this.#agent;
    const chosen = config.endpoints.filter(
      (endpoint) =>
        config.sites[endpoint.site]!.name === site && (name === null || isNamed(endpoint, name)),
    );
    if (name !== null && chosen.length === 0) return null;
    const ids = new Set(chosen.map(({ id }) => id));
    const reset = this.#reporter.forgive((id) => ids.has(id));
    if (reset.length > 0) this.#onReset(reset, `penalty and hold-down reset by ${by}`);
    return reset;
  }
}
