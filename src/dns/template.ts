/**
 * A record in the form in which it is copied into answers: everything after the owner name, names in
 * the RDATA cut where they reach the zone's apex, with room for a compression pointer to it. Only the
 * types of RFC 1035 are compressed (RFC 3597 §4).
 */
import { CLASS, TYPE } from './wire/codes.ts';
import { isWithin, lowerName, nameLength } from './wire/name.ts';

export interface Template {
  /** Type, class, TTL, RDLENGTH, RDATA. */
  readonly bytes: Uint8Array;
  /** Where in `bytes` the two octets of each pointer to the apex go; at most two. */
  readonly pointers: readonly number[];
  /** Where in `bytes` the name that the record points at starts; 0: none. */
  readonly nameAt: number;
  /** That name, uncompressed and lower-cased; null: none. */
  readonly full: Uint8Array | null;
}

/** Octets before the RDATA. */
export const RECORD_HEADER = 10;

/** How many names there are in the RDATA, after how many octets, and may they be compressed? */
const NAMES: Readonly<Record<number, { at: number; count: number; compress: boolean }>> = {
  [TYPE.NS]: { at: 0, count: 1, compress: true },
  [TYPE.CNAME]: { at: 0, count: 1, compress: true },
  [TYPE.PTR]: { at: 0, count: 1, compress: true },
  [TYPE.SOA]: { at: 0, count: 2, compress: true },
  [TYPE.MX]: { at: 2, count: 1, compress: true },
  [TYPE.SRV]: { at: 6, count: 1, compress: false },
};

export function compileRecord(
  type: number,
  ttl_s: number,
  rdata: Uint8Array,
  apex: Uint8Array,
): Template {
  const names = NAMES[type];
  if (!names) return assemble(type, ttl_s, rdata, [], 0, null);
  const out: number[] = [];
  const pointers: number[] = [];
  let full: Uint8Array | null = null;
  let at = names.at;
  out.push(...rdata.subarray(0, at));
  for (let i = 0; i < names.count; i++) {
    const length = nameLength(rdata, at);
    const name = rdata.subarray(at, at + length);
    const lower = lowerName(name.slice());
    full ??= length > 0 ? lower : null;
    at += length;
    // The root as apex is shorter than a pointer to it.
    if (names.compress && length > 0 && apex.length > 2 && isWithin(lower, apex)) {
      out.push(...name.subarray(0, length - apex.length));
      pointers.push(RECORD_HEADER + out.length);
      out.push(0, 0);
    } else {
      out.push(...name);
    }
  }
  out.push(...rdata.subarray(at));
  const nameAt = full ? RECORD_HEADER + names.at : 0;
  return assemble(type, ttl_s, Uint8Array.from(out), pointers, nameAt, full);
}

function assemble(
  type: number,
  ttl_s: number,
  rdata: Uint8Array,
  pointers: readonly number[],
  nameAt: number,
  full: Uint8Array | null,
): Template {
  const bytes = new Uint8Array(RECORD_HEADER + rdata.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type);
  view.setUint16(2, CLASS.IN);
  view.setUint32(4, ttl_s);
  view.setUint16(8, rdata.length);
  bytes.set(rdata, RECORD_HEADER);
  return { bytes, pointers, nameAt, full };
}
