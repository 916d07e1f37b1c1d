/** What the UDP pool and its worker threads say to each other. */
import type { HostPort } from '../net/ip.ts';
import type { Snapshot } from './snapshot.ts';

/** How packets are moved: batched system calls, or Node's own sockets. */
export type UdpEngine = 'batch' | 'dgram';

/** Words of the control memory that the pool writes and all workers read. */
export const CONTROL = { SNAPSHOT: 0, STOP: 1, WORDS: 2 } as const;

export interface WorkerStart {
  readonly listen: HostPort;
  readonly engine: UdpEngine;
  readonly seed: number;
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly snapshot: Snapshot;
  /** The number of `snapshot`; it is what CONTROL.SNAPSHOT held. */
  readonly version: number;
}

export interface ToWorker {
  readonly version: number;
  readonly snapshot: Snapshot;
}

export type FromWorker =
  /** The socket is bound, or the snapshot of that version is in use. */
  | { readonly kind: 'using'; readonly version: number }
  | { readonly kind: 'failed'; readonly error: string };
