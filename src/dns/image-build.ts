/**
 * Builds the image of one zone, off the hot path: once over the names to learn how large everything
 * is and where it goes, once more to write it, so that little memory is needed beyond the image. The
 * image holds all that the zone file says, what lies below a delegation included, and depends on
 * nothing else but the names given here.
 */
import type { ZoneImage, ZoneRecords } from '../model/zone.ts';
import {
  NAMES_COUNT,
  NAMES_SEARCH,
  NODE,
  nameOf,
  RECORD,
  RRSET,
  slotOf,
  templateOf,
  ZONE,
} from './image.ts';
import { Pointees } from './image-pointees.ts';
import { RECORD_HEADER, Template } from './template.ts';
import { TYPE } from './wire/codes.ts';
import { namePlace } from './wire/rdata.ts';
import { APEX, ZoneTree } from './zone-tree.ts';
import { twinsOf } from './zone-twins.ts';

export interface ZoneContent {
  /** Wire form, lower-case, as are all names here. */
  readonly apex: Uint8Array;
  readonly records: ZoneRecords;
  /** The health-aware names of the zone; an image knows each by its place in this list. */
  readonly services: readonly Uint8Array[];
  /**
   * Apexes of zones that are served here too and lie in this one. They exist, and so do the names
   * between: NXDOMAIN there would deny the child (RFC 8020).
   */
  readonly childApexes: readonly Uint8Array[];
}

/** What builds on the names of a zone: they are read once, for its checks and its image. */
export function treeOf({ apex, records, services, childApexes }: ZoneContent): ZoneTree {
  return new ZoneTree(apex, records, [...services, ...childApexes]);
}

export function buildZoneImage(
  content: ZoneContent,
  tree = treeOf(content),
  twins = twinsOf(tree),
): ZoneImage {
  return new ImageBuilder(content, tree, twins).build();
}

/** The addresses of a health-aware name come from the decision, never from the zone file. */
const DECIDED: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.CNAME]);

const wordsFor = (octets: number): number => (octets + 3) >> 2;

