/**
 * Takes the orders of operators, gives each its stamp, and tells what becomes of overrides, whichever
 * agent took them.
 *
 * Must hold: an order wins over all that this agent knew of its register, however wrong a clock was; it
 * counts here at once, and goes to the store and the state file; none that is overwritten by somebody
 * who did not know it goes untold.
 */
import type { Clock } from '../base/clock.ts';
import { spell } from '../decide/overrides.ts';
import type { SiteEvent } from '../model/event.ts';
import {
  idOf,
  nextStamp,
  type Override,
  type OverrideAction,
  type OverrideScope,
  type OverrideSight,
  REPLACES_MAX,
  siteScope,
} from '../model/override.ts';
import type { LostOverride, OverrideBook } from '../share/override-book.ts';
import type { Store } from '../share/store.ts';

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
  readonly onEvent: (event: Pick<SiteEvent, 'kind' | 'subject' | 'text' | 'reason'>) => void;
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

  constructor(options: OverrideDeskOptions) {
    this.#options = options;
  }

  /** Tells of all that is known, as being in force already, and then of what is new. */
  open(): void {
    const { book } = this.#options;
    this.#isOpening = true;
    this.#unsubscribe = [
      book.subscribe((sight) => this.#tell(sight)),
      book.onLoss((loss) => this.#tellLoss(loss)),
    ];
    this.#isOpening = false;
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  /** Null: there is no room for one more. */
  order({ scope, action, by, reason, left_ms }: OverrideOrder): OverrideSight | null {
    const { book, store, clock, agent } = this.#options;
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
    const sight = { override, for_ms: goesOn ? known.for_ms : 0, left_ms };
    if (!book.offer(sight)) return null;
    store.putOverride(sight);
    return sight;
  }

  /** Takes in what a process before this one knew, `elapsed_ms` ago. */
  adopt(sights: readonly OverrideSight[], elapsed_ms = 0): void {
    const { book, store } = this.#options;
    for (const { override, for_ms, left_ms } of sights) {
      const sight = {
        override,
        for_ms: for_ms + elapsed_ms,
        left_ms: left_ms === null ? null : left_ms - elapsed_ms,
      };
      // One that the book refuses may still be news to the store, which starts empty, too.
      book.offer(sight);
      store.putOverride(sight);
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

  #tell({ override, left_ms }: OverrideSight): void {
    const before = this.#told.get(override.id);
    const { action, by } = override;
    if (action === null || isOver({ left_ms })) {
      this.#told.delete(override.id);
      if (before) this.#event(override, `${WORDS[before.override.action!].noun} ended by ${by}`);
      return;
    }
    const now = this.#options.clock.now();
    const until = left_ms === null ? Number.POSITIVE_INFINITY : now + left_ms;
    this.#told.set(override.id, { override, until });
    const end = left_ms === null ? '' : ` for ${spell(left_ms)}`;
    const again = this.#isOpening ? ', as before' : '';
    this.#event(override, `${WORDS[action].verb} by ${by}${end}${again}`);
  }

  #tellLoss({ lost, won }: LostOverride): void {
    const what = (one: Override): string =>
      one.action === null ? `${one.by}’s removal` : `${WORDS[one.action].noun} by ${one.by}`;
    const text = `${what(lost)} (${lost.reason}) was replaced by ${what(won)}, who had not seen it`;
    this.#event(won, text);
  }

  #event(override: Override, text: string): void {
    const { id, scope, action, reason } = override;
    const isSite = id === idOf(siteScope(scope.site ?? ''));
    this.#options.onEvent({
      kind: isSite ? 'drain' : 'override',
      subject: isSite ? scope.site! : id,
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
