/** Whether a text that a server sent, bounded by the caller, is the expected one. */
import { err, type Result } from '../base/result.ts';
import type { TextMatch } from '../model/check.ts';
import { Pattern } from './pattern.ts';
import { compilePattern, type PatternProgram } from './pattern-program.ts';
import { readPattern } from './pattern-tree.ts';

const QUOTED_CHARS_MAX = 60;

const compiled = new WeakMap<TextMatch, Pattern>();

export interface Mismatch {
  /** Completes "the answer …". */
  readonly why: string;
  /** False when more text could still bring what is missing. */
  readonly final: boolean;
}

/** Null when `text` is as expected. */
export function mismatchOf(match: TextMatch, text: string): Mismatch | null {
  const { contains, matches } = match;
  if (contains !== null && !text.includes(contains)) {
    return { why: `does not contain ${quote(contains)}`, final: false };
  }
  if (matches === null) return null;
  const found = patternOf(match, matches).test(text);
  if (found) return null;
  if (found === false) return { why: `does not match ${quote(matches)}`, final: false };
  return { why: `takes too long to compare with ${quote(matches)}`, final: true };
}

function patternOf(match: TextMatch, source: string): Pattern {
  const known = compiled.get(match);
  if (known) return known;
  const program = programOf(source);
  if (!program.ok) throw new Error(`a regular expression that no check has: ${program.error}`);
  const pattern = new Pattern(program.value);
  compiled.set(match, pattern);
  return pattern;
}

function programOf(source: string): Result<PatternProgram, string> {
  const tree = readPattern(source);
  return tree.ok ? compilePattern(tree.value) : err(tree.error);
}

function quote(text: string): string {
  const chars = [...text.replace(/\p{Cc}/gu, ' ')];
  const cut = chars.length > QUOTED_CHARS_MAX;
  return `"${chars.slice(0, QUOTED_CHARS_MAX).join('')}${cut ? '…' : ''}"`;
}

/** What to write instead of the source of a regular expression that is no use; null: it is good. */
export function patternAdvice(source: string): string | null {
  const program = programOf(source);
  return program.ok ? null : program.error;
}
