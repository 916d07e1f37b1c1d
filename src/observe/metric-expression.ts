/**
 * The language in which a load is put together from metrics, a small part of what Prometheus has:
 *
 *   expression  = product { ("+" | "-") product }
 *   product     = factor { ("*" | "/") factor }
 *   factor      = "-" factor | "(" expression ")" | number | series | aggregate
 *   aggregate   = ("sum" | "max" | "min" | "avg") "(" series ")"
 *   series      = selector | "rate" "(" selector ")"
 *   selector    = metric [ "{" [ label ("=" | "!=" | "=~" | "!~") string { "," … } ] "}" ]
 *
 * A series that stands alone must be a single one. `=~` knows ".", ".*", ".+", "|" and "\" only, so that
 * no label can make it slow. Text in, tree or an error with its place out. Pure.
 */
import { err, ok, type Result } from '../base/result.ts';
import { ANY, type NamePattern, RUN } from './name-pattern.ts';

export interface Matcher {
  readonly label: string;
  readonly negated: boolean;
  /** The label's value fits one of them. A label that is missing has the value "". */
  readonly patterns: readonly NamePattern[];
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
  /** As it is written. */
  readonly text: string;
}

export type Join = 'sum' | 'max' | 'min' | 'avg';
export type Operator = '+' | '-' | '*' | '/';

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'negative'; readonly of: Expression }
  | {
      readonly kind: 'arithmetic';
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | SeriesTerm;

export interface SeriesTerm {
  readonly kind: 'series';
  readonly selector: Selector;
  /** The growth per second instead of the value. */
  readonly rate: boolean;
  /** Null: there must be one series only. */
  readonly join: Join | null;
}

export interface ExpressionError {
  /** Of the character, from 1. */
  readonly column: number;
  readonly message: string;
}

export const EXPRESSION_CHARS_MAX = 1_000;
const DEPTH_MAX = 32;

interface Token {
  readonly kind: 'number' | 'name' | 'string' | 'sign' | 'end';
  readonly text: string;
  /** Index of its first character. */
  readonly at: number;
}

class Mistake extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const TOKEN =
  /\s*(?:((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]{1,3})?)|([a-zA-Z_:][a-zA-Z0-9_:]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(=~|!~|!=|[-+*/(){}=,]))/gy;

const KINDS = ['number', 'name', 'string', 'sign'] as const;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const matcher = new RegExp(TOKEN);
  const end = text.trimEnd().length;
  while (matcher.lastIndex < end) {
    const from = matcher.lastIndex;
    const match = matcher.exec(text);
    if (!match) {
      const at = from + text.slice(from).search(/\S/);
      throw new Mistake(at, adviceOn(text[at]!));
    }
    const which = match.slice(1).findIndex((each) => each !== undefined);
    const token = match[which + 1]!;
    tokens.push({ kind: KINDS[which]!, text: token, at: matcher.lastIndex - token.length });
  }
  return [...tokens, { kind: 'end', text: '', at: end }];
}

function adviceOn(character: string): string {
  if (character === '[')
    return 'a range is not needed: a rate is over the time between two readings';
  if (character === '"' || character === "'") return 'the text has no closing quote';
  return `"${character}" means nothing here`;
}

const JOINS: readonly Join[] = ['sum', 'max', 'min', 'avg'];
/** Words of Prometheus that make several numbers out of one aggregate. */
const GROUPINGS: readonly string[] = ['by', 'without'];
const UNGROUPED = 'the load is one number: leave the grouping out';
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n' };

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_, each: string) => ESCAPES[each] ?? each);
}

