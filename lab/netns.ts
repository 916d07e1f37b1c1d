/**
 * Network namespaces as values: made under a tag of their own, so that two labs on one machine do
 * not meet, and always torn down, also after a failure or a signal. Processes started inside are
 * ended by their process ids before the namespaces go. Only SIGKILL leaves something: the kernel
 * then ends the processes, and the next lab of the same tag removes the rest.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Host } from '../src/net/host.ts';
import { runProgram } from '../src/net/host.ts';

/** From SIGTERM to SIGKILL, in milliseconds. */
const END_GRACE_MS = 5_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** One network namespace. `name` is what the lab calls it, `id` what `ip netns` calls it. */
export class Namespace {
  readonly name: string;
  readonly id: string;
  readonly #lab: NetLab;

  constructor(lab: NetLab, name: string, id: string) {
    this.#lab = lab;
    this.name = name;
    this.id = id;
  }

  /** Runs a program to its end; rejects when it fails, with what it said. */
  exec(program: string, ...args: string[]): Promise<string> {
    return runProgram('ip', ['netns', 'exec', this.id, program, ...args]);
  }

  /** `ip -n NAMESPACE …`, the arguments given as one line. */
  async ip(line: string): Promise<string> {
    return runProgram('ip', ['-n', this.id, ...line.split(' ')]);
  }

  /** Starts a program that the lab ends at its teardown, and the kernel if we are killed before. */
  spawn(program: string, ...args: string[]): ChildProcess {
    return this.#spawn(['ignore', 'pipe', 'pipe'], program, args);
  }

  /** The same for a program that reads its standard input. */
  spawnWithInput(program: string, ...args: string[]): ChildProcess {
    return this.#spawn(['pipe', 'pipe', 'pipe'], program, args);
  }

  /** The same for a program of Node with which messages are exchanged. */
  spawnWithMessages(program: string, ...args: string[]): ChildProcess {
    return this.#spawn(['ignore', 'pipe', 'pipe', 'ipc'], program, args);
  }

  #spawn(stdio: StdioOptions, program: string, args: readonly string[]): ChildProcess {
    const words = ['netns', 'exec', this.id, 'setpriv', '--pdeathsig', 'KILL', program, ...args];
    return this.#lab.track(spawn('ip', words, { stdio }));
  }

  /** The namespace as the spill drivers' machine. */
  host(): Host {
    return {
      run: (program, args, input) =>
        runProgram('ip', ['netns', 'exec', this.id, program, ...args], input),
      read: async (path) => (await this.exec('cat', path)).trim(),
      write: async (path, text) => {
        await runProgram('ip', ['netns', 'exec', this.id, 'tee', path], text);
      },
    };
  }
}

export class NetLab {
  readonly tag: string;
  /** A folder for its files, removed at the teardown. */
  readonly dir: string;
  readonly #namespaces: Namespace[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #adding: Promise<unknown>[] = [];
  #links = 0;
  #closed = false;

  /** `tag` is at most 6 characters; the process id keeps labs of one tag apart. */
  constructor(tag: string) {
    this.tag = `${tag}${process.pid}`;
    this.dir = mkdtempSync(join(tmpdir(), `isobar-${this.tag}-`));
    // Daemons that give up root have their files in it.
    chmodSync(this.dir, 0o755);
  }

