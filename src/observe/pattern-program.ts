/**
 * A regular expression as a program of few instructions, each of which names the one after it, for the
 * automaton (pattern.ts). Pure.
 */
import { err, ok, type Result } from '../base/result.ts';
import type { PatternTree } from './pattern-tree.ts';

export type Instruction =
  /** Takes a character that is in the program's set of this number. */
  | { readonly kind: 'character'; readonly set: number; readonly next: number }
  | { readonly kind: 'assertion'; readonly source: string; readonly next: number }
  | { readonly kind: 'fork'; readonly next: number[] }
  | { readonly kind: 'match' };

export interface PatternProgram {
  readonly instructions: readonly Instruction[];
  readonly start: number;
  /** Sources of expressions for one character. */
  readonly sets: readonly string[];
}

/** Repetitions with counts are written out: a{3} is aaa. */
const PARTS_MAX = 2_000;

class TooLarge extends Error {}

/** The error completes "write …". */
export function compilePattern(tree: PatternTree): Result<PatternProgram, string> {
  const writer = new Writer();
  try {
    const start = writer.write(tree, writer.add({ kind: 'match' }));
    return ok({ instructions: writer.instructions, start, sets: [...writer.sets.keys()] });
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return err(`one with lower counts: with {n} written out, at most ${PARTS_MAX} parts`);
  }
}

/** Writes from the end to the beginning, so that what comes next is always known. */
class Writer {
  readonly instructions: Instruction[] = [];
  /** Source → number. */
  readonly sets = new Map<string, number>();
  #parts = 0;

  add(instruction: Instruction): number {
    return this.instructions.push(instruction) - 1;
  }

  /** Returns where `tree` begins that goes on at `next`. Throws when it becomes too large. */
  write(tree: PatternTree, next: number): number {
    if (++this.#parts > PARTS_MAX) throw new TooLarge();
    switch (tree.kind) {
      case 'character': {
        const set = this.sets.get(tree.source) ?? this.sets.size;
        this.sets.set(tree.source, set);
        return this.add({ kind: 'character', set, next });
      }
      case 'assertion':
        return this.add({ kind: 'assertion', source: tree.source, next });
      case 'sequence':
        return tree.of.reduceRight((after, part) => this.write(part, after), next);
      case 'choice':
        return this.add({ kind: 'fork', next: tree.of.map((part) => this.write(part, next)) });
      case 'repeat':
        return this.#repeat(tree, next);
    }
  }

  #repeat({ of, least, most }: Extract<PatternTree, { kind: 'repeat' }>, next: number): number {
    let at = next;
    if (most === Infinity) {
      const ways = [next];
      at = this.add({ kind: 'fork', next: ways });
      ways.push(this.write(of, at));
    } else {
      for (let count = least; count < most; count++) {
        at = this.add({ kind: 'fork', next: [next, this.write(of, at)] });
      }
    }
    for (let count = 0; count < least; count++) at = this.write(of, at);
    return at;
  }
}
