/**
 * The words of $GENERATE, a directive that BIND brought in: `$` stands for the counter,
 * `${offset,width,base}` for the counter plus offset, padded with zeros to width, in base d, o, x
 * or X, or as nibbles n or N (hexadecimal digits, the last one first, with dots between, for
 * ip6.arpa); `\$` and `$$` are dollar signs.
 */
import { err, ok, type Result } from '../../base/result.ts';

/** Records that one directive makes at most. */
export const GENERATE_MAX = 65_536;
/** Characters of text that all directives of a zone make at most: some seconds' work. */
export const GENERATED_TEXT_MAX = 128 * 1024 * 1024;
/** What a word counts beside its characters: many short ones are as much work as a long one. */
export const GENERATED_WORD = 16;

export interface GenerateRange {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

/** Reads "1-10" or "1-10/2". */
export function parseGenerateRange(text: string): Result<GenerateRange, string> {
  const match = /^([0-9]{1,9})-([0-9]{1,9})(?:\/([0-9]{1,9}))?$/.exec(text);
  if (!match) return err(`"${text}" is not a range: write e.g. 1-100 or 0-254/2`);
  const range = { start: Number(match[1]), stop: Number(match[2]), step: Number(match[3] ?? 1) };
  if (range.step === 0 || range.start > range.stop) {
    return err(`"${text}" counts nothing: start must not be above stop, the step at least 1`);
  }
  if ((range.stop - range.start) / range.step >= GENERATE_MAX) {
    return err(`"${text}" makes more than ${GENERATE_MAX} records`);
  }
  return ok(range);
}

/** One word of the template for one value of the counter. */
export function expandGenerated(template: string, counter: number): Result<string, string> {
  let problem: string | null = null;
  const text = template.replace(
    /\\.|\$\$|\$(\{[^}]*\}?)|\$/gs,
    (match: string, braces: string | undefined) => {
      if (match.startsWith('\\')) return match;
      if (match === '$$') return '$';
      const value = braces === undefined ? String(counter) : modified(match, counter);
      if (value === null) {
        problem = `"${match}" is not \${offset,width,base} with base d, o, x, X, n or N`;
        return '';
      }
      return value;
    },
  );
  return problem === null ? ok(text) : err(problem);
}

const BASE: Readonly<Record<string, number>> = { d: 10, o: 8, x: 16, X: 16 };

/** `modifier` is the whole of `${…}`. */
function modified(modifier: string, counter: number): string | null {
  const match = /^\$\{(-?[0-9]{1,9})(?:,([0-9]{1,2})(?:,([doxXnN]))?)?\}$/.exec(modifier);
  if (!match) return null;
  const value = counter + Number(match[1]);
  const width = Number(match[2] ?? 0);
  const base = match[3] ?? 'd';
  if (value < 0) return null;
  const nibbles = base === 'n' || base === 'N';
  const text = nibbles ? nibblesOf(value, width) : value.toString(BASE[base]).padStart(width, '0');
  return base === 'X' || base === 'N' ? text.toUpperCase() : text;
}

/** The width counts the dots, of which the last one may stand at the end. */
function nibblesOf(value: number, width: number): string {
  const digits = value.toString(16).padStart((width + 1) >> 1, '0');
  const text = [...digits].reverse().join('.');
  return text.length < width ? `${text}.` : text;
}
