/**
 * Which endpoints DNS may answer with, in memory shared by all threads: the main thread writes what
 * the Plan says, every worker reads it at the next query, without a message. The version moves
 * before the words are written, and again after: it is odd meanwhile, and an answer compiled from
 * words of before or from a mixture carries a version that is thrown away.
 */
import type { Config } from '../model/config.ts';
import type { Plan } from '../model/plan.ts';

const ELIGIBLE = 1;

/** The reader's side; `buffer` may be posted to another thread. */
export class HealthTable {
  readonly buffer: SharedArrayBuffer;
  readonly #version: Int32Array;
  protected readonly words: Uint32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#version = new Int32Array(buffer, 0, 1);
    this.words = new Uint32Array(buffer, 4);
  }

  version(): number {
    return Atomics.load(this.#version, 0);
  }

  eligible(endpoint: number): boolean {
    return (Atomics.load(this.words, endpoint) & ELIGIBLE) !== 0;
  }

  /** The version once no write is under way; writing takes microseconds. */
  settled(): number {
    let version = this.version();
    while (version & 1) version = this.version();
    return version;
  }

  protected moved(): void {
    Atomics.add(this.#version, 0, 1);
  }
}

/** The one writer's side. */
export class HealthWriter extends HealthTable {
  readonly #index: ReadonlyMap<string, number>;

  /** A new table; endpoints that `before` has as well keep their state, others start ineligible. */
  constructor(endpoints: Config['endpoints'], before?: HealthWriter) {
    super(new SharedArrayBuffer(4 + endpoints.length * 4));
    this.#index = new Map(endpoints.map(({ id }, index) => [id, index]));
    for (const [id, index] of this.#index) {
      const old = before === undefined ? undefined : before.#index.get(id);
      if (before && old !== undefined) this.words[index] = before.words[old]!;
    }
  }

  /** Takes the Plan's verdicts, by id: a Plan may be older than the configuration. */
  apply(plan: Plan): void {
    let changed = false;
    for (const { id, eligible } of plan.endpoints) {
      const index = this.#index.get(id);
      const word = eligible ? ELIGIBLE : 0;
      if (index === undefined || this.words[index] === word) continue;
      if (!changed) this.moved();
      changed = true;
      Atomics.store(this.words, index, word);
    }
    if (changed) this.moved();
  }
}
