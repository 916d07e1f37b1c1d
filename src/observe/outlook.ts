/**
 * Whether this site may believe what it sees of the others. Who sees nobody at all is more likely blind
 * than the last one alive, and does not tell it as the fault of others.
 *
 * Must hold: nothing is told while blind; and who is down is told only if another has answered since
 * it began to fail. So a site that is being cut off tells nobody, not even those that happen to be
 * judged first.
 */

/** An endpoint of another site. */
export interface Witness {
  /** As the last probes have it; null before them. */
  answers: boolean | null;
  /** When it ceased to answer, or was first found not to, in milliseconds. */
  failing_since: number;
}

export class Outlook {
  /** Of the witnesses so many have been probed, and so many answer. */
  #probed = 0;
  #answering = 0;
  /** When something outside last answered, in milliseconds. */
  #seenAt = Number.NEGATIVE_INFINITY;
  #blind = false;

  get probed(): number {
    return this.#probed;
  }

  get blind(): boolean {
    return this.#blind;
  }

  /** Begins to count anew, after the witnesses have changed. */
  recount(witnesses: Iterable<Witness>): void {
    this.#probed = 0;
    this.#answering = 0;
    for (const witness of witnesses) this.#count(witness, 1);
  }

  /** Something outside has answered. */
  seen(now: number): void {
    this.#seenAt = now;
  }

  note(witness: Witness, answers: boolean | null, now: number): void {
    this.#count(witness, -1);
    if (answers === false && witness.answers !== false) witness.failing_since = now;
    witness.answers = answers;
    this.#count(witness, 1);
  }

  /**
   * Draws the conclusion; true if it is another than before. `otherwise`: something else shows that
   * this site can see.
   */
  conclude(otherwise: boolean): boolean {
    const blind = this.#probed > 0 && this.#answering === 0 && !otherwise;
    const changed = blind !== this.#blind;
    this.#blind = blind;
    return changed;
  }

  /** Whether the fall of a witness may be told. */
  believes(witness: Witness): boolean {
    return !this.#blind && this.#seenAt >= witness.failing_since;
  }

  #count({ answers }: Witness, sign: 1 | -1): void {
    if (answers !== null) this.#probed += sign;
    if (answers === true) this.#answering += sign;
  }
}
