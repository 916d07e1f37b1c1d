/**
 * dns2 follows the pointers of a name for as long as they lead on, and does so for each record: an answer of
 * 64 kB held the event loop for more than half a minute.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsCheck } from '../../src/model/check.ts';
import { judgeAnswer } from '../../src/observe/dns-answer.ts';

const ID = 1;
const CHECK: DnsCheck = {
  kind: 'dns',
  transport: 'tcp',
  question: 'a.example',
  type: 'A',
  rcode: 'NOERROR',
  answers: ['192.0.2.1'],
};

const QUESTION = [1, 0x61, 7, ...Buffer.from('example'), 0, 0, 1, 0, 1];
const ADDRESS = [0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1];
const pointer = (to: number): number[] => [0xc0 | (to >> 8), to & 0xff];

/** An answer of so many records, whose names go through a chain of so many pointers. */
function answer(records: number, pointers: number): Buffer {
  const header = [0, ID, 0x84, 0, 0, 1, ...[(records + 1) >> 8, (records + 1) & 0xff], 0, 0, 0, 0];
  const data = [(pointers * 2) >> 8, (pointers * 2) & 0xff];
  const opening = [...header, ...QUESTION, 0, 0xff, 0xaa, 0, 1, 0, 0, 0, 0, ...data];
  const chain = Array.from({ length: pointers }, (_, i) =>
    pointer(i === 0 ? header.length : opening.length + 2 * (i - 1)),
  );
  const record = [...pointer(opening.length + 2 * (pointers - 1)), ...ADDRESS];
  return Buffer.from([...opening, ...chain.flat(), ...Array(records).fill(record).flat()]);
}

test('an answer whose names take too long to read is none', () => {
  assert.equal(judgeAnswer(answer(3_000, 5_000), ID, CHECK), null);
  assert.equal(judgeAnswer(answer(1, 3), ID, CHECK)!.ok, true);
});

test('names that go in a circle or beyond the end are none, and nothing is thrown', () => {
  const circle = answer(1, 3);
  circle.set(pointer(circle.length - 16), circle.length - 16);
  assert.equal(judgeAnswer(circle, ID, CHECK), null);
  const whole = answer(1, 3);
  for (let size = 0; size < whole.length; size++) {
    assert.equal(judgeAnswer(whole.subarray(0, size), ID, CHECK), null);
  }
});
