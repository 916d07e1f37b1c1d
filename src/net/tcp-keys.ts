/**
 * The keys of TCP MD5 (RFC 2385) that a listening socket has: one for each address or prefix that may
 * connect only with signed segments. They change while the socket listens. A connection gets its key
 * from here and keeps it, whatever is changed afterwards.
 */
import {
  type Address,
  equalAddresses,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
} from './ip.ts';
import type { Libc } from './libc.ts';
import { keyOption, setOptions } from './tcp-options.ts';

export interface PeerKey {
  /** An address, or a prefix. */
  readonly from: string;
  /** 1–80 octets. */
  readonly key: Uint8Array;
}

const NO_KEY = new Uint8Array(0);

export class SocketKeys {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #six: boolean;
  readonly #both: boolean;
  /** By the text of their prefix. */
  readonly #set = new Map<string, { prefix: Prefix; key: Uint8Array }>();

  /** `six`: an IPv6 socket; `both`: one that takes connections from IPv4 addresses, too. */
  constructor(libc: Libc, fd: number, six: boolean, both: boolean) {
    this.#libc = libc;
    this.#fd = fd;
    this.#six = six;
    this.#both = both;
  }

  /**
   * Has exactly those of `keys` that are of the socket's families; keys that stay are not touched.
   * Gives a line for each that could not be set or taken away.
   */
  replace(keys: readonly PeerKey[]): string[] {
    const problems: string[] = [];
    const wanted = new Map<string, { prefix: Prefix; key: Uint8Array }>();
    for (const { from, key } of keys) {
      const prefix = prefixOf(from);
      if (!prefix) continue;
      if (!this.#both && this.#six !== (prefix.address.length === 16)) continue;
      const name = formatPrefix(prefix);
      const other = wanted.get(name);
      if (other && !sameKey(other.key, key)) problems.push(`TCP MD5 for ${from}: two keys`);
      else wanted.set(name, { prefix, key });
    }
    for (const [name, { prefix }] of this.#set) {
      if (wanted.has(name)) continue;
      this.#give(prefix, NO_KEY, problems);
      this.#set.delete(name);
    }
    for (const [name, { prefix, key }] of wanted) {
      const before = this.#set.get(name);
      if (before && sameKey(before.key, key)) continue;
      this.#set.delete(name);
      if (this.#give(prefix, key, problems)) this.#set.set(name, { prefix, key });
    }
    return problems;
  }

  /** The key that a connection from there is signed with: the one of the longest prefix. */
  keyFor(address: Address): Uint8Array | null {
    let best: { prefix: Prefix; key: Uint8Array } | null = null;
    for (const each of this.#set.values()) {
      if (!prefixContains(each.prefix, address)) continue;
      if (!best || each.prefix.length > best.prefix.length) best = each;
    }
    return best?.key ?? null;
  }

  #give(prefix: Prefix, key: Uint8Array, problems: string[]): boolean {
    const set = setOptions(this.#libc, this.#fd, [keyOption(this.#six, prefix, key)]);
    if (!set.ok) problems.push(set.error);
    return set.ok;
  }
}

export function sameKey(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a && b ? equalAddresses(a, b) : a === b;
}

function prefixOf(from: string): Prefix | null {
  const address = parseAddress(from);
  return address ? { address, length: address.length * 8 } : parsePrefix(from);
}
