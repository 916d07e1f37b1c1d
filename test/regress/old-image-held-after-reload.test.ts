/**
 * After a reload the thread held on to the image of the zone that it had answered from last. The one
 * collection that follows a reload then freed nothing, and the memory of a large zone stayed twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { collectGarbage } from '../../src/base/memory.ts';
import { configOf, zoneOf } from '../support/dns-text.ts';
import { openDoor, snapshotOf } from '../support/dns-zone.ts';

const snapshot = () => snapshotOf(configOf([zoneOf('example.com', ['h A 192.0.2.1'])]));

/** The image that `responder` has answered from and that nobody else knows. */
function answeredFrom({ responder, ask }: ReturnType<typeof openDoor>): WeakRef<object> {
  const before = snapshot();
  responder.use(before);
  assert.equal(ask('h.example.com', 1).answers.length, 1);
  return new WeakRef(before.zones.zones[0]!.image.words);
}

test('with a new snapshot the images of the one before are let go', async () => {
  const door = openDoor();
  const image = answeredFrom(door);
  door.responder.use(snapshot());
  await setImmediate(); // a WeakRef keeps its object alive for as long as it was looked at
  collectGarbage();
  assert.equal(image.deref(), undefined);
});
