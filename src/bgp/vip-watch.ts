/**
 * Whether a neighbour still sends back the VIPs that we announce, as a route server, a reflector or
 * another router's view does. Says so when one that was seen is missing, and when it is back; how a
 * table that is still coming looks is nobody's business.
 */
import type { Clock, Timer } from '../base/clock.ts';

/** How long the first table of a session may take to come, and to reflect what we announce. */
export const TABLE_MS = 30_000;
/** A route may be gone for so long while routers look for another path to it. */
export const SETTLE_MS = 2_000;

export interface VipWatchPorts {
  readonly clock: Clock;
  /** True if the neighbour sends this prefix now. */
  readonly sees: (prefix: string) => boolean;
  /** `seen`: false when it is missing, true when it is back. */
  readonly changed: (prefix: string, seen: boolean) => void;
}

export class VipWatch {
  readonly #ports: VipWatchPorts;
  /** The prefixes that we announce, and whether each was seen; null: never yet. */
  #expected = new Map<string, boolean | null>();
  #timer: Timer | null = null;
  #session = false;

  constructor(ports: VipWatchPorts) {
    this.#ports = ports;
  }

  /** Prefixes that we announce and that were not there when last looked for. */
  get missing(): string[] {
    return [...this.#expected].filter(([, seen]) => seen !== true).map(([prefix]) => prefix);
  }

  /** What we announce now. */
  expect(prefixes: Iterable<string>): void {
    const before = this.#expected;
    this.#expected = new Map();
    for (const prefix of prefixes) this.#expected.set(prefix, before.get(prefix) ?? null);
  }

  /** A session is established. */
  open(): void {
    this.close();
    this.#session = true;
    this.#in(TABLE_MS);
  }

  /** The neighbour has sent routes. */
  heard(): void {
    if (this.#session && !this.#timer) this.#in(SETTLE_MS);
  }

  /** The session is gone; what was seen in it is looked for in the next one. */
  close(): void {
    this.#session = false;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #in(ms: number): void {
    this.#timer = this.#ports.clock.timer(ms, () => {
      this.#timer = null;
      this.#look();
    });
  }

  #look(): void {
    for (const [prefix, before] of this.#expected) {
      const seen = this.#ports.sees(prefix);
      if (seen === before || (!seen && before === null)) continue;
      this.#expected.set(prefix, seen);
      if (before !== null) this.#ports.changed(prefix, seen);
    }
  }
}
