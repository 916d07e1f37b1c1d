/**
 * Reads a regular expression of JavaScript (flags `s` and `u`) into a tree, as far as it can be matched in
 * a time that grows only with the text: no lookaround, no back-references. What one character may
 * be is left to JavaScript's own expressions, so that classes and escapes mean the same here. Pure.
 */
import { err, ok, type Result } from '../base/result.ts';

export type PatternTree =
  | {
      readonly kind: 'character';
      /** Source of an expression for one character: itself, an escape, a class or the dot. */
      readonly source: string;
    }
  | { readonly kind: 'assertion'; readonly source: '^' | '$' | '\\b' | '\\B' }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly PatternTree[] }
  | {
      readonly kind: 'repeat';
      readonly of: PatternTree;
      readonly least: number;
      /** Infinity: without end. */
      readonly most: number;
    };

const FLAGS = 'su';

/** What one character of a text is compared with. */
export const characterTest = (source: string): RegExp => new RegExp(`^${source}$`, FLAGS);

/** The error completes "write …". */
export function readPattern(source: string): Result<PatternTree, string> {
  try {
    new RegExp(source, FLAGS);
  } catch (error) {
    const words = (error as Error).message.split(': ').pop()!;
    return err(`one that can be read (${words.charAt(0).toLowerCase()}${words.slice(1)})`);
  }
  const reader = new Reader(source);
  const tree = reader.choice();
  if (reader.atEnd) return ok(tree);
  return err('one without lookaround and back-references, such as (?=a) and \\1');
}

/** All that may open a group, but not lookaround. */
const OPEN = /\((?:\?:|\?<[^=!][^>]*>|(?!\?))/suy;
const ASSERTION = /[$^]|\\[bB]/suy;
/** A surrogate pair is one character (ECMA-262 §22.2.1, RegExpUnicodeEscapeSequence). */
const ESCAPE =
  /\\(?:u\{[^}]*\}|u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|x..|c.|[pP]\{[^}]*\}|[^1-9k])/suy;
const CLASS = /\[(?:\\.|[^\]\\])*\]/suy;
const LITERAL = /[^\\()[\]{}*+?|]/suy;
const QUANTIFIER = /(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/suy;

/** Reads what JavaScript has found to be an expression; stops before what is not for us. */
class Reader {
  readonly #source: string;
  #at = 0;
  #stuck = false;

  constructor(source: string) {
    this.#source = source;
  }

  get atEnd(): boolean {
    return !this.#stuck && this.#at === this.#source.length;
  }

  choice(): PatternTree {
    const of = [this.#sequence()];
    while (this.#source[this.#at] === '|') {
      this.#at++;
      of.push(this.#sequence());
    }
    return of.length === 1 ? of[0]! : { kind: 'choice', of };
  }

  #sequence(): PatternTree {
    const of: PatternTree[] = [];
    for (let part = this.#part(); part !== null; part = this.#part()) of.push(part);
    return of.length === 1 ? of[0]! : { kind: 'sequence', of };
  }

  #part(): PatternTree | null {
    if (this.#stuck) return null;
    const assertion = this.#take(ASSERTION);
    if (assertion) return { kind: 'assertion', source: assertion[0] as '^' };
    const one = this.#take(OPEN) ? this.#group() : this.#character();
    if (one === null) return null;
    const quantifier = this.#take(QUANTIFIER);
    return quantifier ? { kind: 'repeat', of: one, ...countsOf(quantifier) } : one;
  }

  #group(): PatternTree {
    const inner = this.choice();
    if (this.#source[this.#at] === ')') this.#at++;
    else this.#stuck = true;
    return inner;
  }

  #character(): PatternTree | null {
    const found = this.#take(ESCAPE) ?? this.#take(CLASS) ?? this.#take(LITERAL);
    return found && { kind: 'character', source: found[0] };
  }

  #take(token: RegExp): RegExpExecArray | null {
    token.lastIndex = this.#at;
    const found = token.exec(this.#source);
    if (found) this.#at = token.lastIndex;
    return found;
  }
}

/** Whether it is greedy does not matter to whether something matches. */
function countsOf([, sign, from, comma, to]: RegExpExecArray): { least: number; most: number } {
  if (sign !== undefined) return { least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity };
  const least = Number(from);
  if (comma === '') return { least, most: least };
  return { least, most: to === '' ? Infinity : Number(to) };
}
