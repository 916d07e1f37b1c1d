/**
 * Answers that can be given again as they are: a query equal to an earlier one in every octet but its
 * id gets the earlier answer with the new id. It knows nothing of DNS beyond that; whether an answer
 * may be repeated is the responder's to say. One thread's own, of fixed size, cleared when what it
 * was answered from changes. Octets are compared and copied four at a time.
 */

/** Answers kept at most, a power of two. */
const SLOTS = 32_768;
/** A slot: query length, answer length, tag, then the query and the answer; in 32-bit words. */
const SLOT_WORDS = 64;
const QUERY_AT = 3;
/** Longest query that is kept, in octets; the answer must fit in what it leaves of the slot. */
const QUERY_MAX = 96;
const HEADER = 12;

/** The id is the first two octets of a message; in a word of memory they come low or high. */
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const ID_MASK = LITTLE_ENDIAN ? 0x0000ffff : 0xffff0000 | 0;

/** Octets of the last word that belong to a message of each length modulo 4. */
const TAIL_MASKS = LITTLE_ENDIAN
  ? Int32Array.of(-1, 0xff, 0xffff, 0xffffff)
  : Int32Array.of(-1, 0xff000000, 0xffff0000, 0xffffff00);

export class AnswerCache {
  /** Hash of the query in each slot; 0: empty. */
  readonly #hashes = new Int32Array(SLOTS);
  /** Hash of the query that last missed in each slot: only its second miss is worth keeping. */
  readonly #missed = new Int32Array(SLOTS);
  readonly #slots = new Int32Array(SLOTS * SLOT_WORDS);
  #hash = 0;

  /** What was kept with the last answer that `find` gave. */
  tag = 0;

  clear(): void {
    this.#hashes.fill(0);
    this.#missed.fill(0);
  }

  /**
   * Writes the answer to the query in `query` (`length` octets) into `out` and returns its length;
   * 0: there is none. Both are the memory of a message in words of the machine's own order.
   */
  find(query: Int32Array, length: number, out: Int32Array): number {
    this.#hash = 0;
    if (length > QUERY_MAX || length < HEADER) return 0;
    const last = (length - 1) >> 2;
    const first = query[0]! & ~ID_MASK;
    const tail = query[last]! & TAIL_MASKS[length & 3]!;
    let hash = Math.imul(first ^ length, 0x9e3779b1);
    for (let i = 1; i < last; i++) hash = Math.imul((hash ^ (hash >>> 15)) + query[i]!, 0x85ebca6b);
    hash = Math.imul((hash ^ (hash >>> 15)) + tail, 0xc2b2ae35);
    hash = (hash ^ (hash >>> 16)) | 1;
    this.#hash = hash;
    // Two neighbouring slots will do, so that two queries of one slot do not displace each other.
    let slot = (hash >>> 1) & (SLOTS - 1);
    if (this.#hashes[slot] !== hash) slot ^= 1;
    if (this.#hashes[slot] !== hash) return 0;
    const slots = this.#slots;
    const row = slot * SLOT_WORDS;
    const key = row + QUERY_AT;
    if (slots[row] !== length || slots[key] !== first || slots[key + last] !== tail) return 0;
    for (let i = 1; i < last; i++) if (slots[key + i] !== query[i]) return 0;
    const answerLength = slots[row + 1]!;
    this.tag = slots[row + 2]!;
    const answer = key + last + 1;
    const words = (answerLength + 3) >> 2;
    out[0] = slots[answer]! | (query[0]! & ID_MASK);
    for (let i = 1; i < words; i++) out[i] = slots[answer + i]!;
    return answerLength;
  }

  /** Keeps the answer to the query that `find` has just missed, if it was asked before. */
  keep(
    query: Int32Array,
    length: number,
    answer: Int32Array,
    answerLength: number,
    tag: number,
  ): void {
    const hash = this.#hash;
    const last = (length - 1) >> 2;
    const words = (answerLength + 3) >> 2;
    if (hash === 0 || QUERY_AT + last + 1 + words > SLOT_WORDS) return;
    let slot = (hash >>> 1) & (SLOTS - 1);
    // A name that is asked once, of a scan or a flood, displaces nothing.
    if (this.#missed[slot] !== hash) {
      this.#missed[slot] = hash;
      return;
    }
    if (this.#hashes[slot] !== 0 && this.#hashes[slot ^ 1] === 0) slot ^= 1;
    const slots = this.#slots;
    const row = slot * SLOT_WORDS;
    const key = row + QUERY_AT;
    slots[row] = length;
    slots[row + 1] = answerLength;
    slots[row + 2] = tag;
    for (let i = 0; i < last; i++) slots[key + i] = query[i]!;
    slots[key] = slots[key]! & ~ID_MASK;
    slots[key + last] = query[last]! & TAIL_MASKS[length & 3]!;
    for (let i = 0; i < words; i++) slots[key + last + 1 + i] = answer[i]!;
    slots[key + last + 1] = slots[key + last + 1]! & ~ID_MASK;
    this.#hashes[slot] = hash;
  }
}
