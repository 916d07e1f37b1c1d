/**
 * Counting where not everything is known: how conditions and healths are put together from parts.
 *
 * Must hold: the whole is unknown (null) only while what is known leaves it open (Kleene's logic).
 */

export interface Outcome {
  readonly holds: boolean | null;
  /** What is so, in words: "www.example.com has no healthy endpoint here". */
  readonly why: string;
}

/** Whether at least `needed` of the parts hold: all of them for "all", one for "any". */
export function countOf(needed: number, parts: readonly Outcome[]): Outcome {
  const sure = parts.filter(({ holds }) => holds === true).length;
  const possible = parts.filter(({ holds }) => holds !== false).length;
  const holds = sure >= needed ? true : possible < needed ? false : null;
  // Told are the parts that made it so: for a "no" those that fail, for a "yes" those that hold.
  const telling = parts.filter((part) => part.holds === holds).map(({ why }) => why);
  const tally =
    needed === parts.length || holds !== false ? '' : `only ${sure} of ${needed} hold: `;
  return { holds, why: `${tally}${telling.join(', ')}` };
}
