/**
 * Builds the geo map: the mmdb's tree and the tree of prefix overrides are walked together, once,
 * in address order, so the ranges come out sorted and are merged as they come. An override wins
 * over the mmdb, a longer override over a shorter one.
 */
import { err, ok, type Result } from '../base/result.ts';
import type { GeoConfig, Region } from '../model/config.ts';
import { formatAddress, parsePrefix } from '../net/ip.ts';
import { GeoMap, ordered } from './map.ts';
import { EMPTY_TREE, openTree, type SearchTree } from './mmdb.ts';

/** IPv6 networks are told apart by this many bits. */
const BITS6 = 64;

interface Override {
  zero: Override | null;
  one: Override | null;
  region: number;
}

const override = (): Override => ({ zero: null, one: null, region: -1 });

function insert(root: Override, address: Uint8Array, length: number, region: number): void {
  let at = root;
  for (let i = 0; i < length; i++) {
    if ((address[i >> 3]! >> (7 - (i & 7))) & 1) at = at.one ??= override();
    else at = at.zero ??= override();
  }
  at.region = region;
}

/** Range starts in growing typed arrays. */
class Ranges {
  count = 0;
  high = new Uint32Array(1024);
  low = new Uint32Array(1024);
  region = new Uint16Array(1024);

  /** Appends a range unless it only continues the one before. */
  add(high: number, low: number, region: number): void {
    if (this.count > 0 && this.region[this.count - 1] === region) return;
    if (this.count === this.region.length) {
      this.high = grown(this.high, new Uint32Array(this.count * 2));
      this.low = grown(this.low, new Uint32Array(this.count * 2));
      this.region = grown(this.region, new Uint16Array(this.count * 2));
    }
    this.high[this.count] = high;
    this.low[this.count] = low;
    this.region[this.count++] = region;
  }
}

function grown<A extends Uint32Array | Uint16Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

/** Walks both trees for one address family. */
class Walk {
  readonly ranges = new Ranges();
  readonly #tree: SearchTree;
  readonly #family: 4 | 6;
  readonly #place: (record: number, address: () => string) => number;
  #left: number;

  constructor(
    tree: SearchTree,
    family: 4 | 6,
    place: (record: number, address: () => string) => number,
    overrides: Override,
  ) {
    this.#tree = tree;
    this.#family = family;
    this.#place = place;
    // Aliases (6to4, Teredo, mapped) show the IPv4 part again; anything beyond is a loop.
    this.#left = tree.nodeCount * 5 + 128;
    this.#visit(family === 4 ? tree.root4 : tree.root6, overrides, -1, 0, 0, 0);
  }

  #visit(
    record: number,
    at: Override | null,
    inherited: number,
    depth: number,
    high: number,
    low: number,
  ): void {
    const forced = at && at.region >= 0 ? at.region : inherited;
    const last = depth === (this.#family === 4 ? 32 : BITS6);
    const overridden = at !== null && (at.zero !== null || at.one !== null);
    if (!overridden || last) {
      const settled = forced >= 0 || last || record >= this.#tree.nodeCount;
      if (settled) {
        const region = forced >= 0 ? forced : this.#placed(record, depth, high, low);
        this.ranges.add(high, low, region);
        return;
      }
    }
    const node = record < this.#tree.nodeCount;
    if (node && --this.#left < 0) throw new Error('its search tree has a loop');
    const left = node ? this.#tree.child(record, 0) : record;
    const right = node ? this.#tree.child(record, 1) : record;
    const bit = 31 - (depth & 31);
    const upper = depth < 32;
    this.#visit(left, at?.zero ?? null, forced, depth + 1, high, low);
    this.#visit(
      right,
      at?.one ?? null,
      forced,
      depth + 1,
      upper ? (high | (1 << bit)) >>> 0 : high,
      upper ? low : (low | (1 << bit)) >>> 0,
    );
  }

  /** The region of a record. Below the bits that we keep, the lowest address stands for all. */
  #placed(record: number, depth: number, high: number, low: number): number {
    let leaf = record;
    for (let i = depth; i < 128 && leaf < this.#tree.nodeCount; i++) {
      leaf = this.#tree.child(leaf, 0);
    }
    return this.#place(leaf, () => this.#text(high, low));
  }

  #text(high: number, low: number): string {
    const bytes = new Uint8Array(this.#family === 4 ? 4 : 16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, high);
    if (this.#family === 6) view.setUint32(4, low);
    return formatAddress(bytes);
  }
}

