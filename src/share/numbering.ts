/**
 * Numbers an agent's own reports, so that the one made last is the newest. The incarnation is the wall
 * clock at the agent's start, which may have been set back since its last life: when the store shows
 * a report of this agent that would win over ours, or a file of its last life does, we go beyond it.
 */
import type { Log } from '../base/log.ts';
import { newer, writerOf } from '../model/report.ts';
import type { Numbers } from './newest.ts';
import { INCARNATION_MAX } from './report-schema.ts';
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
      if (writerOf(report) === writer) this.goBeyond(report);
    });
  }

  /** The numbers of the next report. */
  next(): Numbers {
    return { incarnation: this.#incarnation, sequence: ++this.#sequence };
  }

  /** Has our next report win over one of this agent with these numbers. */
  goBeyond({ incarnation, sequence }: Numbers): void {
    const own = { incarnation: this.#incarnation, sequence: this.#sequence };
    if (!newer({ incarnation, sequence }, own)) return;
    this.#log.warn(
      { incarnation, own: own.incarnation },
      'a report of this agent is newer than its own: a clock set back, or a second process of it',
    );
    // Beyond the last incarnation there is none that others would take.
    const isLast = incarnation >= INCARNATION_MAX;
    this.#incarnation = isLast ? incarnation : incarnation + 1;
    this.#sequence = isLast ? sequence : 0;
  }

  /** Looks at the store no more. */
  close(): void {
    this.#unsubscribe();
  }
}
