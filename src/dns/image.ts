/**
 * The layout of a zone image, and how a name is found in it. An image is one block of memory, seen as
 * octets (`bytes`) and as 32-bit words (`words`), and a hash table of the names. A node is a name that
 * exists, empty non-terminals included (RFC 4592 §2.2.2). All that belongs to a node lies behind it:
 * its name, its rrsets and their records, so that an answer costs two or three cache misses however
 * large the zone is. Nodes, rrsets and records are named by the index of their first word; -1: none.
 */
import type { ZoneImage } from '../model/zone.ts';
import { TYPE } from './wire/codes.ts';
import { LABEL_MAX, NAME_MAX } from './wire/name.ts';

/** The first words of an image. */
export const ZONE = {
  APEX_LENGTH: 0,
  /** The SOA record with the TTL of negative answers (RFC 2308 §3), or -1. */
  NEGATIVE: 1,
  /** One past the last node. */
  END: 2,
  /** The first node is the apex. A slot of the hash table that is 0 is empty. */
  APEX: 4,
} as const;

export const NODE = {
  /** Words up to the next node. */
  SIZE: 0,
  /** Octets of the name, which begins at word `HEAD`: lower-cased wire form. */
  NAME_LENGTH: 1,
  /**
   * The topmost node, this one or one above it, from which on the zone file does not answer: a
   * delegation point (RFC 1034 §4.2.1), or the owner of a DNAME (RFC 6672 §2.3), which itself still
   * does; or -1.
   */
  CUT: 2,
  /** The wildcard child `*.NAME`, or -1. */
  WILD: 3,
  /** For a health-aware name its place among the services of the zone, or -1. */
  SERVICE: 4,
  /** How many rows of rrsets stand behind the name, by rising type. */
  RRSETS: 5,
  HEAD: 6,
} as const;

export const RRSET = { TYPE: 0, RECORDS_AT: 1, RECORDS: 2, STRIDE: 3 } as const;

export const RECORD = {
  /** Words up to the next record of the rrset. */
  SIZE: 0,
  /**
   * Octets of the template, which begins at word `HEAD`: type, class, TTL, RDLENGTH, RDATA. Names in
   * it that lie in the zone end in two octets to be overwritten by a compression pointer to the apex.
   * Behind the template of an alias its target stands again, uncompressed and lower-cased.
   */
  LENGTH: 1,
  /** Offsets of those two octets within the template, or 0. */
  POINTER_A: 2,
  POINTER_B: 3,
  /**
   * Offset within the template of the name that the record points at, or 0; NAMES_COUNT times how
   * many names from there on may be compressed; and NAMES_SEARCH if one of them may be shorter with a
   * pointer to another name of the message than the apex.
   */
  NAMES: 4,
  /**
   * The node of that name, when its addresses belong in the additional section; or -1. Where the
   * record points at no name, its owner's (RFC 9460 §2.5.2).
   */
  TARGET: 5,
  HEAD: 6,
} as const;

/** Parts of RECORD.NAMES. */
export const NAMES_COUNT = 0x10000;
export const NAMES_SEARCH = 0x40000;

export const LABELS_MAX = (NAME_MAX + 1) / 2;

/**
 * A name to be looked up, in preallocated memory, with the offset and the hash of each of its
 * suffixes. Suffix 0 is the whole name, the last one the root.
 */
export class NameKey {
  readonly bytes = new Uint8Array(NAME_MAX);
  length = 0;
  suffixes = 0;
  readonly at = new Uint8Array(LABELS_MAX);
  readonly hashes = new Int32Array(LABELS_MAX);

