/**
 * Patterns for names: characters, any one character, any run of characters. Matching takes at most the
 * product of both lengths, whatever the pattern; a regular expression gives no such promise.
 */

export const ANY = { any: 'character' } as const;
export const RUN = { any: 'run' } as const;

/** Each part is one character, `ANY` or `RUN`. */
export type NamePattern = readonly (string | typeof ANY | typeof RUN)[];

/** `*` is any run, `?` any one character. */
export function namePattern(text: string): NamePattern {
  return [...text].map((each) => (each === '*' ? RUN : each === '?' ? ANY : each));
}

/** Whether the whole of `name` is as the pattern says. */
export function matchesPattern(pattern: NamePattern, name: string): boolean {
  const letters = [...name];
  let at = 0;
  let letter = 0;
  // Where to go on if what follows the last run does not fit: the run takes one letter more.
  let afterRun = -1;
  let taken = 0;
  while (letter < letters.length) {
    const part = pattern[at];
    if (part === RUN) {
      afterRun = ++at;
      taken = letter;
    } else if (part !== undefined && (part === ANY || part === letters[letter])) {
      at++;
      letter++;
    } else if (afterRun >= 0) {
      at = afterRun;
      letter = ++taken;
    } else {
      return false;
    }
  }
  while (pattern[at] === RUN) at++;
  return at === pattern.length;
}
