/**
 * Watches a deployment's directory and hands over each new Config, whole and valid, or the problems
 * that keep the old one in force. The system's file events are only a hint that makes it quick: a
 * slow poll finds what they miss (network file systems, folders replaced by a checkout).
 */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../base/clock.ts';
import type { Config } from '../model/config.ts';
import { type LoadOptions, loadConfig } from './load.ts';
import type { Problem } from './problem.ts';
import { ZoneCache } from './zone/cache.ts';

export interface WatchOptions {
  readonly clock: Clock;
  /** The Config in force; one that is equal to it is not handed over. */
  readonly current: Config;
  readonly onConfig: (config: Config) => void;
  /** The directory is not a valid deployment now; the Config in force stays. */
  readonly onProblems: (problems: readonly Problem[]) => void;
  /** As for the load that gave `current`. */
  readonly load?: LoadOptions;
  /** Quiet time after a file event before the files are read; 100 by default. */
  readonly debounce_ms?: number;
  /** Time between two looks without an event; 5000 by default. */
  readonly poll_ms?: number;
}

/** Files whose state is compared; a directory with more is read anew at every look. */
const FILES_MAX = 20_000;

/** Reads in a row that files which change meanwhile may cost a reload. */
const RELOAD_TRIES = 5;

/** One text that changes when any file of the deployment is written, replaced, added or removed. */
async function fingerprint(dir: string): Promise<string> {
  const lines: string[] = [];
  const look = async (file: string): Promise<void> => {
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(join(dir, file));
      lines.push(`${file} ${ino} ${size} ${mtimeMs} ${ctimeMs}`);
    } catch {
      lines.push(`${file} missing`);
    }
  };
  await look('deployment.yaml');
  for (const folder of ['sites', 'zones']) {
    const options = { recursive: true, encoding: 'utf8' } as const;
    const names = await readdir(join(dir, folder), options).catch(() => []);
    for (const name of names.sort().slice(0, FILES_MAX)) await look(join(folder, name));
    if (names.length > FILES_MAX) lines.push(`${folder} ${names.length} files`);
  }
  return lines.join('\n');
}

export class ConfigWatcher {
  readonly #dir: string;
  readonly #options: WatchOptions;
  readonly #load: LoadOptions;
  #current: Config;
  #seen = '';
  #watchers: FSWatcher[] = [];
  #debounce: Timer | null = null;
  #poll: Timer | null = null;
  #busy: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(dir: string, options: WatchOptions) {
    this.#dir = resolve(dir);
    this.#options = options;
    this.#current = options.current;
    this.#load = {
      ...options.load,
      zones: options.load?.zones ?? new ZoneCache(options.current.zones),
    };
    this.#watch();
    this.#schedulePoll();
    // A file may have changed between the load of `current` and now.
    this.#touch();
  }

  /**
   * Reads the files now, whether they seem changed or not. False if they could not be read whole,
   * because they changed each time while they were read.
   */
  async reload(): Promise<boolean> {
    this.#seen = '';
    for (let i = 0; i < RELOAD_TRIES && this.#seen === '' && !this.#stopped; i++) {
      await this.#look();
    }
    return this.#seen !== '';
  }

  /** Settles when no file is being read. */
  async settled(): Promise<void> {
    await this.#busy;
  }

  /** Nothing is handed over once this is called; settles when no file is being read any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#debounce?.cancel();
    this.#poll?.cancel();
    this.#unwatch();
    await this.settled();
  }

  #unwatch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  /** Watches the folders as they are now: a checkout may have replaced them since. */
  #watch(): void {
    this.#unwatch();
    for (const folder of [this.#dir, join(this.#dir, 'sites'), join(this.#dir, 'zones')]) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#touch());
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // No such folder, or no event for this file system: the poll sees it.
      }
    }
  }

  #schedulePoll(): void {
    if (this.#stopped) return;
    this.#poll = this.#options.clock.timer(this.#options.poll_ms ?? 5000, () => {
      this.#watch();
      void this.#look();
      this.#schedulePoll();
    });
  }

  #touch(): void {
    if (this.#stopped) return;
    this.#debounce?.cancel();
    const ms = this.#options.debounce_ms ?? 100;
    this.#debounce = this.#options.clock.timer(ms, () => void this.#look());
  }

  /** One look at a time; a call during a look makes it look once more. */
  #look(): Promise<void> {
    this.#again = true;
    this.#busy ??= this.#run().finally(() => {
      this.#busy = null;
    });
    return this.#busy;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const before = await fingerprint(this.#dir);
      if (before === this.#seen) continue;
      const result = await loadConfig(this.#dir, this.#load);
      if (this.#stopped) return;
      // Files that changed while they were read may have been read half old, half new.
      if ((await fingerprint(this.#dir)) !== before) {
        this.#touch();
        continue;
      }
      this.#seen = before;
      if (this.#stopped) return;
      if (!result.ok) this.#options.onProblems(result.error);
      else if (!isSame(result.value, this.#current)) {
        this.#current = result.value;
        this.#options.onConfig(result.value);
      }
    }
  }
}

/** A zone's image is as large as its file: the digest speaks for it. */
function isSame(a: Config, b: Config): boolean {
  const small = ({ zones, ...rest }: Config): unknown => ({
    ...rest,
    zones: zones.map(({ image: _, ...zone }) => zone),
  });
  return isDeepStrictEqual(small(a), small(b));
}

/** Starts watching `dir`; `stop` ends it. */
export function watchConfig(dir: string, options: WatchOptions): ConfigWatcher {
  return new ConfigWatcher(dir, options);
}
