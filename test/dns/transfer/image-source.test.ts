import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImageSource } from '../../../src/dns/transfer/image-source.ts';
import { serialOf, withSerial } from '../../../src/dns/transfer/source.ts';
import { TYPE, typeName } from '../../../src/dns/wire/codes.ts';
import { formatName } from '../../../src/dns/wire/name.ts';
import { canonicalRdata, printRdata } from '../../../src/dns/wire/rdata.ts';
import { openDoor, zoneConfig } from '../../support/dns-zone.ts';
import { stage } from '../../support/transfer.ts';

type Row = { owner: Uint8Array; type: number; ttl_s: number; rdata: Uint8Array };

const line = ({ owner, type, ttl_s, rdata }: Row): string =>
  `${formatName(owner)} ${ttl_s} ${typeName(type)} ${printRdata(type, canonicalRdata(type, rdata))}`;

test('an image gives back the records of the zone file, names in the rdata completed', () => {
  const config = zoneConfig({ services: [] });
  const { snapshot } = stage(config);
  config.zones.forEach(({ records }, zone) => {
    const source = new ImageSource(snapshot.zones.zones[zone]!.image);
    const all = [source.soa, ...source.records()];
    assert.deepEqual(all.map(line).sort(), records.map(line).sort());
    assert.equal(formatName(source.origin), formatName(source.soa.owner));
  });
});

test('addresses and aliases of a health-aware name are left to the decision', () => {
  const { snapshot } = stage(zoneConfig());
  const source = new ImageSource(snapshot.zones.zones[0]!.image);
  const www = [...source.records()].filter(({ owner }) => formatName(owner) === 'www.example.com.');
  const types = www.map(({ type }) => type);
  assert.ok(types.includes(TYPE.TXT));
  assert.ok(![TYPE.A, TYPE.AAAA, TYPE.CNAME].some((type) => types.includes(type)));
});

test('a new serial is written into a copy: the zone itself is not touched', () => {
  const { snapshot } = stage(zoneConfig());
  const { soa } = new ImageSource(snapshot.zones.zones[0]!.image);
  const raised = withSerial(soa, 0xfffffffe);
  assert.deepEqual([serialOf(soa), serialOf(raised)], [7, 0xfffffffe]);
  const kept = withSerial({ ...soa, rdata: Buffer.from(soa.rdata) }, 5);
  assert.equal(serialOf(kept), 5);
  assert.match(openDoor().ask('example.com', TYPE.SOA).answers[0]!.text, / 7 60$/);
});
