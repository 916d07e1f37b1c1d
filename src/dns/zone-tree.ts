/**
 * The names of one zone and which records each has, in columns: what the checks of a zone and the
 * building of its image both begin with. It makes no object for a name or a record, so that a
 * million of them cost little time and memory. A parent always has a lower index than its children.
 */
import type { ZoneRecords } from '../model/zone.ts';
import { NameKey, slotOf } from './image.ts';
import { TYPE } from './wire/codes.ts';

/** The node of the apex. */
export const APEX = 0;

/** Records of one node up to which they are sorted by insertion. */
const FEW = 16;

/** Grows by doubling; `values` is exact only up to what was put. */
class Column {
  values: Int32Array;

  constructor(length: number) {
    this.values = new Int32Array(length);
  }

  put(index: number, value: number): void {
    if (index === this.values.length) {
      const larger = new Int32Array(index * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[index] = value;
  }
}

export class ZoneTree {
  readonly records: ZoneRecords;
  readonly apex: Uint8Array;
  /** Number of nodes. */
  count = 0;
  /** Record indices by node, then by type, then as in the files. */
  readonly order: Int32Array;
  /** Records whose owner is not in the zone. */
  readonly outside: readonly number[];
  /** By node: the topmost delegation at or above it, below the apex (RFC 1034 §4.2.1); -1: none. */
  readonly cuts: Int32Array;
  /** Where the records of each node start in `order`; one entry more than there are nodes. */
  readonly #starts: Int32Array;
  /** Names that no record has, one after the other. */
  readonly #extra: Uint8Array;
  /**
   * Open addressing: 0, or node + 1 with the upper bits of its hash where the index has none, so that
   * another name in the way is seldom looked at.
   */
  #slots: Int32Array;
  readonly #hash: Column;
  /** Offset of the name in the octets of the records, or beyond them in `#extra`. */
  readonly #nameAt: Column;
  readonly #nameLength: Column;
  readonly #parent: Column;
  readonly #wild: Column;
  readonly #key = new NameKey();
  readonly #apexLabels: number;

  /** `extra` are names that exist without records; those outside the zone are left out. */
  constructor(apex: Uint8Array, records: ZoneRecords, extra: readonly Uint8Array[]) {
    this.records = records;
    this.apex = apex;
    this.#extra = concat([apex, ...extra]);
    // Most zones have about as many names as records, or fewer; untouched memory costs nothing.
    const names = records.count + extra.length + 16;
    this.#hash = new Column(names);
    this.#nameAt = new Column(names);
    this.#nameLength = new Column(names);
    this.#parent = new Column(names);
    this.#wild = new Column(names);
    let slots = 16;
    while (slots < names * 2) slots *= 2;
    this.#slots = new Int32Array(slots);
    this.#key.take(apex, 0, apex.length);
    this.#apexLabels = this.#key.suffixes;
    this.#add(-1, 0, records.bytes.length);
    let at = records.bytes.length + apex.length;
    for (const name of extra) {
      this.#enter(at);
      at += name.length;
    }
    const nodes = this.#enterRecords();
    this.outside = Array.from(outsideOf(nodes));
    this.#starts = this.#count(nodes);
    this.order = this.#sort(nodes);
    this.cuts = this.#findCuts();
  }

  nameLength(node: number): number {
    return this.#nameLength.values[node]!;
  }

  hash(node: number): number {
    return this.#hash.values[node]!;
  }

  /** -1 at the apex. */
  parent(node: number): number {
    return this.#parent.values[node]!;
  }

  /** The node of `*.NAME`, or -1. */
  wild(node: number): number {
    return this.#wild.values[node]!;
  }

  /** The records of `node` are `order[from(node)…from(node + 1)]`. */
  from(node: number): number {
    return this.#starts[node]!;
  }

  /** The first place in `order` behind the rrset that starts at `at`, of the node that ends at `end`. */
  rrsetEnd(at: number, end: number): number {
    const { type } = this.records;
    const { order } = this;
    const wanted = type[order[at]!];
    let next = at + 1;
    while (next < end && type[order[next]!] === wanted) next++;
    return next;
  }

  /** Where in `order` the rrset of `type` at `node` starts, or -1. */
  rrset(node: number, type: number): number {
    const end = this.from(node + 1);
    let low = this.from(node);
    for (let high = end; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#typeAt(middle) < type) low = middle + 1;
      else high = middle;
    }
    return low < end && this.#typeAt(low) === type ? low : -1;
  }

  #typeAt(at: number): number {
    return this.records.type[this.order[at]!]!;
  }

  /** Writes the name of `node` to `out` from `at`. */
  putName(node: number, out: Uint8Array, at: number): void {
    const from = this.#nameAt.values[node]!;
    const length = this.nameLength(node);
    const source = this.#sourceOf(from);
    const start = this.#offsetOf(from);
    for (let i = 0; i < length; i++) out[at + i] = source[start + i]!;
  }

  name(node: number): Uint8Array {
    const out = new Uint8Array(this.nameLength(node));
    this.putName(node, out, 0);
    return out;
  }

  /** The node of the name, whatever its case, at `bytes[at…]`; -1: none. */
  find(bytes: Uint8Array, at: number): number {
    return this.#key.take(bytes, at, bytes.length) === 0 ? -1 : this.#find(0);
  }

  /** The node of the name, or of the closest name above it; -1: the name is not in the zone. */
  closest(bytes: Uint8Array, at: number): number {
    if (this.#key.take(bytes, at, bytes.length) === 0) return -1;
    const top = this.#key.suffixes - this.#apexLabels;
    for (let suffix = 0; suffix <= top; suffix++) {
      const node = this.#find(suffix);
      if (node >= 0) return node;
    }
    return -1;
  }

  #sourceOf(at: number): Uint8Array {
    return at < this.records.bytes.length ? this.records.bytes : this.#extra;
  }

  #offsetOf(at: number): number {
    return at < this.records.bytes.length ? at : at - this.records.bytes.length;
  }

