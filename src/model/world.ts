/** The newest report of every site, as one site knows it. */
import type { HeldOverride } from './override.ts';
import type { Report } from './report.ts';

export interface World {
  /** The site whose view this is. */
  readonly self: string;
  /** Site name → its newest report; of several agents, what they say together. Unheard: absent. */
  readonly sightings: ReadonlyMap<string, Sighting>;
  /** What operators have ordered and has not ended; removed ones are left out. */
  readonly overrides: readonly HeldOverride[];
  /**
   * False while no store can be reached: the site is on its own, goes on with its own eyes and
   * with the last report of each other site, however old.
   */
  readonly connected: boolean;
  /**
   * While not connected: when the store was last reached, on the reader's monotonic clock. Silence
   * is counted up to here only, so a site that was lost before the cut stays lost and one that was
   * heard stays heard. Null while connected. Cuts that are over are in `Sighting.cut_ms`.
   */
  readonly cut_at: number | null;
}

export interface Sighting {
  readonly report: Report;
  /** When it arrived, on the reader's monotonic clock in milliseconds. */
  readonly received_at: number;
  /**
   * For how long since then no store could be reached, in milliseconds, without the cut that still
   * lasts. It is no silence of the site: when a store comes back, empty perhaps, nobody is lost
   * who has only not had the time to write again.
   */
  readonly cut_ms: number;
  /**
   * The last time that nothing was heard of the site for as long as makes it lost, by whatever cause,
   * on the same clock; absent: there was none.
   */
  readonly silence?: { readonly from: number; readonly to: number };
}
