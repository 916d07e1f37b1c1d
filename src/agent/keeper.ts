/**
 * What an agent keeps for its next life, where the configuration names a directory for it: its state,
 * which is written at once when it changes, and the World, now and then.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../model/config.ts';
import type { Report } from '../model/report.ts';
import type { KeptReport } from '../share/world-view.ts';
import { siteOf } from './config-parts.ts';
import { type LoadedState, type SavedState, StateFile } from './state-file.ts';
import { type LoadedWorld, WorldFile } from './world-file.ts';

export interface KeeperOptions {
  readonly site: string;
  readonly agent: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Files {
  readonly dir: string;
  readonly state: StateFile;
  readonly world: WorldFile;
}

export interface Loaded {
  readonly state: LoadedState | null;
  readonly world: LoadedWorld | null;
  /** This agent's last report, and its age in milliseconds. */
  readonly own: { readonly report: Report; readonly age_ms: number } | null;
}

export class Keeper {
  readonly #options: KeeperOptions;
  #files: Files | null = null;

  constructor(options: KeeperOptions, config: Config) {
    this.#options = options;
    this.use(config);
  }

  /** From now on in the directory that `config` names. */
  use(config: Config): void {
    const { state_dir: dir } = siteOf(config, this.#options.site);
    if (dir === (this.#files?.dir ?? null)) return;
    const all = dir === null ? null : { ...this.#options, dir, deployment: config.deployment };
    this.#files = all && { dir: all.dir, state: new StateFile(all), world: new WorldFile(all) };
  }

  async load(): Promise<Loaded> {
    const [state, world] = await Promise.all([
      this.#files?.state.load() ?? null,
      this.#files?.world.load() ?? null,
    ]);
    const { site, agent } = this.#options;
    const own = world?.reports.find(({ report }) => report.site === site && report.agent === agent);
    if (!world || !own) return { state, world, own: null };
    return { state, world, own: { report: own.report, age_ms: own.age_ms + world.elapsed_ms } };
  }

  save(state: SavedState, world: () => readonly KeptReport[]): void {
    this.#files?.state.save(state);
    this.#files?.world.save(world);
  }

  /** The last there is of the world; resolves when all is written, or could not be. */
  async close(world: () => readonly KeptReport[]): Promise<void> {
    const files = this.#files;
    if (files === null) return;
    files.world.save(world, true);
    await Promise.all([files.state.flush(), files.world.flush()]);
  }
}
