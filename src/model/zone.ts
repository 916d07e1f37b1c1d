/** One zone: its records as the zone file gave them, and the image that answers are made from. */

/**
 * Row i of each column is the i-th record, in the order of the files. The columns may lie in shared
 * memory, each in a buffer of its own that may be larger, and are never changed once they stand.
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
  /** Where the record stands: index into `files`, line and column from 1; column 65535: or beyond. */
  readonly file: Uint16Array;
  readonly line: Uint32Array;
  readonly column: Uint16Array;
  /** The zone file and what it includes, relative to the deployment's directory. */
  readonly files: readonly string[];
}

/**
 * A zone as it is answered from: built whole and never changed, in shared memory, so that all
 * threads read one copy without a lock. The layout is told in src/dns/image.ts.
 */
export interface ZoneImage {
  /** Names and records; `bytes` and `words` are views of the same memory. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Hash table of the names. Its length is a power of two. */
  readonly slots: Int32Array;
  /** The bits of a slot that say where the node is; the others are those bits of the name's hash. */
  readonly nodeMask: number;
}
