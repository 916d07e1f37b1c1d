import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mismatchOf, patternAdvice, patternBytesMax } from '../../src/observe/text-match.ts';

const finds = (matches: string, text: string): boolean =>
  mismatchOf({ contains: null, matches }, text) === null;

describe('the expected text', () => {
  test('must contain the one and match the other', () => {
    const match = { contains: 'up', matches: '^a.*z$' };
    assert.equal(mismatchOf(match, 'a up\nz'), null);
    assert.equal(mismatchOf(match, 'a down z'), 'does not contain "up"');
    assert.equal(mismatchOf(match, 'up'), 'does not match "^a.*z$"');
  });

  test('a long or strange text is quoted in part, on one line', () => {
    const why = mismatchOf({ contains: `a\n${'😀'.repeat(100)}`, matches: null }, '');
    assert.equal(why, `does not contain "a ${'😀'.repeat(58)}…"`);
  });
});

describe('a regular expression', () => {
  // With JavaScript's own, each of these takes hours or does not end.
  const text = `${'a'.repeat(1_000_000)}!`;
  for (const source of [
    '^(a|a)*$',
    '^(a+)+$',
    '^(\\w+\\s?)*$',
    'a*a*a*a*a*b',
    '.*ready.*',
    '(a{0,9}){9}b',
  ]) {
    test(`needs a time that grows only with the text: ${source}`, () => {
      assert.equal(finds(source, text), false);
    });
  }

  test('has a bound on the text that grows smaller as the expression grows larger', () => {
    assert.ok(patternBytesMax('"status":\\s*"(ok|degraded)"') >= 64_000);
    const counts = [10, 100, 900].map((count) => patternBytesMax(`a.{${count}}b`));
    assert.ok(counts[0]! > counts[1]! && counts[1]! > counts[2]! && counts[2]! >= 4_000);
  });

  const characters = ['a', 'b', '.', '[ab]', '[^a]', '\\w', '\\s', '\\x61', '😀', '\\n'];
  const part = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(...characters, '\\p{L}', '[\\]b-]', '\\]'),
      fc.constantFrom('^', '$', '\\b', '\\B', ''),
      fc.tuple(tie('tree'), tie('tree')).map((both) => both.join('')),
      fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(?:${a}|${b})`),
      tie('tree').map((a) => `(${a})`),
      fc
        .tuple(
          tie('tree'),
          fc.constantFrom('*', '+', '?', '*?', '+?', '{2}', '{0}', '{1,}', '{0,2}', '{1,3}?'),
        )
        .map(([a, count]) => `(?:${a})${count}`),
    ),
  })).tree;

  test("finds what JavaScript's own finds", () => {
    const unit = fc.constantFrom('a', 'b', 'c', ' ', '\n', '😀', 'é', ']', '-');
    fc.assert(
      fc.property(
        part,
        fc.array(fc.string({ unit, maxLength: 8 }), { maxLength: 4 }),
        (source, texts) => {
          const own = new RegExp(source, 'su');
          const match = { contains: null, matches: source };
          for (const text of texts) {
            // V8 finds \\B between the two halves of a character, where the standard does not look.
            if (source.includes('\\B') && text.includes('😀')) continue;
            assert.equal(mismatchOf(match, text) === null, own.test(text));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  const refused: [string, RegExp][] = [
    ['(a', /^one that RE2 can read \(missing closing \)\)$/],
    ['\\y', /^one that RE2 can read \(invalid escape sequence: "\\y"\)$/],
    ['(?=a)b', /without lookaround/],
    ['a(?!b)', /without lookaround/],
    ['((?<!a)b)', /without lookaround/],
    ['(a)\\1', /back-references/],
    ['(?<n>a)|\\k<n>', /back-references/],
    ['(a{100}){100}', /lower counts/],
    ['a{1001}', /lower counts/],
    ['(a{9}){100}'.repeat(20), /lower counts/],
  ];
  for (const [source, why] of refused) {
    test(`is refused: ${source}`, () => assert.match(patternAdvice(source)!, why));
  }

  for (const source of [
    '(?<name>a+)?b',
    '[(+*\\]]+',
    '\\(a+\\)\\+',
    '^HTTP/[\\d.]+ 2\\d\\d',
    '(?i)ready|\\0',
  ]) {
    test(`is good: ${source}`, () => assert.equal(patternAdvice(source), null));
  }
});
