/** Speakers and collectors for a test, each stopped when it is over, the last one first. */
import { type Clock, SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import type { BgpKeys } from '../../src/bgp/ports.ts';
import { type NeighborEvent, Speaker } from '../../src/bgp/speaker.ts';
import type { BgpSite } from '../../src/model/bgp.ts';

export interface CollectorChanges {
  readonly address?: string;
  readonly port?: number;
  readonly as?: number;
}

export interface SpeakerChanges {
  readonly clock?: Clock;
  readonly keys?: BgpKeys;
  /** Gets every event. */
  readonly events?: NeighborEvent[];
}

export class Bench {
  readonly clock = new SystemClock();
  readonly #cleanups: (() => Promise<void>)[] = [];

  /** Listens already; AS 65000 on 127.0.0.1 unless said otherwise. */
  async collector({
    address = '127.0.0.1',
    port = 0,
    as = 65000,
  }: CollectorChanges = {}): Promise<Collector> {
    const made = new Collector({
      listen: { address, port },
      as,
      router_id: '10.0.0.254',
      hold_time_ms: 9_000,
      clock: this.clock,
      prng: prng(1),
      log: silentLog,
    });
    await made.start();
    this.onEnd(() => made.stop());
    return made;
  }

  /** Not started yet. */
  speaker(bgp: BgpSite, { clock = this.clock, keys, events }: SpeakerChanges = {}): Speaker {
    const made = new Speaker({
      bgp,
      clock,
      prng: prng(2),
      log: silentLog,
      onEvent: (event) => void events?.push(event),
      ...(keys ? { keys } : {}),
    });
    this.onEnd(() => made.stop());
    return made;
  }

  onEnd(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}

export const stateOf = (speaker: Speaker, name = 'router'): string =>
  speaker.neighbors().find((each) => each.name === name)?.state ?? 'none';

/** "PREFIX AS", for each route that a collector has. */
export const tableOf = (from: Collector): string[] =>
  from
    .routes()
    .map(({ prefix, from: { as } }) => `${prefix} AS${as}`)
    .sort();
