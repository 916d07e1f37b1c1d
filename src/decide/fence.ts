/**
 * Self-fencing: a site that sees neither another site nor its own uplink is most likely the one that
 * is cut off, and where the operator asked for it such a site announces nothing. Pure.
 *
 * Must hold: never without `fence` in the site's configuration, and never by what others say; an
 * uplink of which nothing is known fences nobody.
 */
import type { Reason } from '../model/plan.ts';
import type { Hearing, View } from './view.ts';
import { seconds } from './view.ts';

/** Why this site is to announce nothing; null: it is not fenced. `index` is its own in Config.sites. */
export function fenced(view: View, hearings: readonly Hearing[], index: number): Reason | null {
  const site = view.config.sites[index];
  const own = hearings[index];
  if (!site?.fence || own === undefined || own.state === 'unheard') return null;
  if (own.report.uplink !== false) return null;
  const stale_ms = view.config.policy.report_stale_ms;
  // By the age alone, store or no store: a store that is away for a moment isolates nobody.
  const ages = hearings.flatMap((other, i) =>
    i === index || other.state === 'unheard' ? [] : [other.age_ms],
  );
  const newest_ms = Math.min(...ages);
  if (newest_ms < stale_ms) {
    view.wake.after(stale_ms - newest_ms);
    return null;
  }
  const silence = ages.length === 0 ? '' : ` for ${seconds(newest_ms)}`;
  return { code: 'fenced', text: `its uplink fails, and no other site is heard${silence}` };
}
