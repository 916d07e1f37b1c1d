/**
 * The names that one query leads to through CNAME (RFC 1034 §3.6.2) and DNAME (RFC 6672): the next
 * one to be looked up, and those before it, so that a loop ends where it closes and any chain ends.
 */
import { NameKey } from './image.ts';
import { isNameAt } from './message-names.ts';
import { NAME_MAX, nameLength } from './wire/name.ts';

/** Aliases that one response follows. Knot follows 5, NSD as many as fit; the resolver goes on. */
export const CHAIN_MAX = 16;

export class AliasChain {
  /** The name that the last alias points at. */
  readonly key = new NameKey();
  readonly #hashes = new Int32Array(CHAIN_MAX + 1);
  /** Where in the message each name stands. */
  readonly #places = new Int32Array(CHAIN_MAX + 1);
  #length = 0;
  /** DNAME records in the message: zone and node of each. */
  readonly #dnames = new Int32Array((CHAIN_MAX + 1) * 2);
  #dnameCount = 0;
  readonly #scratch = new Uint8Array(NAME_MAX);

  /** Starts with the name that was asked for, which stands at `at`. */
  begin(key: NameKey, at: number): void {
    this.#hashes[0] = key.hashes[0]!;
    this.#places[0] = at;
    this.#length = 1;
    this.#dnameCount = 0;
  }

  /**
   * Makes `key` the first `octets` octets of `prefix` before the name at `source[at…]`; false if that
   * is too long for a name.
   */
  compose(prefix: NameKey, octets: number, source: Uint8Array, at: number): boolean {
    const scratch = this.#scratch;
    const length = octets + nameLength(source, at);
    if (length > NAME_MAX) return false;
    for (let i = 0; i < octets; i++) scratch[i] = prefix.bytes[i]!;
    for (let i = octets; i < length; i++) scratch[i] = source[at + i - octets]!;
    this.key.take(scratch, 0, length);
    return true;
  }

  /** Adds `key`, which stands at `at` in `out`; false: it was passed before, or is one too many. */
  add(out: Uint8Array, at: number): boolean {
    if (this.#length > CHAIN_MAX) return false;
    const hash = this.key.hashes[0]!;
    for (let i = 0; i < this.#length; i++) {
      if (this.#hashes[i] === hash && isNameAt(out, this.#places[i]!, this.key)) return false;
    }
    this.#hashes[this.#length] = hash;
    this.#places[this.#length++] = at;
    return true;
  }

  /** True if the DNAME at a node is in the message already. */
  hasDname(zone: number, node: number): boolean {
    const dnames = this.#dnames;
    for (let i = 0; i < this.#dnameCount * 2; i += 2) {
      if (dnames[i] === zone && dnames[i + 1] === node) return true;
    }
    return false;
  }

  /** The DNAME at a node was put into the message. */
  noteDname(zone: number, node: number): void {
    const at = this.#dnameCount++ * 2;
    this.#dnames[at] = zone;
    this.#dnames[at + 1] = node;
  }
}