class ImageBuilder {
  readonly #tree: ZoneTree;
  readonly #template: Template;
  readonly #twins: ReadonlyMap<number, number>;
  readonly #pointees: Pointees;
  /** By node: where it goes, the node of its NODE.CUT, its service; -1: none. */
  readonly #at: Int32Array;
  readonly #cuts: Int32Array;
  readonly #services: Int32Array;
  /** By node: 1 at and below the apex of a child zone, which the child answers for. */
  readonly #ceded: Uint8Array;
  readonly #hasNames = new Map<number, boolean>();
  #end: number = ZONE.APEX;
  // Of the image that is being written.
  #words: Int32Array = new Int32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(
    { apex, services, childApexes }: ZoneContent,
    tree: ZoneTree,
    twins: ReadonlyMap<number, number>,
  ) {
    this.#tree = tree;
    this.#template = new Template(apex);
    this.#twins = twins;
    this.#at = new Int32Array(tree.count);
    this.#cuts = new Int32Array(tree.count);
    this.#services = new Int32Array(tree.count).fill(-1);
    this.#ceded = new Uint8Array(tree.count);
    this.#pointees = new Pointees(tree, this.#cuts, this.#ceded);
    services.forEach((name, service) => {
      const node = tree.find(name, 0);
      if (node >= 0) this.#services[node] = service;
    });
    for (const name of childApexes) {
      const node = tree.find(name, 0);
      if (node > APEX) this.#ceded[node] = 1;
    }
  }

  build(): ZoneImage {
    const tree = this.#tree;
    for (let node = 0; node < tree.count; node++) {
      this.#inherit(node);
      this.#at[node] = this.#end;
      this.#end += this.#nodeSize(node);
    }
    const end = this.#end;
    const soa = this.#negativeSoa();
    const size = end + (soa ? RECORD.HEAD + wordsFor(this.#template.length) : 0);
    const memory = new SharedArrayBuffer(size * 4);
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#words[ZONE.APEX_LENGTH] = tree.apex.length;
    this.#words[ZONE.NEGATIVE] = soa ? end : -1;
    this.#words[ZONE.END] = end;
    if (soa) this.#record(end, -1);
    if (soa && this.#template.long) this.#words[end + RECORD.NAMES]! |= NAMES_SEARCH;
    for (let node = 0; node < tree.count; node++) this.#node(node);
    return { bytes: this.#bytes, words: this.#words, ...this.#hashTable(end) };
  }

  /** What a name has from its parent, which was here before: the cut and the child zone above. */
  #inherit(node: number): void {
    const tree = this.#tree;
    const parent = tree.parent(node);
    if (node !== APEX && this.#ceded[parent] === 1) this.#ceded[node] = 1;
    const above = node === APEX ? -1 : this.#cuts[parent]!;
    const cuts = above < 0 && (tree.cuts[node] === node || this.#redirects(node));
    this.#cuts[node] = cuts ? node : above;
  }

  #redirects(node: number): boolean {
    return this.#tree.rrset(node, TYPE.DNAME) >= 0;
  }

  #nodeSize(node: number): number {
    const tree = this.#tree;
    let size = NODE.HEAD + wordsFor(tree.nameLength(node));
    const end = tree.from(node + 1);
    for (let at = tree.from(node); at < end; ) {
      const next = tree.rrsetEnd(at, end);
      if (this.#isServed(node, at)) {
        size += RRSET.STRIDE;
        for (; at < next; at++) if (!this.#twins.has(at)) size += this.#recordSize(at);
      }
      at = next;
    }
    return size;
  }

  #isServed(node: number, at: number): boolean {
    return this.#services[node]! < 0 || !DECIDED.has(this.#typeAt(at));
  }

  #typeAt(at: number): number {
    return this.#tree.records.type[this.#tree.order[at]!]!;
  }

  #recordSize(at: number): number {
    const { records, order } = this.#tree;
    const type = this.#typeAt(at);
    let known = this.#hasNames.get(type);
    if (known === undefined) {
      known = namePlace(type) !== null;
      this.#hasNames.set(type, known);
    }
    if (!known) return RECORD.HEAD + wordsFor(RECORD_HEADER + records.rdataLength[order[at]!]!);
    this.#compile(at, 0);
    return RECORD.HEAD + wordsFor(this.#template.length + this.#fullLength(type));
  }

  /** Octets of the target that stands behind the template once more, for aliases. */
  #fullLength(type: number): number {
    const alias = type === TYPE.CNAME || type === TYPE.DNAME;
    return alias && this.#template.fullAt >= 0 ? this.#template.fullLength : 0;
  }

  #compile(at: number, ttl_s: number): void {
    const { records, order } = this.#tree;
    const record = order[at]!;
    const { bytes, rdataAt, rdataLength } = records;
    const type = records.type[record]!;
    this.#template.compile(type, ttl_s, bytes, rdataAt[record]!, rdataLength[record]!);
  }

  /**
   * Compiles the SOA of negative answers, which live for the lesser of SOA TTL and SOA minimum (RFC
   * 2308 §3 and §5); false: the zone has none.
   */
  #negativeSoa(): boolean {
    const { records, order } = this.#tree;
    const at = this.#tree.rrset(APEX, TYPE.SOA);
    const record = order[at];
    if (at < 0 || record === undefined || records.rdataLength[record]! < 22) return false;
    const { bytes } = records;
    const from = records.rdataAt[record]! + records.rdataLength[record]! - 4;
    const view = new DataView(bytes.buffer, bytes.byteOffset + from, 4);
    this.#compile(at, Math.min(records.ttl_s[record]!, view.getUint32(0)));
    return true;
  }

  #node(node: number): void {
    const tree = this.#tree;
    const words = this.#words;
    const row = this.#at[node]!;
    const next = node + 1 < tree.count ? this.#at[node + 1]! : this.#end;
    const length = tree.nameLength(node);
    words[row + NODE.SIZE] = next - row;
    words[row + NODE.NAME_LENGTH] = length;
    words[row + NODE.CUT] = this.#placeOf(this.#cuts[node]!);
    words[row + NODE.WILD] = this.#placeOf(tree.wild(node));
    words[row + NODE.SERVICE] = this.#services[node]!;
    tree.putName(node, this.#bytes, nameOf(row));
    words[row + NODE.RRSETS] = this.#rrsets(node, row + NODE.HEAD + wordsFor(length));
  }

  #placeOf(node: number): number {
    return node < 0 ? -1 : this.#at[node]!;
  }

  /** Writes the rrsets of a node from `table` on; returns how many there are. */
  #rrsets(node: number, table: number): number {
    const tree = this.#tree;
    const words = this.#words;
    const end = tree.from(node + 1);
    let count = 0;
    for (let at = tree.from(node); at < end; at = tree.rrsetEnd(at, end)) {
      if (this.#isServed(node, at)) count++;
    }
    let rrset = table;
    let record = table + count * RRSET.STRIDE;
    for (let at = tree.from(node); at < end; ) {
      const next = tree.rrsetEnd(at, end);
      if (this.#isServed(node, at)) {
        words[rrset + RRSET.TYPE] = this.#typeAt(at);
        words[rrset + RRSET.RECORDS_AT] = record;
        record = this.#records(node, rrset, at, next, record);
        rrset += RRSET.STRIDE;
      }
      at = next;
    }
    return count;
  }

  /** RFC 2181 §5: one TTL for the rrset (the lowest, §5.2), and no record twice. */
  #records(node: number, rrset: number, from: number, to: number, start: number): number {
    const { records, order } = this.#tree;
    let ttl_s = records.ttl_s[order[from]!]!;
    for (let at = from + 1; at < to; at++) ttl_s = Math.min(ttl_s, records.ttl_s[order[at]!]!);
    let record = start;
    let count = 0;
    let search = 0;
    const pointees = this.#pointees;
    const template = this.#template;
    pointees.begin();
    for (let at = from; at < to; at++) {
      if (this.#twins.has(at)) continue;
      this.#compile(at, ttl_s);
      pointees.take(template);
      if (pointees.gains(template, node)) search = NAMES_SEARCH;
      record += this.#record(record, this.#placeOf(pointees.target(template, node)));
      count++;
    }
    for (let at = start; search > 0 && at < record; at += this.#words[at + RECORD.SIZE]!) {
      const names = at + RECORD.NAMES;
      if (this.#words[names]! >= NAMES_COUNT) this.#words[names]! |= search;
    }
    this.#words[rrset + RRSET.RECORDS] = count;
    return record;
  }

  /** Writes the compiled template as a record; returns its size in words. */
  #record(record: number, target: number): number {
    const words = this.#words;
    const template = this.#template;
    const { length, fullAt } = template;
    const type = template.bytes[0]! * 256 + template.bytes[1]!;
    const full = this.#fullLength(type);
    const at = templateOf(record);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = template.bytes[i]!;
    for (let i = 0; i < full; i++) {
      const octet = this.#tree.records.bytes[fullAt + i]!;
      this.#bytes[at + length + i] = octet >= 65 && octet <= 90 ? octet + 32 : octet;
    }
    const size = RECORD.HEAD + wordsFor(length + full);
    words[record + RECORD.SIZE] = size;
    words[record + RECORD.LENGTH] = length;
    words[record + RECORD.POINTER_A] = template.pointerA;
    words[record + RECORD.POINTER_B] = template.pointerB;
    words[record + RECORD.NAMES] = template.nameAt + template.compressed * NAMES_COUNT;
    words[record + RECORD.TARGET] = target;
    return size;
  }

  #hashTable(end: number): Pick<ZoneImage, 'slots' | 'nodeMask'> {
    const tree = this.#tree;
    let size = 16;
    while (size * 2 < tree.count * 3) size *= 2;
    let nodeMask = 1;
    while (nodeMask < end) nodeMask = nodeMask * 2 + 1;
    const slots = new Int32Array(new SharedArrayBuffer(size * 4));
    for (let node = 0; node < tree.count; node++) {
      const hash = tree.hash(node);
      let slot = slotOf(hash, size - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      slots[slot] = (hash & ~nodeMask) | this.#at[node]!;
    }
    return { slots, nodeMask };
  }
}
