/**
 * What must outlive the agent's process, in one small file of the site: the overrides, and what the decision
 * remembers of the routes. Parts are versioned one by one, so that an agent of another version uses
 * those that it knows.
 *
 * Must hold: the file is always whole, the old or the new one (written aside, synced, renamed); what
 * is damaged is told and ignored; nothing here stops the agent, nor delays its start or its end by more
 * than `DISK_MAX_MS`, and nothing between them.
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { OverrideSight } from '../model/override.ts';
import type { RouteSight } from '../model/report.ts';
import { OVERRIDES_MAX } from '../share/override-book.ts';
import { overrideSight } from '../share/override-schema.ts';
import { routeSights } from '../share/report-schema.ts';

export interface SavedState {
  /** Those that were removed or have ended, too: no older copy may bring them back. */
  readonly overrides: readonly OverrideSight[];
  readonly routes: Readonly<Record<string, RouteSight>>;
}

export interface LoadedState extends SavedState {
  /** Since it was written, in milliseconds, as far as the wall clock can tell. */
  readonly elapsed_ms: number;
}

export interface StateFileOptions {
  /** `Site.state_dir` */
  readonly dir: string;
  readonly deployment: string;
  readonly site: string;
  readonly agent: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A disk that takes longer, as one that is mounted from far away can, counts as one that fails. */
export const DISK_MAX_MS = 2_000;
/** Far above what the routes of a site need. */
const BYTES_MAX = 4_194_304;
/** A wall clock that was set meanwhile can tell any time: more than this is not believed. */
const ELAPSED_MAX_MS = 30 * 86_400_000;

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

export class StateFile {
  readonly dir: string;
  readonly #options: StateFileOptions;
  readonly #path: string;
  /** Waits for the write under way; only the newest does. */
  #next: string | null = null;
  #writing: Promise<void> | null = null;
  #written = '';
  #failing = false;

  constructor(options: StateFileOptions) {
    this.#options = options;
    this.dir = options.dir;
    const { dir, site, agent } = options;
    this.#path = join(dir, `${agent === site ? site : `${site}.${agent}`}.state.json`);
  }

  /** Null if there is none, or none that can be used. */
  async load(): Promise<LoadedState | null> {
    const { deployment, site, clock } = this.#options;
    const text = await this.#read();
    if (text === null) return null;
    const file = envelope.safeParse(parse(text));
    if (!file.success) return this.#damaged('it is not a state file of isobar');
    if (file.data.deployment !== deployment || file.data.site !== site) {
      return this.#damaged(`it is of ${file.data.deployment}/${file.data.site}`);
    }
    const { parts, written_wall_ms } = file.data;
    const part = <Value>(name: keyof typeof PARTS, schema: z.ZodType<Value>): Value | null => {
      if (parts[name]?.version !== PARTS[name].version) return null;
      const checked = schema.safeParse(parts[name].value);
      return checked.success ? checked.data : this.#damaged(`its part "${name}" is damaged`);
    };
    return {
      overrides: part('overrides', PARTS.overrides.schema) ?? [],
      routes: part('routes', PARTS.routes.schema) ?? {},
      elapsed_ms: Math.min(Math.max(0, clock.wall() - written_wall_ms), ELAPSED_MAX_MS),
    };
  }

  /** Has the file hold `state` soon, if it is another than the last but for the time that passed. */
  save(state: SavedState): void {
    const essence = essenceOf(state);
    if (essence === this.#written) return;
    this.#written = essence;
    const { deployment, site, clock } = this.#options;
    this.#next = JSON.stringify({
      isobar_state: 1,
      deployment,
      site,
      written_wall_ms: Math.max(0, clock.wall()),
      parts: {
        overrides: { version: PARTS.overrides.version, value: state.overrides },
        routes: { version: PARTS.routes.version, value: state.routes },
      },
    });
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all that was saved is in the file, or could not be. */
  async flush(): Promise<void> {
    if (this.#writing === null) return;
    await this.#inTime(this.#writing).catch((error) => this.#fail(String(error)));
  }

  async #inTime<Done>(work: Promise<Done>): Promise<Done> {
    let timer: Timer | null = null;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`no answer from the disk in ${DISK_MAX_MS / 1000} s`);
      timer = this.#options.clock.timer(DISK_MAX_MS, () => reject(error));
    });
    return Promise.race([work, late]).finally(() => timer?.cancel());
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== null) {
      const text = this.#next;
      this.#next = null;
      try {
        await replaceFile(this.#path, text);
        this.#failing = false;
      } catch (error) {
        this.#written = '';
        this.#fail(String(error));
      }
    }
    this.#writing = null;
  }

  async #read(): Promise<string | null> {
    try {
      const file = await this.#inTime(stat(this.#path));
      // A pipe would never end, and a device might not.
      if (!file.isFile()) return this.#damaged('it is not a regular file');
      if (file.size > BYTES_MAX) return this.#damaged(`it is larger than ${BYTES_MAX} bytes`);
      return await this.#inTime(readFile(this.#path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      return this.#damaged(String(error));
    }
  }

  #damaged(why: string): null {
    const fields = { file: this.#path, why };
    this.#options.log.error(fields, 'the saved state of the site is not used');
    return null;
  }

  /** Told once for failures in a row: the next `save` tries again, whether or not it has news. */
  #fail(error: string): void {
    const fields = { file: this.#path, error };
    if (!this.#failing) this.#options.log.error(fields, 'the state of the site cannot be written');
    this.#failing = true;
  }
}

/** What is worth a write; durations are told by the time of writing. */
function essenceOf({ overrides, routes }: SavedState): string {
  const parts = Object.entries(routes).map(([vip, sight]) => {
    const { phase, withdrawn_by, drained, suppressed, penalty } = sight;
    return [vip, phase, withdrawn_by, drained, suppressed, penalty > 0];
  });
  return JSON.stringify([overrides.map(({ override }) => [override.id, override.stamp]), parts]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** As a power cut leaves it: the old text or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.new`;
  // What a crash has left there, or a link that leads elsewhere, is not written through.
  await rm(aside, { force: true });
  const file = await open(aside, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