  /** The node of one suffix of the key, or -1. */
  #find(suffix: number): number {
    const key = this.#key;
    const hash = key.hashes[suffix]!;
    const start = key.at[suffix]!;
    const length = key.length - start;
    const mask = this.#slots.length - 1;
    for (let slot = slotOf(hash, mask); ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return -1;
      if (((entry ^ hash) & ~mask) !== 0) continue;
      const node = (entry & mask) - 1;
      if (this.#nameLength.values[node] !== length) continue;
      const from = this.#nameAt.values[node]!;
      const source = this.#sourceOf(from);
      const name = this.#offsetOf(from);
      let i = 0;
      while (i < length && source[name + i] === key.bytes[start + i]) i++;
      if (i === length) return node;
    }
  }

  /** The node of the name at `at`, made with its empty non-terminals where missing; -1: outside. */
  #enter(at: number): number {
    const key = this.#key;
    const source = this.#sourceOf(at);
    if (key.take(source, this.#offsetOf(at), source.length) === 0) return -1;
    const top = key.suffixes - this.#apexLabels;
    if (top < 0) return -1;
    let suffix = 0;
    let node = this.#find(0);
    while (node < 0 && suffix < top) node = this.#find(++suffix);
    if (node < 0) return -1;
    while (suffix > 0) {
      suffix--;
      node = this.#add(node, suffix, at + key.at[suffix]!);
    }
    return node;
  }

  /** Adds the node of one suffix of the key, whose octets begin at `nameAt`. */
  #add(parent: number, suffix: number, nameAt: number): number {
    const key = this.#key;
    const node = this.count++;
    const start = key.at[suffix]!;
    this.#hash.put(node, key.hashes[suffix]!);
    this.#nameAt.put(node, nameAt);
    this.#nameLength.put(node, key.length - start);
    this.#parent.put(node, parent);
    this.#wild.put(node, -1);
    const isWildcard = key.bytes[start] === 1 && key.bytes[start + 1] === 42;
    if (isWildcard && parent >= 0) this.#wild.values[parent] = node;
    if (this.count * 2 > this.#slots.length) this.#grow();
    else this.#slot(node);
    return node;
  }

  #slot(node: number): void {
    const mask = this.#slots.length - 1;
    const hash = this.#hash.values[node]!;
    let slot = slotOf(hash, mask);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = (hash & ~mask) | (node + 1);
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let node = 0; node < this.count; node++) this.#slot(node);
  }

  /** The node of each record. */
  #enterRecords(): Int32Array {
    const { count, ownerAt } = this.records;
    const nodes = new Int32Array(count);
    let last = -1;
    for (let record = 0; record < count; record++) {
      const same = record > 0 && ownerAt[record] === ownerAt[record - 1];
      if (!same) last = this.#enter(ownerAt[record]!);
      nodes[record] = last;
    }
    return nodes;
  }

  #count(nodes: Int32Array): Int32Array {
    const starts = new Int32Array(this.count + 1);
    for (const node of nodes) if (node >= 0) starts[node + 1]!++;
    for (let node = 0; node < this.count; node++) starts[node + 1]! += starts[node]!;
    return starts;
  }

  #sort(nodes: Int32Array): Int32Array {
    const starts = this.#starts;
    const order = new Int32Array(starts[this.count]!);
    const next = starts.slice();
    for (let record = 0; record < nodes.length; record++) {
      const node = nodes[record]!;
      if (node >= 0) order[next[node]!++] = record;
    }
    for (let node = 0; node < this.count; node++) {
      if (starts[node + 1]! - starts[node]! > 1) {
        sortByType(order, starts[node]!, starts[node + 1]!, this.records.type);
      }
    }
    return order;
  }

  #findCuts(): Int32Array {
    const cuts = new Int32Array(this.count).fill(-1);
    for (let node = APEX + 1; node < this.count; node++) {
      const above = cuts[this.parent(node)]!;
      cuts[node] = above < 0 && this.rrset(node, TYPE.NS) >= 0 ? node : above;
    }
    return cuts;
  }
}

function* outsideOf(nodes: Int32Array): Iterable<number> {
  for (let record = 0; record < nodes.length; record++) if (nodes[record]! < 0) yield record;
}

/** Records of one type stay in the order of the files. */
function sortByType(order: Int32Array, from: number, to: number, type: Uint16Array): void {
  if (to - from > FEW) {
    order.subarray(from, to).sort((a, b) => type[a]! - type[b]! || a - b);
    return;
  }
  for (let at = from + 1; at < to; at++) {
    const record = order[at]!;
    let hole = at;
    for (; hole > from && type[order[hole - 1]!]! > type[record]!; hole--) {
      order[hole] = order[hole - 1]!;
    }
    order[hole] = record;
  }
}

function concat(names: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(names.reduce((sum, name) => sum + name.length, 0));
  let at = 0;
  for (const name of names) {
    out.set(name, at);
    at += name.length;
  }
  return out;
}
