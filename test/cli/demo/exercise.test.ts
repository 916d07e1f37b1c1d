import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turnsOf } from '../../../src/cli/demo/steps-operation.ts';
import { tableHead, tableRow, wrap } from '../../../src/cli/demo/table.ts';

const row = { step: '1 all sites healthy', expected: 'this', seen: 'that', ms: 7.26, ok: true };

test('a row is one line with its cells below the head’s', () => {
  const head = tableHead().split('\n')[0]!;
  const text = tableRow(row);
  for (const [cell, title] of [
    ['this', 'expected'],
    ['that', 'seen'],
  ] as const) {
    assert.equal(text.indexOf(cell), head.indexOf(title));
  }
  assert.equal(text.indexOf('7.3') + 3, head.indexOf('ms') + 2);
  assert.match(text, / ok$/);
});

test('a failed row says so, and time is left out where it does not matter', () => {
  assert.match(tableRow({ ...row, ms: null, ok: false }), /that +FAILED$/);
});

test('long times are shown in whole milliseconds', () => {
  assert.match(tableRow({ ...row, ms: 1234.56 }), / 1235 ok$/);
});

test('a long cell goes on in the next line, in its own column', () => {
  const expected = 'europe → fra, america → iad, asia → sin, from 3 servers';
  const lines = tableRow({ ...row, expected }).split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, / ok$/);
  const column = tableHead().indexOf('expected');
  assert.equal(lines[1]!.slice(0, column).trim(), '');
  assert.ok(lines.every((line) => line.length <= 112));
});

test('wrapping loses nothing', () => {
  assert.deepEqual(wrap('a bb ccc', 4), ['a bb', 'ccc']);
  assert.deepEqual(wrap('abcdefgh', 3), ['abc', 'def', 'gh']);
  assert.deepEqual(wrap('', 3), ['']);
});

test('a share that rises and falls once has turned once; ripples do not count', () => {
  const up = [0, 0.1, 0.2, 0.28];
  const ripples = [0.3, 0.27, 0.29, 0.28, 0.3];
  assert.equal(turnsOf([...up, ...ripples, 0.2, 0.1, 0]), 1);
});

test('a share that swings is seen to swing', () => {
  assert.equal(turnsOf([0, 0.3, 0, 0.3, 0]), 3);
  assert.equal(turnsOf([0, 0, 0]), 0);
});
