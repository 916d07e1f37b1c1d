/**
 * Named counters in one shared Float64Array: a count is one typed-array add (about 4 ns), each
 * slot has one writer, and another thread may read it at any time. Doubles count exactly up to
 * 2^53.
 */
export class Counters<Name extends string> {
  readonly names: readonly Name[];
  readonly buffer: SharedArrayBuffer;
  readonly slots: Float64Array;

  constructor(names: readonly Name[], buffer = new SharedArrayBuffer(names.length * 8)) {
    this.names = names;
    this.buffer = buffer;
    this.slots = new Float64Array(buffer);
  }

  /** The slot's index, to be looked up once and used in the hot path as `slots[index]++`. */
  slot(name: Name): number {
    return this.names.indexOf(name);
  }

  add(name: Name, amount = 1): void {
    const index = this.slot(name);
    this.slots[index] = this.slots[index]! + amount;
  }

  get(name: Name): number {
    return this.slots[this.slot(name)]!;
  }

  entries(): [Name, number][] {
    return this.names.map((name, index) => [name, this.slots[index]!]);
  }
}
