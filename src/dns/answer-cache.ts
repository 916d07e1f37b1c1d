/**
 * Answers that can be given again as they are: a query equal to an earlier one in every octet but its
 * id gets the earlier answer with the new id. It knows nothing of DNS beyond that; whether an answer
 * may be repeated is the responder's to say. One thread's own, of fixed size, cleared when what it
 * was answered from changes. Octets are compared and copied four at a time.
 */

/** Answers kept at most, a power of two. */
const SLOTS = 32_768;
/**
 * A slot, two lines of the processor's cache: lengths, tag, the query, and of the answer what the
 * query does not say already; in 32-bit words.
 */
const SLOT_WORDS = 32;
const LENGTHS = 0;
const TAG = 1;
const QUERY_AT = 2;
/** Longest query that is kept, in octets. */
const QUERY_MAX = 96;
const HEADER = 12;
const HEADER_WORDS = HEADER / 4;

/** Queries after which it is judged whether the cache is worth its while: one hit in WORTH. */
const WINDOW = 16_384;
const WORTH = 8;
/** Queries for which it then rests. */
const REST = 4 * WINDOW;

/** The id is the first two octets of a message; in a word of memory they come low or high. */
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const ID_MASK = LITTLE_ENDIAN ? 0x0000ffff : 0xffff0000 | 0;

/** Octets of the last word that belong to a message of each length modulo 4. */
const TAIL_MASKS = LITTLE_ENDIAN
  ? Int32Array.of(-1, 0xff, 0xffff, 0xffffff)
  : Int32Array.of(-1, 0xff000000, 0xffff0000, 0xffffff00);

export class AnswerCache {
  readonly #slots = new Int32Array(SLOTS * SLOT_WORDS);
  /** Hash of the query in each slot; 0: empty. A miss costs no look at the slot itself. */
  readonly #hashes = new Int32Array(SLOTS);
  /** Hash of the query that last missed in each slot: only its second miss is worth keeping. */
  readonly #missed = new Int32Array(SLOTS);
  #touched = 0;
  /** Queries looked for, and found, since the last judgement; below 0 the cache rests. */
  #looked = 0;
  #found = 0;

  /** What was kept with the last answer that `find` gave. */
  tag = 0;

  clear(): void {
    this.#missed.fill(0);
    this.#hashes.fill(0);
  }

  /**
   * The hash of a query, in words of the machine's own order; 0: it is none to keep. Its answer, if
   * there is one, is touched, so that `find` for a whole batch of queries need not wait for memory
   * each time.
   */
  hash(query: Int32Array, length: number): number {
    if (++this.#looked <= 0 || length > QUERY_MAX || length < HEADER) return 0;
    if (this.#looked > WINDOW) this.#judge();
    const last = (length - 1) >> 2;
    const tail = query[last]! & TAIL_MASKS[length & 3]!;
    let hash = Math.imul((query[0]! & ~ID_MASK) ^ length, 0x9e3779b1);
    for (let i = 1; i < last; i++) hash = Math.imul((hash ^ (hash >>> 15)) + query[i]!, 0x85ebca6b);
    hash = Math.imul((hash ^ (hash >>> 15)) + tail, 0xc2b2ae35);
    hash = (hash ^ (hash >>> 16)) | 1;
    const slot = this.#slotOf(hash);
    if (slot < 0) return hash;
    const row = slot * SLOT_WORDS;
    this.#touched ^= this.#slots[row]! ^ this.#slots[row + (SLOT_WORDS >> 1)]!;
    return hash;
  }

  /** The slot of a query that is kept, or -1. */
  #slotOf(hash: number): number {
    const slot = (hash >>> 1) & (SLOTS - 1);
    if (this.#hashes[slot] === hash) return slot;
    // Two neighbouring slots will do, so that two queries of one slot do not displace each other.
    return this.#hashes[slot ^ 1] === hash ? slot ^ 1 : -1;
  }

  /** Where hardly anything is asked twice, looking for it costs more than it saves. */
  #judge(): void {
    this.#looked = this.#found * WORTH < WINDOW ? -REST : 0;
    this.#found = 0;
  }

  /**
   * Writes the answer to the query in `query` into `out` and returns its length; 0: there is none.
   * `hash` is that of the query.
   */
  find(hash: number, query: Int32Array, length: number, out: Int32Array): number {
    const slot = hash === 0 ? -1 : this.#slotOf(hash);
    if (slot < 0) return 0;
    const slots = this.#slots;
    const row = slot * SLOT_WORDS;
    const lengths = slots[row + LENGTHS]!;
    const key = row + QUERY_AT;
    const last = (length - 1) >> 2;
    if ((lengths & 0xff) !== length || slots[key] !== (query[0]! & ~ID_MASK)) return 0;
    if (slots[key + last] !== (query[last]! & TAIL_MASKS[length & 3]!)) return 0;
    for (let i = 1; i < last; i++) if (slots[key + i] !== query[i]) return 0;
    const shared = (lengths >> 8) & 0xff;
    const answerLength = lengths >>> 16;
    this.#found++;
    this.tag = slots[row + TAG]!;
    const answer = key + last + 1;
    out[0] = slots[answer]! | (query[0]! & ID_MASK);
    out[1] = slots[answer + 1]!;
    out[2] = slots[answer + 2]!;
    for (let i = HEADER_WORDS; i < shared; i++) out[i] = query[i]!;
    const words = (answerLength + 3) >> 2;
    const rest = answer + HEADER_WORDS - shared;
    for (let i = shared; i < words; i++) out[i] = slots[rest + i]!;
    return answerLength;
  }

  /** Keeps the answer to a query that `find` has just missed, if it was asked before. */
  keep(
    hash: number,
    query: Int32Array,
    length: number,
    answer: Int32Array,
    answerLength: number,
    tag: number,
  ): void {
    if (hash === 0) return;
    let slot = (hash >>> 1) & (SLOTS - 1);
    // A name that is asked once, of a scan or a flood, displaces nothing.
    if (this.#missed[slot] !== hash) {
      this.#missed[slot] = hash;
      return;
    }
    const words = (answerLength + 3) >> 2;
    const last = (length - 1) >> 2;
    // The question is repeated in the answer.
    let shared = HEADER_WORDS;
    while (shared < last && shared < words && answer[shared] === query[shared]) shared++;
    if (QUERY_AT + last + 1 + HEADER_WORDS + words - shared > SLOT_WORDS) return;
    if (this.#hashes[slot] !== 0 && this.#hashes[slot ^ 1] === 0) slot ^= 1;
    const slots = this.#slots;
    const row = slot * SLOT_WORDS;
    const key = row + QUERY_AT;
    slots[row + LENGTHS] = (answerLength << 16) | (shared << 8) | length;
    slots[row + TAG] = tag;
    this.#hashes[slot] = hash;
    slots[key] = query[0]! & ~ID_MASK;
    for (let i = 1; i < last; i++) slots[key + i] = query[i]!;
    slots[key + last] = query[last]! & TAIL_MASKS[length & 3]!;
    const at = key + last + 1;
    slots[at] = answer[0]! & ~ID_MASK;
    slots[at + 1] = answer[1]!;
    slots[at + 2] = answer[2]!;
    for (let i = shared; i < words; i++) slots[at + HEADER_WORDS - shared + i] = answer[i]!;
  }
}
