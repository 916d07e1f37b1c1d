/**
 * Hashes of names that every machine must agree on: the same for a text always, in all versions. Not
 * for tables that strangers can fill (see dns/siphash.ts for those).
 */

/** FNV-1a of the text's UTF-8, mixed so that all 32 bits depend on each character. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Two hashes as one, in which each bit of either moves about half of all (the end of MurmurHash3). */
export function hashTogether(a: number, b: number): number {
  let hash = a ^ b;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
