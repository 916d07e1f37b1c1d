/**
 * The geo map: client address → region class and ECS scope. Sorted, merged ranges in shared typed
 * arrays, so that every thread reads one copy. Neighbouring ranges always differ in region, the
 * first range starts at address zero, and a lookup allocates nothing. IPv6 is mapped by the upper
 * 64 bits of the address, the most that identifies a network.
 */
import { parseAddress } from '../net/ip.ts';

/** The arrays behind a GeoMap; posting them to another thread shares them. */
export interface GeoTables {
  /** First address of each IPv4 range. Like all words here as `ordered` makes them. */
  readonly start4: Int32Array;
  readonly region4: Uint16Array;
  /** For each /16, the range that holds its first address; one entry more at the end. */
  readonly index4: Uint32Array;
  /** Upper and lower half of the first 64 bits of each IPv6 range. */
  readonly high6: Int32Array;
  readonly low6: Int32Array;
  readonly region6: Uint16Array;
}

/**
 * Four octets as a signed number whose order is that of addresses. An unsigned one above 2^31 is no
 * small integer to V8, which then may allocate it whenever it passes from function to function.
 */
export function ordered(unsigned: number): number {
  return unsigned ^ 0x80000000;
}

/** Bits two words share from the top, 0–32. */
function common(a: number, b: number): number {
  return Math.clz32(a ^ b);
}

export class GeoMap {
  readonly tables: GeoTables;

  constructor(tables: GeoTables) {
    this.tables = tables;
  }

  /**
   * Places the address at `bytes[at…]` (4 or 16 octets, by `family`). Returns the region class in
   * the bits above the lower eight, and in those the length in bits of the largest aligned block
   * round the address that lies wholly in its region: the ECS scope (RFC 7871 §7.2.1). One number,
   * so that nothing is allocated; see `regionOf` and `scopeOf`.
   */
  lookup(bytes: Uint8Array, at: number, family: 4 | 6): number {
    if (family === 4) return this.#lookup4(bytes, at);
    // IPv4-mapped addresses are IPv4 clients (RFC 4291 §2.5.5.2); the scope counts from ::/0.
    return isMapped(bytes, at) ? this.#lookup4(bytes, at + 12) + 96 : this.#lookup6(bytes, at);
  }

  #lookup4(bytes: Uint8Array, at: number): number {
    const address = word(bytes, at);
    const { start4, index4, region4 } = this.tables;
    const block = ordered(address) >>> 16;
    let low = index4[block]!;
    let high = index4[block + 1]!;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (start4[middle]! <= address) low = middle;
      else high = middle - 1;
    }
    // A block must hold neither the address before the range nor the one after it.
    let scope = 0;
    if (low > 0) scope = common(address, start4[low]! - 1) + 1;
    if (low + 1 < start4.length) scope = Math.max(scope, common(address, start4[low + 1]!) + 1);
    return (region4[low]! << 8) | scope;
  }

  #lookup6(bytes: Uint8Array, at: number): number {
    const high = word(bytes, at);
    const low = word(bytes, at + 4);
    const { high6, low6, region6 } = this.tables;
    let first = 0;
    let last = high6.length - 1;
    while (first < last) {
      const middle = (first + last + 1) >>> 1;
      const start = high6[middle]!;
      if (start < high || (start === high && low6[middle]! <= low)) first = middle;
      else last = middle - 1;
    }
    let scope = 0;
    if (first > 0) {
      const borrow = low6[first] === ordered(0) ? 1 : 0;
      scope = common64(high, low, high6[first]! - borrow, (low6[first]! - 1) | 0) + 1;
    }
    if (first + 1 < high6.length) {
      scope = Math.max(scope, common64(high, low, high6[first + 1]!, low6[first + 1]!) + 1);
    }
    return (region6[first]! << 8) | scope;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ordered(
    (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!,
  );
}

function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 10; i++) if (bytes[i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

function common64(high: number, low: number, otherHigh: number, otherLow: number): number {
  const bits = common(high, otherHigh);
  return bits < 32 ? bits : 32 + common(low, otherLow);
}

/** The region class in a lookup's result. */
export function regionOf(placed: number): number {
  return placed >>> 8;
}

/** The scope prefix length, in bits, in a lookup's result. */
export function scopeOf(placed: number): number {
  return placed & 0xff;
}

/** Where the map places an address given as text; null if the text is no address. */
export function lookupRegion(
  map: GeoMap,
  text: string,
): { readonly region: number; readonly scope: number } | null {
  const address = parseAddress(text);
  if (!address) return null;
  const placed = map.lookup(address, 0, address.length === 4 ? 4 : 6);
  return { region: regionOf(placed), scope: scopeOf(placed) };
}
