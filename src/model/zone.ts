/** The records of one zone as its zone file gave them, in columns that threads can share. */

/**
 * Row i of each column is the i-th record, in the order of the files. The columns may lie in shared
 * memory, and are never changed once they stand.
 */
export interface ZoneRecords {
  /** Number of records. */
  readonly count: number;
  /** Owner names and rdata, at the offsets below. */
  readonly bytes: Uint8Array;
  /** Owner in wire form (RFC 1035 §3.1), lower-cased; records of one name in a row share it. */
  readonly ownerAt: Uint32Array;
  readonly type: Uint16Array;
  readonly ttl_s: Uint32Array;
  /** RDATA in wire form, names uncompressed. */
  readonly rdataAt: Uint32Array;
  readonly rdataLength: Uint16Array;
  /** Where the record stands: index into `files`, line and column from 1. */
  readonly file: Uint16Array;
  readonly line: Uint32Array;
  readonly column: Uint16Array;
  /** The zone file and what it includes, relative to the deployment's directory. */
  readonly files: readonly string[];
}
