/**
 * Server cookies (RFC 7873) as all servers of one anycast address make them (RFC 9018): a hash of the
 * client's cookie, its address and the time, which only somebody who receives at that address can
 * send back. Cookies found good are remembered, since a resolver sends the same one for half an hour:
 * to compare costs a fraction of a hash. What is remembered changes no verdict. Nothing here allocates
 * but the constructor.
 */
import { readWords, sipHash24, sipKey } from './siphash.ts';

/** Octets of a client cookie and of a cookie option with our server cookie (RFC 9018 §4). */
export const CLIENT_COOKIE = 8;
export const COOKIE_OPTION = 24;

/** What a query's cookie proves. */
export const PROOF = {
  /** There is none. */
  NONE: 0,
  /** A client cookie alone: its sender has not been here yet. */
  CLIENT: 1,
  /** A server cookie that is not ours, is too old, or was made for another address. */
  BAD: 2,
  /** The client receives at the address that it sends from. */
  GOOD: 3,
} as const;

/** How old a cookie may be, how far ahead, and from which age on it is renewed (RFC 9018 §4.3). */
const AGE_MAX_S = 3600;
const AHEAD_MAX_S = 300;
const RENEW_AGE_S = 1800;
const VERSION = 1;
/** Words of 4 octets in the option, after two of the client cookie: version and reserved octets … */
const WORD = { VERSION: 2, TIME: 3, HASH: 4 } as const;
const INPUT_WORDS = WORD.HASH + 4;
const HASH_WORDS = 2;

/** Good cookies remembered at most, a power of two: 256 KB for each thread. */
const REMEMBERED = 4096;
/** What is remembered of each, one line of the processor's cache: input, hash, words of input. */
const ROW = { HASH: INPUT_WORDS, INPUT_WORDS: INPUT_WORDS + HASH_WORDS, WORDS: 16 } as const;

export class Cookies {
  readonly #keys: readonly Int32Array[];
  /** What is hashed: the option up to the hash, then the client's address (RFC 9018 §4.4). */
  readonly #input = new Int32Array(INPUT_WORDS);
  #inputWords = 0;
  readonly #hash = new Int32Array(HASH_WORDS);
  /** Cookies that the first secret made, each in the row that the low half of its hash names. */
  readonly #good = new Int32Array(REMEMBERED * ROW.WORDS);

  /** `secrets` are of 16 octets each: the first makes cookies, all are accepted. */
  constructor(secrets: readonly Uint8Array[]) {
    this.#keys = secrets.map(sipKey);
  }

  /**
   * Judges the option whose `length` octets of data are at `packet[at…]`, 8 or 16 to 40 of them, from
   * the client at `client[clientAt…]`, and makes the answer to it ready for `put`. Returns one of PROOF.
   */
  take(
    packet: Uint8Array,
    at: number,
    length: number,
    client: Uint8Array,
    clientAt: number,
    family: 4 | 6,
    now_s: number,
  ): number {
    const input = this.#input;
    const addressWords = family === 4 ? 1 : 4;
    this.#inputWords = WORD.HASH + addressWords;
    readWords(input, WORD.HASH, client, clientAt, addressWords);
    // Reserved octets are hashed as the maker left them (RFC 9018 §4.2).
    readWords(input, 0, packet, at, length === COOKIE_OPTION ? WORD.HASH : WORD.VERSION);
    let proof: number = length === CLIENT_COOKIE ? PROOF.CLIENT : PROOF.BAD;
    if (length === COOKIE_OPTION && packet[at + 4 * WORD.VERSION] === VERSION) {
      const age_s = (now_s - swap32(input[WORD.TIME]!)) | 0; // RFC 1982
      const key = this.#verify(packet, at, age_s);
      // Kept while it is young; renewed before it is too old, or when its secret goes.
      if (key === 0 && age_s < RENEW_AGE_S) return PROOF.GOOD;
      if (key >= 0) proof = PROOF.GOOD;
    }
    input[WORD.VERSION] = VERSION; // its reserved octets are zero
    input[WORD.TIME] = swap32(now_s);
    sipHash24(this.#keys[0]!, input, this.#inputWords, this.#hash);
    return proof;
  }

  /** The index of the secret that made the server cookie, or -1. Its hash is then in #hash. */
  #verify(packet: Uint8Array, at: number, age_s: number): number {
    if (age_s > AGE_MAX_S || age_s < -AHEAD_MAX_S) return -1;
    const hash = this.#hash;
    readWords(hash, 0, packet, at + 4 * WORD.HASH, HASH_WORDS);
    if (this.#isRemembered()) return 0;
    const low = hash[0]!;
    const high = hash[1]!;
    for (let key = 0; key < this.#keys.length; key++) {
      sipHash24(this.#keys[key]!, this.#input, this.#inputWords, hash);
      if (((hash[0]! ^ low) | (hash[1]! ^ high)) !== 0) continue;
      if (key === 0) this.#remember();
      return key;
    }
    return -1;
  }

  /** True if the input and hash at hand were found to be a good cookie before. */
  #isRemembered(): boolean {
    const good = this.#good;
    const input = this.#input;
    const hash = this.#hash;
    const row = rowOf(hash[0]!);
    // A row never used has no words of input, so it is nobody's.
    let differs = good[row + ROW.INPUT_WORDS]! ^ this.#inputWords;
    for (let word = 0; word < this.#inputWords; word++) differs |= good[row + word]! ^ input[word]!;
    differs |= (good[row + ROW.HASH]! ^ hash[0]!) | (good[row + ROW.HASH + 1]! ^ hash[1]!);
    return differs === 0;
  }

  /** In place of another of its row: nobody can aim there without the secret. */
  #remember(): void {
    const row = rowOf(this.#hash[0]!);
    this.#good.set(this.#input, row);
    this.#good.set(this.#hash, row + ROW.HASH);
    this.#good[row + ROW.INPUT_WORDS] = this.#inputWords;
  }

  /** Writes the data of the option for the response to the query taken last, at `out[at…]`. */
  put(out: Uint8Array, at: number): void {
    writeWords(out, at, this.#input, WORD.HASH);
    writeWords(out, at + 4 * WORD.HASH, this.#hash, HASH_WORDS);
  }
}

/** Where a cookie is remembered, by its hash, which is as good as random. */
function rowOf(hash: number): number {
  return (hash & (REMEMBERED - 1)) * ROW.WORDS;
}

/** The lowest octet first, as SipHash gives them. */
function writeWords(to: Uint8Array, start: number, words: Int32Array, count: number): void {
  for (let word = 0, at = start; word < count; word++, at += 4) {
    const value = words[word]!;
    to[at] = value;
    to[at + 1] = value >>> 8;
    to[at + 2] = value >>> 16;
    to[at + 3] = value >>> 24;
  }
}

/** To the order of octets on the wire, or back. */
function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}
