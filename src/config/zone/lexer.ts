/**
 * Cuts the octets of a zone file into entries (RFC 1035 §5.1): one directive or record each, with
 * comments, parentheses and quotes resolved, and the place of each word kept. An entry that cannot
 * be cut is handed out with its problem, and reading goes on behind it. The octets are UTF-8, whose
 * characters outside ASCII contain no octet that has a meaning here.
 */
import { Buffer } from 'node:buffer';
import type { Token } from '../../dns/wire/text.ts';

/** Line and column count from 1; columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ZoneToken extends Token, Place {
  /** Nothing lies between it and the word before, as in alpn="h2,h3", which is two words here. */
  readonly joined: boolean;
}

export interface Entry {
  /** The line begins with a blank: the owner is left out. */
  readonly blank: boolean;
  readonly tokens: readonly ZoneToken[];
  /** Why the entry could not be read to its end. */
  readonly problem: (Place & { readonly message: string }) | null;
}

export const TAB = 9;
export const NEWLINE = 10;
export const RETURN = 13;
export const SPACE = 32;
export const QUOTE = 34;
export const OPEN = 40;
export const CLOSE = 41;
export const SEMICOLON = 59;
export const BACKSLASH = 92;
/** Stands for the octet behind the last one. */
const END = -1;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Of the words of one entry. The longest rdata, each octet written as an escape, takes half of it;
 * what is longer must not become strings in memory.
 */
export const ENTRY_OCTETS_MAX = 512 * 1024;

const UNCLOSED_QUOTE = 'a quote that is not closed on its line: add the closing " (or write \\")';
const TOO_LONG = `a record of more than ${ENTRY_OCTETS_MAX} octets: rdata has at most 65535`;

/** Ends a word: white space, or a character with a meaning of its own. */
function endsWord(code: number): boolean {
  return code <= SPACE
    ? code === SPACE || code === TAB || code === NEWLINE || code === RETURN
    : code === SEMICOLON || code === OPEN || code === CLOSE || code === QUOTE;
}

function endsLine(code: number): boolean {
  return code === NEWLINE || code === RETURN || code === END;
}

interface OpenParenthesis extends Place {
  readonly at: number;
}

export class ZoneLexer {
  readonly #text: Buffer;
  #at: number;
  #line = 1;
  /** UTF-16 units of the line before #countedAt: places are asked for from left to right. */
  #counted = 0;
  #countedAt: number;

  constructor(text: Uint8Array) {
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.length);
    this.#at = BYTE_ORDER_MARK.every((octet, i) => text[i] === octet) ? 3 : 0;
    this.#countedAt = this.#at;
  }

  /** Between two entries: offset of the line that is read next. */
  get at(): number {
    return this.#at;
  }

  get line(): number {
    return this.#line;
  }

  /** Goes on at another line, which begins at offset `at`. */
  skipTo(at: number, line: number): void {
    this.#at = at;
    this.#line = line;
    this.#counted = 0;
    this.#countedAt = at;
  }

  /** The next entry that is not empty; null at the end of the text. */
  next(): Entry | null {
    while (this.#at < this.#text.length) {
      const entry = this.#entry();
      if (entry.problem || entry.tokens.length > 0) return entry;
    }
    return null;
  }

  #code(at: number): number {
    return at < this.#text.length ? this.#text[at]! : END;
  }

  #entry(): Entry {
    const first = this.#code(this.#at);
    const blank = first === SPACE || first === TAB;
    const tokens: ZoneToken[] = [];
    let tokenEnd = END;
    let octets = 0;
    let open: OpenParenthesis | null = null;
    for (;;) {
      const code = this.#code(this.#at);
      if (code === NEWLINE || code === END) {
        if (!open) {
          this.#newline();
          return { blank, tokens, problem: null };
        }
        if (code === END) return this.#unclosed(blank, tokens, open, 'the end of the file');
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
        const quoted = code === QUOTE;
        const end = quoted ? this.#quotedEnd() : this.#wordEnd();
        octets += end - this.#at;
        if (end < 0 || octets > ENTRY_OCTETS_MAX) {
          const place = this.#place();
          if (open) this.#toNextOwner();
          return this.#broken(blank, tokens, place, end < 0 ? UNCLOSED_QUOTE : TOO_LONG);
        }
        tokens.push(this.#token(end, quoted, this.#at === tokenEnd));
        tokenEnd = end;
      }
    }
  }

  /** In UTF-8 all octets but 10xxxxxx begin a character; from 1111xxxx on it takes two units. */
  #place(): Place {
    for (; this.#countedAt < this.#at; this.#countedAt++) {
      const octet = this.#text[this.#countedAt]!;
      if ((octet & 0xc0) !== 0x80) this.#counted += octet >= 0xf0 ? 2 : 1;
    }
    return { line: this.#line, column: this.#counted + 1 };
  }

  #newline(): void {
    this.skipTo(this.#at + 1, this.#line + 1);
  }

  #toLineEnd(): void {
    const end = this.#text.indexOf(NEWLINE, this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  /** Skips lines up to one that begins with an owner: what an unclosed entry most likely spans. */
  #toNextOwner(): void {
    while (this.#at < this.#text.length) {
      this.#toLineEnd();
      if (!endsWord(this.#code(this.#at + 1))) return;
      this.#newline();
    }
  }

  #unclosed(
    blank: boolean,
    tokens: readonly ZoneToken[],
    open: OpenParenthesis,
    before: string,
  ): Entry {
    this.skipTo(open.at, open.line);
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

  #wordEnd(): number {
    let at = this.#at;
    for (;;) {
      const code = this.#code(at);
      if (code === END || endsWord(code)) return Math.min(at, this.#text.length);
      at += code === BACKSLASH && !endsLine(this.#code(at + 1)) ? 2 : 1;
    }
  }

  /** Behind the closing quote; -1 if the line ends before it. */
  #quotedEnd(): number {
    for (let at = this.#at + 1; ; at++) {
      const code = this.#code(at);
      if (code === END || code === NEWLINE) return -1;
      if (code === QUOTE) return at + 1;
      if (code === BACKSLASH && this.#code(at + 1) !== NEWLINE) at++;
    }
  }

  /** The word from here to `end`, and goes on behind it. */
  #token(end: number, quoted: boolean, joined: boolean): ZoneToken {
    const { line, column } = this.#place();
    const quotes = quoted ? 1 : 0;
    const text = this.#text.toString('utf8', this.#at + quotes, end - quotes);
    this.#at = end;
    return { text, quoted, joined, line, column };
  }
}
