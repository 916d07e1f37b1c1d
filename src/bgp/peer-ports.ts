/** What a peer is given, and what it tells: types only. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { Agreement } from './open-check.ts';
import type { Bfd, Dialler, Guard, MrtPort, RouteSink } from './ports.ts';
import type { RouteChanges, Update } from './wire/update.ts';

export interface PeerPorts {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** By default sessions are dialled by system calls, where the machine has them. */
  readonly dialler?: Dialler;
  readonly bfd?: Bfd | null;
  readonly guard?: Guard | null;
  /** Where received routes are kept; without it they are only counted. */
  readonly rib_in?: RouteSink | null;
  readonly mrt?: MrtPort | null;
}

/** None of them may throw. */
export interface PeerHooks {
  established(agreement: Agreement): void;
  /** An Established session ended. */
  down(text: string, at_ms: number): void;
  /** A connection ended, or could not be made, before it was Established. */
  failed(text: string): void;
  /** Routes that the peer sent; `at_ms` is when their bytes were read. */
  routes(changes: RouteChanges, update: Update, at_ms: number): void;
}