  /**
   * Takes the uncompressed name at `source[at…end]`, lower-casing it (RFC 4343). Returns its length
   * with the root label, or 0 if it is malformed, compressed or cut short.
   */
  take(source: Uint8Array, at: number, end: number): number {
    const { bytes } = this;
    let from = at;
    let length = 0;
    let suffixes = 0;
    for (;;) {
      const label = from < end ? source[from]! : 255;
      if (label > LABEL_MAX || length + label + 1 > NAME_MAX || from + label >= end) return 0;
      this.at[suffixes++] = length;
      bytes[length++] = label;
      from++;
      if (label === 0) break;
      for (let i = 0; i < label; i++) {
        const octet = source[from++]!;
        bytes[length++] = octet >= 65 && octet <= 90 ? octet + 32 : octet;
      }
    }
    this.length = length;
    this.suffixes = suffixes;
    this.#hash();
    return length;
  }

  /** FNV-1a from the last octet to the first, so that one pass gives the hash of every suffix. */
  #hash(): void {
    const { bytes, at, hashes } = this;
    let hash = 0x811c9dc5 | 0;
    let end = this.length;
    for (let suffix = this.suffixes - 1; suffix >= 0; suffix--) {
      const start = at[suffix]!;
      for (let i = end - 1; i >= start; i--) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
      hashes[suffix] = hash;
      end = start;
    }
  }
}

/** Mixes the high bits down: FNV's low bits alone spread badly over a power of two. */
export function slotOf(hash: number, mask: number): number {
  return (hash ^ (hash >>> 15)) & mask;
}

/** The node of one suffix of `key`, or -1. */
export function findNode(image: ZoneImage, key: NameKey, suffix: number): number {
  const { words, slots, nodeMask } = image;
  const mask = slots.length - 1;
  const hash = key.hashes[suffix]!;
  const length = key.length - key.at[suffix]!;
  for (let slot = slotOf(hash, mask); ; slot = (slot + 1) & mask) {
    const entry = slots[slot]!;
    if (entry === 0) return -1;
    if (((entry ^ hash) & ~nodeMask) !== 0) continue;
    const node = entry & nodeMask;
    if (words[node + NODE.NAME_LENGTH] !== length) continue;
    if (isNamed(image, node, key, suffix)) return node;
  }
}

/** True if the node, whose name has the right length, has the name of this suffix of `key`. */
export function isNamed(image: ZoneImage, node: number, key: NameKey, suffix: number): boolean {
  const { bytes } = image;
  const name = nameOf(node) - key.at[suffix]!;
  for (let i = key.at[suffix]!; i < key.length; i++) {
    if (bytes[name + i] !== key.bytes[i]) return false;
  }
  return true;
}

/** Where in `bytes` the name of a node is. */
export function nameOf(node: number): number {
  return (node + NODE.HEAD) * 4;
}

/** The first rrset of a node; the others follow at RRSET.STRIDE. */
export function rrsetsOf(image: ZoneImage, node: number): number {
  return node + NODE.HEAD + ((image.words[node + NODE.NAME_LENGTH]! + 3) >> 2);
}

/** The rrset of `type` at a node, or -1. */
export function findRrset(image: ZoneImage, node: number, type: number): number {
  const { words } = image;
  let rrset = rrsetsOf(image, node);
  const end = rrset + words[node + NODE.RRSETS]! * RRSET.STRIDE;
  for (; rrset < end; rrset += RRSET.STRIDE) {
    if (words[rrset + RRSET.TYPE] === type) return rrset;
  }
  return -1;
}

/** Where in `bytes` the template of a record is. */
export function templateOf(record: number): number {
  return (record + RECORD.HEAD) * 4;
}

/** Where in `bytes` the target of a CNAME or DNAME record stands whole. */
export function aliasTargetOf(image: ZoneImage, record: number): number {
  return templateOf(record) + image.words[record + RECORD.LENGTH]!;
}

/** True if the node of a NODE.CUT is a delegation, false if it is a DNAME. */
export function isDelegation(image: ZoneImage, cut: number): boolean {
  return cut !== ZONE.APEX && findRrset(image, cut, TYPE.NS) >= 0;
}