/** Address words as the map compares them. */
function sharedWords(values: Uint32Array): Int32Array {
  const out = new Int32Array(new SharedArrayBuffer(values.length * 4));
  for (let i = 0; i < values.length; i++) out[i] = ordered(values[i]!);
  return out;
}

function shared16(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(new SharedArrayBuffer(values.length * 2));
  out.set(values);
  return out;
}

function index4(starts: Uint32Array): Uint32Array {
  const index = new Uint32Array(new SharedArrayBuffer(65537 * 4));
  let range = 0;
  for (let block = 0; block < 65536; block++) {
    while (range + 1 < starts.length && starts[range + 1]! <= block * 65536) range++;
    index[block] = range;
  }
  index[65536] = starts.length - 1;
  return index;
}

/** A record's region by country, else by continent, else the default; each decoded only once. */
function placer(tree: SearchTree, geo: GeoConfig, regions: readonly Region[]) {
  const byCountry = new Map<string, number>();
  const byContinent = new Map<string, number>();
  regions.forEach((region, index) => {
    for (const country of region.countries) byCountry.set(country.toUpperCase(), index);
    for (const continent of region.continents) byContinent.set(continent.toUpperCase(), index);
  });
  const known = new Map<number, number>();
  return (record: number, address: () => string): number => {
    if (record <= tree.nodeCount) return geo.default_region;
    let region = known.get(record);
    if (region === undefined) {
      const data = tree.country(address());
      region =
        byCountry.get(data?.country?.iso_code ?? '') ??
        byContinent.get(data?.continent?.code ?? '') ??
        geo.default_region;
      known.set(record, region);
    }
    return region;
  };
}

/**
 * Compiles the map. `mmdb` is the content of the file that `geo.mmdb` names, if any. The error is
 * one sentence about that file or about a prefix that cannot be honoured.
 */
export function buildGeoMap(
  geo: GeoConfig,
  regions: readonly Region[],
  mmdb?: Uint8Array,
): Result<GeoMap, string> {
  const opened = mmdb ? openTree(mmdb) : ok(EMPTY_TREE);
  if (!opened.ok) return opened;
  const overrides4 = override();
  const overrides6 = override();
  for (const { prefix: text, region } of geo.prefixes) {
    const prefix = parsePrefix(text);
    if (!prefix) return err(`"${text}" is not a prefix`);
    const four = prefix.address.length === 4;
    if (!four && prefix.length > BITS6) return err(`"${text}" is longer than /${BITS6}`);
    insert(four ? overrides4 : overrides6, prefix.address, prefix.length, region);
  }
  try {
    const place = placer(opened.value, geo, regions);
    const four = new Walk(opened.value, 4, place, overrides4).ranges;
    const six = new Walk(opened.value, 6, place, overrides6).ranges;
    const starts = four.high.subarray(0, four.count);
    return ok(
      new GeoMap({
        start4: sharedWords(starts),
        region4: shared16(four.region.subarray(0, four.count)),
        index4: index4(starts),
        high6: sharedWords(six.high.subarray(0, six.count)),
        low6: sharedWords(six.low.subarray(0, six.count)),
        region6: shared16(six.region.subarray(0, six.count)),
      }),
    );
  } catch (error) {
    return err(`the database cannot be read: ${(error as Error).message}`);
  }
}
