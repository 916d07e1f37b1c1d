/**
 * Graceful restart, the helper's side (RFC 4724 §4.2, RFC 8538): when a session of a peer that asked
 * for it drops, the peer's routes are kept as stale until it has told them again or its time is up.
 * Nothing that comes to be stale stays so for ever: a timer runs whenever something is.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Ending } from './fsm-model.ts';
import type { Agreement } from './open-check.ts';
import type { RouteSink } from './ports.ts';
import { CEASE, ERROR } from './wire/codes.ts';

/** How long a peer that is back may take to complete its table (RFC 4724 §4.2, last paragraph). */
export const STALE_MAX_MS = 360_000;

const FAMILIES = [4, 6] as const;

export class RestartHelper {
  readonly #clock: Clock;
  readonly #sink: RouteSink;
  readonly #stale = new Set<4 | 6>();
  #timer: Timer | null = null;
  #until_ms = 0;

  constructor(clock: Clock, sink: RouteSink) {
    this.#clock = clock;
    this.#sink = sink;
  }

  /** Milliseconds until stale routes are dropped; null: there are none. */
  get left_ms(): number | null {
    return this.#timer ? Math.max(0, this.#until_ms - this.#clock.now()) : null;
  }

  /** An Established session is over. */
  ended(agreement: Agreement, ending: Ending): void {
    const { restart } = agreement;
    if (!restart || !keeps(restart.notification, ending)) {
      this.clear();
      return;
    }
    for (const family of FAMILIES) {
      // RFC 4724 §4.2: what is stale from an earlier restart is not kept a second time.
      if (this.#stale.has(family)) this.#sink.sweep(family);
      this.#mark(family);
      if (!restart.families.some((one) => one.family === family)) this.#sweep(family);
    }
    if (this.#stale.size > 0) this.#arm(restart.time_ms);
  }

  /** The peer is back: what it does not promise to have kept forwarding is dropped at once. */
  established({ restart }: Agreement): void {
    for (const family of [...this.#stale]) {
      const kept = restart?.families.some((one) => one.family === family && one.forwarding);
      if (!kept) this.#sweep(family);
    }
    if (this.#stale.size > 0) this.#arm(STALE_MAX_MS);
  }

  /** The peer begins to tell all routes of a family again (RFC 7313 §4.2). */
  begin(family: 4 | 6): void {
    this.#mark(family);
    this.#arm(STALE_MAX_MS);
  }

  /** The peer has told all of its routes of a family: End-of-RIB, or the end of a refresh. */
  complete(family: 4 | 6): void {
    if (this.#stale.has(family)) this.#sweep(family);
  }

  /** Forgets every route of the peer. */
  clear(): void {
    this.#stale.clear();
    this.#disarm();
    this.#sink.clear();
  }

  #mark(family: 4 | 6): void {
    this.#stale.add(family);
    this.#sink.stale(family);
  }

  #sweep(family: 4 | 6): void {
    this.#stale.delete(family);
    this.#sink.sweep(family);
    if (this.#stale.size === 0) this.#disarm();
  }

  #arm(ms: number): void {
    this.#disarm();
    this.#until_ms = this.#clock.now() + ms;
    this.#timer = this.#clock.timer(ms, () => {
      this.#timer = null;
      for (const family of [...this.#stale]) this.#sweep(family);
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

/**
 * Whether routes outlive a session that ended so. `notification`: both sides have the N bit, by which
 * a NOTIFICATION is no reason to drop them (RFC 8538 §3.1). Our own Cease is one: an operator, the
 * limit of prefixes, or BFD wants that the routes are not used.
 */
function keeps(notification: boolean, ending: Ending): boolean {
  if (ending.by === 'tcp') return true;
  const ceased = ending.code === ERROR.CEASE;
  if (!notification || (ending.by === 'us' && ceased)) return false;
  return !(ceased && ending.subcode === CEASE.HARD_RESET);
}
