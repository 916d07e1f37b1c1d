/**
 * The fast way through the lines that most of a large zone file is made of: an owner or a blank,
 * TTL and class, a common type, and rdata without escapes or parentheses, all in one line. Such
 * lines go from the text into the columns without an object between. Whatever else there is, and
 * every mistake, is left to the general way (lexer.ts, record.ts, dns/wire/rdata.ts), from the start
 * of its line. What is accepted here must be accepted there, and mean the same.
 */
import { TYPE } from '../../dns/wire/codes.ts';
import { UNIT_S } from '../../dns/wire/text.ts';
import type { ZoneColumns } from './columns.ts';
import {
  ENDS,
  isDigit,
  KIND,
  LOWER,
  NOT_SIMPLE,
  PART,
  skipBlanks,
  WORDS_ROOM,
  writeHost,
  writeIpv4,
  writeIpv6,
  writeName,
  writeStrings,
  writeU16,
} from './fast-words.ts';
import { NEWLINE, RETURN, SEMICOLON, type ZoneLexer } from './lexer.ts';
import { type ImpliedTtl, type Scope, TTL_MAX_S } from './scope.ts';

const DOLLAR = 36;

/** Seconds of the units of a TTL; 0 for what is none. */
const UNIT = new Uint32Array(256);
for (const [unit, seconds] of Object.entries(UNIT_S)) {
  UNIT[unit.charCodeAt(0)] = seconds;
  UNIT[unit.toUpperCase().charCodeAt(0)] = seconds;
}

/** A word of up to six letters as one number, whatever their case. */
const WORD_LETTERS_MAX = 6;
const addLetter = (key: number, code: number): number => (key << 5) | (code & 31);
const wordKey = (word: string): number =>
  Array.from(word).reduce((key, letter) => addLetter(key, letter.charCodeAt(0)), 0);
const isLetter = (code: number): boolean => (code | 32) >= 97 && (code | 32) <= 122;

const IN = wordKey('IN');
const TYPE_OF = new Map(
  (['A', 'NS', 'MX', 'PTR', 'TXT', 'SRV', 'AAAA', 'CNAME'] as const).map((name) => [
    wordKey(name),
    TYPE[name],
  ]),
);
const UNSTATED = -1;

/** Methods that read get an offset and return the one behind what they read, or NOT_SIMPLE. */
export class FastLines {
  readonly #text: Uint8Array;
  readonly #columns: ZoneColumns;
  readonly #ttl: ImpliedTtl;
  /** Behind the last newline: so every line here has an end, and no loop needs to look for more. */
  readonly #end: number;
  #origin: Uint8Array = new Uint8Array(0);
  #owner = -1;
  #fileIndex = 0;
  #line = 0;
  /** What #head() found. */
  #type = 0;
  #ttl_s = 0;

  constructor(text: Uint8Array, columns: ZoneColumns, ttl: ImpliedTtl) {
    this.#text = text;
    this.#columns = columns;
    this.#ttl = ttl;
    this.#end = text.lastIndexOf(NEWLINE) + 1;
  }

