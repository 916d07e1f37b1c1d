/**
 * Whether a text that a server sent is the expected one. The text is bounded by the caller, and a
 * regular expression has so much time and no more: JavaScript's can take for ever, and what it reads
 * comes from outside.
 */
import { createContext, Script } from 'node:vm';
import type { TextMatch } from '../model/check.ts';

/** Far beyond what a sound expression needs for the longest text, even on a busy machine. */
const MATCH_MS_MAX = 100;
const QUOTED_CHARS_MAX = 60;

const FLAGS = 'su';

const compiled = new WeakMap<TextMatch, RegExp>();
const script = new Script('pattern.test(text)');
const world: { pattern: RegExp | null; text: string } = { pattern: null, text: '' };
let context: object | null = null;

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
  let pattern = compiled.get(match);
  if (!pattern) {
    pattern = new RegExp(matches, FLAGS);
    compiled.set(match, pattern);
  }
  const found = test(pattern, text);
  if (found) return null;
  if (found === false) return { why: `does not match ${quote(matches)}`, final: false };
  return { why: `takes too long to compare with ${quote(matches)}`, final: true };
}

function quote(text: string): string {
  const chars = [...text.replace(/\p{Cc}/gu, ' ')];
  const cut = chars.length > QUOTED_CHARS_MAX;
  return `"${chars.slice(0, QUOTED_CHARS_MAX).join('')}${cut ? '…' : ''}"`;
}

/** Null if it took too long: only a script in a context of its own can be interrupted. */
function test(pattern: RegExp, text: string): boolean | null {
  context ??= createContext(world);
  world.pattern = pattern;
  world.text = text;
  try {
    return script.runInContext(context, { timeout: MATCH_MS_MAX }) === true;
  } catch {
    return null;
  } finally {
    world.pattern = null;
    world.text = '';
  }
}

/** What to write instead of the source of a regular expression that is no use; null: it is good. */
export function patternAdvice(source: string): string | null {
  try {
    new RegExp(source, FLAGS);
  } catch (error) {
    const words = (error as Error).message.split(': ').pop()!;
    return `one that can be read (${words.charAt(0).toLowerCase()}${words.slice(1)})`;
  }
  if (!repeatsRepetition(source)) return null;
  return 'one without a repetition within a repetition, such as (a+)*, which can take for ever';
}

/**
 * True for a group that repeats without end, and so does something in it: the usual way to an
 * expression whose time doubles with each character. `source` is a valid expression.
 */
function repeatsRepetition(source: string): boolean {
  const bare = source.replace(/\\./gsu, 'x').replace(/\[[^\]]*\]/gsu, 'x');
  /** For each group that is open: whether something in it repeats without end. */
  const open: boolean[] = [false];
  for (let at = 0; at < bare.length; at++) {
    if (bare[at] === '(') {
      open.push(false);
    } else if (endless(bare, at + 1)) {
      if (bare[at] === ')' && open.at(-1)) return true;
      if (bare[at] === ')') open.pop();
      open[open.length - 1] = true;
    } else if (bare[at] === ')') {
      const inner = open.pop()!;
      open[open.length - 1] ||= inner;
    }
  }
  return false;
}

const endless = (bare: string, at: number): boolean => /^(?:[*+]|\{\d+,\})/.test(bare.slice(at));
