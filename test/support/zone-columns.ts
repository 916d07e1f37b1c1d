/** Records one by one, and the columns that a zone image is built from. */
import { nameLength } from '../../src/dns/wire/name.ts';
import type { ZoneRecords } from '../../src/model/zone.ts';

export interface ZoneRecord {
  /** Owner in wire form (RFC 1035 §3.1), lower-cased. */
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttl_s: number;
  /** RDATA in wire form, names uncompressed. */
  readonly rdata: Uint8Array;
  /** Line in the zone file, from 1. */
  readonly line: number;
}

/** `file` is where all of them stand. */
export function columnsOf(list: readonly ZoneRecord[], file: string): ZoneRecords {
  const count = list.length;
  const octets = list.reduce((sum, { owner, rdata }) => sum + owner.length + rdata.length, 0);
  const records = {
    count,
    bytes: new Uint8Array(octets),
    ownerAt: new Uint32Array(count),
    type: new Uint16Array(count),
    ttl_s: new Uint32Array(count),
    rdataAt: new Uint32Array(count),
    rdataLength: new Uint16Array(count),
    file: new Uint16Array(count),
    line: new Uint32Array(count),
    column: new Uint16Array(count).fill(1),
    files: [file],
  };
  let at = 0;
  list.forEach(({ owner, type, ttl_s, rdata, line }, i) => {
    records.ownerAt[i] = at;
    records.bytes.set(owner, at);
    records.rdataAt[i] = at + owner.length;
    records.bytes.set(rdata, at + owner.length);
    at += owner.length + rdata.length;
    records.type[i] = type;
    records.ttl_s[i] = ttl_s;
    records.rdataLength[i] = rdata.length;
    records.line[i] = line;
  });
  return records;
}

/** The columns one by one again. */
export function recordsOf(columns: ZoneRecords): ZoneRecord[] {
  const { count, bytes } = columns;
  return Array.from({ length: count }, (_, row) => {
    const ownerAt = columns.ownerAt[row]!;
    const rdataAt = columns.rdataAt[row]!;
    return {
      owner: bytes.slice(ownerAt, ownerAt + nameLength(bytes, ownerAt)),
      type: columns.type[row]!,
      ttl_s: columns.ttl_s[row]!,
      rdata: bytes.slice(rdataAt, rdataAt + columns.rdataLength[row]!),
      line: columns.line[row]!,
    };
  });
}
