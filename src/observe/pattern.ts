/**
 * Finds a regular expression in a text that comes from outside, in a time that grows only with the
 * text: an automaton follows all ways through the expression at once. JavaScript's own expressions
 * try one way after the other, and so can take for ever, in the one thread that does everything else.
 *
 * What the automaton has learned is kept from text to text, so that a character usually costs one look
 * into a table. What may be learned from one text is bounded in steps, not in time, so that a busy
 * machine makes no good probe fail.
 */
import type { Instruction, PatternProgram } from './pattern-program.ts';
import { characterTest } from './pattern-tree.ts';

/** Some 20 ms. A sound expression needs a few thousand for its first text, and then hardly any. */
const STEPS_MAX = 250_000;
/** What it takes to keep a new state or character, in steps; so memory is bounded as well. */
const STATE_STEPS = 50;
const CHARACTER_STEPS = 5;
/** Having learned more, it begins anew with the next text. */
const STATES_KEPT_MAX = 5_000;
const CHARACTERS_KEPT_MAX = 20_000;

/** Characters that the program does not tell apart. */
interface Symbol {
  readonly number: number;
  readonly word: boolean;
  /** By number of the set. */
  readonly within: readonly boolean[];
}

/** What came before, as far as an assertion may ask. */
type Before = 'nothing' | 'word' | 'other';

interface State {
  readonly before: Before;
  /** Instructions that are to be looked at next, the start among them: a match may begin anywhere. */
  readonly pending: readonly number[];
  /** Where a symbol leads, by its number; null: to a match. */
  readonly after: (State | null | undefined)[];
}

const END: Symbol = { number: 0, word: false, within: [] };

class OutOfSteps extends Error {}

export class Pattern {
  readonly #program: PatternProgram;
  readonly #sets: readonly RegExp[];
  readonly #asksForWords: boolean;
  /** By code point. */
  #characters = new Map<number, Symbol>();
  #symbols = new Map<string, Symbol>();
  #states = new Map<string, State>();
  #steps = 0;

  constructor(program: PatternProgram) {
    this.#program = program;
    this.#sets = program.sets.map(characterTest);
    this.#asksForWords = program.instructions.some(
      (one) => one.kind === 'assertion' && /b/i.test(one.source),
    );
  }

  /** Null when it cannot be told within the bounds. */
  test(text: string): boolean | null {
    this.#steps = 0;
    if (this.#states.size > STATES_KEPT_MAX || this.#characters.size > CHARACTERS_KEPT_MAX) {
      this.#characters = new Map();
      this.#symbols = new Map();
      this.#states = new Map();
    }
    try {
      return this.#find(text);
    } catch (error) {
      if (error instanceof OutOfSteps) return null;
      throw error;
    }
  }

  #find(text: string): boolean {
    let state = this.#state('nothing', [this.#program.start]);
    for (let at = 0; at < text.length; ) {
      const point = text.codePointAt(at)!;
      const symbol = this.#characters.get(point) ?? this.#learn(point);
      const next = state.after[symbol.number];
      const after = next === undefined ? this.#follow(state, symbol) : next;
      if (after === null) return true;
      state = after;
      at += point > 0xffff ? 2 : 1;
    }
    const last = state.after[END.number];
    return (last === undefined ? this.#follow(state, END) : last) === null;
  }

  #learn(point: number): Symbol {
    this.#spend(CHARACTER_STEPS + this.#sets.length);
    const character = String.fromCodePoint(point);
    const within = this.#sets.map((set) => set.test(character));
    const word = this.#asksForWords && /^\w$/.test(character);
    const key = `${word} ${within.join()}`;
    const symbol = this.#symbols.get(key) ?? { number: this.#symbols.size + 1, word, within };
    this.#symbols.set(key, symbol);
    this.#characters.set(point, symbol);
    return symbol;
  }

  #state(before: Before, pending: readonly number[]): State {
    const key = `${before} ${pending.join()}`;
    const known = this.#states.get(key);
    if (known) return known;
    this.#spend(STATE_STEPS + pending.length);
    const state = { before, pending, after: [] };
    this.#states.set(key, state);
    return state;
  }

  /** Learns where `symbol` leads from `state`. */
  #follow(state: State, symbol: Symbol): State | null {
    const after = this.#arrive(state, symbol);
    state.after[symbol.number] = after;
    return after;
  }

  #arrive(state: State, symbol: Symbol): State | null {
    const { instructions, start } = this.#program;
    const seen = new Set(state.pending);
    const next = new Set([start]);
    // A set that grows while it is gone through is gone through to its last.
    for (const at of seen) {
      this.#spend(1);
      const one: Instruction = instructions[at]!;
      if (one.kind === 'match') return null;
      if (one.kind === 'fork') for (const way of one.next) seen.add(way);
      else if (one.kind === 'character') {
        if (symbol.within[one.set]) next.add(one.next);
      } else if (holds(one.source, state.before, symbol)) seen.add(one.next);
    }
    const pending = [...next].sort((a, b) => a - b);
    return this.#state(symbol.word ? 'word' : 'other', pending);
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > STEPS_MAX) throw new OutOfSteps();
  }
}

/** Whether an assertion holds between what came before and `symbol`. */
function holds(source: string, before: Before, symbol: Symbol): boolean {
  if (source === '^') return before === 'nothing';
  if (source === '$') return symbol === END;
  const boundary = (before === 'word') !== symbol.word;
  return boundary === (source === '\\b');
}
