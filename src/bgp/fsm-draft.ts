/**
 * The next state and the actions of one step of the FSM while they are worked out, with the moves
 * that several events share: dialling, waiting, and the ways in which a connection ends. A Draft
 * does not outlive its step.
 *
 * What must always hold: who empties a slot stops its timers; Idle either waits for `idle-hold` or
 * is stopped.
 */
import { backoff_ms } from '../base/backoff.ts';
import type {
  Action,
  Connection,
  ConnectionTimer,
  Ending,
  FsmTimer,
  PeerState,
  Slot,
  Wrong,
} from './fsm-model.ts';
import { keepalive_ms } from './open-check.ts';
import { CEASE, ERROR, errorWords, OPEN_ERROR } from './wire/codes.ts';
import type { Message } from './wire/message.ts';
import { hardReset, shutdownData } from './wire/notification.ts';

/** The first wait after a failure; doubled with each one, up to the configured limit. */
export const RETRY_FIRST_MS = 250;
/** A session that lived this long has ended an oscillation (RFC 4271 §8.1.1, damping). */
export const STABLE_MS = 30_000;

const CONNECTION_TIMERS: readonly ConnectionTimer[] = [
  'hold',
  'keepalive',
  'delay-open',
  'send-hold',
];

export const SLOTS = ['out', 'in'] as const;
export const other = (slot: Slot): Slot => (slot === 'out' ? 'in' : 'out');

/** A Cease NOTIFICATION; where RFC 9003 allows it, `text` goes along. */
export function cease(subcode: number, text = ''): Wrong {
  const speaks =
    subcode === CEASE.ADMINISTRATIVE_SHUTDOWN || subcode === CEASE.ADMINISTRATIVE_RESET;
  const data = speaks && text !== '' ? shutdownData(text) : new Uint8Array(0);
  const words = text === '' ? errorWords(ERROR.CEASE, subcode) : text;
  return { code: ERROR.CEASE, subcode, data, text: words };
}

/** RFC 4271 §8.2.2, event 24: a disagreement on the version is no oscillation. */
const isVersionError = (ending: Ending): boolean =>
  ending.by !== 'tcp' && ending.code === ERROR.OPEN && ending.subcode === OPEN_ERROR.VERSION;

export class Draft {
  state: PeerState;
  readonly actions: Action[] = [];
  readonly now: number;
  readonly #chance: number;

  constructor(state: PeerState, now: number, chance: number) {
    this.state = state;
    this.now = now;
    this.#chance = chance;
  }

  set(change: Partial<PeerState>): void {
    this.state = { ...this.state, ...change };
  }

  setConnection(slot: Slot, connection: Connection | null): void {
    this.set(slot === 'out' ? { out: connection } : { in: connection });
  }

  startTimer(timer: FsmTimer, ms: number): void {
    this.actions.push({ do: 'start-timer', timer, ms });
  }

  stopTimer(timer: FsmTimer): void {
    this.actions.push({ do: 'stop-timer', timer });
  }

  send(slot: Slot, message: Message): void {
    this.actions.push({ do: 'send', slot, message });
  }

  #backoff_ms(failures: number, max_ms: number): number {
    const limits = { first_ms: RETRY_FIRST_MS, max_ms };
    return backoff_ms(limits, failures, { next: () => this.#chance });
  }

  /** Leaves Idle, or the wait for another dial: dials, or waits for the peer. */
  connect(): void {
    if (this.state.settings.passive) {
      this.set({ phase: 'listen' });
      return;
    }
    this.set({ phase: 'connect' });
    this.actions.push({ do: 'dial' });
    this.startTimer('connect-retry', this.state.settings.connect_retry_ms);
  }

  retryLater(): void {
    const { dial_failures, settings } = this.state;
    this.startTimer('connect-retry', this.#backoff_ms(dial_failures, settings.connect_retry_ms));
    this.set({ phase: 'retry', dial_failures: dial_failures + 1 });
  }

  /** Ends the dialler: no dial in progress, none to come. */
  stopDialling(phase: 'idle' | 'listen'): void {
    if (this.state.phase === 'connect') this.actions.push({ do: 'stop-dial', text: null });
    this.stopTimer('connect-retry');
    this.set({ phase });
  }

  /** Idle until `wait_ms` have passed; null: longer after each failure (RFC 4271 §8.1.1). */
  idle(wait_ms: number | null): void {
    this.stopDialling('idle');
    const { session_failures, settings } = this.state;
    const usual_ms = this.#backoff_ms(session_failures, settings.idle_hold_max_ms);
    this.startTimer('idle-hold', wait_ms ?? usual_ms);
    this.set({ sentenced: wait_ms !== null });
    if (wait_ms === null) this.set({ session_failures: session_failures + 1 });
  }

  armHold(slot: Slot, hold_ms: number): void {
    if (hold_ms > 0) this.startTimer(`hold-${slot}`, hold_ms);
    else this.stopTimer(`hold-${slot}`);
  }

  /** Earlier by up to a quarter (RFC 4271 §10), but never more often than once a second (§4.4). */
  armKeepalive(slot: Slot): void {
    const agreement = this.state[slot]?.agreement;
    const ms = agreement ? keepalive_ms(agreement) : 0;
    if (ms === 0) return;
    this.startTimer(`keepalive-${slot}`, Math.max(1_000, ms * (0.75 + this.#chance / 4)));
  }

  /** Tells the peer what is wrong. The connection is still to be dropped or lost. */
  tell(slot: Slot, { code, subcode, data }: Wrong): Ending {
    const reason = { code, subcode, data };
    const notification = this.#isFinal(slot, code) ? hardReset(reason) : reason;
    this.send(slot, { type: 'notification', notification });
    return { by: 'us', code, subcode };
  }

  /**
   * RFC 8538 §3: to a peer that keeps routes over a NOTIFICATION, a Cease of ours says that nothing is
   * to be kept, as RestartHelper keeps nothing after one.
   */
  #isFinal(slot: Slot, code: number): boolean {
    const connection = this.state[slot];
    if (code !== ERROR.CEASE || connection?.state !== 'established') return false;
    return connection.agreement?.restart?.notification === true;
  }

  /** Ends a connection with a NOTIFICATION. */
  notify(slot: Slot, wrong: Wrong): void {
    if (this.state[slot]) this.lose(slot, wrong.text, this.tell(slot, wrong));
  }

  /** Ends every connection with a NOTIFICATION; what follows is up to the caller. */
  notifyAll(wrong: Wrong): void {
    for (const slot of SLOTS) {
      if (this.state[slot]) this.drop(slot, wrong.text, this.tell(slot, wrong));
    }
  }

  /** Empties a slot. What follows from it is up to the caller. */
  drop(slot: Slot, text: string, ending: Ending): void {
    const connection = this.state[slot];
    if (!connection) return;
    const { state: was, since_ms } = connection;
    if (was === 'established' && this.now - since_ms >= STABLE_MS) {
      this.set({ session_failures: 0 });
    }
    this.setConnection(slot, null);
    for (const timer of CONNECTION_TIMERS) this.stopTimer(`${timer}-${slot}`);
    this.actions.push({ do: 'close', slot, was, ending, text });
  }

  /** A connection is over: the other one or the dialler goes on, else Idle for a while. */
  lose(slot: Slot, text: string, ending: Ending): void {
    if (!this.state[slot]) return;
    this.drop(slot, text, ending);
    const { phase, running } = this.state;
    if (this.state[other(slot)] || phase === 'connect' || phase === 'retry' || !running) return;
    this.idle(isVersionError(ending) ? RETRY_FIRST_MS : null);
  }
}
