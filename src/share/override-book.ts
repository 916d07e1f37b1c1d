/**
 * The overrides that one place knows: of each register the latest, by its stamp. Times are kept on this
 * reader's own monotonic clock.
 *
 * Must hold: whatever the order in which overrides arrive, all who have got the same ones hold the same;
 * one that was removed or has ended is kept until no older copy can come back; and one that was
 * overwritten by somebody who did not know it is told as lost.
 */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import {
  type HeldOverride,
  laterStamp,
  type Override,
  type OverrideSight,
  REPLACES_MAX,
  sameStamp,
} from '../model/override.ts';

/** Registers in one deployment, those that were removed or have ended included. */
export const OVERRIDES_MAX = 1_000;
/** How long one that was removed or has ended is kept: no agent is away for longer with an old copy. */
export const KEEP_MS = 30 * 86_400_000;
/** So many that were lost are remembered of one register. */
const LOST_MAX = 4;

/** `lost` was overwritten by `won`, whose author did not know it. */
export interface LostOverride {
  readonly lost: Override;
  readonly won: Override;
}

interface Entry extends HeldOverride {
  /** Its times are a guess, as from a file: the first who knows them better is believed. */
  readonly isGuess: boolean;
  /** Those that the one held has overwritten unseen, latest first. */
  readonly lost: readonly Override[];
}

/** An override of the list, with what it has overwritten. */
export interface ListedOverride extends OverrideSight {
  readonly lost: readonly Override[];
}

export class OverrideBook {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #news: Listeners<OverrideSight>;
  readonly #losses: Listeners<LostOverride>;
  readonly #log: Log;
  /** True from an override that found no room until one finds some. */
  #refusing = false;

  constructor(clock: Clock, log: Log) {
    const failed = (error: unknown): void => {
      log.error({ error: String(error) }, 'a listener for overrides failed');
    };
    this.#clock = clock;
    this.#log = log;
    this.#news = new Listeners(failed);
    this.#losses = new Listeners(failed);
  }

