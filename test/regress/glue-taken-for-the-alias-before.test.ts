/**
 * An rrset in the answer section is not added again. It was known by its place in the image of its
 * zone alone, so that an alias of one zone hid the glue that another zone has in the same place.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findNode, findRrset, NameKey } from '../../src/dns/image.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { wireName } from '../../src/dns/wire/name.ts';
import type { TestConfig } from '../support/config.ts';
import { buildQuery } from '../support/dns-query.ts';
import { configOf, decode, show, zoneOf } from '../support/dns-text.ts';
import { openDoor } from '../support/dns-zone.ts';

function placeOf({ zones }: TestConfig, zone: number, name: string, type: number): number {
  const key = new NameKey();
  const wire = wireName(name);
  key.take(wire, 0, wire.length);
  const { image } = zones[zone]!;
  return findRrset(image, findNode(image, key, 0), type);
}

test('a referral after an alias has its glue though both stand in the same place', () => {
  const to = zoneOf('b.test', ['ns.cut A 192.0.2.2', 'cut NS ns.cut']);
  const config = (room: number): TestConfig =>
    configOf([zoneOf('a.test', [`p TXT ${'x'.repeat(room)}`, 'x CNAME y.cut.b.test.']), to]);
  const glue = placeOf(config(1), 1, 'ns.cut.b.test', TYPE.A);
  const same = Array.from({ length: 200 }, (_, room) => config(room + 1)).find(
    (each) => placeOf(each, 0, 'x.a.test', TYPE.CNAME) === glue,
  );
  assert.ok(same);
  const answer = decode(openDoor(same).raw(buildQuery({ name: 'x.a.test', type: TYPE.A }))!);
  assert.equal(answer.answers.length, 1);
  assert.deepEqual(show(answer.additionals), ['ns.cut.b.test. 300 A 192.0.2.2']);
});
