/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) with a result of 64 bits, in halves of 32: a BigInt
 * would be an allocation for each operation. It is the function of server cookies (RFC 9018 §4.4).
 */

/** A key of 16 octets as four little-endian words. */
export function sipKey(octets: Uint8Array): Int32Array {
  const key = new Int32Array(4);
  readWords(key, 0, octets, 0, key.length);
  return key;
}

/**
 * Hashes the first `count` of `words`, which are the input's octets in fours, little-endian, under
 * `key` into `result[0]` (the low half) and `result[1]` (the high half). The state v0 … v3 of the
 * paper is kept in halves, too: l is the low one, h the high one.
 */
export function sipHash24(
  key: Int32Array,
  words: Int32Array,
  count: number,
  result: Int32Array,
): void {
  let l0 = key[0]! ^ 0x70736575;
  let h0 = key[1]! ^ 0x736f6d65;
  let l1 = key[2]! ^ 0x6e646f6d;
  let h1 = key[3]! ^ 0x646f7261;
  let l2 = key[0]! ^ 0x6e657261;
  let h2 = key[1]! ^ 0x6c796765;
  let l3 = key[2]! ^ 0x79746573;
  let h3 = key[3]! ^ 0x74656462;
  let low = 0;
  let high = 0;
  // Two rounds for each block of two words and for the last, which holds the length; then four.
  const last = count & ~1;
  for (let round = 0; round < last + 6; round++) {
    const starts = (round & 1) === 0;
    if (starts && round <= last) {
      low = round < count ? words[round]! : 0;
      high = round < last ? words[round + 1]! : count << 26;
      l3 ^= low;
      h3 ^= high;
    } else if (round === last + 2) {
      l2 ^= 0xff;
    }

    let sum = (l0 + l1) | 0;
    h0 = (h0 + h1 + carry(l0, l1, sum)) | 0;
    l0 = sum;
    let turned = (h1 << 13) | (l1 >>> 19);
    l1 = ((l1 << 13) | (h1 >>> 19)) ^ l0;
    h1 = turned ^ h0;
    turned = l0;
    l0 = h0;
    h0 = turned;

    sum = (l2 + l3) | 0;
    h2 = (h2 + h3 + carry(l2, l3, sum)) | 0;
    l2 = sum;
    turned = (h3 << 16) | (l3 >>> 16);
    l3 = ((l3 << 16) | (h3 >>> 16)) ^ l2;
    h3 = turned ^ h2;

    sum = (l0 + l3) | 0;
    h0 = (h0 + h3 + carry(l0, l3, sum)) | 0;
    l0 = sum;
    turned = (h3 << 21) | (l3 >>> 11);
    l3 = ((l3 << 21) | (h3 >>> 11)) ^ l0;
    h3 = turned ^ h0;

    sum = (l2 + l1) | 0;
    h2 = (h2 + h1 + carry(l2, l1, sum)) | 0;
    l2 = sum;
    turned = (h1 << 17) | (l1 >>> 15);
    l1 = ((l1 << 17) | (h1 >>> 15)) ^ l2;
    h1 = turned ^ h2;
    turned = l2;
    l2 = h2;
    h2 = turned;

    if (!starts && round <= last + 1) {
      l0 ^= low;
      h0 ^= high;
    }
  }
  result[0] = l0 ^ l1 ^ l2 ^ l3;
  result[1] = h0 ^ h1 ^ h2 ^ h3;
}

/** Of a 32-bit sum; without a comparison, whose branch nothing could predict. */
function carry(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31;
}

/** `count` words from `octets[start…]`, the lowest octet of each first, into `to[toStart…]`. */
export function readWords(
  to: Int32Array,
  toStart: number,
  octets: Uint8Array,
  start: number,
  count: number,
): void {
  for (let word = toStart, at = start; word < toStart + count; word++, at += 4) {
    to[word] =
      octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
  }
}