  /**
   * Takes `sight` in if it is later than what its register holds, and tells the subscribers. False: it
   * is no news, or there is no room for it. `isGuess`: its times may be wrong.
   */
  offer(sight: OverrideSight, isGuess = false): boolean {
    const { override, for_ms, left_ms } = sight;
    const now = this.#clock.now();
    const held = this.#entries.get(override.id);
    const isBetterKnown =
      held?.isGuess === true && !isGuess && sameStamp(override.stamp, held.override.stamp);
    if (held && !isBetterKnown && !laterStamp(override.stamp, held.override.stamp)) {
      if (!isOver(sight)) this.#noteLate(held, override);
      return false;
    }
    this.#forget(now);
    if (!held && !this.#hasRoom(sight)) return false;
    const until = left_ms === null ? null : now + left_ms;
    const isLost =
      held !== undefined && !isBetterKnown && !isOver(sightOf(held, now)) && !knows(override, held);
    const lost = isLost ? [held.override, ...held.lost].slice(0, LOST_MAX) : [];
    const entry = { override, since: now - for_ms, until, lost, isGuess };
    this.#entries.set(override.id, entry);
    this.#news.emit(sightOf(entry, now));
    if (isLost) this.#losses.emit({ lost: held.override, won: override });
    return true;
  }

  /** What the register holds, removed or ended though it may be. */
  get(id: string): OverrideSight | null {
    const entry = this.#entries.get(id);
    return entry ? sightOf(entry, this.#clock.now()) : null;
  }

  /** All that are known, those that were removed or have ended included. */
  all(): OverrideSight[] {
    const now = this.#clock.now();
    this.#forget(now);
    return [...this.#entries.values()].map((entry) => sightOf(entry, now));
  }

  /** Those in force, for the world. */
  held(): HeldOverride[] {
    const now = this.#clock.now();
    const entries = [...this.#entries.values()].filter((entry) => isInForce(entry, now));
    return entries.map(({ override, since, until }) => ({ override, since, until }));
  }

  /** Those in force, and removed ones that have overwritten another unseen; by scope. */
  list(): ListedOverride[] {
    const now = this.#clock.now();
    return [...this.#entries.values()]
      .filter((one) => isInForce(one, now) || (!hasEnded(one, now) && one.lost.length > 0))
      .map((entry) => ({ ...sightOf(entry, now), lost: entry.lost }))
      .sort((a, b) => (a.override.id < b.override.id ? -1 : 1));
  }

  /** Calls `listener` with all that is known, before it returns, and then with what is later. */
  subscribe(listener: (sight: OverrideSight) => void): () => void {
    for (const sight of this.all()) listener(sight);
    return this.#news.add(listener);
  }

  /** Calls `listener` with each one that is found to be lost. */
  onLoss(listener: (loss: LostOverride) => void): () => void {
    return this.#losses.add(listener);
  }

  /** An older one arrives after the one that has overwritten it: the same as the other way round. */
  #noteLate(held: Entry, late: Override): void {
    const known =
      sameStamp(late.stamp, held.override.stamp) || knows(held.override, { override: late });
    if (known || held.lost.some(({ stamp }) => sameStamp(stamp, late.stamp))) return;
    const lost = [late, ...held.lost].slice(0, LOST_MAX);
    this.#entries.set(held.override.id, { ...held, lost });
    this.#losses.emit({ lost: late, won: held.override });
  }

  #forget(now: number): void {
    for (const [id, entry] of this.#entries) {
      if (keepFor_ms(sightOf(entry, now)) <= 0) this.#entries.delete(id);
    }
  }

  /** Told once: what finds no room comes again with every read of a server. */
  #hasRoom(sight: OverrideSight): boolean {
    if (this.#makeRoom(sight)) {
      this.#refusing = false;
      return true;
    }
    const { id, action, by } = sight.override;
    if (action === null || isOver(sight) || this.#refusing) return false;
    this.#refusing = true;
    this.#log.warn({ override: id, by, max: OVERRIDES_MAX }, 'no room for an override: ignored');
    return false;
  }

  /**
   * In a full book the oldest of those that only keep old copies out gives way to one that is to be kept
   * for longer. If any could go, two full books would never come to hold the same.
   */
  #makeRoom(sight: OverrideSight): boolean {
    if (this.#entries.size < OVERRIDES_MAX) return true;
    const now = this.#clock.now();
    let oldest: string | null = null;
    let least_ms = Math.min(keepFor_ms(sight), KEEP_MS + 1);
    for (const [id, entry] of this.#entries) {
      const left_ms = keepFor_ms(sightOf(entry, now));
      if (left_ms < least_ms) [oldest, least_ms] = [id, left_ms];
    }
    return oldest !== null && this.#entries.delete(oldest);
  }
}

/** How much longer it has to be kept, in milliseconds; Infinity: until it is replaced. */
export function keepFor_ms({ override, for_ms, left_ms }: OverrideSight): number {
  if (override.action === null) return KEEP_MS - for_ms;
  return left_ms === null ? Number.POSITIVE_INFINITY : left_ms + KEEP_MS;
}

function isOver({ left_ms }: OverrideSight): boolean {
  return left_ms !== null && left_ms <= 0;
}

function hasEnded({ until }: HeldOverride, now: number): boolean {
  return until !== null && until <= now;
}

function isInForce(entry: HeldOverride, now: number): boolean {
  return entry.override.action !== null && !hasEnded(entry, now);
}

/** Whether the author of `later` knew `earlier`, or it is too long ago to tell. */
function knows(later: Override, { override: earlier }: Pick<HeldOverride, 'override'>): boolean {
  const { replaces } = later;
  if (replaces.some((stamp) => sameStamp(stamp, earlier.stamp))) return true;
  return replaces.length >= REPLACES_MAX && laterStamp(replaces.at(-1)!, earlier.stamp);
}

function sightOf({ override, since, until }: HeldOverride, now: number): OverrideSight {
  return {
    override,
    for_ms: Math.max(0, now - since),
    left_ms: until === null ? null : until - now,
  };
}
