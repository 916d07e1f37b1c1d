/**
 * A file in which an agent keeps something for its next life.
 *
 * Must hold: the file is always whole, the old or the new one (written aside, synced, renamed); at most
 * one write is under way, and of those that wait only the newest; what cannot be read or written is told
 * and ignored, and nothing here waits for a disk longer than `DISK_MAX_MS`.
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { agentName } from '../model/report.ts';

/** A disk that takes longer, as one that is mounted from far away can, counts as one that fails. */
export const DISK_MAX_MS = 2_000;
/** A wall clock that was set meanwhile can tell any time: more than this is not believed. */
const ELAPSED_MAX_MS = 30 * 86_400_000;

/** Whose file it is, and where. */
export interface KeptFileOptions {
  /** `Site.state_dir` */
  readonly dir: string;
  readonly deployment: string;
  readonly site: string;
  readonly agent: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds since `written_wall_ms`, as far as the wall clock can tell. */
export function elapsedSince(written_wall_ms: number, clock: Clock): number {
  return Math.min(Math.max(0, clock.wall() - written_wall_ms), ELAPSED_MAX_MS);
}

export class KeptFile {
  readonly #options: KeptFileOptions;
  readonly #path: string;
  readonly #what: string;
  readonly #bytesMax: number;
  /** Makes the text that waits for the write under way. */
  #next: (() => string | Promise<string>) | null = null;
  #writing: Promise<void> | null = null;
  #failing = false;

  /** The file is called SITE.`kind`.json, or SITE.AGENT.`kind`.json; `what` is in it, in words. */
  constructor(options: KeptFileOptions, kind: string, what: string, bytesMax: number) {
    this.#options = options;
    this.#what = what;
    this.#bytesMax = bytesMax;
    const owner = agentName(options).replace('/', '.');
    this.#path = join(options.dir, `${owner}.${kind}.json`);
  }

  /** True while the last write has failed. */
  get failing(): boolean {
    return this.#failing;
  }

  get writing(): boolean {
    return this.#writing !== null;
  }

  /** Null if there is none, or none that can be used. */
  async read(): Promise<string | null> {
    try {
      const file = await this.#inTime(stat(this.#path));
      // A pipe would never end, and a device might not.
      if (!file.isFile()) return this.damaged('it is not a regular file');
      if (file.size > this.#bytesMax) {
        return this.damaged(`it is larger than ${this.#bytesMax} bytes`);
      }
      return await this.#inTime(readFile(this.#path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      return this.damaged(String(error));
    }
  }

  /** Has the file hold what `make` gives soon. */
  write(make: () => string | Promise<string>): void {
    this.#next = make;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all that was to be written is in the file, or could not be. */
  async flush(): Promise<void> {
    if (this.#writing === null) return;
    await this.#inTime(this.#writing).catch((error) => this.#fail(String(error)));
  }

  damaged(why: string): null {
    this.#options.log.error({ file: this.#path, why }, `the saved ${this.#what} is not used`);
    return null;
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
      const make = this.#next;
      this.#next = null;
      try {
        await replaceFile(this.#path, await make());
        this.#failing = false;
      } catch (error) {
        this.#fail(String(error));
      }
    }
    this.#writing = null;
  }

  /** Told once for failures in a row. */
  #fail(error: string): void {
    const fields = { file: this.#path, error };
    if (!this.#failing) this.#options.log.error(fields, `the ${this.#what} cannot be written`);
    this.#failing = true;
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

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