/** What the part of regular expressions that is understood says, as patterns: one for each "|". */
function patternsOf(text: string, at: number): NamePattern[] {
  const all: NamePattern[number][][] = [[]];
  for (let i = 0; i < text.length; i++) {
    const each = text[i]!;
    const into = all.at(-1)!;
    if (each === '|') all.push([]);
    else if (each === '\\' && i + 1 < text.length) into.push(text[++i]!);
    else if (each === '.' && text[i + 1] === '*') into.push(RUN);
    else if (each === '.' && text[i + 1] === '+') into.push(ANY, RUN);
    else if (each === '.') into.push(ANY);
    else if (/[\\^$*+?()[\]{}]/.test(each)) {
      const what = 'only . .* .+ | and \\ before a character are understood';
      throw new Mistake(at, `"${each}" in a pattern: ${what}`);
    } else into.push(each);
    if (each === '.' && /[*+]/.test(text[i + 1] ?? '')) i++;
  }
  return all;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  parse(): Expression {
    const expression = this.#expression();
    const token = this.#token();
    if (token.kind !== 'end') throw new Mistake(token.at, adviceAfter(token));
    if (termsOf(expression).length === 0) {
      throw new Mistake(0, 'there is no metric in it, so the load would always be the same');
    }
    return expression;
  }

  #token(): Token {
    return this.#tokens[this.#next]!;
  }

  /** The next token if it is one of these signs. */
  #sign<Sign extends string>(...signs: Sign[]): Sign | null {
    const { kind, text } = this.#token();
    const found = kind === 'sign' ? signs.find((sign) => sign === text) : undefined;
    if (found === undefined) return null;
    this.#next++;
    return found;
  }

  #expect(sign: string): void {
    if (this.#sign(sign)) return;
    const token = this.#token();
    throw new Mistake(token.at, `expected "${sign}", not ${said(token)}`);
  }

  #chain(inner: () => Expression, ...operators: Operator[]): Expression {
    let left = inner();
    for (let operator = this.#sign(...operators); operator; operator = this.#sign(...operators)) {
      left = { kind: 'arithmetic', operator, left, right: inner() };
    }
    return left;
  }

  #expression(): Expression {
    if (++this.#depth > DEPTH_MAX) {
      throw new Mistake(this.#token().at, `nested more than ${DEPTH_MAX} deep`);
    }
    const product = () => this.#chain(() => this.#factor(), '*', '/');
    const expression = this.#chain(product, '+', '-');
    this.#depth--;
    return expression;
  }

  #factor(): Expression {
    if (this.#sign('-')) {
      if (++this.#depth > DEPTH_MAX) {
        throw new Mistake(this.#token().at, `nested more than ${DEPTH_MAX} deep`);
      }
      const of = this.#factor();
      this.#depth--;
      return { kind: 'negative', of };
    }
    if (this.#sign('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    const token = this.#token();
    if (token.kind === 'number') {
      this.#next++;
      const value = Number(token.text);
      if (!Number.isFinite(value)) throw new Mistake(token.at, `${token.text} is too large`);
      return { kind: 'number', value };
    }
    if (token.kind !== 'name') {
      throw new Mistake(token.at, `expected a metric or a number, not ${said(token)}`);
    }
    const join = JOINS.find((each) => each === token.text);
    if (join === undefined) return this.#series(null);
    if (GROUPINGS.includes(this.#following.text)) throw new Mistake(this.#following.at, UNGROUPED);
    return this.#calls() ? this.#aggregate(join) : this.#series(null);
  }

  get #following(): Token {
    return this.#tokens[this.#next + 1] ?? this.#token();
  }

  /** Whether the next token is the name of a function. */
  #calls(): boolean {
    return this.#following.text === '(';
  }

  #aggregate(join: Join): SeriesTerm {
    this.#next += 2;
    const series = this.#series(join);
    this.#expect(')');
    return series;
  }

  #series(join: Join | null): SeriesTerm {
    const token = this.#token();
    if (token.text !== 'rate' || !this.#calls()) {
      return { kind: 'series', selector: this.#selector(), rate: false, join };
    }
    this.#next += 2;
    const selector = this.#selector();
    this.#expect(')');
    return { kind: 'series', selector, rate: true, join };
  }

  #selector(): Selector {
    const name = this.#token();
    if (name.kind !== 'name') throw new Mistake(name.at, `expected a metric, not ${said(name)}`);
    if (this.#calls()) {
      const known = 'write sum, max, min or avg of METRIC or of rate(METRIC)';
      throw new Mistake(name.at, `"${name.text}" cannot stand here: ${known}`);
    }
    this.#next++;
    const matchers: Matcher[] = [];
    if (this.#sign('{')) {
      while (!this.#sign('}')) {
        matchers.push(this.#matcher());
        if (this.#sign(',')) continue;
        this.#expect('}');
        break;
      }
    }
    const last = this.#tokens[this.#next - 1]!;
    const text = this.#text.slice(name.at, last.at + last.text.length);
    return { metric: name.text, matchers, text };
  }

  #matcher(): Matcher {
    const label = this.#token();
    if (label.kind !== 'name' || !LABEL.test(label.text)) {
      throw new Mistake(label.at, `expected a label, not ${said(label)}`);
    }
    this.#next++;
    const operator = this.#sign('=', '!=', '=~', '!~');
    const value = this.#token();
    if (operator === null) {
      throw new Mistake(value.at, `expected = != =~ or !~ after the label, not ${said(value)}`);
    }
    if (value.kind !== 'string') {
      throw new Mistake(value.at, `expected a text in quotes, not ${said(value)}`);
    }
    this.#next++;
    const text = unquoted(value.text);
    const patterns = operator.endsWith('~') ? patternsOf(text, value.at) : [[...text]];
    return { label: label.text, negated: operator.startsWith('!'), patterns };
  }
}

function adviceAfter(token: Token): string {
  if (GROUPINGS.includes(token.text)) return UNGROUPED;
  return `expected + - * / or the end, not ${said(token)}`;
}

function said({ kind, text }: Token): string {
  return kind === 'end' ? 'the end' : `"${text}"`;
}

export function parseExpression(text: string): Result<Expression, ExpressionError> {
  if (text.length > EXPRESSION_CHARS_MAX) {
    return err({ column: 1, message: `longer than ${EXPRESSION_CHARS_MAX} characters` });
  }
  try {
    return ok(new Parser(text).parse());
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return err({ column: error.at + 1, message: error.message });
  }
}

/** The series that an expression asks for, in the order of the text. */
export function termsOf(expression: Expression): SeriesTerm[] {
  if (expression.kind === 'series') return [expression];
  if (expression.kind === 'negative') return termsOf(expression.of);
  if (expression.kind === 'number') return [];
  return [...termsOf(expression.left), ...termsOf(expression.right)];
}
