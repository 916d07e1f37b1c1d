/**
 * Records that a zone has twice. RFC 2181 §5: an rrset is a set, so that the second one is a mistake
 * in the zone file, and never served. RFC 4034 §6.2: the case of names in the rdata does not count.
 */
import { canonicalRdata, fieldsWithNames } from './wire/rdata.ts';
import type { ZoneTree } from './zone-tree.ts';

/** The place in the tree's `order` of each record that is there already → the place of the first. */
export function twinsOf(tree: ZoneTree): ReadonlyMap<number, number> {
  const finder = new TwinFinder(tree);
  for (let node = 0; node < tree.count; node++) {
    const end = tree.from(node + 1);
    for (let at = tree.from(node); at < end; ) {
      const next = tree.rrsetEnd(at, end);
      if (next - at > 1) finder.search(at, next);
      at = next;
    }
  }
  return finder.twins;
}

/** A power of two, as all sizes are. */
const SIZE_MIN = 16;

class TwinFinder {
  readonly twins = new Map<number, number>();
  readonly #tree: ZoneTree;
  /** Open addressing: place in `order` + 1, or 0. For one rrset only the first `#size` are used. */
  #slots = new Int32Array(SIZE_MIN);
  #size = SIZE_MIN;

  constructor(tree: ZoneTree) {
    this.#tree = tree;
  }

  /** Within the rrset at `order[from…to]`. */
  search(from: number, to: number): void {
    this.#size = SIZE_MIN;
    while (this.#size < (to - from) * 2) this.#size *= 2;
    if (this.#size > this.#slots.length) this.#slots = new Int32Array(this.#size);
    else this.#slots.fill(0, 0, this.#size);
    for (let at = from; at < to; at++) this.#put(at);
  }

  #put(at: number): void {
    const mask = this.#size - 1;
    let slot = this.#hash(at) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const first = this.#slots[slot]! - 1;
      if (!this.#same(first, at)) continue;
      this.twins.set(at, first);
      return;
    }
    this.#slots[slot] = at + 1;
  }

  #hash(at: number): number {
    const { order, records } = this.#tree;
    const { bytes, rdataAt, rdataLength } = records;
    const start = rdataAt[order[at]!]!;
    const end = start + rdataLength[order[at]!]!;
    let hash = 0x811c9dc5 | 0;
    // Without the bit that tells the case of letters.
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i]! & 0xdf), 0x01000193);
    return hash ^ (hash >>> 15);
  }

  #same(a: number, b: number): boolean {
    const { order, records } = this.#tree;
    const left = this.#rdata(a);
    const right = this.#rdata(b);
    if (left.length !== right.length) return false;
    if (Buffer.compare(left, right) === 0) return true;
    const type = records.type[order[a]!]!;
    if (!fieldsWithNames(type)) return false;
    return Buffer.compare(canonicalRdata(type, left), canonicalRdata(type, right)) === 0;
  }

  #rdata(at: number): Uint8Array {
    const { order, records } = this.#tree;
    const start = records.rdataAt[order[at]!]!;
    return records.bytes.subarray(start, start + records.rdataLength[order[at]!]!);
  }
}
