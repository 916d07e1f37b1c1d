import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZoneLexer } from '../../../src/config/zone/lexer.ts';

/** The words of the first entry, quoted ones in angle brackets, or its problem. */
function words(text: string): string[] {
  const { tokens, problem } = new ZoneLexer(Buffer.from(text)).next()!;
  if (problem) return [`${problem.line}:${problem.column} ${problem.message}`];
  return tokens.map((token) => (token.quoted ? `<${token.text}>` : token.text));
}

test('a quote directly behind "=" belongs to the word, with what it encloses', () => {
  assert.deepEqual(words('h HTTPS 1 . alpn="h2,h3" port=443'), [
    ...['h', 'HTTPS', '1', '.'],
    'alpn="h2,h3"',
    'port=443',
  ]);
  assert.deepEqual(words('a="b c;(\\"d" e'), ['a="b c;(\\"d"', 'e']);
  assert.deepEqual(words('a="b"c="d"e'), ['a="b"c="d"e']);
  assert.deepEqual(words('a=""'), ['a=""']);
});

test('a quote elsewhere begins a word of its own', () => {
  assert.deepEqual(words('a"b c"d'), ['a', '<b c>', 'd']);
  assert.deepEqual(words('a= "b c"'), ['a=', '<b c>']);
  assert.deepEqual(words('a\\="b"'), ['a\\=', '<b>']);
  assert.deepEqual(words('"a="'), ['<a=>']);
  assert.deepEqual(words('a="b""c"'), ['a="b"', '<c>']);
});

test('a quote behind "=" must be closed on its line', () => {
  assert.match(words('h alpn="h2\n"')[0]!, /^1:8 a quote that is not closed on its line/);
  assert.match(words('h ( é="h2')[0]!, /^1:7 a quote/);
});
