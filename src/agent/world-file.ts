/**
 * The last World that an agent knew, in a file beside its state: what every agent said last, this one
 * included, and how long before the writing. It is larger than the state and changes all the time, so it
 * is written now and then only, and report by report, between the turns of the event loop.
 *
 * Must hold: what is damaged, foreign or too large is told and ignored; no clock that was set meanwhile
 * makes a report younger than it was.
 */
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { checkReport } from '../share/report-schema.ts';
import type { KeptReport } from '../share/world-view.ts';
import { elapsedSince, KeptFile, type KeptFileOptions, parseJson } from './kept-file.ts';

/** Between two writes, in milliseconds: what an agent that is killed may have missed. */
export const WORLD_INTERVAL_MS = 5_000;
/** Far above what a hundred sites need; reports beyond that are left out, the last ones first. */
export const WORLD_BYTES_MAX = 16_777_216;
/** An older World says nothing about now. */
export const WORLD_AGE_MAX_MS = 86_400_000;
/** Written or read before the event loop gets its turn, in characters: a few milliseconds. */
const SLICE_CHARS = 65_536;

export interface LoadedWorld {
  readonly reports: readonly KeptReport[];
  /** Since it was written, in milliseconds, as far as the wall clock can tell. */
  readonly elapsed_ms: number;
}

const header = z.object({
  isobar_world: z.literal(1),
  deployment: z.string(),
  site: z.string(),
  agent: z.string(),
  written_wall_ms: z.number().nonnegative(),
});

const line = z.object({
  age_ms: z.number().nonnegative(),
  cut_ms: z.number().nonnegative(),
  report: z.unknown(),
});

/** Closes the file: one that was cut off does not have it. */
const END = '"end"';

export class WorldFile {
  readonly #options: KeptFileOptions;
  readonly #file: KeptFile;
  #saved_at = Number.NEGATIVE_INFINITY;

  constructor(options: KeptFileOptions) {
    this.#options = options;
    this.#file = new KeptFile(options, 'world', 'world of the site', WORLD_BYTES_MAX);
  }

  /** Null if there is none, or none that can be used. */
  async load(): Promise<LoadedWorld | null> {
    const { deployment, site, agent, clock } = this.#options;
    const text = await this.#file.read();
    if (text === null) return null;
    const [first = '', ...lines] = text.split('\n');
    const head = header.safeParse(parseJson(first));
    if (!head.success) return this.#file.damaged('it is not a world file of isobar');
    const { written_wall_ms, ...owner } = head.data;
    if (owner.deployment !== deployment || owner.site !== site || owner.agent !== agent) {
      return this.#file.damaged(`it is of ${owner.deployment}/${owner.site}/${owner.agent}`);
    }
    const elapsed_ms = elapsedSince(written_wall_ms, clock);
    if (elapsed_ms > WORLD_AGE_MAX_MS) return null;
    if (lines.pop() !== END) return this.#file.damaged('its end is missing');
    const reports: KeptReport[] = [];
    let chars = 0;
    for (const each of lines) {
      const kept = keptOf(each);
      if (kept === null) return this.#file.damaged(`its line ${reports.length + 2} is damaged`);
      reports.push(kept);
      chars += each.length;
      if (chars < SLICE_CHARS) continue;
      chars = 0;
      await setImmediate();
    }
    return { reports, elapsed_ms };
  }

  /** Has the file hold what `kept` gives now, if it is time for that, or in any case at the `end`. */
  save(kept: () => readonly KeptReport[], end = false): void {
    const { clock } = this.#options;
    const now = clock.now();
    if (!end && (now - this.#saved_at < WORLD_INTERVAL_MS || this.#file.writing)) return;
    this.#saved_at = now;
    const { deployment, site, agent } = this.#options;
    const written_wall_ms = Math.max(0, clock.wall());
    const head = { isobar_world: 1, deployment, site, agent, written_wall_ms };
    const reports = kept();
    this.#file.write(() => textOf(JSON.stringify(head), reports));
  }

  /** Resolves when all that was saved is in the file, or could not be. */
  flush(): Promise<void> {
    return this.#file.flush();
  }
}

function keptOf(text: string): KeptReport | null {
  const kept = line.safeParse(parseJson(text));
  if (!kept.success) return null;
  const report = checkReport(kept.data.report);
  return report.ok ? { ...kept.data, report: report.value } : null;
}

async function textOf(head: string, reports: readonly KeptReport[]): Promise<string> {
  const lines = [head];
  let bytes = head.length + END.length + 1;
  let chars = 0;
  for (const kept of reports) {
    const text = JSON.stringify(kept);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > WORLD_BYTES_MAX) break;
    lines.push(text);
    chars += text.length;
    if (chars < SLICE_CHARS) continue;
    chars = 0;
    await setImmediate();
  }
  lines.push(END);
  return lines.join('\n');
}
