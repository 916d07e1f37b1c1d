import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildGeoMap } from '../../src/geo/build.ts';
import { type GeoMap, lookupRegion, regionOf, scopeOf } from '../../src/geo/map.ts';
import type { GeoConfig, Region } from '../../src/model/config.ts';
import {
  formatAddress,
  formatPrefix,
  maskAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '../../src/net/ip.ts';
import { type MmdbNetwork, writeMmdb } from '../support/mmdb.ts';

const COUNTRIES = ['DE', 'US', 'SG', 'FR', 'ZZ'];
const regions: Region[] = [
  { name: 'rest', order: [0], countries: [], continents: [] },
  { name: 'europe', order: [0], countries: ['DE'], continents: ['EU'] },
  { name: 'america', order: [0], countries: ['US'], continents: ['NA'] },
  { name: 'asia', order: [0], countries: ['SG'], continents: ['AS'] },
];

function build(
  prefixes: GeoConfig['prefixes'],
  networks?: MmdbNetwork[],
  ipVersion: 4 | 6 = 6,
): GeoMap {
  const mmdb = networks && writeMmdb({ ipVersion, recordSize: 28, networks });
  const built = buildGeoMap({ mmdb: null, default_region: 0, prefixes }, regions, mmdb);
  assert.ok(built.ok, built.ok ? '' : built.error);
  return built.value;
}

/** The longest prefix that holds the address. */
function longest<T extends { prefix: string }>(list: readonly T[], address: Uint8Array): T | null {
  let best: T | null = null;
  let length = -1;
  for (const one of list) {
    const prefix = parsePrefix(one.prefix)!;
    if (prefix.length < length || !prefixContains(prefix, address)) continue;
    best = one;
    length = prefix.length;
  }
  return best;
}

function naive(
  overrides: GeoConfig['prefixes'],
  networks: readonly MmdbNetwork[],
  address: Uint8Array,
): number {
  const override = longest(overrides, address);
  if (override) return override.region;
  const country = longest(networks, address)?.country ?? '';
  return Math.max(0, ['', 'DE', 'US', 'SG'].indexOf(country));
}

/** Few leading bits vary, so that prefixes nest, touch and repeat. */
const prefixOf = (size: 4 | 16, longestBits: number): fc.Arbitrary<Prefix> =>
  fc
    .tuple(fc.uint8Array({ minLength: size, maxLength: size }), fc.nat(longestBits))
    .map(([octets, length]) => {
      const address = octets.map((octet, i) => (i < 2 ? octet & 0x83 : octet & 0x81));
      return { address: maskAddress(Uint8Array.from(address), length), length };
    });

const text = (prefix: Prefix): string => formatPrefix(prefix);
const byLength = (a: { prefix: string }, b: { prefix: string }): number =>
  parsePrefix(a.prefix)!.length - parsePrefix(b.prefix)!.length;

for (const [size, bits, ipVersion] of [
  [4, 32, 4],
  [4, 32, 6],
  [16, 64, 6],
] as const) {
  const networks = fc
    .array(fc.tuple(prefixOf(size, bits), fc.constantFrom(...COUNTRIES)), { maxLength: 12 })
    .map((list) =>
      list
        .filter(([prefix]) => prefix.length > 0)
        .map(([prefix, country]) => ({ prefix: text(prefix), country }))
        .sort(byLength),
    );
  const overrides = fc
    .array(fc.tuple(prefixOf(size, bits), fc.nat(3)), { maxLength: 6 })
    .map((list) => {
      const unique = new Map(list.map(([prefix, region]) => [text(prefix), region]));
      return [...unique].map(([prefix, region]) => ({ prefix, region }));
    });
  const probes = fc.array(prefixOf(size, size * 8), { minLength: 1, maxLength: 20 });
  const ip = size === 4 ? 4 : 6;

  test(`IPv${ip} in an IPv${ipVersion} database: as a naive longest-prefix match, scope maximal`, () => {
    fc.assert(
      fc.property(networks, overrides, probes, (networks, overrides, probes) => {
        const map = build(overrides, networks, ipVersion);
        const edges = [...networks, ...overrides].map(({ prefix }) => parsePrefix(prefix)!);
        for (const { address } of [...probes, ...edges]) {
          const placed = map.lookup(address, 0, ip);
          assert.equal(regionOf(placed), naive(overrides, networks, address));
          const scope = scopeOf(placed);
          // Any other address of the block is in the same region …
          const last = maskAddress(address, scope);
          for (let i = scope; i < bits; i++) last[i >> 3] = last[i >> 3]! | (0x80 >> (i & 7));
          for (const other of [maskAddress(address, scope), last]) {
            assert.equal(naive(overrides, networks, other), regionOf(placed));
            assert.equal(map.lookup(other, 0, ip), placed);
          }
          // … and the block twice as large is not.
          if (scope === 0) continue;
          const wider = maskAddress(address, scope - 1);
          const starts = edges
            .map((edge) => edge.address)
            .filter((start) => prefixContains({ address: wider, length: scope - 1 }, start));
          const ends = edges
            .map(next)
            .filter((end) => prefixContains({ address: wider, length: scope - 1 }, end));
          const differs = [wider, ...starts, ...ends].some(
            (other) => naive(overrides, networks, other) !== regionOf(placed),
          );
          assert.ok(differs, `${formatAddress(address)} could have a scope below ${scope}`);
        }
      }),
      { numRuns: 200 },
    );
  });
}

/** The first address after a prefix (wrapping to zero at the very end). */
function next({ address, length }: Prefix): Uint8Array {
  const out = address.slice();
  for (let bit = length - 1; bit >= 0; bit--) {
    const mask = 0x80 >> (bit & 7);
    out[bit >> 3] = out[bit >> 3]! ^ mask;
    if (out[bit >> 3]! & mask) break;
  }
  return out;
}

test('a country wins over its continent, and both over the default', () => {
  const map = build(
    [],
    [
      { prefix: '192.0.2.0/24', country: 'US', continent: 'EU' },
      { prefix: '198.51.100.0/24', country: 'FR', continent: 'EU' },
      { prefix: '203.0.113.0/24', continent: 'AS' },
      { prefix: '198.18.0.0/15', country: 'ZZ' },
    ],
  );
  const region = (address: string) => lookupRegion(map, address)?.region;
  assert.equal(region('192.0.2.1'), 2);
  assert.equal(region('198.51.100.1'), 1);
  assert.equal(region('203.0.113.1'), 3);
  assert.equal(region('198.18.0.1'), 0);
  assert.equal(region('10.0.0.1'), 0);
  assert.equal(lookupRegion(map, '10.0.0.300'), null);
});

test('an IPv4-mapped address is its IPv4 client', () => {
  const map = build([{ prefix: '198.51.100.0/24', region: 2 }]);
  assert.deepEqual(lookupRegion(map, '198.51.100.9'), { region: 2, scope: 24 });
  assert.deepEqual(lookupRegion(map, '::ffff:198.51.100.9'), { region: 2, scope: 120 });
});

test('with nothing configured everyone is in the default region, scope 0', () => {
  const map = build([]);
  for (const address of ['0.0.0.0', '255.255.255.255', '::', '2001:db8::1']) {
    assert.deepEqual(lookupRegion(map, address), { region: 0, scope: 0 });
  }
});

test('neighbours of one region become one range, so scopes are as wide as the map allows', () => {
  const map = build([
    { prefix: '10.0.0.0/9', region: 1 },
    { prefix: '10.128.0.0/9', region: 1 },
  ]);
  assert.deepEqual(lookupRegion(map, '10.200.0.1'), { region: 1, scope: 8 });
});

test('a broken database is an error in words, never a crash or a hang', () => {
  const good = writeMmdb({
    ipVersion: 6,
    recordSize: 24,
    networks: [
      { prefix: '192.0.2.0/24', country: 'DE' },
      { prefix: '2001:db8::/32', country: 'US' },
    ],
  });
  const attempt = (mmdb: Uint8Array) =>
    buildGeoMap({ mmdb: null, default_region: 0, prefixes: [] }, regions, mmdb);
  assert.ok(attempt(good).ok);
  for (const bad of [new Uint8Array(0), new Uint8Array(1000), good.subarray(0, 300)]) {
    const built = attempt(bad);
    assert.ok(!built.ok && built.error.length > 10);
  }
  // A search tree whose every record leads back to its root.
  const loop = good.slice();
  loop.fill(0, 0, 24);
  const built = attempt(loop);
  assert.ok(!built.ok);
  assert.match(built.error, /loop/);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const bad = good.slice();
        for (const [at, octet] of changes) bad[at] = octet;
        const built = attempt(bad); // must return
        assert.equal(typeof built.ok, 'boolean');
      },
    ),
    { numRuns: 300 },
  );
});

test('an IPv6 override longer than /64 is refused, since the map cannot honour it', () => {
  const prefixes = [{ prefix: '2001:db8::/96', region: 1 }];
  const built = buildGeoMap({ mmdb: null, default_region: 0, prefixes }, regions);
  assert.ok(!built.ok);
  assert.match(built.error, /longer than \/64/);
  assert.ok(parseAddress('2001:db8::'));
});
