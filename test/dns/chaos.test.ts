import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDoor } from '../support/dns-zone.ts';

const [A, TXT, ANY] = [1, 16, 255];
const CH = { class: 3 };
const told = openDoor(undefined, { dns: { identity: 'fra-1', version: 'isobar' } });

test('id.server and hostname.bind tell the identity (RFC 4892), version.bind the version', () => {
  for (const [name, text] of [
    ['id.server', 'fra-1'],
    ['hostname.BIND', 'fra-1'],
    ['version.bind', 'isobar'],
    ['Version.Server', 'isobar'],
  ] as const) {
    for (const type of [TXT, ANY]) {
      const answer = told.ask(name, type, CH);
      assert.equal(answer.rcode, 0);
      assert.ok(answer.aa);
      const [txt] = answer.answers;
      assert.deepEqual([txt!.name, txt!.type, txt!.class, txt!.ttl], [`${name}.`, TXT, 3, 0]);
      assert.equal(Buffer.from(txt!.rdata.subarray(1)).toString(), text);
      assert.equal(txt!.rdata[0], text.length);
    }
  }
});

test('of another type there is nothing at these names', () => {
  const answer = told.ask('id.server', A, CH);
  assert.deepEqual([answer.rcode, answer.aa, answer.answers.length], [0, true, 0]);
});

test('what is not told, and every other name in CH, is REFUSED', () => {
  for (const name of ['id.server', 'hostname.bind', 'version.server', 'version.bind']) {
    assert.equal(openDoor().ask(name, TXT, CH).rcode, 5, name);
  }
  for (const name of ['authors.bind', 'example.com', 'server', 'x.id.server', '.']) {
    assert.equal(told.ask(name, TXT, CH).rcode, 5, name);
  }
  // In class IN they are names like any other.
  assert.equal(told.ask('id.server', TXT).rcode, 5);
});

test('an identity longer than one string is told in several', () => {
  const long = openDoor(undefined, { dns: { identity: 'x'.repeat(300) } });
  const [txt] = long.ask('id.server', TXT, CH).answers;
  assert.deepEqual([txt!.rdata.length, txt!.rdata[0], txt!.rdata[256]], [302, 255, 45]);
});
