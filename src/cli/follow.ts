/**
 * Keeps a running agent at what its files say: the deployment's directory, and the files outside it
 * that the configuration names. They are read when they change, at SIGHUP and by `isobar reload`.
 *
 * What must always hold: one change at a time; a configuration is taken whole or not at all; what
 * is not good leaves what is in force alone, and is told once, not at every look.
 */
import type { Agent } from '../agent/agent.ts';
import type { ReloadReport } from '../api/control.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { configChanges, endingSessions, restartKeys } from '../config/changes.ts';
import type { LoadOptions } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { configVersion } from '../config/version.ts';
import { type ConfigWatcher, watchConfig } from '../config/watch.ts';
import type { Config } from '../model/config.ts';
import { type MachineFiles, machineChanges, readMachineFiles } from './machine-files.ts';

/** Time between two looks at the files outside the directory. */
const POLL_MS = 5_000;

export interface FollowOptions {
  /** The deployment's directory. */
  readonly dir: string;
  /** As for the load that gave the agent's configuration. */
  readonly load: LoadOptions;
  readonly agent: Pick<
    Agent,
    'config' | 'site' | 'reload' | 'useCookieSecrets' | 'useTsigKeys' | 'useBgpKeys'
  >;
  /** What the agent was started with. */
  readonly files: MachineFiles;
  readonly clock: Clock;
  readonly log: Log;
}

export class Follower {
  readonly #options: FollowOptions;
  readonly #watcher: ConfigWatcher;
  readonly #started: Config;
  /** The newest good configuration of the directory; in force, or about to be. */
  #config: Config;
  #files: MachineFiles;
  /** Of the directory, as the watcher last told them while a reload waits. */
  #problems: readonly string[] = [];
  /** What the agent could not take of the configuration that is in force. */
  #kept: readonly string[] = [];
  /** Problems of the files outside that the log has already. */
  #told = '';
  /** While a reload waits for the watcher: it takes over itself what the watcher finds. */
  #asked = false;
  #reloads: Promise<unknown> = Promise.resolve();
  #last: Promise<unknown> = Promise.resolve();
  #earlier: { readonly at: number; readonly changes: readonly string[] } | null = null;
  #poll: Timer | null = null;
  #stopped = false;

  constructor(options: FollowOptions) {
    const { dir, load, agent, clock, files } = options;
    this.#options = options;
    this.#started = agent.config;
    this.#config = agent.config;
    this.#files = files;
    this.#watcher = watchConfig(dir, {
      clock,
      current: agent.config,
      load,
      onConfig: (config) => {
        this.#problems = [];
        this.#config = config;
        if (!this.#asked) void this.#take();
      },
      onProblems: (problems) => {
        this.#problems = problems.map(formatProblem);
        if (!this.#asked) this.#refuse(this.#problems);
      },
    });
    this.#armPoll();
  }

  /** Reads everything again, changed or not; resolves when what is good is in force. */
  reload(): Promise<ReloadReport> {
    const done = this.#reloads.then(() => this.#reload());
    this.#reloads = done;
    return done;
  }

  async #reload(): Promise<ReloadReport> {
    this.#asked = true;
    this.#problems = [];
    const whole = await this.#watcher.reload();
    this.#asked = false;
    this.#told = '';
    if (this.#stopped) return this.#report([], ['the daemon is stopping']);
    if (!whole) return this.#refuse(['the files changed while they were read: try again']);
    return this.#problems.length > 0 ? this.#refuse(this.#problems) : this.#take(true);
  }

  /** Settles when no file is being read and no change is being taken over. */
  async settled(): Promise<void> {
    await this.#watcher.settled();
    await this.#last;
  }

  /** Nothing is taken over once this has settled. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#poll?.cancel();
    await this.#watcher.stop();
    await this.#reloads;
    await this.#last;
  }

  #armPoll(): void {
    this.#poll = this.#options.clock.timer(POLL_MS, () => {
      void this.#take().then(() => {
        if (!this.#stopped) this.#armPoll();
      });
    });
  }

  /**
   * Takes over what differs from what is in force, after the changes before; if `asked`, also what
   * could not be taken then. Never rejects.
   */
  #take(asked = false): Promise<ReloadReport> {
    const taken = this.#last.then(() => this.#takeNow(asked));
    this.#last = taken;
    return taken;
  }

  async #takeNow(asked: boolean): Promise<ReloadReport> {
    const { agent, log } = this.#options;
    if (this.#stopped) return this.#report([], []);
    const before = agent.config;
    const [after, was] = [this.#config, this.#files];
    try {
      const files = await readMachineFiles(after, agent.site, was);
      const changes = machineChanges(was, files);
      const kept = this.#kept;
      const again = asked && kept.length > 0;
      if (after === before && changes.length === 0 && !again) return this.#report([], []);
      // Before the zones that name a new key: who is told of them may ask at once.
      const keys = files.keys.value;
      if (keys !== was.keys.value) await agent.useTsigKeys(keys);
      // Nothing is dialled without its key: until the neighbours change, both old and new are known.
      const [bgp, wasBgp] = [files.bgp.value, was.bgp.value];
      if (bgp !== wasBgp) await agent.useBgpKeys(new Map([...wasBgp.keys, ...bgp.keys]));
      const anew = again || after !== before || files.geo.value !== was.geo.value;
      if (anew) this.#kept = await agent.reload(after, files.geo.value);
      if (bgp !== wasBgp) await agent.useBgpKeys(bgp.keys);
      const cookies = files.cookies.value;
      if (cookies !== was.cookies.value) await agent.useCookieSecrets(cookies);
      this.#files = files;
      this.#told = '';
      if (bgp !== wasBgp) for (const line of bgp.warnings) log.warn({}, line);
      const mended = kept.filter((problem) => !this.#kept.includes(problem));
      changes.push(...mended.map((problem) => `no longer a problem: ${problem}`));
      const all = [...configChanges(before, after), ...changes];
      return await this.#tell(all, this.#kept, endingSessions(before, after, agent.site));
    } catch (error) {
      return this.#refuse((error as Error).message.split('\n'));
    }
  }

  #report(
    changes: readonly string[],
    problems: readonly string[],
    sessions: readonly string[] = [],
  ): ReloadReport {
    const { agent, clock } = this.#options;
    const restart = restartKeys(this.#started, agent.config, agent.site);
    const last = this.#earlier;
    const earlier = last && { ago_ms: clock.now() - last.at, changes: last.changes };
    return { changes, earlier, sessions, restart, problems };
  }

  async #tell(
    changes: readonly string[],
    problems: readonly string[],
    sessions: readonly string[],
  ): Promise<ReloadReport> {
    const { log, dir, clock } = this.#options;
    const report = this.#report(changes, problems, sessions);
    if (changes.length > 0) this.#earlier = { at: clock.now(), changes };
    // Where the directory is a Git work tree, the commit that an operator will find it at.
    log.info({ commit: await configVersion(dir), changes }, 'configuration in use');
    if (sessions.length > 0) log.warn({ sessions }, 'BGP sessions have ended for it');
    if (report.restart.length > 0) {
      log.warn({ keys: report.restart }, 'changed, but in use only after a restart');
    }
    if (problems.length > 0) log.error({ problems }, 'not all of the configuration is in use');
    return report;
  }

  #refuse(problems: readonly string[]): ReloadReport {
    const text = problems.join('\n');
    if (text !== this.#told) {
      this.#options.log.error({ problems }, 'new configuration refused; the old one stays');
    }
    this.#told = text;
    return this.#report([], problems);
  }
}
