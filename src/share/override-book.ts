/**
 * The overrides that one place knows: of each register the latest, by its stamp. Times are kept on this
 * reader's own monotonic clock.
 *
 * Must hold: whatever the order in which overrides arrive, all who have got the same ones know the same;
 * one that has ended is forgotten only when no older copy can come back.
 */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import { laterStamp, type Override, type OverrideSight } from '../model/override.ts';

/** Registers in one deployment, removed ones included. */
export const OVERRIDES_MAX = 1_000;

interface Entry {
  readonly override: Override;
  /** On the book's clock, in milliseconds. */
  readonly since: number;
  /** The same; Infinity: it does not end. */
  readonly until: number;
}

export class OverrideBook {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #news: Listeners<OverrideSight>;

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#news = new Listeners(onError);
  }

  /** Takes `sight` in if it is later than what its register holds, and tells the subscribers. */
  offer({ override, for_ms, left_ms }: OverrideSight): boolean {
    const held = this.#entries.get(override.id);
    if (held && !laterStamp(override.stamp, held.override.stamp)) return false;
    const now = this.#clock.now();
    this.#forget(now);
    if (!held && this.#entries.size >= OVERRIDES_MAX) return false;
    const until = left_ms === null ? Number.POSITIVE_INFINITY : now + left_ms;
    const entry = { override, since: now - for_ms, until };
    this.#entries.set(override.id, entry);
    this.#news.emit(sightOf(entry, now));
    return true;
  }

  /** All that have not ended, removed ones included. */
  all(): OverrideSight[] {
    const now = this.#clock.now();
    this.#forget(now);
    return [...this.#entries.values()].map((entry) => sightOf(entry, now));
  }

  /** Calls `listener` with all that is known, before it returns, and then with what is later. */
  subscribe(listener: (sight: OverrideSight) => void): () => void {
    for (const sight of this.all()) listener(sight);
    return this.#news.add(listener);
  }

  #forget(now: number): void {
    for (const [id, { until }] of this.#entries) if (until <= now) this.#entries.delete(id);
  }
}

function sightOf({ override, since, until }: Entry, now: number): OverrideSight {
  const left_ms = until === Number.POSITIVE_INFINITY ? null : Math.max(0, until - now);
  return { override, for_ms: Math.max(0, now - since), left_ms };
}
