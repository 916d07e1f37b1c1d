/**
 * What must outlive the agent's process, in one small file of the site: the overrides, and what the decision
 * remembers of the routes. Parts are versioned one by one, so that an agent of another version uses
 * those that it knows.
 *
 * Must hold: what is damaged is told and ignored, part by part.
 */
import { z } from 'zod';
import type { OverrideSight } from '../model/override.ts';
import type { RouteSight } from '../model/report.ts';
import { OVERRIDES_MAX } from '../share/override-book.ts';
import { overrideSight } from '../share/override-schema.ts';
import { routeSights } from '../share/report-schema.ts';
import { elapsedSince, KeptFile, type KeptFileOptions, parseJson } from './kept-file.ts';

export interface SavedState {
  /** Those that were removed or have ended, too: no older copy may bring them back. */
  readonly overrides: readonly OverrideSight[];
  readonly routes: Readonly<Record<string, RouteSight>>;
}

export interface LoadedState extends SavedState {
  /** Since it was written, in milliseconds, as far as the wall clock can tell. */
  readonly elapsed_ms: number;
}

/** Far above what the routes of a site need. */
const BYTES_MAX = 4_194_304;

const envelope = z.object({
  isobar_state: z.literal(1),
  deployment: z.string(),
  site: z.string(),
  written_wall_ms: z.number().nonnegative(),
  parts: z.record(z.string(), z.object({ version: z.number(), value: z.unknown() })),
});

/** The parts that this version writes and reads; another version of one is as none. */
const PARTS = {
  overrides: { version: 1, schema: z.array(overrideSight).max(OVERRIDES_MAX) },
  routes: { version: 1, schema: routeSights },
} as const;

/** Overrides that differ in their beginning by less are written as they were. */
const SINCE_ROUNDED_MS = 60_000;

export class StateFile {
  readonly #options: KeptFileOptions;
  readonly #file: KeptFile;
  #written = '';

  constructor(options: KeptFileOptions) {
    this.#options = options;
    this.#file = new KeptFile(options, 'state', 'state of the site', BYTES_MAX);
  }

  /** Null if there is none, or none that can be used. */
  async load(): Promise<LoadedState | null> {
    const { deployment, site } = this.#options;
    const text = await this.#file.read();
    if (text === null) return null;
    const file = envelope.safeParse(parseJson(text));
    if (!file.success) return this.#file.damaged('it is not a state file of isobar');
    if (file.data.deployment !== deployment || file.data.site !== site) {
      return this.#file.damaged(`it is of ${file.data.deployment}/${file.data.site}`);
    }
    const { parts, written_wall_ms } = file.data;
    const part = <Value>(name: keyof typeof PARTS, schema: z.ZodType<Value>): Value | null => {
      if (parts[name]?.version !== PARTS[name].version) return null;
      const checked = schema.safeParse(parts[name].value);
      return checked.success ? checked.data : this.#file.damaged(`its part "${name}" is damaged`);
    };
    return {
      overrides: part('overrides', PARTS.overrides.schema) ?? [],
      routes: part('routes', PARTS.routes.schema) ?? {},
      elapsed_ms: elapsedSince(written_wall_ms, this.#options.clock),
    };
  }

  /** Has the file hold `state` soon, if it is another than the last but for the time that passed. */
  save(state: SavedState): void {
    const essence = essenceOf(state, this.#options.clock.now());
    // After a failure each save tries again, whether or not it has news.
    if (essence === this.#written && !this.#file.failing) return;
    this.#written = essence;
    const { deployment, site, clock } = this.#options;
    const text = JSON.stringify({
      isobar_state: 1,
      deployment,
      site,
      written_wall_ms: Math.max(0, clock.wall()),
      parts: {
        overrides: { version: PARTS.overrides.version, value: state.overrides },
        routes: { version: PARTS.routes.version, value: state.routes },
      },
    });
    this.#file.write(() => text);
  }

  /** Resolves when all that was saved is in the file, or could not be. */
  flush(): Promise<void> {
    return this.#file.flush();
  }
}

/**
 * What is worth a write; durations are told by the time of writing. Since when an override is in force
 * may become better known, by more than a rounding.
 */
function essenceOf({ overrides, routes }: SavedState, now: number): string {
  const parts = Object.entries(routes).map(([vip, sight]) => {
    const { phase, withdrawn_by, drained, suppressed, penalty } = sight;
    return [vip, phase, withdrawn_by, drained, suppressed, penalty > 0];
  });
  const orders = overrides.map(({ override, for_ms }) => {
    return [override.id, override.stamp, Math.round((now - for_ms) / SINCE_ROUNDED_MS)];
  });
  return JSON.stringify([orders, parts]);
}
