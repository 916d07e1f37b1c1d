/**
 * The vocabulary of the finite state machine: what it knows of a peer, what can happen, and what it
 * may ask for. The rules are in fsm.ts.
 */
import type { SessionSettings } from '../model/bgp.ts';
import type { Agreement, LocalSpeaker } from './open-check.ts';
import type { BfdState } from './ports.ts';
import type { Fault } from './wire/fault.ts';
import type { Message } from './wire/message.ts';

/** `out`: we dialled. `in`: the peer did. */
export type Slot = 'out' | 'in';

export type ConnectionTimer = 'hold' | 'keepalive' | 'delay-open' | 'send-hold';

export type FsmTimer = 'connect-retry' | 'idle-hold' | `${ConnectionTimer}-${Slot}`;

/** `connect_retry_ms`: how long a dial may take, and the longest wait between two. */
type Timers = Pick<
  SessionSettings,
  'connect_retry_ms' | 'delay_open_ms' | 'send_hold_ms' | 'idle_hold_max_ms'
>;

export interface FsmSettings extends LocalSpeaker, Timers {
  /** True: never dial (RFC 4271 §8.1.1, PassiveTcpEstablishment). */
  readonly passive: boolean;
}

export interface Connection {
  /**
   * `delay-open`: nothing is said yet, the peer may speak first. `bfd-wait`: the OPENs are exchanged
   * and our KEEPALIVE is held back until BFD is up.
   */
  readonly state: 'delay-open' | 'open-sent' | 'bfd-wait' | 'open-confirm' | 'established';
  /** Null until the peer's OPEN is accepted. */
  readonly agreement: Agreement | null;
  /** The peer's first KEEPALIVE came while we wait for BFD. */
  readonly confirmed: boolean;
  /** When `state` was entered. */
  readonly since_ms: number;
}

export interface PeerState {
  readonly settings: FsmSettings;
  /** False after a stop, until the next start. */
  readonly running: boolean;
  /**
   * What the dialler does. `idle`: nothing, and incoming connections are refused. `connect`: a
   * dial is in progress. `retry`: waiting to dial again. `listen`: only waiting for the peer, or
   * a connection exists.
   */
  readonly phase: 'idle' | 'connect' | 'retry' | 'listen';
  /** In Idle: the wait has a set length, which only an operator's start cuts short. */
  readonly sentenced: boolean;
  readonly out: Connection | null;
  readonly in: Connection | null;
  /** What BFD says of the path; null: there is no BFD. */
  readonly bfd: BfdState | null;
  /** Dials that failed in a row. */
  readonly dial_failures: number;
  /** Connections that broke in a row without a long life. */
  readonly session_failures: number;
}

/** A message that could be decoded. */
export interface Received {
  readonly message: Message;
  /** What is wrong with it short of a session reset (RFC 7606). */
  readonly fault: Fault | null;
  /** When its bytes were read. */
  readonly at_ms: number;
}

/** What is wrong with a session, as a NOTIFICATION can say it. */
export type Wrong = Pick<Fault, 'code' | 'subcode' | 'data' | 'text'>;

export type FsmEvent =
  | { readonly on: 'start' }
  /** For good; `text` is the operator's (RFC 9003). */
  | { readonly on: 'stop'; readonly subcode: number; readonly text: string }
  /** Ends the session and comes back: after `wait_ms`, or, if null, after the usual wait in Idle. */
  | { readonly on: 'end'; readonly wrong: Wrong; readonly wait_ms: number | null }
  /** Settings that need no new session. */
  | { readonly on: 'settings'; readonly settings: FsmSettings }
  | { readonly on: 'timer'; readonly timer: FsmTimer }
  | { readonly on: 'tcp-connected' }
  | { readonly on: 'tcp-failed' }
  | { readonly on: 'tcp-accepted' }
  | { readonly on: 'tcp-closed'; readonly slot: Slot; readonly text: string }
  /**
   * Bytes wait that the peer does not take. Comes again whenever it has taken some of them; with
   * `waiting` false once it has taken all.
   */
  | { readonly on: 'tcp-waits'; readonly slot: Slot; readonly waiting: boolean }
  | ({ readonly on: 'message'; readonly slot: Slot } & Received)
  /** A fault of class session-reset found while decoding. */
  | { readonly on: 'fault'; readonly slot: Slot; readonly fault: Fault }
  /** `admin-down`: one of the two sides has switched BFD off, which says nothing of the path. */
  | { readonly on: 'bfd'; readonly state: BfdState | null; readonly text: string };

/** How a connection ended: with a NOTIFICATION, ours or the peer's, or without one. */
export type Ending =
  | { readonly by: 'tcp' }
  | { readonly by: 'us' | 'peer'; readonly code: number; readonly subcode: number };

export type Action =
  | { readonly do: 'dial' }
  /** `text`: why the dial has failed; null if it is only not wanted any more. */
  | { readonly do: 'stop-dial'; readonly text: string | null }
  /** Puts the connection just accepted into the slot `in`, or closes it unanswered. */
  | { readonly do: 'adopt' }
  | { readonly do: 'refuse' }
  | { readonly do: 'send'; readonly slot: Slot; readonly message: Message }
  /** Ends a connection after all that was sent; `was` is the state that it had reached. */
  | {
      readonly do: 'close';
      readonly slot: Slot;
      readonly was: Connection['state'];
      readonly ending: Ending;
      readonly text: string;
    }
  | { readonly do: 'start-timer'; readonly timer: FsmTimer; readonly ms: number }
  | { readonly do: 'stop-timer'; readonly timer: FsmTimer }
  | { readonly do: 'established'; readonly slot: Slot; readonly agreement: Agreement }
  /** An UPDATE or ROUTE-REFRESH that came in Established. */
  | ({ readonly do: 'deliver'; readonly slot: Slot } & Received);

export function initialState(settings: FsmSettings): PeerState {
  return {
    settings,
    running: false,
    phase: 'idle',
    sentenced: false,
    out: null,
    in: null,
    bfd: null,
    dial_failures: 0,
    session_failures: 0,
  };
}

export type SessionState =
  | 'Idle'
  | 'Connect'
  | 'Active'
  | 'OpenSent'
  | 'OpenConfirm'
  | 'Established';

/** Furthest last. */
const RANKS = ['delay-open', 'open-sent', 'bfd-wait', 'open-confirm', 'established'] as const;
const NAMES = {
  'open-sent': 'OpenSent',
  'bfd-wait': 'OpenSent',
  'open-confirm': 'OpenConfirm',
  established: 'Established',
} as const;

/**
 * The state in RFC 4271's words: that of the connection which is furthest. While an OPEN is held
 * back the state is Connect or Active, and while BFD is waited for OpenSent, as their documents say.
 */
export function sessionState(state: PeerState): SessionState {
  const ranks = [state.out, state.in].map((it) => (it ? RANKS.indexOf(it.state) : -1));
  const best = RANKS[Math.max(...ranks)];
  if (best && best !== 'delay-open') return NAMES[best];
  if (state.phase === 'idle') return 'Idle';
  return state.phase === 'connect' || state.out ? 'Connect' : 'Active';
}
