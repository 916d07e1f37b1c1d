import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENTRY_OCTETS_MAX, ZoneLexer, type ZoneToken } from '../../../src/config/zone/lexer.ts';
import { rdataWords } from '../../../src/config/zone/record.ts';
import { TYPE } from '../../../src/dns/wire/codes.ts';

/** The words of the first entry, quoted ones in angle brackets, or its problem. */
function words(text: string, type: number): string[] {
  const { tokens, problem } = new ZoneLexer(Buffer.from(text)).next()!;
  if (problem) return [`${problem.line}:${problem.column} ${problem.message}`];
  const show = (token: ZoneToken): string => (token.quoted ? `<${token.text}>` : token.text);
  return rdataWords(type, tokens).map(show);
}

test('a quote within a word belongs to it in SVCB and HTTPS, with what it encloses', () => {
  assert.deepEqual(words('1 . alpn="h2,h3" port=443', TYPE.HTTPS), [
    ...['1', '.'],
    'alpn="h2,h3"',
    'port=443',
  ]);
  assert.deepEqual(words('key7="b c;(\\"d" e', TYPE.SVCB), ['key7="b c;(\\"d"', 'e']);
  assert.deepEqual(words('alpn="h2",h3 alpn=""', TYPE.SVCB), ['alpn="h2",h3', 'alpn=""']);
  assert.deepEqual(words('alpn= "h2" "alpn=h3"', TYPE.HTTPS), ['alpn=', '<h2>', '<alpn=h3>']);
  assert.deepEqual(words('alpn=("h2")', TYPE.HTTPS), ['alpn=', '<h2>']);
});

test('a quote begins a word of its own elsewhere', () => {
  assert.deepEqual(words('a="b c"d', TYPE.TXT), ['a=', '<b c>', 'd']);
  assert.deepEqual(words('"a""b"', TYPE.TXT), ['<a>', '<b>']);
});

test('the words of an entry have a limit together, and reading goes on behind it', () => {
  const octets = (length: number): string =>
    `h ( ${'x'.repeat(length / 2)}\n ${'y'.repeat(length / 2)} )\nk`;
  const lexer = new ZoneLexer(Buffer.from(octets(ENTRY_OCTETS_MAX)));
  const { line, column, message } = lexer.next()!.problem!;
  assert.match(`${line}:${column} ${message}`, /^2:2 a record of more than 524288 octets/);
  assert.equal(lexer.next()!.tokens[0]!.text, 'k');
  assert.equal(words(octets(ENTRY_OCTETS_MAX - 2), TYPE.TXT).length, 3);
});

test('a quote within a word must be closed on its line', () => {
  assert.match(words('alpn="h2\n"', TYPE.HTTPS)[0]!, /^1:6 a quote that is not closed on its line/);
  assert.match(words('( é="h2', TYPE.HTTPS)[0]!, /^1:5 a quote/);
});
