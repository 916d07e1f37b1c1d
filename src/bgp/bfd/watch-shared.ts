/** What the watch thread and the main thread say to each other. Types and numbers only. */
import type { BfdState, BfdStatus } from '../ports.ts';
import type { AuthKey } from './auth.ts';
import type { Intervals } from './session.ts';

/** Words of the control memory, an Int32Array. */
export const CONTROL = {
  /** One of STOP, if not 0. Set by main, once. */
  STOP: 0,
  /** Counted up by the thread each time around its loop. */
  PULSE: 1,
  /** Counted up by main with each renewal of the verdicts. */
  LEASE: 2,
  /** How long a lease holds, in milliseconds; 0: for ever. Written by main. */
  DEAD_MAN_MS: 3,
  /** Counted up by the thread with each session whose routes it withdrew. */
  FIRED: 4,
  /** Counted up by main with each message of the thread that it has heard. */
  HEARD: 5,
  WORDS: 6,
} as const;

/** How a thread is to end. */
export const STOP = {
  /** The daemon ends: the peers are told. */
  GOODBYE: 1,
  /** Another has taken its place, and its word would end that one's sessions. */
  SILENTLY: 2,
} as const;

export interface WatchStart {
  readonly control: SharedArrayBuffer;
  /** An eventfd: main writes to it when it has something to say. */
  readonly wake: number;
  readonly seed: number;
  /** The sockets of a thread that is stuck may still be open. */
  readonly replaces: boolean;
}

/** A session as the thread is told of it. */
export interface WatchedTarget {
  readonly multihop: boolean;
  readonly address: string;
  readonly source: string | null;
  readonly interface: string | null;
  readonly intervals: Intervals;
  readonly auth: AuthKey | null;
}

export type ToWatch =
  | { readonly kind: 'open'; readonly id: number; readonly target: WatchedTarget }
  | {
      readonly kind: 'update';
      readonly id: number;
      readonly intervals: Intervals;
      readonly auth: AuthKey | null;
    }
  | { readonly kind: 'close'; readonly id: number }
  /** See guard-slot.ts. The slot itself says when it is not guarded any more. */
  | { readonly kind: 'guard'; readonly slot: SharedArrayBuffer };

export type FromWatch =
  | {
      readonly kind: 'changed';
      readonly id: number;
      readonly state: BfdState;
      readonly text: string;
      readonly status: BfdStatus;
    }
  | {
      readonly kind: 'statuses';
      readonly statuses: readonly (readonly [id: number, status: BfdStatus])[];
      readonly counts: WatchCounts;
    }
  | {
      readonly kind: 'fired';
      readonly withdrawn: number;
      readonly cut: number;
      /** The lease that had run out. */
      readonly lease: number;
    };

/** Packets that belong to no session. */
export interface WatchCounts {
  readonly malformed: number;
  readonly unknown: number;
}
