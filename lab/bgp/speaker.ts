/** Drives our speaker in a process of its own (`speaker-main.ts`), by messages. */
import type { ChildProcess } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { ReceivedRoute } from '../../src/bgp/adj-rib-in.ts';
import type { NeighborEvent, NeighborStatus } from '../../src/bgp/speaker.ts';
import type { BgpSite } from '../../src/model/bgp.ts';
import type { RoutePlan } from '../../src/model/plan.ts';
import type { Namespace } from '../netns.ts';

const MAIN = fileURLToPath(new URL('./speaker-main.js', import.meta.url));

export type Call = { readonly id: number } & Request;

export type Request =
  | { readonly name: 'start'; readonly bgp: BgpSite; readonly routes: readonly RoutePlan[] }
  | { readonly name: 'apply'; readonly routes: readonly RoutePlan[] }
  | { readonly name: 'reload'; readonly bgp: BgpSite }
  | { readonly name: 'stop'; readonly text: string }
  | { readonly name: 'received'; readonly neighbor: string }
  | { readonly name: 'neighbors' };

/** `at_ms`: when the speaker was called, on the machine's monotonic clock. */
export interface Answer {
  readonly id: number;
  readonly at_ms: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What the speaker tells without being asked. */
export interface Told {
  readonly event: NeighborEvent;
  readonly at_ms: number;
}

export class SpeakerProcess {
  readonly events: Told[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;
  #log = '';

  constructor(space: Namespace) {
    this.#child = space.spawnWithMessages(process.execPath, MAIN);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.#log += text.toString();
      });
    }
    this.#child.on('message', (message: Answer | Told) => {
      if ('event' in message) this.events.push(message);
      else this.#answered(message);
    });
    this.#child.once('exit', () => {
      for (const id of this.#waiting.keys()) {
        this.#answered({ id, at_ms: 0, error: `the speaker has ended: ${this.#log.slice(-2000)}` });
      }
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** What it has logged, JSON lines, and what it printed when it failed. */
  log(): string {
    return this.#log;
  }

  start(bgp: BgpSite, routes: readonly RoutePlan[] = []): Promise<Answer> {
    return this.#call({ name: 'start', bgp, routes });
  }

  apply(routes: readonly RoutePlan[]): Promise<Answer> {
    return this.#call({ name: 'apply', routes });
  }

  reload(bgp: BgpSite): Promise<Answer> {
    return this.#call({ name: 'reload', bgp });
  }

  stop(text: string): Promise<Answer> {
    return this.#call({ name: 'stop', text });
  }

  async neighbors(): Promise<readonly NeighborStatus[]> {
    return (await this.#call({ name: 'neighbors' })).value as NeighborStatus[];
  }

  /** What is kept of a neighbour's routes. */
  async received(neighbor: string): Promise<readonly ReceivedRoute[]> {
    return ((await this.#call({ name: 'received', neighbor })).value ?? []) as ReceivedRoute[];
  }

  /** True if it has told something that matches. */
  told(text: RegExp): boolean {
    return this.events.some(({ event }) => text.test(event.text));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** For the end of a test, whatever has become of it. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  #call(request: Request): Promise<Answer> {
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (answer) => {
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      this.#child.send({ id, ...request }, (error) => error && reject(error));
    });
  }

  #answered(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
