import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FRAME_BYTES_MAX, ReplyScanner } from '../../src/share/redis-guard.ts';

const SUBSCRIBE = '*2\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n';
const GET = '*2\r\n$3\r\nget\r\n$1\r\nk\r\n';
const SUBSCRIBED = '>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n';
const MESSAGE = '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n';

/** What the scanner says of `answers` to `commands`, given in pieces of `size` octets. */
function verdict(commands: readonly string[], answers: string, size = 1_000_000): string | null {
  const scanner = new ReplyScanner();
  for (const command of commands) scanner.sent(Buffer.from(command));
  const octets = Buffer.from(answers, 'latin1');
  for (let at = 0; at < octets.length; at += size) {
    const problem = scanner.scan(octets.subarray(at, at + size));
    if (problem !== null) return problem;
  }
  return null;
}

const GOOD: readonly (readonly [string, readonly string[], string])[] = [
  ['a text', [GET], '$5\r\nhello\r\n'],
  ['an empty text', [GET], '$0\r\n\r\n'],
  ['a text that looks like an answer', [GET], '$4\r\n:1\r\n\r\n'],
  ['nothing', [GET], '_\r\n'],
  ['nothing, as RESP2 says it', [GET], '$-1\r\n'],
  ['an error', [GET], '-ERR no\r\n'],
  ['arrays in arrays', [GET], '*3\r\n*0\r\n*2\r\n:1\r\n*1\r\n+a\r\n%1\r\n$1\r\na\r\n#t\r\n'],
  ['two answers to two commands', [GET, GET], ':1\r\n:2\r\n'],
  ['a subscription, then messages', [SUBSCRIBE], SUBSCRIBED + MESSAGE + MESSAGE],
  ['a message before an answer', [SUBSCRIBE, GET], `${SUBSCRIBED + MESSAGE}+OK\r\n`],
  ['a refused subscription', [SUBSCRIBE], '-NOPERM no\r\n'],
];

const BAD: readonly (readonly [string, readonly string[], string])[] = [
  ['an answer that nobody asked for', [], ':1\r\n'],
  ['nothing, unasked', [], '_\r\n'],
  ['one answer too many', [GET], ':1\r\n$-1\r\n'],
  ['HTTP', [GET], 'HTTP/1.1 400 Bad Request\r\n'],
  ['a line end that is none', [GET], ':1\n'],
  ['a length that is none', [GET], '$x\r\n'],
  ['a length below zero', [GET], '$-2\r\n'],
  ['a text longer than any', [GET], `$${FRAME_BYTES_MAX + 1}\r\n`],
  ['a number of elements that fills the memory', [GET], '*999999999\r\n'],
  ['depths without end', [GET], '*1\r\n'.repeat(50)],
  ['a line without end', [GET], `+${'x'.repeat(10_000)}`],
  ['an empty push', [GET], '>0\r\n'],
  ['a push of nothing', [GET], '>3\r\n_\r\n_\r\n_\r\n'],
  ['a push of another kind', [GET], '>3\r\n$10\r\ninvalidate\r\n$1\r\na\r\n$1\r\nb\r\n'],
  [
    'a message without a text',
    [SUBSCRIBE],
    `${SUBSCRIBED}>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n`,
  ],
  [
    'a message that is a number',
    [SUBSCRIBE],
    `${SUBSCRIBED}>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n`,
  ],
  ['a subscription that nobody asked for', [GET], SUBSCRIBED],
  ['another answer to a subscription', [SUBSCRIBE], ':1\r\n'],
  ['a push within an answer', [GET], '*1\r\n>3\r\n'],
];

describe('what a Redis server sends, before the client library sees it', () => {
  for (const [what, commands, answers] of GOOD) {
    test(`passes: ${what}`, () => {
      for (const size of [1_000, 3, 1]) assert.equal(verdict(commands, answers, size), null);
    });
  }

  for (const [what, commands, answers] of BAD) {
    test(`is refused: ${what}`, () => {
      for (const size of [100_000, 1]) assert.notEqual(verdict(commands, answers, size), null);
    });
  }

  test('an answer in many parts is bounded as a whole', () => {
    const part = `$1000000\r\n${'x'.repeat(1_000_000)}\r\n`;
    assert.equal(verdict([GET], `*20\r\n${part.repeat(20)}`), null);
    assert.notEqual(verdict([GET], `*40\r\n${part.repeat(40)}`), null);
  });

  test('whatever comes, in whatever pieces, the verdict is the same and nothing is thrown', () => {
    const pieces = [
      '>3\r\n',
      '$7\r\nmessage\r\n',
      '$1\r\nc\r\n',
      '*2\r\n',
      ':1\r\n',
      '_\r\n',
      '$-1\r\n',
      '\r\n',
      'x',
      '%1\r\n',
      '-E\r\n',
    ];
    const text = fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 5 })))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (answers, size) => {
        const commands = [SUBSCRIBE, GET, GET];
        assert.equal(verdict(commands, answers, size), verdict(commands, answers));
      }),
    );
  });
});
