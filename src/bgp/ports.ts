/**
 * What a session uses that is not BGP itself: how connections are made, BFD beside them, and the
 * guard that withdraws when this process cannot. Types only.
 */
import type { Socket } from 'node:net';
import type { BfdSettings, BgpRole } from '../model/bgp.ts';
import type { MrtMessage, MrtSession, MrtState } from './wire/mrt.ts';
import type { RouteChanges, Update } from './wire/update.ts';

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

/** Keys by the absolute path of their file (`md5_key_file`, `BfdAuth.key_file`). */
export type BgpKeys = ReadonlyMap<string, Uint8Array>;

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
  /** Why it cannot work as it is, in words; null: nothing is known against it. */
  readonly problem: string | null;
}

export interface BfdSession {
  /** Null until the thread has said something. */
  status(): BfdStatus | null;
  /** New intervals, multiplier or authentication, agreed with the peer while the session stays up. */
  update(settings: BfdSettings, key: Uint8Array | null): void;
  /** Says AdminDown to the peer, and ends. */
  close(): void;
}

export interface Bfd {
  /**
   * `changed` is called with each new state, `text` says why; the status is of that moment.
   * 'admin-down': the peer's operator has switched BFD off there, which says nothing about the way to
   * the peer, so that a BGP session goes on (RFC 5882 §4.2); 'down' after 'up' ends it.
   */
  open(target: BfdTarget, changed: (state: BfdState, text: string) => void): BfdSession;
}

/** The thread that withdraws in place of a main thread that does not. */
export interface Guard {
  /**
   * Puts an established session under guard. Null where the machine cannot (no koffi). `fired` is
   * called when the routes have been withdrawn meanwhile and the verdicts are renewed again: the peer
   * has none of them now. Where the connection had to be ended instead, the socket says so as ever.
   */
  protect(socket: Socket, fired: () => void): GuardedSession | null;
}

export interface GuardedSession {
  /**
   * The UPDATEs that withdraw all that the peer has from us now, ready to be written; empty: nothing.
   * `clean`: all that was sent before has left for the kernel, so that a message can begin here. While
   * it is false the guard can only end the connection.
   */
  update(withdrawals: Uint8Array, clean: boolean): void;
  /** Only `clean` of it: false before each write, true when the kernel has taken all of it. */
  mark(clean: boolean): void;
  /** Before the socket is closed. */
  release(): void;
}

/** Adj-RIB-In of a peer, as its sessions fill it. */
export interface RouteSink {
  /** A session is established; what was kept of the one before is still there. */
  open(session: {
    readonly local_as: number;
    /** Our BGP identifier. */
    readonly router_id: number;
    readonly peer_as: number;
    /** Our role towards the peer (RFC 9234); null: none. */
    readonly role: BgpRole | null;
  }): void;
  routes(changes: RouteChanges, update: Update): void;
  /** More prefixes than allowed: the session must end. */
  readonly overLimit: boolean;
  /** Marks all routes of a family; the mark is lost when a route comes again. */
  stale(family: 4 | 6): void;
  /** Forgets the routes that are still marked. */
  sweep(family: 4 | 6): void;
  /** Forgets all. */
  clear(): void;
}

/** The MRT dump (RFC 6396). Neither blocks nor throws. */
export interface MrtPort {
  /** `at_ms`: when it was read or written, on the clock of the peers. */
  message(session: MrtSession, message: MrtMessage, at_ms: number): void;
  state(session: MrtSession, from: MrtState, to: MrtState): void;
}
