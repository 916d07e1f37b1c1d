/**
 * The BGP finite state machine of one peer (RFC 4271 §8), pure: `step(state, event, now, chance)`
 * gives the next state and what is to be done. Sockets and timers are actions, so that all of it
 * runs on a virtual clock.
 *
 * A peer has two slots, one for the connection that we dial and one for the connection that it
 * dials (§6.8). What must always hold: at most one slot is Established; in Idle after a stop no
 * timer runs and no connection is open; every error found here is answered by its NOTIFICATION.
 */
import { backoff_ms } from '../base/backoff.ts';
import type {
  Action,
  Connection,
  FsmEvent,
  FsmTimer,
  PeerState,
  Received,
  Slot,
} from './fsm-model.ts';
import { agree, collisionLoser, ourOpen, refusal } from './open-check.ts';
import { CEASE, ERROR, errorWords, FSM_ERROR } from './wire/codes.ts';
import type { Fault } from './wire/fault.ts';
import type { Message, MessageType } from './wire/message.ts';
import { notificationText, shutdownData } from './wire/notification.ts';

/** RFC 4271 §8.2.2 suggests four minutes for the hold timer before the OPEN has come. */
export const OPEN_HOLD_MS = 240_000;
/** The first wait after a failure; doubled with each one, up to `connect_retry_ms`. */
export const RETRY_FIRST_MS = 250;
/** A session that lived this long has ended an oscillation (RFC 4271 §8.1.1, damping). */
export const STABLE_MS = 30_000;
/** RFC 4271 §4.4: never more often than once a second. */
const KEEPALIVE_MIN_MS = 1_000;

/**
 * One step. `now` is monotonic milliseconds; `chance` in [0, 1) is the jitter of the timers that
 * this step starts (RFC 4271 §10).
 */
export function step(
  state: PeerState,
  event: FsmEvent,
  now: number,
  chance: number,
): { state: PeerState; actions: Action[] } {
  const draft = new Draft(state, now, chance);
  draft.handle(event);
  return { state: draft.state, actions: draft.actions };
}

const other = (slot: Slot): Slot => (slot === 'out' ? 'in' : 'out');

/** The next state and the actions while one step works them out; it does not outlive the step. */
class Draft {
  state: PeerState;
  readonly actions: Action[] = [];
  readonly #now: number;
  readonly #chance: number;

  constructor(state: PeerState, now: number, chance: number) {
    this.state = state;
    this.#now = now;
    this.#chance = chance;
  }

  handle(event: FsmEvent): void {
    switch (event.on) {
      case 'start':
        if (!this.state.running) {
          this.#set({ running: true });
          this.#connect();
        }
        break;
      case 'stop':
        this.#stop(event.subcode, event.text);
        break;
      case 'timer':
        this.#timer(event.timer);
        break;
      case 'tcp-connected':
        this.#connected();
        break;
      case 'tcp-failed':
        if (this.state.phase === 'connect') this.#retryLater();
        break;
      case 'tcp-accepted':
        this.#accepted();
        break;
      case 'tcp-closed':
        this.#closed(event.slot, event.text);
        break;
      case 'message':
        this.#message(event.slot, event);
        break;
      case 'fault':
        this.#fault(event.slot, event.fault);
        break;
    }
  }

