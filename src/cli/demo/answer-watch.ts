/**
 * The DNS answers of all sites for one region, watched to the millisecond from a thread of its own:
 * the sites share the main thread, so questions asked there would slow what they time, and be late.
 */
import { Worker } from 'node:worker_threads';
import { Listeners } from '../../base/listeners.ts';
import type { AnswerSeen, WatcherStart } from './answer-watcher.ts';
import { type AnswerAt, latest, named, type Scene } from './outside.ts';
import { subnetOf } from './screen.ts';

const EVERY_MS = 2;

export class AnswerWatch {
  readonly #scene: Scene;
  readonly #worker: Worker;
  readonly #seen = new Listeners<AnswerSeen>();
  readonly #ended: Promise<void>;

  private constructor(scene: Scene, region: number) {
    this.#scene = scene;
    const workerData: WatcherStart = {
      servers: scene.sites.map(({ dns }) => dns),
      name: scene.config.services[0]!.name,
      subnet: subnetOf(scene.config, region)!,
      every_ms: EVERY_MS,
    };
    this.#worker = new Worker(new URL('./answer-watcher.js', import.meta.url), { workerData });
    this.#worker.on('message', (seen: AnswerSeen) => this.#seen.emit(seen));
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
  }

  /** Resolves once every site has answered. */
  static async start(scene: Scene, region: number, within_ms: number): Promise<AnswerWatch> {
    const watch = new AnswerWatch(scene, region);
    const ready = await watch.everywhere((balancers) => balancers.length > 0, within_ms);
    if (ready) return watch;
    await watch.stop();
    throw new Error('not every site answers');
  }

  /**
   * When, from now on, every site has given an answer that `wanted` accepts: the moment of the last
   * one, on the demo's clock, and the answer. Null when one does not within `within_ms`.
   */
  everywhere(
    wanted: (balancers: readonly string[]) => boolean,
    within_ms: number,
  ): Promise<AnswerAt | null> {
    const { clock, sites } = this.#scene;
    const accepted = new Map<number, AnswerAt>();
    return new Promise((resolve) => {
      const end = (answer: AnswerAt | null): void => {
        unsubscribe();
        timer.cancel();
        resolve(answer);
      };
      const timer = clock.timer(within_ms, () => end(null));
      const unsubscribe = this.#seen.add(({ server, addresses, at_ms }) => {
        const balancers = named(this.#scene, addresses);
        if (accepted.has(server) || !wanted(balancers)) return;
        accepted.set(server, { at_ms: at_ms - performance.timeOrigin, balancers });
        if (accepted.size === sites.length) end(latest([...accepted.values()]));
      });
    });
  }

  /**
   * The thread is asked to end, not terminated: Node aborts the whole process when a packet reaches
   * a UDP socket of a thread that is being terminated.
   */
  async stop(): Promise<void> {
    this.#worker.postMessage('stop');
    await this.#ended;
  }
}
