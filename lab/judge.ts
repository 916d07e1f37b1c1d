/** The figures of a scenario: what was seen, what was allowed, and the verdict on each. */

interface Figure {
  readonly what: string;
  readonly seen: string;
  readonly allowed: string;
  readonly good: boolean;
}

export class Judge {
  readonly #figures: Figure[] = [];

  /** A time in milliseconds; null: it never happened. */
  time(what: string, seen_ms: number | null, max_ms: number): void {
    const good = seen_ms !== null && seen_ms <= max_ms;
    const seen = seen_ms === null ? 'never' : `${seen_ms.toFixed(seen_ms < 100 ? 1 : 0)} ms`;
    this.#add({ what, seen, allowed: `≤ ${Math.ceil(max_ms)} ms`, good });
  }

  /** A number that must lie in [min, max]; `unit` is for the screen. */
  range(what: string, seen: number, min: number, max: number, unit = ''): void {
    const text = (value: number): string =>
      `${Number.isInteger(value) ? value : value.toFixed(2)}${unit}`;
    const allowed = min === max ? text(min) : `${text(min)} – ${text(max)}`;
    this.#add({ what, seen: text(seen), allowed, good: seen >= min && seen <= max });
  }

  /** Requests lost, of which there must be none; the first complaints say why. */
  noneLost(what: string, lost: number, complaints: readonly string[]): void {
    this.range(what, lost, 0, 0);
    if (lost > 0) this.note('  first complaints', complaints.join(', '));
  }

  atLeast(what: string, seen: number, min: number): void {
    this.#add({ what, seen: `${seen}`, allowed: `≥ ${min}`, good: seen >= min });
  }

  /** A figure for information only. */
  note(what: string, seen: string): void {
    this.#add({ what, seen, allowed: '', good: true });
  }

  get good(): boolean {
    return this.#figures.length > 0 && this.#figures.every((figure) => figure.good);
  }

  /** The whole as a table, and the line of the total. */
  toString(): string {
    const width = Math.max(...this.#figures.map(({ what }) => what.length));
    const lines = this.#figures.map(({ what, seen, allowed, good }) => {
      const state = allowed === '' ? '    ' : good ? 'ok  ' : 'FAIL';
      return `${state} ${what.padEnd(width)}  ${seen.padStart(12)}  ${allowed}`.trimEnd();
    });
    const judged = this.#figures.filter(({ allowed }) => allowed !== '');
    const failed = judged.filter(({ good }) => !good).length;
    return [...lines, `${judged.length - failed} passed, ${failed} failed`].join('\n');
  }

  #add(figure: Figure): void {
    this.#figures.push(figure);
  }
}
