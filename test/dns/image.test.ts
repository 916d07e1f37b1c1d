/** The image against a slow model of RFC 1034 §4.3.2 that knows names only as lists of labels. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NameKey, nameOf } from '../../src/dns/image.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { formatName, wireName } from '../../src/dns/wire/name.ts';
import { FOUND, locate, Place } from '../../src/dns/zone-table.ts';
import { record, testConfig } from '../support/config.ts';
import { snapshotOf } from '../support/dns-zone.ts';
import type { ZoneRecord } from '../support/zone-columns.ts';

const label = fc.constantFrom('a', 'b', 'c', '*');
const names = fc.array(label, { maxLength: 4 }).map((labels) => [...labels, 'test'].join('.'));
const origins = fc.uniqueArray(fc.constantFrom('test', 'a.test', 'b.a.test', 'c.b.c.test'), {
  minLength: 1,
});
const entries = fc.array(fc.tuple(names, fc.constantFrom(TYPE.A, TYPE.TXT, TYPE.NS)), {
  maxLength: 12,
});

const below = (name: string, ancestor: string): boolean =>
  name === ancestor || name.endsWith(`.${ancestor}`);
const parent = (name: string): string => name.slice(name.indexOf('.') + 1);

/** "OUTSIDE", "NXDOMAIN", "HIT name" or "DELEGATION name". */
function model(zones: readonly string[], all: readonly [string, number][], name: string): string {
  const zoneOf = (one: string): string | undefined =>
    zones.filter((zone) => below(one, zone)).sort((a, b) => b.length - a.length)[0];
  const zone = zoneOf(name);
  if (!zone) return 'OUTSIDE';
  const owners = all.filter(([owner]) => zoneOf(owner) === zone);
  const exists = (one: string): boolean =>
    one === zone ||
    owners.some(([owner]) => below(owner, one)) ||
    zones.some((child) => child !== zone && below(child, one) && zoneOf(parent(child)) === zone);
  const isCut = (one: string): boolean =>
    one !== zone && owners.some(([owner, type]) => owner === one && type === TYPE.NS);
  const above: string[] = [];
  for (let one = name; one !== zone; one = parent(one)) above.unshift(one);
  for (const one of above) if (isCut(one)) return `DELEGATION ${one}`;
  if (exists(name)) return `HIT ${name}`;
  let encloser = name;
  while (!exists(encloser)) encloser = parent(encloser);
  const wildcard = `*.${encloser}`;
  return exists(wildcard) ? `HIT ${wildcard}` : 'NXDOMAIN';
}

test('every name is found where RFC 1034 and RFC 4592 say', () => {
  const key = new NameKey();
  const place = new Place();
  fc.assert(
    fc.property(origins, entries, fc.array(names, { minLength: 1 }), (zones, all, asked) => {
      const records = (zone: string): ZoneRecord[] =>
        all
          .filter(([owner]) => below(owner, zone))
          .map(([owner, type]) => record(owner, type, Uint8Array.of(0)));
      const { zones: table } = snapshotOf(
        testConfig({
          services: [],
          zones: zones.map((origin) => ({
            origin,
            file: '',
            records: records(origin),
            transfer: null,
          })),
        }),
      );
      for (const name of [...asked, ...all.map(([owner]) => owner), 'other.example']) {
        const wire = wireName(name);
        assert.equal(key.take(wire, 0, wire.length), wire.length);
        locate(table, key, false, place);
        const found = Object.entries(FOUND).find(([, value]) => value === place.found)![0];
        const bytes = table.zones[place.zone]?.image.bytes ?? wire;
        const at = nameOf(place.node);
        const seen = place.node < 0 ? found : `${found} ${formatName(bytes, at).slice(0, -1)}`;
        assert.equal(seen, model(zones, all, name), name);
      }
    }),
    { numRuns: 500 },
  );
});

test('a name cut short, too long or compressed is not taken', () => {
  const key = new NameKey();
  const wire = wireName('www.example.com');
  for (let end = 0; end < wire.length; end++) assert.equal(key.take(wire, 0, end), 0);
  const long = Uint8Array.from([...new Array(64).fill([3, 97, 97, 97]).flat(), 0]);
  assert.equal(key.take(long, 0, long.length), 0);
  assert.equal(key.take(long, 8, long.length), 249);
  assert.equal(key.take(Uint8Array.of(0xc0, 0), 0, 2), 0);
});
