/** Reads again and again what part of a site's new flows its kernel sends away. */
import type { Namespace } from './netns.ts';
import { monotonic_ms, pause } from './wait.ts';

/** Less than a tick of the spill loop, so that no step of the share is missed. */
const READ_EVERY_MS = 200;
const SLOTS = 10_000;
const LIST_SHARES = ['-j', 'list', 'map', 'ip', 'isobar_spill', 'share'];

/** nft prints an interval as a prefix when it happens to be one: 0-511 is 0/23. */
type Interval =
  | number
  | { readonly range: readonly [number, number] }
  | { readonly prefix: { readonly addr: number; readonly len: number } };

interface MapElement {
  readonly elem: { readonly val: Interval };
}

interface NftAnswer {
  readonly nftables: readonly { readonly map?: { readonly elem?: [MapElement, unknown][] } }[];
}

export class ShareWatch {
  readonly #samples: { readonly at: number; readonly share: number }[] = [];
  readonly #ended: Promise<void>;
  #stopping = false;

  constructor(space: Namespace) {
    this.#ended = this.#watch(space);
  }

  /** Shares read in [from, to], on the monotonic clock. */
  between(from: number, to: number): number[] {
    return this.#samples.filter(({ at }) => at >= from && at <= to).map(({ share }) => share);
  }

  /** When a share that `matches` was first read since `since`; undefined: not yet. */
  first(since: number, matches: (share: number) => boolean): number | undefined {
    return this.#samples.find(({ at, share }) => at >= since && matches(share))?.at;
  }

  /** How often spilling began: more than once is flapping. */
  beginnings(): number {
    return this.#samples.filter(
      ({ share }, i) => share > 0 && (this.#samples[i - 1]?.share ?? 0) === 0,
    ).length;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #watch(space: Namespace): Promise<void> {
    while (!this.#stopping) {
      this.#samples.push({ share: await shareOf(space), at: monotonic_ms() });
      await pause(READ_EVERY_MS);
    }
  }
}

/** The part of the share map's slots that lead to a peer. */
async function shareOf(space: Namespace): Promise<number> {
  const { nftables } = JSON.parse(await space.exec('nft', ...LIST_SHARES)) as NftAnswer;
  const elements = nftables.flatMap(({ map }) => map?.elem ?? []);
  return elements.reduce((slots, [{ elem }]) => slots + slotsOf(elem.val), 0) / SLOTS;
}

function slotsOf(interval: Interval): number {
  if (typeof interval === 'number') return 1;
  if ('prefix' in interval) return 2 ** (32 - interval.prefix.len);
  return interval.range[1] - interval.range[0] + 1;
}
