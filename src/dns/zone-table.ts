/**
 * The zones that are served, each with its own image, and the search for a name among them: the
 * closest enclosing zone answers (RFC 1034 §4.3.2 step 2), whatever the zones above it say.
 */
import type { ZoneImage } from '../model/zone.ts';
import { findNode, isDelegation, isNamed, NameKey, NODE, nameOf, slotOf, ZONE } from './image.ts';

export interface ServedZone {
  readonly image: ZoneImage;
  /** The index of each service of the zone (NODE.SERVICE) among those of the snapshot. */
  readonly services: Int32Array;
}

/** Stands where no zone is entered yet. */
export const NO_ZONE: ServedZone = {
  image: {
    bytes: new Uint8Array(0),
    words: new Int32Array(0),
    slots: new Int32Array(0),
    nodeMask: 0,
  },
  services: new Int32Array(0),
};

export interface ZoneTable {
  readonly zones: readonly ServedZone[];
  /** Hash table of the apexes: index into `zones` + 1, or 0. Its length is a power of two. */
  readonly slots: Int32Array;
  /** By zone. */
  readonly hashes: Int32Array;
  /** The most labels that an apex has, the root's included. */
  readonly labelsMax: number;
}

export function makeZoneTable(zones: readonly ServedZone[]): ZoneTable {
  let size = 16;
  while (size < zones.length * 4) size *= 2;
  const slots = new Int32Array(size);
  const hashes = new Int32Array(zones.length);
  const key = new NameKey();
  let labelsMax = 0;
  zones.forEach(({ image }, zone) => {
    key.take(image.bytes, nameOf(ZONE.APEX), image.bytes.length);
    labelsMax = Math.max(labelsMax, key.suffixes);
    hashes[zone] = key.hashes[0]!;
    let slot = slotOf(hashes[zone]!, size - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
    slots[slot] = zone + 1;
  });
  return { zones, slots, hashes, labelsMax };
}

/** The zone with the longest apex that is suffix `from` of `key` or a later one; -1: none. */
function findZone(table: ZoneTable, key: NameKey, from: number): number {
  const { zones, slots, hashes, labelsMax } = table;
  const mask = slots.length - 1;
  const first = Math.max(from, key.suffixes - labelsMax);
  for (let suffix = first; suffix < key.suffixes; suffix++) {
    const hash = key.hashes[suffix]!;
    const length = key.length - key.at[suffix]!;
    for (let slot = slotOf(hash, mask); slots[slot] !== 0; slot = (slot + 1) & mask) {
      const zone = slots[slot]! - 1;
      if (hashes[zone] !== hash) continue;
      const { image } = zones[zone]!;
      if (image.words[ZONE.APEX_LENGTH] !== length) continue;
      if (isNamed(image, ZONE.APEX, key, suffix)) return zone;
    }
  }
  return -1;
}

export const FOUND = { HIT: 0, NXDOMAIN: 1, DELEGATION: 2, OUTSIDE: 3, DNAME: 4 } as const;

/** Where a name is; filled by `locate`. */
export class Place {
  found: number = FOUND.OUTSIDE;
  /** Index into the zones of the table, or -1. */
  zone = -1;
  /** The node that answers: exact or wildcard; at a DELEGATION or DNAME the cut. -1 on NXDOMAIN. */
  node = -1;
  /** The node of the closest name at or above that exists (RFC 4592 §3.3.1), or -1. */
  encloser = -1;
}

/**
 * RFC 1034 §4.3.2 step 3: the exact name, else the closest encloser and its wildcard. `atParent` is
 * true for a type that the parent side of a cut answers itself (DS, RFC 4035 §3.1.4.1), also where
 * that cut leads to a zone that is served here.
 */
export function locate(table: ZoneTable, key: NameKey, atParent: boolean, place: Place): void {
  place.node = -1;
  place.encloser = -1;
  place.found = FOUND.OUTSIDE;
  place.zone = findZone(table, key, 0);
  if (place.zone < 0) return;
  let { image } = table.zones[place.zone]!;
  if (atParent && image.words[ZONE.APEX_LENGTH] === key.length) {
    const parent = findZone(table, key, 1);
    if (parent >= 0) place.zone = parent;
    image = table.zones[place.zone]!.image;
  }
  const { words } = image;
  let suffix = 0;
  let node = findNode(image, key, 0);
  // The apex ends this: it is in the image.
  while (node < 0) node = findNode(image, key, ++suffix);
  place.encloser = node;
  const cut = words[node + NODE.CUT]!;
  if (cut >= 0) {
    const delegation = isDelegation(image, cut);
    // The cut itself: the parent's side of a delegation, and all of a DNAME's owner (RFC 6672 §2.3).
    const itself = suffix === 0 && cut === node;
    if (!itself || (delegation && !atParent)) {
      place.found = delegation ? FOUND.DELEGATION : FOUND.DNAME;
      place.node = cut;
      return;
    }
  }
  // RFC 4592 §3.3.1: a wildcard answers only directly below the closest encloser.
  place.node = suffix === 0 ? node : words[node + NODE.WILD]!;
  place.found = place.node >= 0 ? FOUND.HIT : FOUND.NXDOMAIN;
}
