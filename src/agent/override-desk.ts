/**
 * The overrides as one agent has them. Takes the orders of operators, gives each its stamp, and tells
 * what becomes of overrides, whichever agent took them.
 *
 * Must hold: an order wins over all that this agent knew of its register, however wrong a clock was; it
 * counts here at once, and goes to the store and the state file; none that is overwritten by somebody
 * who did not know it goes untold.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { spell } from '../decide/overrides.ts';
import type { Happening } from '../model/event.ts';
import {
  idOf,
  nextStamp,
  type Override,
  type OverrideAction,
  type OverrideScope,
  type OverrideSight,
  REPLACES_MAX,
  sameStamp,
  siteScope,
} from '../model/override.ts';
import type { ListedOverride, LostOverride, OverrideBook } from '../share/override-book.ts';
import type { Store } from '../share/store.ts';

/** After a store has been reached, in milliseconds. */
const OFFER_AFTER_MS = 2_000;

export interface OverrideOrder {
  readonly scope: OverrideScope;
  /** Null removes what the register holds. */
  readonly action: OverrideAction | null;
  readonly by: string;
  readonly reason: string;
  /** Until it ends by itself, in milliseconds; null: it does not. */
  readonly left_ms: number | null;
}

export interface OverrideDeskOptions {
  /** "SITE/AGENT", as in stamps. */
  readonly agent: string;
  readonly book: OverrideBook;
  readonly store: Store;
  readonly clock: Clock;
  /** There is an order to be carried out. */
  readonly onOrder: () => void;
  readonly onEvent: (event: Happening) => void;
}

interface Told {
  readonly override: Override;
  /** On the clock, in milliseconds. */
  readonly until: number;
}

export class OverrideDesk {
  readonly #options: OverrideDeskOptions;
  /** What was told to be in force, by id. */
  readonly #told = new Map<string, Told>();
  #unsubscribe: (() => void)[] = [];
  #isOpening = false;
  #offering: Timer | null = null;

  constructor(options: OverrideDeskOptions) {
    this.#options = options;
  }

  /** False: no store is reached, so the other sites do not hear of an order before that. */
  get connected(): boolean {
    return this.#options.store.connected;
  }

  /** Tells of all that is known, as being in force already, and then of what is new. */
  open(): void {
    const { book, store } = this.#options;
    this.#isOpening = true;
    if (store.connected) this.#offerSoon();
    this.#unsubscribe = [
      store.onConnection((connected) => {
        if (connected) this.#offerSoon();
      }),
      book.subscribe((sight) => this.#tell(sight)),
      book.onLoss((loss) => this.#tellLoss(loss)),
    ];
    this.#isOpening = false;
  }

  close(): void {
    this.#offering?.cancel();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  /** All that are known, those that were removed or have ended included. */
  known(): OverrideSight[] {
    return this.#options.book.all();
  }

  /** Those in force, and removed ones that have overwritten another unseen; by scope. */
  list(): ListedOverride[] {
    return this.#options.book.list();
  }

  /** As `order` would give it now. */
  draft({ scope, action, by, reason, left_ms }: OverrideOrder): OverrideSight {
    const { book, clock, agent } = this.#options;
    const id = idOf(scope);
    const known = book.get(id);
    const override: Override = {
      id,
      scope,
      action,
      by,
      reason,
      stamp: nextStamp(known?.override.stamp ?? null, clock.wall(), agent),
      replaces: known === null ? [] : chain(known.override),
    };
    // What has been waited for is not waited for twice: a second drain keeps the first one's beginning.
    const goesOn = action === 'drain' && known?.override.action === action && !isOver(known);
    return { override, for_ms: goesOn ? known.for_ms : 0, left_ms };
  }

  /** Has the order carried out at all sites. Null: there is no room for one more. */
  order(order: OverrideOrder): OverrideSight | null {
    const { book, store, onOrder } = this.#options;
    const sight = this.draft(order);
    if (!book.offer(sight)) return null;
    store.putOverride(sight);
    onOrder();
    return sight;
  }

  /** Takes a whole site out of use: answers leave at once, its routes after `policy.drain_ms`. */
  drain(site: string, by: string, reason: string, left_ms: number | null = null): void {
    this.order({ scope: siteScope(site), action: 'drain', by, reason, left_ms });
  }

  undrain(site: string, by: string): void {
    this.order({ scope: siteScope(site), action: null, by, reason: '', left_ms: null });
  }

  /** Takes over what another process of this agent knows. */
  adopt(sights: readonly OverrideSight[]): void {
    const { book, onOrder } = this.#options;
    for (const sight of sights) book.offer(sight);
    this.#offerAll();
    onOrder();
  }

  /**
   * Takes in what a process before this one has left, `elapsed_ms` ago by the wall clock. That may be
   * wrong, so the store is believed where it knows better, and is told only what it does not know.
   */
  restore(sights: readonly OverrideSight[], elapsed_ms: number): void {
    for (const { override, for_ms, left_ms } of sights) {
      const sight = {
        override,
        for_ms: for_ms + elapsed_ms,
        left_ms: left_ms === null ? null : left_ms - elapsed_ms,
      };
      this.#options.book.offer(sight, true);
    }
  }

  /** To be called at every decision: tells of those that have ended by themselves. */
  tellEnded(now: number): void {
    for (const [id, { override, until }] of this.#told) {
      if (until > now) continue;
      this.#told.delete(id);
      this.#event(
        override,
        `${WORDS[override.action!].noun} has ended, as ordered by ${override.by}`,
      );
    }
  }

  /** The store has had the time to tell what it knows; what it lacks or has lost it is told then. */
  #offerSoon(): void {
    this.#offering?.cancel();
    this.#offering = this.#options.clock.timer(OFFER_AFTER_MS, () => this.#offerAll());
  }

