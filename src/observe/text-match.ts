/**
 * Whether a text that a server sent is the expected one. A regular expression is compared by RE2, in a
 * time that grows only with the text, in the one thread that does everything else: JavaScript's own
 * expressions can take for ever. `patternBytesMax` keeps that time low as well, for a caller that bounds
 * the text by it.
 */
import { createRequire } from 'node:module';
import type * as Re2 from 're2js';
import { err, ok, type Result } from '../base/result.ts';
import type { TextMatch } from '../model/check.ts';

const QUOTED_CHARS_MAX = 60;
/** Parts of the pattern, counts written out, times bytes of the text: 60 ms for the worst known. */
const WORK_MAX = 4_000_000;
/** Nothing that is expected comes with a lower limit of its text. */
const TEXT_BYTES_MIN = 1_000;
/** For what has been learned about a pattern. With more, the worst pattern is slower, not faster. */
const LEARNED_BYTES_MAX = 500_000;

const compiled = new WeakMap<TextMatch, Re2.RE2Set>();

/** Loaded by the first pattern only: most of the time it takes is of no use where there is none. */
const re2 = (): typeof Re2 => createRequire(import.meta.url)('re2js') as typeof Re2;

/** Completes "the answer …"; null when `text` is as expected. */
export function mismatchOf(match: TextMatch, text: string): string | null {
  const { contains, matches } = match;
  if (contains !== null && !text.includes(contains)) {
    return `does not contain ${quote(contains)}`;
  }
  if (matches === null || patternOf(match, matches).match(text).length > 0) return null;
  return `does not match ${quote(matches)}`;
}

/** A set of one, because only sets have a limit for what they learn. */
function patternOf(match: TextMatch, source: string): Re2.RE2Set {
  const known = compiled.get(match);
  if (known) return known;
  const { RE2JS, RE2Set } = re2();
  const pattern = new RE2Set(RE2Set.UNANCHORED, RE2JS.DOTALL, LEARNED_BYTES_MAX);
  pattern.add(source);
  compiled.set(match, pattern);
  return pattern;
}

function quote(text: string): string {
  const chars = [...text.replace(/\p{Cc}/gu, ' ')];
  const cut = chars.length > QUOTED_CHARS_MAX;
  return `"${chars.slice(0, QUOTED_CHARS_MAX).join('')}${cut ? '…' : ''}"`;
}

/** What to write instead of the source of a regular expression that is no use; null: it is good. */
export function patternAdvice(source: string): string | null {
  const parts = partsOf(source);
  if (!parts.ok) return parts.error;
  const most = WORK_MAX / TEXT_BYTES_MIN;
  return parts.value <= most ? null : `one with lower counts, of at most ${most} parts`;
}

/** How long a text may be to be compared with a good pattern. */
export function patternBytesMax(source: string): number {
  const parts = partsOf(source);
  return parts.ok ? Math.floor(WORK_MAX / parts.value) : 0;
}

function partsOf(source: string): Result<number, string> {
  const { RE2JS, RE2JSException, RE2JSSyntaxException } = re2();
  try {
    return ok(RE2JS.compile(source, RE2JS.DOTALL).programSize());
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return err(adviceFor(error, source));
    if (error instanceof RE2JSException) return err('a shorter one');
    throw error;
  }
}

function adviceFor({ error, input }: Re2.RE2JSSyntaxException, source: string): string {
  // Where it is about the whole, there are flags before it that are none of the user's.
  const at = input !== null && source.includes(input) ? input : '';
  if (/^\((?:\?[=!]|\?<[=!])|^\\[1-9k]/.test(at)) {
    return 'one without lookaround and back-references, such as (?=a) and \\1';
  }
  if (/^invalid repeat count|too large/.test(error)) {
    return 'one with lower counts: with {n} written out, at most 1000 repetitions';
  }
  return `one that RE2 can read (${error}${at === '' ? '' : `: ${quote(at)}`})`;
}
