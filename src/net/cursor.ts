/**
 * Bounded cursors over bytes with a sticky error. Wire input never throws: after the first read
 * or write beyond the end every further call does nothing (a read gives 0 or empty bytes), and
 * the caller checks `failed` once, at the end. Integers are big-endian, as on the wire.
 */

const EMPTY = new Uint8Array(0);

export class Reader {
  readonly bytes: Uint8Array;
  offset: number;
  /** Offset after the last byte that may be read. */
  readonly end: number;
  failed = false;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = Math.min(end, bytes.length);
  }

  get left(): number {
    return this.end - this.offset;
  }

  fail(): void {
    this.failed = true;
    this.offset = this.end;
  }

  #take(count: number): number {
    const at = this.offset;
    if (this.failed || count < 0 || count > this.end - at) {
      this.fail();
      return -1;
    }
    this.offset = at + count;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  u32(): number {
    const at = this.#take(4);
    if (at < 0) return 0;
    const b = this.bytes;
    return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
  }

  /** A view (not a copy) of the next `count` bytes. */
  take(count: number): Uint8Array {
    const at = this.#take(count);
    return at < 0 ? EMPTY : this.bytes.subarray(at, at + count);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** A reader confined to the next `count` bytes, which this one passes over. */
  sub(count: number): Reader {
    const at = this.#take(count);
    if (at >= 0) return new Reader(this.bytes, at, at + count);
    const broken = new Reader(EMPTY);
    broken.failed = true;
    return broken;
  }
}

export class Writer {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;
  failed = false;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = Math.min(end, bytes.length);
  }

  #reserve(count: number): number {
    const at = this.offset;
    if (this.failed || count > this.end - at) {
      this.failed = true;
      return -1;
    }
    this.offset = at + count;
    return at;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    if (at >= 0) this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    if (at < 0) return;
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    if (at < 0) return;
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  put(source: Uint8Array): void {
    const at = this.#reserve(source.length);
    if (at >= 0) this.bytes.set(source, at);
  }

  /** Overwrites two bytes already written, e.g. a length that is known only afterwards. */
  patch16(at: number, value: number): void {
    if (this.failed) return;
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  /** A view of what was written from `start` on. */
  written(start = 0): Uint8Array {
    return this.bytes.subarray(start, this.offset);
  }
}
