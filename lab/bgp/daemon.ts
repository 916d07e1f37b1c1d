/**
 * A BGP daemon of somebody else in a namespace: its processes, its files, and what all of them are
 * asked. What it believes is always read from the daemon itself, never from our side.
 */
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Namespace } from '../netns.ts';
import { family, isAlive } from '../processes.ts';
import { until } from '../wait.ts';

/** One session as the daemon is to be configured for it. */
export interface DaemonPeer {
  readonly local: string;
  readonly address: string;
  readonly as: number;
  /** Waits to be dialled. */
  readonly passive: boolean;
  readonly hold_s: number;
  /** Key of TCP MD5 (RFC 2385), without blanks; and the neighbour one hop away at most (RFC 5082). */
  readonly key?: string;
}

export interface DaemonSettings {
  readonly space: Namespace;
  /** Folder for its files; made if it is not there. */
  readonly dir: string;
  readonly as: number;
  readonly id: string;
  readonly peer: DaemonPeer;
  /** False: the kernel's table is left alone, where that can be said. */
  readonly kernel?: boolean;
  /** Lines in the daemon's own words for its neighbour, and for each address family of it. */
  readonly neighborLines?: readonly string[];
  readonly familyLines?: readonly string[];
  /** Lines for the whole daemon. */
  readonly globalLines?: readonly string[];
  /** Lines for its BGP as a whole, where the daemon has a place for them. */
  readonly routerLines?: readonly string[];
}

/** A route as a daemon shows it. Lists are sorted; what is absent is null or empty. */
export interface SeenRoute {
  readonly prefix: string;
  readonly next_hop: string;
  readonly as_path: readonly number[];
  readonly med: number | null;
  readonly local_pref: number | null;
  /** Standard, "65000:80" or a well-known name in lower case; large, "1:2:3"; extended, "target:1:2". */
  readonly communities: readonly string[];
}

export interface Router {
  readonly name: string;
  start(): Promise<void>;
  /** True while the session with the speaker is Established. */
  established(): Promise<boolean>;
  routes(): Promise<readonly SeenRoute[]>;
  /** Asks the speaker for all its routes again, where it can. */
  refresh?(): Promise<void>;
  /** Ends the session in the operator's words (RFC 9003), and allows it again. */
  disable(text: string): Promise<void>;
  enable(): Promise<void>;
  /** Has the speaker told an IPv4 prefix of the router's own, where it takes one while it runs. */
  originate?(prefix: string): Promise<void>;
  /** All that it has logged since it was first started. */
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves when its processes are gone. */
  kill(): Promise<void>;
}

/** From the start of a process until it answers questions, at most. */
const READY_MS = 15_000;

/** The processes of one daemon, started and ended together. */
class DaemonProcesses {
  readonly space: Namespace;
  readonly dir: string;
  readonly #children = new Set<ChildProcess>();

  constructor({ space, dir }: DaemonSettings) {
    this.space = space;
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  file(name: string): string {
    return join(this.dir, name);
  }

  spawn(program: string, ...args: string[]): void {
    const child = this.space.spawn(program, ...args);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    const keep = (text: Buffer): void => {
      if (existsSync(this.dir)) appendFileSync(this.file('output'), text);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
  }

  /** Waits until `ready` does not fail any more. */
  async ready(what: string, ready: () => Promise<unknown>): Promise<void> {
    const asked = async (): Promise<boolean> => {
      try {
        await ready();
        return true;
      } catch {
        if (this.#children.size === 0) throw new Error(`${what} has ended: ${this.output()}`);
        return false;
      }
    };
    await until(`${what} to be ready`, READY_MS, asked, 10);
  }

  read(name: string): string {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), 'utf8') : '';
  }

  output(): string {
    return this.read('output');
  }

  /** To the daemon with all its parts: one that is left would keep the session alive. */
  signal(name: NodeJS.Signals): void {
    for (const pid of this.#pids()) process.kill(pid, name);
  }

  /** SIGKILL for all of them at once; resolves when they are gone. */
  async kill(): Promise<void> {
    const pids = this.#pids();
    this.signal('SIGKILL');
    await until('the daemon to be gone', READY_MS, () => !pids.some(isAlive), 5);
  }

  #pids(): number[] {
    return [...this.#children].flatMap((child) => family(child.pid!));
  }
}

/** What all daemons have in common: their settings, and processes that are signalled and ended together. */
export abstract class RouterDaemon {
  protected readonly settings: DaemonSettings;
  protected readonly processes: DaemonProcesses;

  constructor(settings: DaemonSettings) {
    this.settings = settings;
    this.processes = new DaemonProcesses(settings);
  }

  signal(name: NodeJS.Signals): void {
    this.processes.signal(name);
  }

  async kill(): Promise<void> {
    await this.processes.kill();
  }
}