  /** Reads lines from where the lexer is up to one that is not simple; the lexer goes on there. */
  read(scope: Scope, lexer: ZoneLexer): void {
    const columns = this.#columns;
    this.#origin = scope.origin;
    this.#owner = typeof scope.owner === 'number' ? scope.owner : -1;
    this.#fileIndex = scope.fileIndex;
    this.#line = lexer.line;
    let at = lexer.at;
    while (at < this.#end && columns.hasRoom(WORDS_ROOM)) {
      columns.keep();
      const next = this.#entry(at);
      if (next === NOT_SIMPLE) {
        columns.takeBack();
        break;
      }
      at = next;
      this.#line++;
    }
    if (this.#owner >= 0) scope.owner = this.#owner;
    if (at !== lexer.at) lexer.skipTo(at, this.#line);
  }

  #entry(start: number): number {
    const first = this.#text[start]!;
    if (KIND[first] === ENDS) {
      const at = skipBlanks(this.#text, start);
      const code = this.#text[at]!;
      if (code === NEWLINE || code === SEMICOLON) return this.#lineEnd(at);
      if (code === DOLLAR || first === RETURN || this.#owner < 0) return NOT_SIMPLE;
      return this.#record(at, this.#owner, at - start + 1);
    }
    if (first === DOLLAR) return NOT_SIMPLE;
    const ownerStart = this.#columns.end;
    const at = writeName(this.#text, start, this.#columns, this.#origin, LOWER);
    return at < 0 ? at : this.#record(at, this.#columns.ownerFrom(ownerStart), 1);
  }

  /** What stands behind the owner. */
  #record(start: number, owner: number, column: number): number {
    const columns = this.#columns;
    const rdataStart = columns.end;
    let at = this.#head(start);
    if (at >= 0) at = this.#rdata(at);
    if (at >= 0) at = this.#lineEnd(at);
    if (at < 0) return NOT_SIMPLE;
    const stated = this.#ttl_s !== UNSTATED;
    const ttl_s = stated ? this.#ttl_s : (this.#ttl.default_s ?? this.#ttl.last_s);
    if (ttl_s === null) return NOT_SIMPLE;
    if (stated) this.#ttl.last_s = ttl_s;
    this.#owner = owner;
    columns.push(owner, this.#type, ttl_s, rdataStart, this.#fileIndex, this.#line, column);
    return at;
  }

  /** Past blanks and a comment to the next line. */
  #lineEnd(start: number): number {
    let at = skipBlanks(this.#text, start);
    if (this.#text[at] === SEMICOLON) while (this.#text[at] !== NEWLINE) at++;
    return this.#text[at] === NEWLINE ? at + 1 : NOT_SIMPLE;
  }

  /** TTL and class in either order, then the type; past the blanks behind it. */
  #head(start: number): number {
    const text = this.#text;
    this.#ttl_s = UNSTATED;
    let classSeen = false;
    let at = skipBlanks(text, start);
    for (;;) {
      if (isDigit(text[at]!)) {
        if (this.#ttl_s !== UNSTATED) return NOT_SIMPLE;
        at = this.#statedTtl(at);
        if (at < 0) return NOT_SIMPLE;
      } else {
        const stop = at + WORD_LETTERS_MAX;
        let key = 0;
        for (; at < stop && isLetter(text[at]!); at++) key = addLetter(key, text[at]!);
        if (KIND[text[at]!] !== ENDS) return NOT_SIMPLE;
        const type = TYPE_OF.get(key);
        if (type !== undefined) {
          this.#type = type;
          return skipBlanks(text, at);
        }
        if (key !== IN || classSeen) return NOT_SIMPLE;
        classSeen = true;
      }
      at = skipBlanks(text, at);
    }
  }

  /** Seconds, or numbers with units. */
  #statedTtl(start: number): number {
    const text = this.#text;
    let total_s = 0;
    let count = 0;
    let digits = 0;
    let at = start;
    for (; KIND[text[at]!] === PART; at++) {
      const code = text[at]!;
      if (isDigit(code)) {
        count = count * 10 + code - 48;
        digits++;
        if (count > TTL_MAX_S) return NOT_SIMPLE;
      } else {
        if (digits === 0 || UNIT[code] === 0) return NOT_SIMPLE;
        total_s += count * UNIT[code]!;
        count = 0;
        digits = 0;
      }
    }
    const unitsSeen = at - start > digits;
    if (KIND[text[at]!] !== ENDS || (unitsSeen && digits > 0)) return NOT_SIMPLE;
    this.#ttl_s = total_s + count;
    return this.#ttl_s <= TTL_MAX_S ? at : NOT_SIMPLE;
  }

  #rdata(start: number): number {
    const text = this.#text;
    const columns = this.#columns;
    switch (this.#type) {
      case TYPE.A:
        return writeIpv4(text, start, columns);
      case TYPE.AAAA:
        return writeIpv6(text, start, columns);
      case TYPE.TXT:
        return writeStrings(text, start, columns);
      case TYPE.MX:
        return this.#numbersAndHost(start, 1);
      case TYPE.SRV:
        return this.#numbersAndHost(start, 3);
      default:
        return writeHost(text, start, columns, this.#origin);
    }
  }

  #numbersAndHost(start: number, numbers: number): number {
    let at = start;
    for (let i = 0; i < numbers && at >= 0; i++) {
      at = writeU16(this.#text, at, this.#columns);
      if (at >= 0) at = skipBlanks(this.#text, at);
    }
    return at < 0 ? at : writeHost(this.#text, at, this.#columns, this.#origin);
  }
}
