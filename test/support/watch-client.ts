/** The other end of watch-site.ts: a watch thread in a namespace, as a test drives it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Namespace, NetLab } from '../../lab/netns.ts';
import type { BfdStatus } from '../../src/bgp/ports.ts';
import type { BfdSettings } from '../../src/model/bgp.ts';
import { eventually } from './eventually.ts';
import type { SiteCommand, SiteTarget, SiteWord } from './watch-site.ts';

const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), 'watch-site.js');

export function bfdSettings(changes: Partial<BfdSettings> = {}): BfdSettings {
  return {
    multihop: false,
    transmit_ms: 100,
    receive_ms: 100,
    multiplier: 3,
    auth: null,
    strict: false,
    ...changes,
  };
}

export function siteTarget(address: string, changes: Partial<SiteTarget> = {}): SiteTarget {
  return { address, source: null, interface: null, settings: bfdSettings(), key: null, ...changes };
}

export class WatchSite {
  readonly words: SiteWord[] = [];
  readonly #child: ChildProcess;

  constructor(lab: NetLab, space: Namespace) {
    const words = ['netns', 'exec', space.id, 'setpriv', '--pdeathsig', 'KILL', process.execPath];
    const child = spawn('ip', [...words, SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = lab.track(child);
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => this.words.push(JSON.parse(line) as SiteWord));
  }

  do(command: SiteCommand): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  open(name: string, target: SiteTarget): void {
    this.do({ do: 'open', name, target });
  }

  /** All of its threads stand still for so long. */
  async freeze(ms: number): Promise<void> {
    this.#child.kill('SIGSTOP');
    await sleep(ms);
    this.#child.kill('SIGCONT');
  }

  /** What was told of a session, in order. */
  changes(name: string): { state: string; text: string }[] {
    return this.words.flatMap((it) => (it.word === 'changed' && it.name === name ? [it] : []));
  }

  /** Waits until the session's last change is to `state`. */
  async until(name: string, state: string): Promise<void> {
    await eventually(`${name} is ${state}`, () => this.changes(name).at(-1)?.state === state);
  }

  async status(name: string): Promise<BfdStatus | null> {
    const before = this.words.length;
    this.do({ do: 'status' });
    let status: BfdStatus | null = null;
    await eventually('a status', () => {
      const word = this.words.slice(before).find((it) => it.word === 'status');
      if (word?.word === 'status') status = word.of[name] ?? null;
      return word !== undefined;
    });
    return status;
  }

  /** Milliseconds that the thread took to end. */
  async stop(): Promise<number> {
    this.do({ do: 'stop' });
    let took = 0;
    await eventually('the thread ends', () => {
      const word = this.words.find((it) => it.word === 'stopped');
      if (word?.word === 'stopped') took = word.after_ms;
      return word !== undefined;
    });
    return took;
  }
}
