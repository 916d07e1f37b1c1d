/**
 * Whether a site has more than it can carry and hand on: what spill leaves it, by its own report, has
 * been above the threshold for a while, and spill moves no further. Then it is BGP's turn. Pure.
 *
 * Must hold: spill comes first, so a site is not overloaded while spill waits for its onset or still
 * moves to its aims; what is unknown changes nothing; each site's verdict follows from its own report
 * alone, so that all sites come to the same one.
 */
import type { Site } from '../model/config.ts';
import { NOT_OVERLOADED, type OverloadSight, type Report } from '../model/report.ts';
import type { Hearing, View } from './view.ts';
import { percent } from './view.ts';

/** Shares this close are equal: all that spill moves in one step is far more. */
const SHARE_STEP_MIN = 1e-6;

export interface Overload extends OverloadSight {
  /** "load is 123.0 %; 20.0 % of new flows go elsewhere, and no more can". */
  readonly text: string;
}

export function judgeOverload(view: View, site: Site, hearing: Hearing): Overload {
  if (hearing.state === 'unheard') return { ...NOT_OVERLOADED, text: 'not heard of yet' };
  const { report, age_ms } = hearing;
  const { overloaded: was, over_for_ms: before_ms, age_ms: decided_ms } = report.overload;
  const { load } = report;
  if (load === null) {
    // A silent meter is no reason to call back the traffic that was sent away.
    const overloaded = was && site.load !== null;
    return { overloaded, over_for_ms: null, age_ms: 0, text: 'the load is unknown since' };
  }
  const policy = view.config.policy.spill;
  const used = load.used / load.capacity;
  const shared = total(report.spill.shares);
  const kept = (load.demand * (1 - shared)) / load.capacity;
  const text = `load is ${percent(used)}; ${percent(shared)} of new flows go elsewhere, no more can`;
  if (was) {
    return {
      overloaded: Math.max(used, kept) >= policy.relief,
      over_for_ms: null,
      age_ms: 0,
      text,
    };
  }
  // Flows that spill has sent away last a while: only what stays for good counts as too much.
  if (Math.min(used, kept) <= policy.overload || !isExhausted(site, report)) {
    return { overloaded: false, over_for_ms: null, age_ms: 0, text };
  }
  const over_for_ms = before_ms === null ? 0 : before_ms + decided_ms + age_ms;
  const wait_ms = policy.onset_ms - over_for_ms;
  view.wake.after(wait_ms);
  return { overloaded: wait_ms <= 0, over_for_ms, age_ms: 0, text };
}

/** True if spill has begun, where it can, and its shares have come to what they aim for. */
function isExhausted({ spill: end }: Site, { spill }: Report): boolean {
  if (end === null) return true;
  return spill.sending && total(spill.aims) - total(spill.shares) < SHARE_STEP_MIN;
}

function total(shares: Readonly<Record<string, number>>): number {
  return Object.values(shares).reduce((sum, share) => sum + share, 0);
}
