/**
 * The octets of a text with an escape in it were handed over as arguments of one call, of which the
 * stack holds some 100,000: a longer string in a zone file threw, and the daemon did not start.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readZoneRecords } from '../../src/config/zone/file.ts';

test('a string of 400,000 characters with an escape is a mistake with a place', () => {
  const { problems } = readZoneRecords({
    file: 'z',
    bytes: Buffer.from(`h 1 TXT "\\065${'x'.repeat(400_000)}"`),
    origin: 'example.com',
    readInclude: () => assert.fail(),
  });
  const message = 'rdata of more than 65535 octets';
  assert.deepEqual(problems, [{ file: 'z', line: 1, column: 9, message }]);
});
