/**
 * The vocabulary of the finite state machine: what it knows of a peer, what can happen, and what it
 * may ask for. The rules are in fsm.ts.
 */
import type { Agreement, LocalSpeaker } from './open-check.ts';
import type { Fault } from './wire/fault.ts';
import type { Message } from './wire/message.ts';

/** `out`: we dialled. `in`: the peer did. */
export type Slot = 'out' | 'in';

export type FsmTimer =
  | 'connect-retry'
  | 'idle-hold'
  | 'hold-out'
  | 'hold-in'
  | 'keepalive-out'
  | 'keepalive-in';

export interface FsmSettings extends LocalSpeaker {
  /** True: never dial. */
  readonly passive: boolean;
  /** How long a dial may take, and the longest wait before the next attempt of any kind. */
  readonly connect_retry_ms: number;
}

export interface Connection {
  readonly state: 'open-sent' | 'open-confirm' | 'established';
  /** Null in OpenSent. */
  readonly agreement: Agreement | null;
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
  readonly out: Connection | null;
  readonly in: Connection | null;
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

export type FsmEvent =
  | { readonly on: 'start' }
  | { readonly on: 'stop'; readonly subcode: number; readonly text: string }
  | { readonly on: 'timer'; readonly timer: FsmTimer }
  | { readonly on: 'tcp-connected' }
  | { readonly on: 'tcp-failed' }
  | { readonly on: 'tcp-accepted' }
  | { readonly on: 'tcp-closed'; readonly slot: Slot; readonly text: string }
  | ({ readonly on: 'message'; readonly slot: Slot } & Received)
  /** A fault of class session-reset found while decoding. */
  | { readonly on: 'fault'; readonly slot: Slot; readonly fault: Fault };

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
    out: null,
    in: null,
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

const RANKS = ['open-sent', 'open-confirm', 'established'] as const;
const NAMES = {
  'open-sent': 'OpenSent',
  'open-confirm': 'OpenConfirm',
  established: 'Established',
} as const;

/** The state in RFC 4271's words: that of the connection which is furthest. */
export function sessionState(state: PeerState): SessionState {
  const ranks = [state.out, state.in].map((it) => (it ? RANKS.indexOf(it.state) : -1));
  const best = RANKS[Math.max(...ranks)];
  if (best) return NAMES[best];
  return state.phase === 'idle' ? 'Idle' : state.phase === 'connect' ? 'Connect' : 'Active';
}
