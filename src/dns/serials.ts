/**
 * By how much the serial that is served for each zone is above the one in its file, in memory shared
 * by all threads. A zone that secondaries copy (`transfer`) and that has health-aware names changes
 * without its file, so its serial must rise without it: the offset is the whole seconds from
 * 2026-01-01T00:00Z to its last change. So nothing needs to be kept over a restart, and the served
 * serial does not go back (RFC 1982) as long as the file's does not and the clock is right. Zones
 * that only their file changes have offset 0.
 */
import type { Config } from '../model/config.ts';

/** 2026-01-01T00:00:00Z, in seconds since 1970. */
const EPOCH_S = Date.UTC(2026, 0, 1) / 1000;

/** RFC 1982 §3.2: true if `a` is later than `b`. */
export function serialAfter(a: number, b: number): boolean {
  const ahead = (a - b) >>> 0;
  return ahead !== 0 && ahead < 0x80000000;
}

/** The reader's side, parallel to Config.zones; `buffer` may be posted to another thread. */
export class SerialTable {
  readonly buffer: SharedArrayBuffer;
  protected readonly offsets: Uint32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.offsets = new Uint32Array(buffer);
  }

  offset(zone: number): number {
    return Atomics.load(this.offsets, zone);
  }

  /** The serial to be served for a zone whose file says `serial`. */
  served(zone: number, serial: number): number {
    return (serial + this.offset(zone)) >>> 0;
  }
}

/** The one writer's side. */
export class SerialWriter extends SerialTable {
  readonly #index: ReadonlyMap<string, number>;
  readonly #anyLive: boolean;

  /** A new table for `config`, its live zones as if they had changed at `wall_ms`. */
  constructor(config: Config, wall_ms: number) {
    super(new SharedArrayBuffer(config.zones.length * 4));
    this.#index = new Map(config.zones.map(({ origin }, zone) => [origin, zone]));
    const steered = new Set(config.services.map(({ zone }) => zone));
    for (const [origin, zone] of this.#index) {
      const live = config.zones[zone]!.transfer !== null && steered.has(origin);
      if (live) this.offsets[zone] = secondsAt(wall_ms);
    }
    this.#anyLive = this.offsets.some((offset) => offset > 0);
  }

  /** Live zones of `before` keep their offset: a reload alone is no reason to copy anything. */
  carry(before: SerialWriter): void {
    for (const [origin, zone] of this.#index) {
      const old = before.#index.get(origin);
      const kept = old === undefined ? 0 : before.offset(old);
      if (kept > 0 && this.offset(zone) > 0) Atomics.store(this.offsets, zone, kept);
    }
  }

  /** For a Snapshot: null while no serial ever rises by itself, so that answers do not look. */
  get shared(): SharedArrayBuffer | null {
    return this.#anyLive ? this.buffer : null;
  }

  /** Lets the serial rise to the time `wall_ms`, and by one at least whatever the clock says. */
  rise(zone: number, wall_ms: number): void {
    const next = Math.max(this.offset(zone) + 1, secondsAt(wall_ms));
    Atomics.store(this.offsets, zone, next >>> 0);
  }
}

/** At least 1, since 0 says that the zone is not live. */
function secondsAt(wall_ms: number): number {
  return Math.max(1, Math.floor(wall_ms / 1000) - EPOCH_S);
}
