/**
 * Name compression within one response (RFC 1035 §4.1.4): where names stand in it, and the writing of
 * a name as its first labels and a pointer to the longest suffix that stands there already. Nothing
 * is allocated. A name is found whatever its case (RFC 4343).
 */
import { LABELS_MAX, type NameKey } from './image.ts';
import { NAME_MAX } from './wire/name.ts';

/** What a compression pointer can reach. */
export const POINTER_MAX = 0x3fff;
/** Names of one message that are remembered; later ones are not pointed at. */
const NAMES_MAX = 32;
/** Names that are compared for the sake of a name's first label alone, which seldom is shared. */
const WHOLE_MAX = 8;

export class MessageNames {
  /** Where the name that was put last can be pointed at. */
  start = 0;
  /** The offset behind that name in its source. */
  next = 0;
  readonly #places = new Int32Array(NAMES_MAX);
  #count = 0;
  /** Offsets of the labels of the name to be written, in its source. */
  readonly #labels = new Int32Array(LABELS_MAX);
  #labelCount = 0;
  /** Offsets of the labels of a name in the message. */
  readonly #known = new Int32Array(LABELS_MAX);
  /** How many last labels of the name stand in the message, and where. */
  #shared = 0;
  #sharedAt = 0;

  /** A new message, without any name. */
  begin(): void {
    this.#count = 0;
  }

  /** A name was written at `at`. */
  note(at: number): void {
    if (this.#count < NAMES_MAX && at + NAME_MAX <= POINTER_MAX) this.#places[this.#count++] = at;
  }

  /** What was written from `at` on is taken back. */
  rewind(at: number): void {
    while (this.#count > 0 && this.#places[this.#count - 1]! >= at) this.#count--;
  }

  /**
   * Writes the name at `source[from…]` to `out[at…]`, and notes it. Where the name reaches `cutA` or
   * `cutB` two octets are left out and it goes on at `apex`. Returns the offset behind it; -1: it
   * would go beyond `limit`.
   */
  put(
    source: Uint8Array,
    from: number,
    cutA: number,
    cutB: number,
    apex: number,
    out: Uint8Array,
    at: number,
    limit: number,
  ): number {
    this.#read(source, from, cutA, cutB, apex);
    this.#search(source, out);
    let end = at;
    const own = this.#labelCount - this.#shared;
    for (let i = 0; i < own; i++) {
      const label = this.#labels[i]!;
      const octets = source[label]! + 1;
      if (end + octets > limit) return -1;
      for (let k = 0; k < octets; k++) out[end + k] = source[label + k]!;
      end += octets;
    }
    if (end + (this.#shared > 0 ? 2 : 1) > limit) return -1;
    if (this.#shared > 0) {
      out[end++] = 0xc0 | (this.#sharedAt >> 8);
      out[end++] = this.#sharedAt;
    } else {
      out[end++] = 0;
    }
    if (own > 0) this.note(at);
    this.start = own > 0 ? at : this.#sharedAt;
    return end;
  }

  #read(source: Uint8Array, from: number, cutA: number, cutB: number, apex: number): void {
    let at = from;
    let count = 0;
    this.next = 0;
    for (;;) {
      if (at === cutA || at === cutB) {
        this.next = at + 2;
        at = apex;
      }
      const octets = source[at]!;
      if (octets === 0) break;
      this.#labels[count++] = at;
      at += octets + 1;
    }
    if (this.next === 0) this.next = at + 1;
    this.#labelCount = count;
  }

  /** Sets the longest suffix that some name of the message has too. */
  #search(source: Uint8Array, out: Uint8Array): void {
    const labels = this.#labels;
    const known = this.#known;
    const count = this.#labelCount;
    this.#shared = 0;
    for (let i = 0; i < this.#count && this.#shared < count; i++) {
      if (i >= WHOLE_MAX && this.#shared === count - 1) return;
      const total = labelsAt(out, this.#places[i]!, known);
      const most = Math.min(total, count);
      let same = 0;
      while (
        same < most &&
        sameLabel(source, labels[count - 1 - same]!, out, known[total - 1 - same]!)
      ) {
        same++;
      }
      if (same <= this.#shared) continue;
      this.#shared = same;
      this.#sharedAt = known[total - same]!;
    }
  }
}

/** Fills `labels` with the offsets of the labels of the name at `from`; returns their number. */
function labelsAt(out: Uint8Array, from: number, labels: Int32Array): number {
  let at = from;
  let count = 0;
  for (;;) {
    const octet = out[at]!;
    if (octet === 0) return count;
    if (octet >= 0xc0) {
      at = ((octet & 0x3f) << 8) | out[at + 1]!;
    } else {
      labels[count++] = at;
      at += octet + 1;
    }
  }
}

function lower(octet: number): number {
  return octet >= 65 && octet <= 90 ? octet + 32 : octet;
}

/** Length octets are below the letters, so that they can be compared like them. */
function sameLabel(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let i = a[aAt]!; i >= 0; i--) {
    if (a[aAt + i] !== b[bAt + i] && lower(a[aAt + i]!) !== lower(b[bAt + i]!)) return false;
  }
  return true;
}

/** Where the name at `from` goes on behind its first `octets` octets, which end with a label. */
export function suffixAt(out: Uint8Array, from: number, octets: number): number {
  let at = from;
  for (let left = octets; ; ) {
    const octet = out[at]!;
    if (octet >= 0xc0) {
      at = ((octet & 0x3f) << 8) | out[at + 1]!;
    } else if (left === 0) {
      return at;
    } else {
      at += octet + 1;
      left -= octet + 1;
    }
  }
}

/** True if the name at `from` is that of `key`. */
export function isNameAt(out: Uint8Array, from: number, key: NameKey): boolean {
  let at = from;
  for (let i = 0; i < key.length; ) {
    const octet = out[at]!;
    if (octet >= 0xc0) {
      at = ((octet & 0x3f) << 8) | out[at + 1]!;
      continue;
    }
    if (!sameLabel(key.bytes, i, out, at)) return false;
    i += octet + 1;
    at += octet + 1;
  }
  return true;
}
