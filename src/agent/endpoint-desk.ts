/** Answers questions about single endpoints, and takes the order to forget what they did. */
import type { Clock } from '../base/clock.ts';
import type { Happening } from '../model/event.ts';
import type { Agent } from './agent.ts';
import { type EndpointDetail, endpointDetails, isNamed } from './endpoint-status.ts';
import type { Reporter } from './reporter.ts';

export interface EndpointDeskOptions {
  readonly reporter: Pick<Reporter, 'forgive'>;
  readonly clock: Clock;
  /** There is an order to be carried out: endpoints are to be ruled on anew. */
  readonly onOrder: () => void;
  readonly onEvent: (event: Happening) => void;
}

export class EndpointDesk {
  readonly #agent: Pick<Agent, 'site' | 'config' | 'decision'>;
  readonly #options: EndpointDeskOptions;

  constructor(agent: Pick<Agent, 'site' | 'config' | 'decision'>, options: EndpointDeskOptions) {
    this.#agent = agent;
    this.#options = options;
  }

  /**
   * Everything about the endpoint with that id, or all of a load balancer; null before the first plan,
   * empty if there is no such one.
   */
  details(name: string): EndpointDetail[] | null {
    const { config, decision } = this.#agent;
    return (
      decision && endpointDetails({ config, ...decision, now: this.#options.clock.now() }, name)
    );
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
    const { reporter, onOrder, onEvent } = this.#options;
    const reset = reporter.forgive((id) => ids.has(id));
    const text = `penalty and hold-down reset by ${by}`;
    for (const id of reset) onEvent({ kind: 'health', subject: id, text, reason: null });
    if (reset.length > 0) onOrder();
    return reset;
  }
}
