/**
 * The nearest known word to a misspelt one, for "did you mean". Distance is the number of single
 * letters to insert, delete, replace, or of neighbours to swap (optimal string alignment).
 */

/** Longer words are not compared: the table is quadratic, and no key or name is that long. */
const WORD_MAX = 128;

export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(
        rows[i - 1]![j]! + 1,
        row[j - 1]! + 1,
        rows[i - 1]![j - 1]! + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The known word that `word` was probably meant to be; null if none is near (half its length). */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > WORD_MAX) return null;
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** How many known words are listed when none of them is near. */
const LISTED_MAX = 12;

/** `did you mean "x"?`, or the known words when none is near. */
export function suggest(word: string, known: Iterable<string>): string {
  const words = [...known];
  const near = nearest(word, words);
  if (near !== null) return `did you mean "${near}"?`;
  if (words.length === 0) return 'there is none';
  const more = words.length > LISTED_MAX ? `, … (${words.length} in all)` : '';
  return `known: ${words.sort().slice(0, LISTED_MAX).join(', ')}${more}`;
}
