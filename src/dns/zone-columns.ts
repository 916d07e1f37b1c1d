/** Records one by one → the columns that a zone image is built from. */
import type { ZoneRecord } from '../model/config.ts';
import type { ZoneRecords } from '../model/zone.ts';

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
