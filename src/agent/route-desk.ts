/** Takes orders that concern routes: to make a session anew, to forget that a VIP has come and gone. */
import type { Speaker } from '../bgp/speaker.ts';
import type { Happening } from '../model/event.ts';
import type { Reporter } from './reporter.ts';

export interface RouteDeskOptions {
  readonly reporter: Pick<Reporter, 'resetPenalty'>;
  /** There is an order to be carried out: routes are to be planned anew. */
  readonly onOrder: () => void;
  readonly onEvent: (event: Happening) => void;
}

export class RouteDesk {
  readonly #speaker: () => Pick<Speaker, 'reset'> | null;
  readonly #options: RouteDeskOptions;

  constructor(speaker: () => Pick<Speaker, 'reset'> | null, options: RouteDeskOptions) {
    this.#speaker = speaker;
    this.#options = options;
  }

  /** Ends a neighbour's session with a reason for both sides, and makes it anew. False: no such one. */
  resetNeighbor(name: string, by: string, reason: string): boolean {
    if (!this.#speaker()?.reset(name, reason)) return false;
    const text = `session reset by ${by}: ${reason}`;
    this.#options.onEvent({ kind: 'bgp', subject: `neighbor ${name}`, text, reason: null });
    return true;
  }

  /**
   * Forgets penalties and hold-downs of a VIP, or of all (null), so that it is announced as soon as it
   * is fit. Returns the VIPs that had any; null if this site announces no such VIP.
   */
  resetPenalty(vip: string | null, by: string): readonly string[] | null {
    const { reporter, onOrder, onEvent } = this.#options;
    const reset = reporter.resetPenalty(vip);
    const text = `penalty and hold-down reset by ${by}`;
    for (const name of reset ?? []) {
      onEvent({ kind: 'route', subject: `vip ${name}`, text, reason: null });
    }
    if (reset !== null && reset.length > 0) onOrder();
    return reset;
  }
}
