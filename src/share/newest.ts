/**
 * The newest report of each agent, with those who want to know: what every store has at its core.
 * Reports reach listeners in order, each at most once, never an older one after a newer one.
 */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import { newer, type Report, writerOf } from '../model/report.ts';

/** Agents of all sites. */
export const WRITERS_MAX = 1_000;

/**
 * After so long a silence of an agent any report of it counts as newer. Incarnations come from wall
 * clocks; without this, an agent that comes back with its clock set wrong would never be heard again.
 */
export interface Forgetting {
  readonly clock: Clock;
  /** Longer than an old report can linger anywhere and be read again. */
  readonly after_ms: number;
}

/** What orders the reports of one writer. */
export type Numbers = Pick<Report, 'incarnation' | 'sequence'>;

interface Held {
  readonly report: Report;
  /** When it was taken, by the forgetting's clock in milliseconds. */
  readonly at: number;
}

export class NewestReports {
  readonly #byWriter = new Map<string, Held>();
  readonly #listeners: Listeners<Report>;
  readonly #onError: (error: unknown) => void;
  readonly #forgetting: Forgetting | null;
  #closed = false;

  /** With `forgetting` null nothing is ever forgotten. */
  constructor(onError: (error: unknown) => void, forgetting: Forgetting | null) {
    this.#onError = onError;
    this.#listeners = new Listeners(onError);
    this.#forgetting = forgetting;
  }

  /** Keeps and delivers `report` if it is news. */
  offer(report: Report): void {
    const writer = writerOf(report);
    if (this.#closed || !this.isNews(writer, report)) return;
    this.#byWriter.set(writer, { report, at: this.#now() });
    this.#listeners.emit(report);
  }

  /** Whether a report of `writer` with these numbers would be kept. */
  isNews(writer: string, numbers: Numbers): boolean {
    const held = this.#byWriter.get(writer);
    return held ? this.#replaces(numbers, held) : this.#byWriter.size < WRITERS_MAX;
  }

  /** Calls `listener` with all that is known, before it returns, and then with what is newer. */
  subscribe(listener: (report: Report) => void): () => void {
    if (this.#closed) return () => {};
    for (const { report } of this.#byWriter.values()) {
      try {
        listener(report);
      } catch (error) {
        this.#onError(error);
      }
    }
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#closed = true;
  }

  #now(): number {
    return this.#forgetting?.clock.now() ?? 0;
  }

  #replaces(numbers: Numbers, { report, at }: Held): boolean {
    if (newer(numbers, report)) return true;
    const { incarnation, sequence } = numbers;
    if (incarnation === report.incarnation && sequence === report.sequence) return false;
    return this.#forgetting !== null && this.#now() - at > this.#forgetting.after_ms;
  }
}
