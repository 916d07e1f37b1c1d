import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mismatchOf, patternAdvice } from '../../src/observe/text-match.ts';

describe('the expected text', () => {
  test('must contain the one and match the other', () => {
    const match = { contains: 'up', matches: '^a.*z$' };
    assert.equal(mismatchOf(match, 'a up\nz'), null);
    assert.equal(mismatchOf(match, 'a down z')!.why, 'does not contain "up"');
    assert.equal(mismatchOf(match, 'up')!.why, 'does not match "^a.*z$"');
  });

  test('a long or strange text is quoted in part, on one line', () => {
    const { why } = mismatchOf({ contains: `a\n${'😀'.repeat(100)}`, matches: null }, '')!;
    assert.equal(why, `does not contain "a ${'😀'.repeat(58)}…"`);
  });

  test('an expression that takes for ever is stopped, and that is final', () => {
    const slow = { contains: null, matches: '^(a|a)*$' };
    const mismatch = mismatchOf(slow, `${'a'.repeat(60)}b`)!;
    assert.equal(mismatch.why, 'takes too long to compare with "^(a|a)*$"');
    assert.equal(mismatch.final, true);
    assert.equal(mismatchOf(slow, 'aaa'), null);
  });

  test('finds what the expression finds by itself', () => {
    const source = fc.constantFrom('a+b', '^[ab]*$', 'x|b$', '(?<n>a)\\k<n>', '\\d{2,}');
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'x', '1', '\n') });
    fc.assert(
      fc.property(source, text, (matches, input) => {
        const found = mismatchOf({ contains: null, matches }, input) === null;
        assert.equal(found, new RegExp(matches, 'su').test(input));
      }),
      { numRuns: 200 },
    );
  });
});

describe('an expression is refused', () => {
  const refused = [
    '(a+)+',
    '(?:a*b*)*c',
    '((a+)b)+',
    '(\\w+\\s?)*$',
    '([a-z]+)*',
    '(a{2,}){3,}',
    '(?:(a+))*',
  ];
  for (const source of refused) {
    test(`when a repetition is in a repetition: ${source}`, () => {
      assert.match(patternAdvice(source)!, /without a repetition within/);
    });
  }

  test('when it cannot be read', () => {
    assert.match(patternAdvice('(a')!, /^one that can be read \(unterminated group\)$/);
    assert.match(patternAdvice('\\y')!, /invalid escape/);
  });

  const good = [
    'a+b+',
    '(a|b)*',
    '(ab)+c*',
    '[(+*]+',
    '\\(a+\\)+',
    '(a{1,3})+',
    '^HTTP/[\\d.]+ 2\\d\\d',
    '(a+)?b',
  ];
  for (const source of good) {
    test(`not when it is harmless: ${source}`, () => assert.equal(patternAdvice(source), null));
  }
});
