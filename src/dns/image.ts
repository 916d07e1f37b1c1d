/**
 * The zone image: every name of every zone as flat typed arrays in shared memory, built whole
 * (image-build.ts) and never changed, so that all threads read one copy without a lock. A node is a
 * name that exists, empty non-terminals included (RFC 4592 §2.2.2); it belongs to the closest
 * enclosing zone. Rows are found by index × stride + field.
 */
import { LABEL_MAX, NAME_MAX } from './wire/name.ts';

export const NODE = {
  /** The name in `bytes`, lower-cased wire form. */
  NAME_AT: 0,
  NAME_LENGTH: 1,
  HASH: 2,
  ZONE: 3,
  /** The delegation point at or above this node inside its zone, or -1 (RFC 1034 §4.2.1). */
  CUT: 4,
  /** The wildcard child `*.NAME`, or -1. */
  WILD: 5,
  /** Index into the services for a health-aware name, or -1. */
  SERVICE: 6,
  RRSETS_AT: 7,
  RRSETS: 8,
  /** At the apex of a zone whose parent zone is here too: the parent's node of this name; or -1. */
  PARENT_SIDE: 9,
  STRIDE: 10,
} as const;

export const RRSET = { TYPE: 0, RECORDS_AT: 1, RECORDS: 2, STRIDE: 3 } as const;

export const RECORD = {
  /**
   * A template in `bytes`: type, class, TTL, RDLENGTH, RDATA. Names in it that lie in the zone end
   * in two octets to be overwritten by a compression pointer to the apex.
   */
  AT: 0,
  LENGTH: 1,
  /** Offsets of those two octets within the template, or 0. */
  POINTER_A: 2,
  POINTER_B: 3,
  /** Offset within the template of the name that the record points at, or 0. */
  NAME: 4,
  /** The node of that name, when its addresses belong in the additional section; or -1. */
  TARGET: 5,
  /** That name uncompressed and lower-cased, in `bytes`, for CNAME. */
  FULL_AT: 6,
  FULL_LENGTH: 7,
  STRIDE: 8,
} as const;

/** NEGATIVE: the SOA record with the TTL of negative answers (RFC 2308 §3), or -1. */
export const ZONE = { APEX_LENGTH: 0, NEGATIVE: 1, STRIDE: 2 } as const;

export interface Image {
  readonly bytes: Uint8Array;
  /** Open-addressing hash table: node index + 1, or 0. Its length is a power of two. */
  readonly slots: Int32Array;
  readonly nodes: Int32Array;
  readonly rrsets: Int32Array;
  readonly records: Int32Array;
  readonly zones: Int32Array;
}

const LABELS_MAX = (NAME_MAX + 1) / 2;

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
export function findNode(image: Image, key: NameKey, suffix: number): number {
  const { bytes, slots, nodes } = image;
  const mask = slots.length - 1;
  const hash = key.hashes[suffix]!;
  const start = key.at[suffix]!;
  const length = key.length - start;
  for (let slot = slotOf(hash, mask); ; slot = (slot + 1) & mask) {
    const node = slots[slot]! - 1;
    if (node < 0) return -1;
    const row = node * NODE.STRIDE;
    if (nodes[row + NODE.HASH] !== hash || nodes[row + NODE.NAME_LENGTH] !== length) continue;
    const name = nodes[row + NODE.NAME_AT]!;
    let i = 0;
    while (i < length && bytes[name + i] === key.bytes[start + i]) i++;
    if (i === length) return node;
  }
}

/** The rrset of `type` at a node, or -1. */
export function findRrset(image: Image, node: number, type: number): number {
  const row = node * NODE.STRIDE;
  const first = image.nodes[row + NODE.RRSETS_AT]!;
  const end = first + image.nodes[row + NODE.RRSETS]!;
  for (let rrset = first; rrset < end; rrset++) {
    if (image.rrsets[rrset * RRSET.STRIDE + RRSET.TYPE] === type) return rrset;
  }
  return -1;
}

export const FOUND = { HIT: 0, NXDOMAIN: 1, DELEGATION: 2, OUTSIDE: 3 } as const;

/** Where a name is in the image; filled by `locate`. */
export class Place {
  found: number = FOUND.OUTSIDE;
  /** The node that answers: exact or wildcard; at a DELEGATION the cut. -1 on NXDOMAIN. */
  node = -1;
  zone = -1;
}

/**
 * RFC 1034 §4.3.2 step 3: the exact name, else the closest encloser and its wildcard. `atParent` is
 * true for a type that the parent side of a cut answers itself (DS, RFC 4035 §3.1.4.1).
 */
export function locate(image: Image, key: NameKey, atParent: boolean, place: Place): void {
  const { nodes } = image;
  let suffix = 0;
  let node = -1;
  while (suffix < key.suffixes) {
    node = findNode(image, key, suffix);
    if (node >= 0) break;
    suffix++;
  }
  place.node = -1;
  if (node < 0) {
    place.found = FOUND.OUTSIDE;
    return;
  }
  if (atParent && suffix === 0) {
    const side = nodes[node * NODE.STRIDE + NODE.PARENT_SIDE]!;
    if (side >= 0) node = side;
  }
  const row = node * NODE.STRIDE;
  place.zone = nodes[row + NODE.ZONE]!;
  const cut = nodes[row + NODE.CUT]!;
  if (cut >= 0 && !(atParent && suffix === 0 && cut === node)) {
    place.found = FOUND.DELEGATION;
    place.node = cut;
    return;
  }
  // RFC 4592 §3.3.1: a wildcard answers only directly below the closest encloser.
  place.node = suffix === 0 ? node : nodes[row + NODE.WILD]!;
  place.found = place.node >= 0 ? FOUND.HIT : FOUND.NXDOMAIN;
}
