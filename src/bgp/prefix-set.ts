/**
 * A compact set of prefixes with one octet of notes on each, for what neighbours send and we only
 * count: 9 bytes a slot in typed arrays, 12–36 bytes a prefix, and no object for any.
 *
 * A prefix is known by 64 bits of a hash whose seed the neighbour cannot know, so two of a million
 * prefixes are taken for one with a chance of about one in 40 million.
 */
import type { Nlri } from './wire/nlri.ts';

/** Slots of an empty set; always a power of two. */
const SLOTS_MIN = 16;
/** Most slots in use, as a part of all, before there are twice as many. */
const FILL_MAX = 0.75;

export class PrefixSet {
  readonly #seed: number;
  #high = new Uint32Array(SLOTS_MIN);
  #low = new Uint32Array(SLOTS_MIN);
  /** 0: the slot is free. */
  #notes = new Uint8Array(SLOTS_MIN);
  #size = 0;
  /** The key last hashed: two numbers without an object. */
  #keyHigh = 0;
  #keyLow = 0;

  /** `seed`: 32 bits, random. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get size(): number {
    return this.#size;
  }

  /** The note on a prefix; 0: not in the set. */
  get(nlri: Nlri): number {
    this.#hash(nlri);
    return this.#notes[this.#find()]!;
  }

  /** Puts a prefix in, or its note (1–255) in place of the old one, and gives that; 0: it is new. */
  set(nlri: Nlri, note: number): number {
    this.#hash(nlri);
    let at = this.#find();
    const before = this.#notes[at]!;
    if (before === 0) {
      if (this.#size + 1 > this.#notes.length * FILL_MAX) {
        this.#resize(this.#notes.length * 2);
        at = this.#find();
      }
      this.#high[at] = this.#keyHigh;
      this.#low[at] = this.#keyLow;
      this.#size++;
    }
    this.#notes[at] = note;
    return before;
  }

  /** Takes a prefix out and gives its note; 0: it was not in the set. */
  delete(nlri: Nlri): number {
    this.#hash(nlri);
    const at = this.#find();
    const before = this.#notes[at]!;
    if (before !== 0) {
      this.#size--;
      this.#free(at);
    }
    return before;
  }

  clear(): void {
    this.#size = 0;
    this.#allocate(SLOTS_MIN);
  }

  /** Replaces every note; a prefix whose new note is 0 leaves the set. */
  rewrite(change: (note: number) => number): void {
    this.#size = 0;
    for (let at = 0; at < this.#notes.length; at++) {
      const before = this.#notes[at]!;
      if (before === 0) continue;
      this.#notes[at] = change(before);
      if (this.#notes[at] !== 0) this.#size++;
    }
    // Gaps would hide what lies behind them, and few prefixes need little room.
    let slots = SLOTS_MIN;
    while (this.#size > slots * FILL_MAX) slots *= 2;
    this.#resize(slots);
  }

  /** The slot that has the key last hashed, or the free one where it belongs. */
  #find(): number {
    const mask = this.#notes.length - 1;
    let at = this.#keyLow & mask;
    while (
      this.#notes[at] !== 0 &&
      (this.#low[at] !== this.#keyLow || this.#high[at] !== this.#keyHigh)
    ) {
      at = (at + 1) & mask;
    }
    return at;
  }

  /** Frees a slot and moves up what was pushed past it, so that no search ends too early. */
  #free(at: number): void {
    const mask = this.#notes.length - 1;
    let gap = at;
    for (let from = (gap + 1) & mask; this.#notes[from] !== 0; from = (from + 1) & mask) {
      const home = this.#low[from]! & mask;
      if (((from - home) & mask) < ((from - gap) & mask)) continue;
      this.#high[gap] = this.#high[from]!;
      this.#low[gap] = this.#low[from]!;
      this.#notes[gap] = this.#notes[from]!;
      gap = from;
    }
    this.#notes[gap] = 0;
  }

  #allocate(slots: number): void {
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#notes = new Uint8Array(slots);
  }

  /** Into as many slots as said; the key last hashed stays. */
  #resize(slots: number): void {
    const [high, low, notes] = [this.#high, this.#low, this.#notes];
    const [keyHigh, keyLow] = [this.#keyHigh, this.#keyLow];
    this.#allocate(slots);
    for (let i = 0; i < notes.length; i++) {
      if (notes[i] === 0) continue;
      this.#keyHigh = high[i]!;
      this.#keyLow = low[i]!;
      const at = this.#find();
      this.#high[at] = this.#keyHigh;
      this.#low[at] = this.#keyLow;
      this.#notes[at] = notes[i]!;
    }
    this.#keyHigh = keyHigh;
    this.#keyLow = keyLow;
  }

  /** Two lanes of multiply and shift, as in MurmurHash3, over address, length and path identifier. */
  #hash({ address, length, path_id = 0 }: Nlri): void {
    let high = this.#seed ^ ((length << 8) | address.length);
    let low = Math.imul(this.#seed, 0x9e3779b1) ^ path_id;
    for (let i = 0; i < address.length; i += 4) {
      const word =
        (address[i]! << 24) | (address[i + 1]! << 16) | (address[i + 2]! << 8) | address[i + 3]!;
      high = mix(high ^ Math.imul(word, 0xcc9e2d51), 0x85ebca6b) ^ low;
      low = mix(low ^ Math.imul(word, 0x1b873593), 0xc2b2ae35) + high;
    }
    this.#keyHigh = mix(high ^ Math.imul(path_id, 0x27d4eb2f), 0x165667b1) >>> 0;
    this.#keyLow = mix(low ^ this.#keyHigh, 0x85ebca6b) >>> 0;
  }
}

function mix(value: number, factor: number): number {
  const shifted = Math.imul(value ^ (value >>> 15), factor);
  return shifted ^ (shifted >>> 13);
}
