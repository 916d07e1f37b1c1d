import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatName,
  isWithin,
  nameLength,
  parseName,
  wireName,
} from '../../../src/dns/wire/name.ts';

const label = fc.uint8Array({ minLength: 1, maxLength: 12 });
const name = fc.array(label, { maxLength: 8 }).map((labels) => {
  const octets = labels.flatMap((one) => [one.length, ...one]);
  return Uint8Array.from([...octets, 0]);
});

test('any name, dots and binary octets inside labels included, survives its presentation form', () => {
  fc.assert(
    fc.property(name, (wire) => {
      const parsed = parseName(formatName(wire));
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, wire);
      assert.equal(nameLength(wire, 0), wire.length);
    }),
  );
});

test('relative names get the origin, absolute names do not', () => {
  const origin = wireName('example.com');
  const show = (text: string): string => {
    const parsed = parseName(text, origin);
    return parsed.ok ? formatName(parsed.value) : parsed.error;
  };
  assert.equal(show('www'), 'www.example.com.');
  assert.equal(show('www.'), 'www.');
  assert.equal(show('@'), 'example.com.');
  assert.equal(show('a\\.b'), 'a\\.b.example.com.');
  assert.equal(show('a\\.'), 'a\\..example.com.'); // the last dot is escaped, so still relative
});

test('limits of RFC 1035 §2.3.4 are kept', () => {
  assert.ok(!parseName(`${'a'.repeat(64)}.`).ok);
  assert.ok(parseName(`${'a'.repeat(63)}.`).ok);
  const long = `${'a'.repeat(63)}.`.repeat(4);
  assert.ok(!parseName(long).ok);
  assert.ok(!parseName('a..b.').ok);
});

test('a name lies within its ancestors only at label borders', () => {
  assert.ok(isWithin(wireName('www.example.com'), wireName('example.com')));
  assert.ok(isWithin(wireName('example.com'), wireName('example.com')));
  assert.ok(!isWithin(wireName('wexample.com'), wireName('example.com')));
  assert.ok(!isWithin(wireName('com'), wireName('example.com')));
  assert.ok(isWithin(wireName('com'), wireName('.')));
});