  #offerAll(): void {
    const { book, store } = this.#options;
    for (const sight of book.all()) store.putOverride(sight);
  }

  #tell({ override, left_ms }: OverrideSight): void {
    const before = this.#told.get(override.id);
    const { action, by } = override;
    if (action === null || isOver({ left_ms })) {
      this.#told.delete(override.id);
      const was = before?.override.action;
      if (was) this.#event(override, `${WORDS[was].noun} ended by ${by}`, was);
      return;
    }
    const now = this.#options.clock.now();
    const until = left_ms === null ? Number.POSITIVE_INFINITY : now + left_ms;
    this.#told.set(override.id, { override, until });
    // Only its times have become better known.
    if (before && sameStamp(before.override.stamp, override.stamp)) return;
    const end = left_ms === null ? '' : ` for ${spell(left_ms)}`;
    const again = this.#isOpening ? ', as before' : '';
    this.#event(override, `${WORDS[action].verb} by ${by}${end}${again}`);
  }

  #tellLoss({ lost, won }: LostOverride): void {
    const what = (one: Override): string =>
      one.action === null ? `${one.by}’s removal` : `${WORDS[one.action].noun} by ${one.by}`;
    const text = `${what(lost)} (${lost.reason}) was replaced by ${what(won)}, who had not seen it`;
    this.#event(won, text, lost.action);
  }

  /** `was`: what the override did until now, if it does nothing more. */
  #event(override: Override, text: string, was: OverrideAction | null = null): void {
    const { id, scope, action, reason } = override;
    const site = id === idOf(siteScope(scope.site ?? '')) ? scope.site : null;
    const isDrain = site !== null && (action ?? was) === 'drain';
    this.#options.onEvent({
      kind: isDrain ? 'drain' : 'override',
      subject: isDrain ? site : id,
      text,
      reason: action === null ? null : { code: WORDS[action].code, text: reason },
    });
  }
}

const WORDS = {
  drain: { verb: 'drained', noun: 'drain', code: 'draining' },
  up: { verb: 'forced up', noun: 'force-up', code: 'forced-up' },
  down: { verb: 'forced down', noun: 'force-down', code: 'forced-down' },
} as const;

function chain({ stamp, replaces }: Override): Override['replaces'] {
  return [stamp, ...replaces].slice(0, REPLACES_MAX);
}

function isOver({ left_ms }: Pick<OverrideSight, 'left_ms'>): boolean {
  return left_ms !== null && left_ms <= 0;
}