  async namespace(name: string): Promise<Namespace> {
    if (this.#closed) throw new Error('the lab is closed');
    const space = new Namespace(this, name, `${this.tag}-${name}`);
    const added = runProgram('ip', ['netns', 'add', space.id]).then(() => {
      this.#namespaces.push(space);
    });
    // A teardown that comes meanwhile waits for it, or the namespace would be left behind.
    this.#adding.push(added.catch(() => {}));
    await added;
    await space.ip('link set lo up');
    return space;
  }

  /**
   * A cable between two namespaces: devices `aName` in `a` and `bName` in `b`, both up. Addresses
   * ("10.0.0.1/24") are optional.
   */
  async link(
    a: Namespace,
    aName: string,
    b: Namespace,
    bName: string,
    aAddress?: string,
    bAddress?: string,
  ): Promise<void> {
    const end = `v${process.pid}x${this.#links++}`;
    await a.ip(`link add ${end} type veth peer name ${bName} netns ${b.id}`);
    await a.ip(`link set ${end} name ${aName}`);
    if (aAddress) await a.ip(`address add ${aAddress} dev ${aName}`);
    if (bAddress) await b.ip(`address add ${bAddress} dev ${bName}`);
    await a.ip(`link set dev ${aName} up`);
    await b.ip(`link set dev ${bName} up`);
  }

  track(child: ChildProcess): ChildProcess {
    this.#children.add(child);
    if (this.#closed) child.kill('SIGKILL');
    child.once('exit', () => this.#children.delete(child));
    // A program that cannot be started shows as an exit to whoever waits for it.
    child.on('error', () => this.#children.delete(child));
    // A pipe that nobody empties would stop the program.
    child.stdout?.resume();
    child.stderr?.resume();
    return child;
  }

  /** Ends every process that was started, then removes every namespace and the folder. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#adding);
    await Promise.all([...this.#children].map((child) => end(child)));
    for (const { id } of this.#namespaces.splice(0).reverse()) await removeNamespace(id);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function removeNamespace(id: string): Promise<void> {
  try {
    for (const pid of await pidsIn(id)) kill(pid, 'SIGKILL');
    await runProgram('ip', ['netns', 'delete', id]);
  } catch (error) {
    process.stderr.write(`lab: ${(error as Error).message}\n`);
  }
}

/** Processes that daemonised themselves out of our sight but still live in the namespace. */
async function pidsIn(id: string): Promise<number[]> {
  const pids = await runProgram('ip', ['netns', 'pids', id]);
  return pids.split('\n').filter(Boolean).map(Number);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** SIGTERM, then SIGKILL for one that does not end; resolves when it is gone. */
export async function end(child: ChildProcess, grace_ms = END_GRACE_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const last = setTimeout(() => child.kill('SIGKILL'), grace_ms);
  child.kill('SIGTERM');
  await gone;
  clearTimeout(last);
}

/**
 * Runs `body` with a fresh lab and tears it down whatever happens: a signal, or an exception that
 * nobody catches, makes the promise reject after the teardown.
 */
export async function withNetLab<T>(tag: string, body: (lab: NetLab) => Promise<T>): Promise<T> {
  await removeLeftovers(tag);
  const lab = new NetLab(tag);
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const interrupt = (signal: NodeJS.Signals): void => fail(new Interrupted(signal));
  for (const signal of SIGNALS) process.on(signal, interrupt);
  process.on('uncaughtException', fail);
  try {
    return await Promise.race([body(lab), failed]);
  } finally {
    await lab.close();
    for (const signal of SIGNALS) process.off(signal, interrupt);
    process.off('uncaughtException', fail);
  }
}

/** Removes the namespaces and folders of labs of this tag whose process was killed. */
async function removeLeftovers(tag: string): Promise<void> {
  const isLeft = (name: string): boolean => {
    const owner = /^\d+(?=-)/.exec(name.slice(tag.length));
    return owner !== null && !existsSync(`/proc/${owner[0]}`);
  };
  for (const id of namespacesOf(tag).filter(isLeft)) await removeNamespace(id);
  const prefix = `isobar-${tag}`;
  for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(prefix))) {
    if (isLeft(name.slice('isobar-'.length))) {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    }
  }
}

export class Interrupted extends Error {
  constructor(signal: string) {
    super(`ended by ${signal}`);
  }
}

/** Names of the namespaces on this machine that begin with `tag`: none, after a teardown. */
export function namespacesOf(tag: string): string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(tag));
  } catch {
    return [];
  }
}
