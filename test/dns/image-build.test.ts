/** What goes into a zone image comes out of it, and what it is built from decides all of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildZoneImage, type ZoneContent } from '../../src/dns/image-build.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { formatName, wireName } from '../../src/dns/wire/name.ts';
import { canonicalRdata } from '../../src/dns/wire/rdata.ts';
import type { ZoneImage } from '../../src/model/zone.ts';
import { columnsOf, type ZoneRecord } from '../support/zone-columns.ts';
import { readImage } from '../support/zone-image.ts';

const APEX = wireName('zone.test');
const DECIDED: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.CNAME];

const owners = fc.array(fc.constantFrom('a', 'b', '*', 'long-label'), { maxLength: 3 });
const owner = owners.map((labels) => [...labels, 'zone.test'].join('.'));
const targets = fc
  .constantFrom('a.zone.test', 'b.a.zone.test', 'zone.test', 'x.other.test', '.', 'azone.test')
  .chain((name) => fc.boolean().map((upper) => upperCased(wireName(name), upper)));
const preference = fc.uint8Array({ minLength: 2, maxLength: 2, max: 1 });
const rdata = fc.oneof(
  fc.tuple(fc.constant(TYPE.A), fc.uint8Array({ minLength: 4, maxLength: 4, max: 1 })),
  fc.tuple(fc.constant(TYPE.TXT), fc.constantFrom(Uint8Array.of(1, 97), Uint8Array.of(1, 65))),
  fc.tuple(fc.constantFrom<number>(TYPE.NS, TYPE.CNAME, TYPE.PTR), targets),
  fc.tuple(fc.constant(TYPE.MX), fc.tuple(preference, targets).map(joined)),
  fc.tuple(fc.constant(TYPE.SRV), fc.tuple(fc.constant(new Uint8Array(6)), targets).map(joined)),
  fc.tuple(
    fc.constant(TYPE.SOA),
    fc.tuple(targets, targets, fc.constant(new Uint8Array(20))).map(joined),
  ),
);
const record = fc
  .tuple(owner, rdata, fc.constantFrom(60, 300, 0x7fffffff))
  .map(([name, [type, octets], ttl_s]) => ({
    owner: wireName(name),
    type,
    ttl_s,
    rdata: octets,
    line: 1,
  }));

function upperCased(name: Uint8Array, upper: boolean): Uint8Array {
  return upper ? name.map((octet) => (octet >= 97 && octet <= 122 ? octet - 32 : octet)) : name;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function content(records: readonly ZoneRecord[], services: readonly string[] = []): ZoneContent {
  const columns = columnsOf(records, 'z');
  return { apex: APEX, records: columns, services: services.map(wireName), childApexes: [] };
}

type Plain = Omit<ZoneRecord, 'line'>;

const show = ({ owner: name, type, ttl_s, rdata: octets }: Plain): string =>
  `${formatName(name)} ${ttl_s} ${type} ${Buffer.from(octets).toString('latin1')}`;

/** RFC 2181 §5: an rrset has one TTL, here the lowest, and no record twice. */
function model(records: readonly ZoneRecord[], services: readonly string[]): string[] {
  const keyOf = ({ owner: name, type }: Plain) => `${formatName(name)} ${type}`;
  const shown = records.flatMap((one, i) => {
    const rrset = records.filter((other) => keyOf(other) === keyOf(one));
    const same = ({ type, rdata: octets }: Plain) =>
      Buffer.from(canonicalRdata(type, octets)).equals(canonicalRdata(one.type, one.rdata));
    const isTwin = records.slice(0, i).some((other) => keyOf(other) === keyOf(one) && same(other));
    const isService = services.includes(formatName(one.owner).slice(0, -1));
    if (isTwin || (isService && DECIDED.includes(one.type))) return [];
    // Of a name only the part before the apex is kept as it was written.
    return [{ ...one, ttl_s: Math.min(...rrset.map(({ ttl_s }) => ttl_s)) }];
  });
  return shown.map((one) => show({ ...one, rdata: canonicalRdata(one.type, one.rdata) })).sort();
}

test('every record of a zone is in its image, once, with the TTL of its rrset', () => {
  const services = fc.uniqueArray(owner, { maxLength: 2 });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), services, (records, names) => {
      const image = buildZoneImage(content(records, names));
      const found = readImage(image).map((one) =>
        show({ ...one, rdata: canonicalRdata(one.type, one.rdata) }),
      );
      assert.deepEqual(found.sort(), model(records, names));
    }),
    { numRuns: 500 },
  );
});

test('the order of records within an rrset is that of the file', () => {
  const order = [5, 3, 9, 1, 7, ...Array.from({ length: 40 }, (_, i) => 100 - i)];
  const records = order.flatMap((last) => [
    { owner: APEX, type: TYPE.A, ttl_s: 1, rdata: Uint8Array.of(192, 0, 2, last), line: 1 },
    { owner: APEX, type: TYPE.TXT, ttl_s: 1, rdata: Uint8Array.of(1, last), line: 1 },
  ]);
  const found = readImage(buildZoneImage(content(records))).filter(({ type }) => type === TYPE.A);
  assert.deepEqual(
    found.map(({ rdata: [, , , last] }) => last),
    order,
  );
});

test('the same zone gives the same octets, whatever else is served', () => {
  const same = (a: ZoneImage, b: ZoneImage) => Buffer.from(a.bytes).equals(Buffer.from(b.bytes));
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
      const first = buildZoneImage(content(records));
      assert.ok(same(first, buildZoneImage(content(records))));
      assert.ok(!same(first, buildZoneImage(content(records, ['one.more.zone.test']))));
    }),
    { numRuns: 50 },
  );
});

test('an rrset of very many records has none of them twice, nor has a small one after it', () => {
  const rdataOf = (i: number) => Uint8Array.of(3, i >> 16, (i >> 8) & 255, i & 255);
  const records = Array.from({ length: 60_000 }, (_, i) => {
    return { owner: APEX, type: TYPE.TXT, ttl_s: 1, rdata: rdataOf(i % 50_000), line: 1 };
  });
  const [one] = records.map((each) => ({ ...each, owner: wireName('a.zone.test') }));
  const found = readImage(buildZoneImage(content([...records, one!, one!])));
  assert.equal(found.length, 50_000 + 1);
});
