/**
 * Names inside a message (RFC 1035 §4.1.4): reading them through compression pointers, and writing
 * them with such pointers. A pointer must lead strictly backwards, behind the header, and a name has
 * at most 128 labels, so reading always ends and costs little whatever the message says.
 */
import type { Reader, Writer } from '../../net/cursor.ts';
import { LABEL_MAX, NAME_MAX } from './name.ts';

const HEADER_OCTETS = 12;
const POINTER_MAX = 0x3fff;
/** A good compressor never needs a pointer to a pointer, so there is at most one per label. */
const POINTERS_PER_NAME_MAX = 127;

/** Where a name is put together: one memory for all costs less than one for each. */
const scratch = new Uint8Array(NAME_MAX);

/** The uncompressed name at the reader's place; the reader fails if it is malformed. */
export function readName(reader: Reader): Uint8Array {
  const { bytes, end } = reader;
  const out = scratch;
  let length = 0;
  let at = reader.offset;
  /** Where reading goes on; known at the first pointer. */
  let next = -1;
  /** Pointers must lead before this. */
  let limit = at;
  for (let pointers = 0; pointers <= POINTERS_PER_NAME_MAX; ) {
    const octet = at < end ? bytes[at]! : 0xff;
    if (octet > LABEL_MAX) {
      const target = ((octet & 0x3f) << 8) | (bytes[at + 1] ?? 0);
      if (octet < 0xc0 || at + 2 > end || target >= limit || target < HEADER_OCTETS) break;
      if (next < 0) next = at + 2;
      at = target;
      limit = target;
      pointers++;
      continue;
    }
    if (at + 1 + octet > end || length + 1 + octet > NAME_MAX) break;
    for (const last = at + octet; at <= last; ) out[length++] = bytes[at++]!;
    if (octet > 0) continue;
    reader.skip((next < 0 ? at : next) - reader.offset);
    return out.slice(0, length);
  }
  reader.fail();
  return new Uint8Array(1);
}

/** Writes names into one message, pointing back to suffixes that it wrote before. */
export class NameWriter {
  readonly #places = new Map<string, number>();
  readonly #out: Writer;

  /** `out` must hold the message from its offset 0 on. */
  constructor(out: Writer) {
    this.#out = out;
  }

  /**
   * Writes a name in uncompressed form. Suffixes are matched in their exact case, so that what a
   * reader gets back is octet for octet what was written.
   */
  write(name: Uint8Array): void {
    const text = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    let at = 0;
    while (at < name.length && name[at] !== 0) {
      const suffix = text.slice(at);
      const place = this.#places.get(suffix);
      if (place !== undefined) {
        this.#out.u16(0xc000 | place);
        return;
      }
      if (this.#out.offset <= POINTER_MAX) this.#places.set(suffix, this.#out.offset);
      const label = 1 + name[at]!;
      this.#out.put(name.subarray(at, at + label));
      at += label;
    }
    this.#out.u8(0);
  }
}
