/**
 * Cuts the text of a zone file into entries (RFC 1035 §5.1): one directive or record each, with
 * comments, parentheses and quotes resolved, and the place of each word kept. An entry that cannot
 * be cut is handed out with its problem, and reading goes on behind it.
 */
import type { Token } from '../../dns/wire/text.ts';

/** Line and column count from 1; columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ZoneToken extends Token, Place {}

export interface Entry {
  /** The line begins with a blank: the owner is left out. */
  readonly blank: boolean;
  readonly tokens: readonly ZoneToken[];
  /** Why the entry could not be read to its end. */
  readonly problem: (Place & { readonly message: string }) | null;
}

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const OPEN = 40;
const CLOSE = 41;
const SEMICOLON = 59;
const BACKSLASH = 92;
const BYTE_ORDER_MARK = 0xfeff;

/** Ends a word: white space, or a character with a meaning of its own. NaN is the end of the text. */
function endsWord(code: number): boolean {
  return code <= SPACE
    ? code === SPACE || code === TAB || code === NEWLINE || code === RETURN
    : code === SEMICOLON || code === OPEN || code === CLOSE || code === QUOTE;
}

interface OpenParenthesis extends Place {
  readonly at: number;
}

export class ZoneLexer {
  readonly #text: string;
  #at: number;
  #line = 1;
  /** Offset of the first character of the line. */
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
    this.#lineStart = this.#at;
  }

  /** The next entry that is not empty; null at the end of the text. */
  next(): Entry | null {
    while (this.#at < this.#text.length) {
      const entry = this.#entry();
      if (entry.problem || entry.tokens.length > 0) return entry;
    }
    return null;
  }

  #entry(): Entry {
    const first = this.#text.charCodeAt(this.#at);
    const blank = first === SPACE || first === TAB;
    const tokens: ZoneToken[] = [];
    let open: OpenParenthesis | null = null;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === NEWLINE || Number.isNaN(code)) {
        if (!open) {
          this.#newline();
          return { blank, tokens, problem: null };
        }
        if (Number.isNaN(code)) return this.#unclosed(blank, tokens, open, 'the end of the file');
        this.#newline();
      } else if (code === SPACE || code === TAB || code === RETURN) {
        this.#at++;
      } else if (code === SEMICOLON) {
        this.#toLineEnd();
      } else if (code === OPEN) {
        const place = this.#place();
        if (open) return this.#unclosed(blank, tokens, open, `the next one in line ${place.line}`);
        open = { ...place, at: this.#at++ };
      } else if (code === CLOSE) {
        if (!open)
          return this.#broken(blank, tokens, this.#place(), 'a ")" without a "(" before it');
        open = null;
        this.#at++;
      } else {
        const token = code === QUOTE ? this.#quoted() : this.#word();
        if (!token) {
          const message =
            'a quote that is not closed on its line: add the closing " (or write \\")';
          const place = this.#place();
          if (open) this.#toNextOwner();
          return this.#broken(blank, tokens, place, message);
        }
        tokens.push(token);
      }
    }
  }

  #place(): Place {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #newline(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  #toLineEnd(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  /** Skips lines up to one that begins with an owner: what an unclosed entry most likely spans. */
  #toNextOwner(): void {
    while (this.#at < this.#text.length) {
      this.#toLineEnd();
      const next = this.#text.charCodeAt(this.#at + 1);
      if (!endsWord(next)) return;
      this.#newline();
    }
  }

  #unclosed(
    blank: boolean,
    tokens: readonly ZoneToken[],
    open: OpenParenthesis,
    before: string,
  ): Entry {
    this.#at = open.at;
    this.#line = open.line;
    this.#lineStart = open.at - open.column + 1;
    this.#toNextOwner();
    const message = `a "(" that is not closed before ${before}: add ")" where the record ends`;
    return this.#broken(blank, tokens, open, message);
  }

  #broken(
    blank: boolean,
    tokens: readonly ZoneToken[],
    { line, column }: Place,
    message: string,
  ): Entry {
    this.#toLineEnd();
    this.#newline();
    return { blank, tokens, problem: { line, column, message } };
  }

  #word(): ZoneToken {
    const place = this.#place();
    const start = this.#at;
    let at = start;
    for (;;) {
      const code = this.#text.charCodeAt(at);
      if (Number.isNaN(code) || endsWord(code)) break;
      at += code === BACKSLASH && !(this.#text.charCodeAt(at + 1) < SPACE) ? 2 : 1;
    }
    this.#at = Math.min(at, this.#text.length);
    const { line, column } = place;
    return { text: this.#text.slice(start, this.#at), quoted: false, line, column };
  }

  /** Null if the line ends before the closing quote; the place stays at the opening one. */
  #quoted(): ZoneToken | null {
    const { line, column } = this.#place();
    const start = this.#at + 1;
    for (let at = start; ; at++) {
      const code = this.#text.charCodeAt(at);
      if (Number.isNaN(code) || code === NEWLINE) return null;
      if (code === QUOTE) {
        this.#at = at + 1;
        return { text: this.#text.slice(start, at), quoted: true, line, column };
      }
      if (code === BACKSLASH && this.#text.charCodeAt(at + 1) !== NEWLINE) at++;
    }
  }
}
