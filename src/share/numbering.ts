/**
 * Numbers an agent's own reports, so that the one made last is the newest. The incarnation is the wall
 * clock at the agent's start, which may have been set back since its last life: when the store shows
 * a report of this agent that would win over ours, we go one incarnation beyond it.
 */
import type { Log } from '../base/log.ts';
import { type Report, writerOf } from '../model/report.ts';
import type { Store } from './store.ts';

export interface NumberingOptions {
  readonly site: string;
  readonly agent: string;
  /** First incarnation to use: milliseconds since 1970 at the agent's start. */
  readonly incarnation: number;
  readonly store: Store;
  readonly log: Log;
}

export class Numbering {
  readonly #log: Log;
  readonly #unsubscribe: () => void;
  #incarnation: number;
  #sequence = 0;

  constructor(options: NumberingOptions) {
    this.#log = options.log;
    this.#incarnation = options.incarnation;
    const writer = writerOf(options);
    this.#unsubscribe = options.store.subscribe((report) => {
      if (writerOf(report) === writer) this.#see(report);
    });
  }

  /** The numbers of the next report. */
  next(): Pick<Report, 'incarnation' | 'sequence'> {
    return { incarnation: this.#incarnation, sequence: ++this.#sequence };
  }

  /** Looks at the store no more. */
  close(): void {
    this.#unsubscribe();
  }

  #see({ incarnation, sequence }: Report): void {
    if (incarnation < this.#incarnation) return;
    if (incarnation === this.#incarnation && sequence <= this.#sequence) return;
    this.#log.warn(
      { incarnation, own: this.#incarnation },
      'a report of this agent is newer than its own: a clock set back, or a second process of it',
    );
    this.#incarnation = incarnation + 1;
    this.#sequence = 0;
  }
}
