/**
 * Answers why BGP sessions are not up, to whoever asks.
 *
 * What must always hold: however many ask, and however often, few programs run for it; those who ask
 * the same at the same time share one answer.
 */
import type { Explanation } from '../bgp/investigate.ts';
import type { NeighborStatus, Speaker } from '../bgp/speaker.ts';

export interface BgpWhy extends Explanation {
  readonly neighbor: NeighborStatus;
}

/** Neighbours that are looked into at once: each costs some programs' runs and up to a second. */
export const WHYS_MAX = 4;

export class BgpDesk {
  readonly #speaker: () => Speaker | null;
  readonly #asked = new Map<string, Promise<BgpWhy | null>>();

  constructor(speaker: () => Speaker | null) {
    this.#speaker = speaker;
  }

  /** Null: no such neighbour. 'busy': too many ask at once. */
  async why(name: string): Promise<BgpWhy | null | 'busy'> {
    const asked = this.#asked.get(name);
    if (asked) return asked;
    if (this.#asked.size >= WHYS_MAX) return 'busy';
    const answer = this.#why(name).finally(() => this.#asked.delete(name));
    this.#asked.set(name, answer);
    return answer;
  }

  async #why(name: string): Promise<BgpWhy | null> {
    const speaker = this.#speaker();
    const neighbor = speaker?.neighbors().find((one) => one.name === name);
    const explanation = (await speaker?.why(name)) ?? null;
    return neighbor && explanation ? { neighbor, ...explanation } : null;
  }
}
