import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { matchesPattern, namePattern } from '../../src/observe/name-pattern.ts';

const fits = (pattern: string, name: string) => matchesPattern(namePattern(pattern), name);

describe('a name pattern', () => {
  test('is the whole name, with any run and any character', () => {
    for (const [pattern, name] of [
      ['www', 'www'],
      ['*', ''],
      ['www-*', 'www-'],
      ['*a*b', 'xaxbxab'],
      ['w?w', 'wöw'],
      ['?', '🌍'],
      ['a**', 'a'],
    ] as const) {
      assert.ok(fits(pattern, name), `${pattern} ${name}`);
    }
    for (const [pattern, name] of [
      ['www', 'www1'],
      ['www', 'ww'],
      ['', 'a'],
      ['?', ''],
      ['*a', 'ab'],
      ['.', 'a'],
    ] as const) {
      assert.ok(!fits(pattern, name), `${pattern} ${name}`);
    }
  });

  test('means the same as the regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
    fc.assert(
      fc.property(letters, name, (pattern, text) => {
        const source = pattern.replaceAll('*', '.*').replaceAll('?', '.');
        assert.equal(fits(pattern, text), new RegExp(`^(?:${source})$`).test(text));
      }),
    );
  });

  test('one that takes a regular expression for ever is done in a moment', () => {
    // Exponential or polynomial time would never end here.
    assert.ok(!fits(`${'*a'.repeat(500)}b`, 'a'.repeat(5_000)));
  });
});
