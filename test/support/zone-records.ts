/** Reads zone files on the fast way and the general one, which must not be told apart. */
import assert from 'node:assert/strict';
import {
  type ReadOptions,
  readZoneRecords,
  type ZoneRead,
  type ZoneSource,
} from '../../src/config/zone/file.ts';
import type { ZoneRecords } from '../../src/model/zone.ts';

const COLUMNS = [
  'bytes',
  'ownerAt',
  'type',
  'ttl_s',
  'rdataAt',
  'rdataLength',
  'file',
  'line',
  'column',
] as const;

function octets(column: Uint8Array | Uint16Array | Uint32Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}

function sameRecords(a: ZoneRecords, b: ZoneRecords): boolean {
  return a.count === b.count && COLUMNS.every((name) => octets(a[name]).equals(octets(b[name])));
}

/** Reads on both ways and fails with the text if the outcomes differ in any octet. */
export function readBothWays(source: ZoneSource, options: ReadOptions = {}): ZoneRead {
  const fast = readZoneRecords(source, options);
  const general = readZoneRecords(source, { ...options, fast: false });
  if (!sameRecords(fast.records, general.records)) {
    const text = Buffer.from(source.bytes).toString();
    assert.deepEqual(fast.records, general.records, text);
    assert.fail(`records differ: ${text}`);
  }
  assert.deepEqual(fast.records.files, general.records.files);
  assert.deepEqual(fast.problems, general.problems);
  return fast;
}
