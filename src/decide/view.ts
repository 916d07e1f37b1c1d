/**
 * What one decision looks at: configuration, world and instant, and how each site is heard. It also
 * collects when time alone would change something, so that the agent need not poll.
 *
 * Must hold: durations in a report grow with the reader's own clock; nothing here reads a clock.
 */
import type { Config, Site } from '../model/config.ts';
import type { DrainSight } from '../model/override.ts';
import type { Report } from '../model/report.ts';
import type { Sighting, World } from '../model/world.ts';
import { OverridesInForce, spell } from './overrides.ts';

export interface View {
  readonly config: Config;
  readonly world: World;
  /** The reader's monotonic clock, in milliseconds. */
  readonly now: number;
  readonly wake: Wake;
  readonly overrides: OverridesInForce;
}

export function viewOf(config: Config, world: World, now: number): View {
  const wake = new Wake();
  const overrides = new OverridesInForce(config, world.overrides, now);
  wake.after(overrides.next_ms);
  return { config, world, now, wake, overrides };
}

/** A wake-up at the very instant must not find a rounding error left of what it was for. */
export const INSTANT_MS = 1e-6;

/** The nearest of the instants that parts of the decision wait for. */
export class Wake {
  in_ms = Number.POSITIVE_INFINITY;

  /** Something changes by time alone in `ms`; what is past or never to come is ignored. */
  after(ms: number): void {
    if (ms > 0 && ms < this.in_ms) this.in_ms = ms;
  }
}

export type Hearing =
  | { readonly state: 'unheard' }
  | {
      /**
       * `kept`: we are on our own, and the site's last report counts however old it is; or we were, and
       * have not heard the site since.
       */
      readonly state: 'heard' | 'kept' | 'lost';
      readonly report: Report;
      /** Since the report arrived, in milliseconds. */
      readonly age_ms: number;
      /**
       * How long ago a silence of the site began and ended, in milliseconds; null: it was not silent,
       * or that is over for longer than makes a site lost.
       */
      readonly silence_ms: { readonly from: number; readonly to: number } | null;
    };

/** How a site is heard. Our own report is never stale: we saw it ourselves. */
export function hear(view: View, site: Site): Hearing {
  const { world, now, config } = view;
  const sighting = world.sightings.get(site.name);
  if (sighting === undefined) return { state: 'unheard' };
  const { report, received_at, cut_ms } = sighting;
  const silence_ms = silenceOf(view, sighting);
  const age_ms = Math.max(0, now - received_at);
  if (site.name === world.self) return { state: 'heard', report, age_ms, silence_ms };
  const quiet_ms = (world.cut_at ?? now) - received_at - cut_ms;
  const left_ms = config.policy.report_stale_ms - quiet_ms;
  if (left_ms <= 0) return { state: 'lost', report, age_ms, silence_ms };
  if (!world.connected) return { state: 'kept', report, age_ms, silence_ms };
  view.wake.after(left_ms);
  // It was made before a cut that is over: the site may have changed all its mind meanwhile.
  return { state: cut_ms > 0 ? 'kept' : 'heard', report, age_ms, silence_ms };
}

function silenceOf({ now, config, wake }: View, { silence }: Sighting) {
  if (silence === undefined) return null;
  const left_ms = silence.to + config.policy.report_stale_ms - now;
  if (left_ms <= 0) return null;
  wake.after(left_ms);
  return { from: now - silence.from, to: now - silence.to };
}

/** The drain that the whole site is in, whether or not it is heard; null: none. */
export function drainOf(view: View, site: string): DrainSight | null {
  return view.overrides.drainOf(site);
}

/** "0.4 s", "12 s", "45 min": a duration for a sentence, short ones with a decimal. */
export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : spell(ms);
}

/** "12.5 %": a ratio for a sentence. */
export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