  #set(change: Partial<PeerState>): void {
    this.state = { ...this.state, ...change };
  }

  #setConnection(slot: Slot, connection: Connection | null): void {
    this.#set(slot === 'out' ? { out: connection } : { in: connection });
  }

  #startTimer(timer: FsmTimer, ms: number): void {
    this.actions.push({ do: 'start-timer', timer, ms });
  }

  #stopTimer(timer: FsmTimer): void {
    this.actions.push({ do: 'stop-timer', timer });
  }

  #send(slot: Slot, message: Message): void {
    this.actions.push({ do: 'send', slot, message });
  }

  #backoff_ms(failures: number): number {
    const limits = { first_ms: RETRY_FIRST_MS, max_ms: this.state.settings.connect_retry_ms };
    return backoff_ms(limits, failures, { next: () => this.#chance });
  }

  /** Leaves Idle: dials, or waits for the peer. */
  #connect(): void {
    if (this.state.settings.passive) {
      this.#set({ phase: 'listen' });
      return;
    }
    this.#set({ phase: 'connect' });
    this.actions.push({ do: 'dial' });
    this.#startTimer('connect-retry', this.state.settings.connect_retry_ms);
  }

  #retryLater(): void {
    this.#startTimer('connect-retry', this.#backoff_ms(this.state.dial_failures));
    this.#set({ phase: 'retry', dial_failures: this.state.dial_failures + 1 });
  }

  /** Ends the dialler: no dial in progress, none to come. */
  #stopDialling(phase: 'idle' | 'listen'): void {
    if (this.state.phase === 'connect') this.actions.push({ do: 'stop-dial', text: null });
    this.#stopTimer('connect-retry');
    this.#set({ phase });
  }

  #stop(subcode: number, text: string): void {
    this.#set({ running: false });
    const speaks =
      subcode === CEASE.ADMINISTRATIVE_SHUTDOWN || subcode === CEASE.ADMINISTRATIVE_RESET;
    const data = speaks && text !== '' ? shutdownData(text) : new Uint8Array(0);
    for (const slot of ['out', 'in'] as const) {
      const said = text === '' ? errorWords(ERROR.CEASE, subcode) : text;
      this.#notify(slot, { code: ERROR.CEASE, subcode, data, text: said });
    }
    this.#stopDialling('idle');
    this.#stopTimer('idle-hold');
    this.#set({ dial_failures: 0, session_failures: 0 });
  }

  #timer(timer: FsmTimer): void {
    switch (timer) {
      case 'idle-hold':
        if (this.state.running && this.state.phase === 'idle') this.#connect();
        break;
      case 'connect-retry':
        this.#connectRetryExpired();
        break;
      case 'hold-out':
      case 'hold-in': {
        const text = errorWords(ERROR.HOLD_TIMER, 0);
        const data = new Uint8Array(0);
        const slot = timer === 'hold-out' ? 'out' : 'in';
        this.#notify(slot, { code: ERROR.HOLD_TIMER, subcode: 0, data, text });
        break;
      }
      case 'keepalive-out':
      case 'keepalive-in': {
        const slot = timer === 'keepalive-out' ? 'out' : 'in';
        if (!this.state[slot]) break;
        this.#send(slot, { type: 'keepalive' });
        this.#armKeepalive(slot);
        break;
      }
    }
  }

  #connectRetryExpired(): void {
    if (this.state.phase === 'connect') {
      const waited = `${this.state.settings.connect_retry_ms / 1000} s`;
      this.actions.push({ do: 'stop-dial', text: `no answer within ${waited}` });
      this.#retryLater();
    } else if (this.state.phase === 'retry') {
      // The peer's own connection is nearly up; dialling would only make a collision.
      if (this.state.in?.state === 'open-confirm') this.#retryLater();
      else this.#connect();
    }
  }

  #connected(): void {
    if (this.state.phase !== 'connect') return;
    this.#stopTimer('connect-retry');
    this.#set({ phase: 'listen' });
    this.#sendOpen('out');
  }

  #accepted(): void {
    const { phase, in: standing } = this.state;
    // RFC 4271 §8.2.2: in Idle all incoming connections are refused.
    if (phase === 'idle' || standing?.state === 'established') {
      this.actions.push({ do: 'refuse' });
      return;
    }
    // The peer has one dialler, so an unfinished older connection is dead.
    if (standing) this.#drop('in', 'the peer dialled again');
    this.actions.push({ do: 'adopt' });
    this.#sendOpen('in');
  }

  #sendOpen(slot: Slot): void {
    this.#setConnection(slot, { state: 'open-sent', agreement: null, since_ms: this.#now });
    this.#send(slot, { type: 'open', open: ourOpen(this.state.settings) });
    this.#startTimer(`hold-${slot}`, OPEN_HOLD_MS);
  }

  #armHold(slot: Slot, hold_ms: number): void {
    if (hold_ms > 0) this.#startTimer(`hold-${slot}`, hold_ms);
    else this.#stopTimer(`hold-${slot}`);
  }

  /** A third of the hold time, less up to a quarter of that (RFC 4271 §4.4, §10). */
  #armKeepalive(slot: Slot): void {
    const hold_ms = this.state[slot]?.agreement?.hold_ms ?? 0;
    if (hold_ms === 0) return;
    const ms = (hold_ms / 3) * (0.75 + this.#chance / 4);
    this.#startTimer(`keepalive-${slot}`, Math.max(KEEPALIVE_MIN_MS, ms));
  }

  #message(slot: Slot, { message, fault, at_ms }: Received): void {
    const connection = this.state[slot];
    if (!connection) return;
    if (message.type === 'notification') {
      this.#lose(slot, `peer said: ${notificationText(message.notification)}`);
      return;
    }
    if (connection.state === 'open-sent' && message.type === 'open') {
      this.#opened(slot, message);
    } else if (connection.state === 'open-confirm' && message.type === 'keepalive') {
      this.#establish(slot, connection);
    } else if (connection.state === 'established' && message.type !== 'open') {
      // RFC 4271 §8.2.2: KEEPALIVE and UPDATE restart the hold timer.
      if (message.type !== 'route-refresh') {
        this.#armHold(slot, connection.agreement?.hold_ms ?? 0);
      }
      if (message.type !== 'keepalive') {
        this.actions.push({ do: 'deliver', slot, message, fault, at_ms });
      }
    } else {
      this.#unexpected(slot, connection, message.type);
    }
  }

  /** RFC 4271 §8.2.2: a message out of turn is the FSM's error, whatever else is wrong with it. */
  #fault(slot: Slot, wrong: Fault): void {
    const connection = this.state[slot];
    if (!connection) return;
    const established = connection.state === 'established';
    if (wrong.code === ERROR.UPDATE && !established) this.#unexpected(slot, connection, 'update');
    else if (wrong.code === ERROR.OPEN && established) this.#unexpected(slot, connection, 'open');
    else this.#notify(slot, wrong);
  }

  /** RFC 6608. */
  #unexpected(slot: Slot, { state }: Connection, type: MessageType): void {
    const subcode = {
      'open-sent': FSM_ERROR.OPEN_SENT,
      'open-confirm': FSM_ERROR.OPEN_CONFIRM,
      established: FSM_ERROR.ESTABLISHED,
    }[state];
    const text = `${errorWords(ERROR.FSM, subcode)}: ${type}`;
    this.#notify(slot, { code: ERROR.FSM, subcode, data: new Uint8Array(0), text });
  }

  #opened(slot: Slot, { open }: Extract<Message, { type: 'open' }>): void {
    const { settings } = this.state;
    const wrong = refusal(settings, open);
    if (wrong) {
      this.#notify(slot, wrong);
      return;
    }
    // RFC 4271 §6.8. An Established session is never given up for a new connection.
    const rival = this.state[other(slot)];
    if (rival && rival.state !== 'open-sent') {
      const loser = rival.state === 'established' ? slot : collisionLoser(settings, open);
      this.#collide(loser);
      if (loser === slot) return;
    }
    const agreement = agree(settings, open);
    this.#setConnection(slot, { state: 'open-confirm', agreement, since_ms: this.#now });
    this.#send(slot, { type: 'keepalive' });
    this.#armKeepalive(slot);
    // With a hold time of 0 the long timer of OpenSent goes on until the session is Established:
    // else a peer that dies here would occupy its connection for ever.
    if (agreement.hold_ms > 0) this.#armHold(slot, agreement.hold_ms);
  }

  #establish(slot: Slot, connection: Connection): void {
    const { agreement } = connection;
    if (!agreement) return;
    this.#setConnection(slot, { ...connection, state: 'established', since_ms: this.#now });
    this.#armHold(slot, agreement.hold_ms);
    this.#stopDialling('listen');
    if (this.state[other(slot)]) this.#collide(other(slot));
    this.#set({ dial_failures: 0 });
    this.actions.push({ do: 'established', slot, agreement });
  }

  #collide(loser: Slot): void {
    const subcode = CEASE.COLLISION;
    const text = errorWords(ERROR.CEASE, subcode);
    this.#notify(loser, { code: ERROR.CEASE, subcode, data: new Uint8Array(0), text });
  }

  #notify(slot: Slot, wrong: Pick<Fault, 'code' | 'subcode' | 'data' | 'text'>): void {
    if (!this.state[slot]) return;
    const { code, subcode, data } = wrong;
    this.#send(slot, { type: 'notification', notification: { code, subcode, data } });
    this.#lose(slot, wrong.text);
  }

  /** Empties a slot. What follows from it is up to the caller. */
  #drop(slot: Slot, text: string): void {
    const connection = this.state[slot];
    if (!connection) return;
    const { state: was, since_ms } = connection;
    if (was === 'established' && this.#now - since_ms >= STABLE_MS) {
      this.#set({ session_failures: 0 });
    }
    this.#setConnection(slot, null);
    this.#stopTimer(`hold-${slot}`);
    this.#stopTimer(`keepalive-${slot}`);
    this.actions.push({ do: 'close', slot, was, text });
  }

  /**
   * RFC 4271 §8.2.2: a connection that ends in OpenSent leads to Active, not to Idle. It is what a
   * peer in Idle does to us; were we to answer in kind, two speakers that dial each other could
   * refuse each other for ever.
   */
  #closed(slot: Slot, text: string): void {
    if (this.state[slot]?.state !== 'open-sent') {
      this.#lose(slot, text);
      return;
    }
    this.#drop(slot, text);
    const { phase, settings } = this.state;
    // Whichever side had dialled: with the last connection gone, it is our turn again.
    if (phase === 'listen' && !this.state[other(slot)] && !settings.passive) this.#retryLater();
  }

  /** A connection is over: the other one or the dialler goes on, else Idle for a while. */
  #lose(slot: Slot, text: string): void {
    if (!this.state[slot]) return;
    this.#drop(slot, text);
    const { phase, running } = this.state;
    if (this.state[other(slot)] || phase === 'connect' || phase === 'retry' || !running) return;
    this.#stopDialling('idle');
    this.#startTimer('idle-hold', this.#backoff_ms(this.state.session_failures));
    this.#set({ session_failures: this.state.session_failures + 1 });
  }
}
