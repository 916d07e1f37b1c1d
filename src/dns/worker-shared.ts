/** What the pool of threads and each of its threads say to each other. */
import type { HostPort } from '../net/ip.ts';
import type { Snapshot } from './snapshot.ts';

/** Words of the control memory that the pool writes and one thread reads. */
export const CONTROL = { SNAPSHOT: 0, STOP: 1, WORDS: 2 } as const;

/** `Own` is what this kind of thread is told beside the snapshot: its addresses, its limits. */
export interface WorkerStart<Own> {
  readonly seed: number;
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly snapshot: Snapshot;
  /** The number of `snapshot`; it is what CONTROL.SNAPSHOT held. */
  readonly version: number;
  readonly own: Own;
}

export interface ToWorker<Own> {
  readonly version: number;
  readonly snapshot: Snapshot;
  readonly own: Own;
}

/** A way in which DNS messages come over streams. */
export type StreamKind = 'tcp' | 'tls' | 'https';

/** A listening socket of the stream thread. */
export interface Listening {
  readonly kind: StreamKind;
  /** As configured, perhaps with port 0. */
  readonly asked: HostPort;
  /** With the real port. */
  readonly bound: HostPort;
}

/** What the stream thread has open, and why it has not the rest. */
export interface StreamState {
  readonly listening: readonly Listening[];
  readonly problems: readonly string[];
}

export type FromWorker =
  /** Its sockets are bound, and the snapshot of that version is in use. */
  | { readonly kind: 'using'; readonly version: number; readonly streams?: StreamState }
  | { readonly kind: 'failed'; readonly error: string }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn';
      readonly fields: object;
      readonly message: string;
    };
