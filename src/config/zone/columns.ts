/**
 * The columns of ZoneRecords while they grow. They lie in shared memory, and are laid out for as
 * many records as the text could hold at once: pages that nothing is written to cost no memory,
 * copying would. What stands below `count` and `end` is never changed.
 */
import { nameLength } from '../../dns/wire/name.ts';
import type { ZoneRecords } from '../../model/zone.ts';

/** So many octets of text does a short record take; shorter ones make the columns grow. */
const RECORD_TEXT_OCTETS = 12;
/** Names and rdata take more octets than their text when names are relative to a long origin. */
const OCTETS_PER_TEXT_OCTET = 1.5;
const GROWTH = 1.5;
/** What ZoneRecords can say: columns far to the right are all told as the last one. */
const COLUMN_MAX = 0xffff;

export interface ColumnLimits {
  readonly records_max: number;
  /** Of names and rdata together; places are 32-bit numbers. */
  readonly octets_max: number;
}

const shared8 = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length));
const shared16 = (rows: number): Uint16Array => new Uint16Array(new SharedArrayBuffer(rows * 2));
const shared32 = (rows: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(rows * 4));

function moved<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

export class ZoneColumns {
  /** Number of records. */
  count = 0;
  /** Names and rdata up to `end`; to write behind it, make room first. */
  bytes: Uint8Array;
  end = 0;
  readonly #limits: ColumnLimits;
  #ownerAt: Uint32Array;
  #type: Uint16Array;
  #ttl_s: Uint32Array;
  #rdataAt: Uint32Array;
  #rdataLength: Uint16Array;
  #file: Uint16Array;
  #line: Uint32Array;
  #column: Uint16Array;
  /** The owner that was written last. */
  #ownerStart = 0;
  #ownerEnd = 0;
  readonly #kept = { end: 0, ownerStart: 0, ownerEnd: 0 };

  constructor(textOctets: number, limits: ColumnLimits) {
    const rows = Math.min(limits.records_max, 1 + Math.ceil(textOctets / RECORD_TEXT_OCTETS));
    const octets = Math.ceil(textOctets * OCTETS_PER_TEXT_OCTET);
    this.#limits = limits;
    this.bytes = shared8(Math.min(limits.octets_max, octets));
    this.#ownerAt = shared32(rows);
    this.#type = shared16(rows);
    this.#ttl_s = shared32(rows);
    this.#rdataAt = shared32(rows);
    this.#rdataLength = shared16(rows);
    this.#file = shared16(rows);
    this.#line = shared32(rows);
    this.#column = shared16(rows);
  }

  /** True if another record, of so many octets for owner and rdata, can be written. */
  hasRoom(octets: number): boolean {
    if (this.count >= this.#limits.records_max) return false;
    const wanted = this.end + octets;
    if (wanted <= this.bytes.length) return true;
    if (wanted > this.#limits.octets_max) return false;
    const length = Math.max(wanted, Math.ceil(this.bytes.length * GROWTH));
    const bytes = shared8(Math.min(length, this.#limits.octets_max));
    this.bytes = moved(this.bytes.subarray(0, this.end), bytes);
    return true;
  }

  /** Writes octets behind the others, for which there must be room; returns where they are. */
  write(octets: Uint8Array): number {
    const at = this.end;
    this.bytes.set(octets, at);
    this.end += octets.length;
    return at;
  }

  /**
   * Makes the lower-cased name that was written last, from `start` to the end, an owner, and returns
   * where it is: if it is the same as the owner before, there, and the second writing is taken back.
   */
  ownerFrom(start: number): number {
    const { bytes, end } = this;
    let same = end - start === this.#ownerEnd - this.#ownerStart;
    for (let i = end - start - 1; same && i >= 0; i--) {
      same = bytes[start + i] === bytes[this.#ownerStart + i];
    }
    if (same) {
      this.end = start;
    } else {
      this.#ownerStart = start;
      this.#ownerEnd = end;
    }
    return this.#ownerStart;
  }

  /** Remembers what was written so far. */
  keep(): void {
    this.#kept.end = this.end;
    this.#kept.ownerStart = this.#ownerStart;
    this.#kept.ownerEnd = this.#ownerEnd;
  }

  /** Takes back what was written since keep(), which must have been no whole record. */
  takeBack(): void {
    this.end = this.#kept.end;
    this.#ownerStart = this.#kept.ownerStart;
    this.#ownerEnd = this.#kept.ownerEnd;
  }

  /** A view of the owner at `at`. */
  ownerAt(at: number): Uint8Array {
    return this.bytes.subarray(at, at + nameLength(this.bytes, at, this.end));
  }

  /** Adds a record, for which there must be room; its rdata was written last, from `rdataAt` on. */
  push(
    ownerAt: number,
    type: number,
    ttl_s: number,
    rdataAt: number,
    file: number,
    line: number,
    column: number,
  ): void {
    if (this.count === this.#type.length) this.#addRows();
    const row = this.count++;
    this.#ownerAt[row] = ownerAt;
    this.#type[row] = type;
    this.#ttl_s[row] = ttl_s;
    this.#rdataAt[row] = rdataAt;
    this.#rdataLength[row] = this.end - rdataAt;
    this.#file[row] = file;
    this.#line[row] = line;
    this.#column[row] = column < COLUMN_MAX ? column : COLUMN_MAX;
  }

  #addRows(): void {
    const rows = Math.min(this.#limits.records_max, Math.ceil((this.count + 1) * GROWTH));
    this.#ownerAt = moved(this.#ownerAt, shared32(rows));
    this.#type = moved(this.#type, shared16(rows));
    this.#ttl_s = moved(this.#ttl_s, shared32(rows));
    this.#rdataAt = moved(this.#rdataAt, shared32(rows));
    this.#rdataLength = moved(this.#rdataLength, shared16(rows));
    this.#file = moved(this.#file, shared16(rows));
    this.#line = moved(this.#line, shared32(rows));
    this.#column = moved(this.#column, shared16(rows));
  }

  /** All that was pushed. */
  records(files: readonly string[]): ZoneRecords {
    const { count } = this;
    return {
      count,
      bytes: this.bytes.subarray(0, this.end),
      ownerAt: this.#ownerAt.subarray(0, count),
      type: this.#type.subarray(0, count),
      ttl_s: this.#ttl_s.subarray(0, count),
      rdataAt: this.#rdataAt.subarray(0, count),
      rdataLength: this.#rdataLength.subarray(0, count),
      file: this.#file.subarray(0, count),
      line: this.#line.subarray(0, count),
      column: this.#column.subarray(0, count),
      files,
    };
  }
}
