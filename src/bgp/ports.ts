/**
 * What a session uses that is not BGP itself: how connections are made, BFD beside them, and the
 * guard that withdraws when this process cannot. Types only.
 */
import type { Socket } from 'node:net';
import type { BfdSettings } from '../model/bgp.ts';

/** Where to and how to dial; also what an accepted connection must have. */
export interface Transport {
  readonly address: string;
  readonly port: number;
  readonly source: string | null;
  readonly interface: string | null;
  readonly ttl: number;
  readonly ttl_security: number | null;
  /** The key of TCP MD5 itself (RFC 2385), 1–80 octets; null: none. */
  readonly md5_key: Uint8Array | null;
}

export interface Dialler {
  /**
   * A socket that is connecting, with all its options set before the first packet: emits `connect` or
   * `error` as one of node:net does. Never throws: what cannot be set is an `error` in words.
   */
  dial(to: Transport): Socket;
}

/** BFD state of a neighbour as the session needs it (RFC 5880 §4.1). */
export type BfdState = 'admin-down' | 'down' | 'init' | 'up';

export interface BfdTarget {
  readonly address: string;
  readonly source: string | null;
  readonly interface: string | null;
  readonly settings: BfdSettings;
  /** The key of `settings.auth`; null without. */
  readonly key: Uint8Array | null;
}

export interface BfdStatus {
  readonly state: BfdState;
  readonly remote_state: BfdState;
  /** RFC 5880 §4.1: our diagnostic, and the peer's, in words; null: none. */
  readonly diagnostic: string | null;
  readonly remote_diagnostic: string | null;
  /** Agreed intervals in milliseconds. */
  readonly transmit_ms: number;
  readonly detection_ms: number;
  readonly for_ms: number;
  readonly packets_in: number;
  readonly packets_out: number;
  /** Packets that were for this session and not accepted (TTL, authentication). */
  readonly discarded: number;
  /** Times that an up session went down. */
  readonly downs: number;
}

export interface BfdSession {
  /** Null until the thread has said something. */
  status(): BfdStatus | null;
  /** Says AdminDown to the peer, and ends. */
  close(): void;
}

export interface Bfd {
  /** `changed` is called with each new state, `text` says why. */
  open(target: BfdTarget, changed: (state: BfdState, text: string) => void): BfdSession;
}

/** The thread that withdraws in place of a main thread that does not. */
export interface Guard {
  /** Puts an established session under guard. Null where the machine cannot (no koffi). */
  protect(socket: Socket, fired: () => void): GuardedSession | null;
}

export interface GuardedSession {
  /**
   * The UPDATEs that withdraw all that the peer has from us now, ready to be written; empty: nothing.
   * `clean`: all that was sent before has left for the kernel, so that a message can begin here. While
   * it is false the guard can only end the connection.
   */
  update(withdrawals: Uint8Array, clean: boolean): void;
  release(): void;
}
