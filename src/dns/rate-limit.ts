/**
 * Response rate limiting: like responses to one client prefix are sent at a steady rate, and of those
 * beyond it each n-th is sent truncated, so that a real client comes back over TCP. The memory is one
 * table of fixed size for all threads: with a table for each, a flood from many source ports, which
 * the kernel spreads over the workers, would be allowed once for each worker. Threads read and write
 * it without locks; what a race loses is a few responses of a count.
 *
 * A client is never limited for another's traffic: an entry carries 32 bits of its key beside its
 * place, and one that must make room comes back with full credit.
 */
import { randomBytes } from 'node:crypto';
import type { RateLimit } from '../model/config.ts';

/** What is alike, beside client prefix and zone. */
export const KIND = {
  /** By name (a wildcard's answers by the wildcard) and type of the answer. */
  ANSWER: 1,
  /** By name, whatever the type. */
  NODATA: 2,
  /** By zone: the names that do not exist are without number. */
  NXDOMAIN: 3,
  /** By delegation. */
  REFERRAL: 4,
  /** All alike. */
  ERROR: 5,
} as const;

/** What becomes of a response. */
export const VERDICT = { SEND: 0, SLIP: 1, DROP: 2 } as const;

const SETS = 1 << 14;
/** Entries that a key may be in; four of them fill a cache line. */
const WAYS = 4;
const ENTRY = { TAG: 0, AT_MS: 1, CREDIT: 2, LIMITED: 3, WORDS: 4 } as const;
const SET_WORDS = WAYS * ENTRY.WORDS;
/** The seed of the hash lies before the entries. */
const HEADER_WORDS = SET_WORDS;

/** Credit is counted in thousandths of a response, so that whole milliseconds earn whole numbers. */
const RESPONSE = 1000;
const SECOND_MS = 1000;
/** Beyond it credit would not fit its word. */
const RESPONSES_PER_S_MAX = 1_000_000;
/** Threads read the clock at their batches, so one may be a little behind another. */
const BEHIND_MS_MAX = 1000;

/** The memory of one server's limiter: 65,536 entries, 1 MB. */
export function rateTable(): SharedArrayBuffer {
  const table = new SharedArrayBuffer((HEADER_WORDS + SETS * SET_WORDS) * 4);
  new Uint8Array(table).set(randomBytes(8));
  return table;
}

export class RateLimiter {
  readonly #words: Int32Array;
  readonly #slip: number;
  readonly #prefix4: number;
  readonly #prefix6: number;
  /** Responses per second; in thousandths, what a millisecond earns. */
  readonly #rate: number;
  readonly #full: number;
  /** The key's hash: where its set is, and what marks its entry. */
  #place = 0;
  #tag = 0;

  constructor(limit: RateLimit, table: SharedArrayBuffer) {
    this.#words = new Int32Array(table);
    this.#slip = limit.slip;
    this.#prefix4 = limit.prefix4;
    this.#prefix6 = limit.prefix6;
    this.#rate = Math.min(limit.responses_per_s, RESPONSES_PER_S_MAX);
    this.#full = this.#rate * SECOND_MS;
  }

  /**
   * Counts a response to the client at `client[at…]` at `now_ms` (any clock that all threads share,
   * modulo 2^32). `zone`, `node` and `type` tell what it is about, 0 where its kind has no such part.
   */
  check(
    now_ms: number,
    client: Uint8Array,
    at: number,
    family: 4 | 6,
    kind: number,
    zone: number,
    node: number,
    type: number,
  ): number {
    this.#place = this.#words[0]!;
    this.#tag = this.#words[1]!;
    this.#mixPrefix(client, at, family === 4 ? this.#prefix4 : this.#prefix6);
    this.#mix((kind << 16) | type);
    this.#mix(zone);
    this.#mix(node);
    return this.#charge(this.#entry(now_ms), now_ms);
  }

  #mixPrefix(client: Uint8Array, at: number, bits: number): void {
    const whole = bits >> 3;
    for (let i = 0; i < whole; i++) this.#mix(client[at + i]!);
    const rest = bits & 7;
    if (rest > 0) this.#mix(client[at + whole]! >> (8 - rest));
    this.#mix(bits);
  }

  /** Seeded, so that nobody can aim at another client's set; it need not withstand more. */
  #mix(word: number): void {
    const place = Math.imul(this.#place ^ word, 0x9e3779b1);
    const tag = Math.imul(this.#tag ^ word, 0x85ebca77);
    this.#place = place ^ (place >>> 15);
    this.#tag = tag ^ (tag >>> 13);
  }

  /** The key's entry; if it has none, it takes the place of the one that was not used for longest. */
  #entry(now_ms: number): number {
    const words = this.#words;
    const set = HEADER_WORDS + (this.#place & (SETS - 1)) * SET_WORDS;
    const tag = this.#tag || 1; // 0 marks an entry that was never used
    let oldest = set;
    let longest_ms = -1;
    for (let entry = set; entry < set + SET_WORDS; entry += ENTRY.WORDS) {
      const found = words[entry + ENTRY.TAG]!;
      if (found === tag) return entry;
      const idle_ms = found === 0 ? 2 ** 32 : (now_ms - words[entry + ENTRY.AT_MS]!) >>> 0;
      if (idle_ms <= longest_ms) continue;
      longest_ms = idle_ms;
      oldest = entry;
    }
    words[oldest + ENTRY.TAG] = tag;
    words[oldest + ENTRY.AT_MS] = now_ms;
    words[oldest + ENTRY.CREDIT] = this.#full;
    words[oldest + ENTRY.LIMITED] = 0;
    return oldest;
  }

  #charge(entry: number, now_ms: number): number {
    const words = this.#words;
    const elapsed_ms = (now_ms - words[entry + ENTRY.AT_MS]!) | 0;
    let credit = words[entry + ENTRY.CREDIT]!;
    if (elapsed_ms > SECOND_MS || elapsed_ms < -BEHIND_MS_MAX) {
      credit = this.#full; // idle for long, or the clock was set back
      words[entry + ENTRY.AT_MS] = now_ms;
    } else if (elapsed_ms > 0) {
      credit = Math.min(this.#full, credit + elapsed_ms * this.#rate);
      words[entry + ENTRY.AT_MS] = now_ms;
    }
    const sent = credit >= RESPONSE;
    words[entry + ENTRY.CREDIT] = sent ? credit - RESPONSE : credit;
    if (sent) return VERDICT.SEND;
    const limited = words[entry + ENTRY.LIMITED]! + 1;
    words[entry + ENTRY.LIMITED] = limited;
    return this.#slip > 0 && limited % this.#slip === 0 ? VERDICT.SLIP : VERDICT.DROP;
  }
}
