/**
 * What a link knows of one connection to its server, and forgets with it: what the server has taken,
 * and what it holds.
 */
import type { Redis } from 'ioredis';
import type { Timer } from '../base/clock.ts';
import type { RedisNode } from '../model/config.ts';
import type { OverrideStamp } from '../model/override.ts';
import type { ReportHeader } from './redis-scripts.ts';

/** A report as it is written. */
export interface OutgoingReport {
  readonly header: ReportHeader;
  readonly text: string;
}

/** Is the version of no overrides. */
export const UNREAD = '?';

/** What belongs to one connection. */
export interface Session {
  readonly redis: Redis;
  readonly node: RedisNode;
  /** False until the first full read. */
  alive: boolean;
  readonly timers: Set<Timer>;
  /** The report that this connection has written. */
  written: OutgoingReport | null;
  writing: Promise<void> | null;
  /** When the server has last taken a write. */
  tookAt: number;
  /** Why it took the last one not. */
  refusal: string | null;
  /** Version of the overrides as they were read; '': there are none. */
  version: string;
  /** Register → what the server holds. */
  readonly held: Map<string, OverrideStamp>;
  /** Revision of the book of which the server holds everything. */
  revision: number;
}

export function newSession(redis: Redis, node: RedisNode): Session {
  return {
    redis,
    node,
    alive: false,
    timers: new Set(),
    written: null,
    writing: null,
    tookAt: Number.NEGATIVE_INFINITY,
    refusal: null,
    version: '',
    held: new Map(),
    revision: Number.NaN,
  };
}
