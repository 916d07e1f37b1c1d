import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Expression, parseExpression } from '../../src/observe/metric-expression.ts';
import { matchesPattern } from '../../src/observe/name-pattern.ts';

/** The tree, with brackets around everything. */
function shape(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return String(expression.value);
    case 'negative':
      return `(-${shape(expression.of)})`;
    case 'arithmetic':
      return `(${shape(expression.left)}${expression.operator}${shape(expression.right)})`;
    case 'series': {
      const { join, rate, selector } = expression;
      const series = rate ? `rate(${selector.text})` : selector.text;
      return join === null ? series : `${join}(${series})`;
    }
  }
}

function read(text: string): string {
  const parsed = parseExpression(text);
  return parsed.ok ? shape(parsed.value) : `${parsed.error.column}: ${parsed.error.message}`;
}

describe('an expression over metrics', () => {
  test('binds as arithmetic does, from left to right', () => {
    assert.equal(read('a - b - 2 * c / 4 + -d'), '(((a-b)-((2*c)/4))+(-d))');
    assert.equal(read('(a + b) * 1.5e3'), '((a+b)*1500)');
  });

  test('series, alone, joined, as rates', () => {
    assert.equal(
      read(' sum( rate(http:requests_total{ code = "200", } ) )'),
      'sum(rate(http:requests_total{ code = "200", }))',
    );
    assert.equal(read('max(node_load1)/count'), '(max(node_load1)/count)');
    assert.equal(read('rate(x{})'), 'rate(x{})');
    assert.equal(read('sum + rate'), '(sum+rate)', 'names of functions are names, too');
  });

  const mistakes: [string, string][] = [
    ['', '1: expected a metric or a number, not the end'],
    ['a +', '4: expected a metric or a number, not the end'],
    ['a b', '3: expected + - * / or the end, not "b"'],
    ['sum(a', '6: expected ")", not the end'],
    ['sum(a + b)', '7: expected ")", not "+"'],
    ['sum by (pod) (a)', '5: the load is one number: leave the grouping out'],
    ['sum(a) without (pod)', '8: the load is one number: leave the grouping out'],
    ['7 * 2', '1: there is no metric in it, so the load would always be the same'],
    ['a / 1e999', '5: 1e999 is too large'],
    ['rate(a[1m])', '7: a range is not needed: a rate is over the time between two readings'],
    [
      'irate(a)',
      '1: "irate" cannot stand here: write sum, max, min or avg of METRIC or of rate(METRIC)',
    ],
    [
      'rate(sum(a))',
      '6: "sum" cannot stand here: write sum, max, min or avg of METRIC or of rate(METRIC)',
    ],
    ['a{code="200}', '8: the text has no closing quote'],
    ['a{code==“200”}', '9: "“" means nothing here'],
    ['a{code}', '7: expected = != =~ or !~ after the label, not "}"'],
    ['a{code="1" x="2"}', '12: expected "}", not "x"'],
    ['a{co:de="1"}', '3: expected a label, not "co:de"'],
    [
      'a{code=~"(4|5).."}',
      '9: "(" in a pattern: only . .* .+ | and \\ before a character are understood',
    ],
    ['a > 5', '3: ">" means nothing here'],
    ['5 % 2', '3: "%" means nothing here'],
    ['a'.repeat(1_001), '1: longer than 1000 characters'],
    ['('.repeat(40), '33: nested more than 32 deep'],
    [`${'-'.repeat(40)}1`, '33: nested more than 32 deep'],
  ];
  for (const [text, expected] of mistakes) {
    test(`says where it is wrong: ${text.slice(0, 30)}`, () => {
      assert.equal(read(text), expected);
    });
  }

  test('no text makes the parser throw; the column is in the text or just after it', () => {
    const words = fc.constantFrom(
      'sum',
      'rate',
      '(',
      ')',
      'a',
      '{',
      '}',
      '=~',
      '"x.*"',
      ',',
      '+',
      '-',
      '*',
      '2',
      ' ',
      '"',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 30 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (any) => {
        const parsed = parseExpression(any);
        if (parsed.ok) return;
        assert.ok(parsed.error.column >= 1 && parsed.error.column <= any.length + 1);
      }),
    );
  });
});

describe('what a label must be', () => {
  function fits(matcher: string, value: string): boolean {
    const parsed = parseExpression(`m{l${matcher}}`);
    assert.ok(parsed.ok && parsed.value.kind === 'series');
    const [{ patterns, negated }] = parsed.value.selector.matchers as [never];
    return (patterns as never[]).some((each) => matchesPattern(each, value)) !== negated;
  }

  test('equal, and not', () => {
    assert.ok(fits('="a.*"', 'a.*') && !fits('="a.*"', 'ab'));
    assert.ok(fits('!="a"', 'b') && !fits('!="a"', 'a'));
    assert.ok(fits(`='it\\'s "x\\\\'`, `it's "x\\`));
    assert.ok(fits('="a\\nb"', 'a\nb'));
    assert.ok(fits('=""', ''), 'a label that is not there');
  });

  test('like, and not: the whole value', () => {
    for (const code of ['500', '50x']) assert.ok(fits('=~"5.."', code), code);
    for (const code of ['50', '5000', '400']) assert.ok(!fits('=~"5.."', code), code);
    assert.ok(fits('=~"a|b.+|"', 'a') && fits('=~"a|b.+|"', 'bc') && fits('=~"a|b.+|"', ''));
    assert.ok(!fits('=~"a|b.+|"', 'b'));
    assert.ok(fits('!~"a\\\\.b"', 'axb') && !fits('!~"a\\\\.b"', 'a.b'));
  });
});
