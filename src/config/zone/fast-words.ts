/**
 * Words of simple lines (fast.ts), written from the text into the columns as names, addresses,
 * numbers and strings, without an object between. Each function gets the offset of a word, for
 * which there is room in the columns, and returns the one behind it, or NOT_SIMPLE for whatever is
 * wrong or needs the general way; then what was written has no meaning. The text ends in a newline,
 * which no word goes beyond.
 */
import { STRING_MAX } from '../../dns/wire/fields.ts';
import { LABEL_MAX, NAME_MAX } from '../../dns/wire/name.ts';
import { RDATA_MAX } from '../../dns/wire/rdata.ts';
import type { ZoneColumns } from './columns.ts';
import { BACKSLASH, CLOSE, NEWLINE, OPEN, QUOTE, RETURN, SEMICOLON, SPACE, TAB } from './lexer.ts';

export const NOT_SIMPLE = -1;
/** Room that is enough for an owner, and numbers, an address or a name in the rdata. */
export const WORDS_ROOM = 4 * NAME_MAX;

const DOT = 46;
const COLON = 58;
const AT = 64;

/** What an octet is inside a word: octets outside ASCII are part of text, but not of names. */
export const PART = 0;
const WIDE = 1;
export const ENDS = 2;
const GENERAL = 3;
export const KIND = new Uint8Array(256).fill(WIDE, 128);
for (const code of [SPACE, TAB, RETURN, NEWLINE, SEMICOLON]) KIND[code] = ENDS;
for (const code of [QUOTE, OPEN, CLOSE, BACKSLASH]) KIND[code] = GENERAL;

/** What becomes of each octet of a name. */
export const SAME = Uint8Array.from({ length: 256 }, (_, code) => code);
export const LOWER = SAME.map((code) => (code >= 65 && code <= 90 ? code + 32 : code));

/** The value of a hexadecimal digit; 16 for what is none. */
const HEX = new Uint8Array(256).fill(16);
for (let value = 0; value < 16; value++) {
  HEX[value.toString(16).charCodeAt(0)] = value;
  HEX[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

export const isDigit = (code: number): boolean => code >= 48 && code <= 57;

export function skipBlanks(text: Uint8Array, start: number): number {
  let at = start;
  for (; ; at++) {
    const code = text[at]!;
    if (code !== SPACE && code !== TAB && code !== RETURN) return at;
  }
}

/** A domain name; a relative one gets `origin`. */
export function writeName(
  text: Uint8Array,
  start: number,
  columns: ZoneColumns,
  origin: Uint8Array,
  fold: Uint8Array,
): number {
  const alone = KIND[text[start + 1]!] === ENDS;
  if (text[start] === AT && alone) return writeOrigin(start + 1, columns, origin, columns.end);
  const out = columns.bytes;
  const first = columns.end;
  let labelAt = first;
  let end = first + 1;
  let at = start;
  if (text[start] === DOT && alone) at++;
  for (; KIND[text[at]!] === PART; at++) {
    const code = text[at]!;
    if (code === DOT) {
      const length = end - labelAt - 1;
      if (length === 0 || length > LABEL_MAX) return NOT_SIMPLE;
      out[labelAt] = length;
      labelAt = end++;
    } else {
      out[end++] = fold[code]!;
    }
    if (end - first > NAME_MAX) return NOT_SIMPLE;
  }
  if (KIND[text[at]!] !== ENDS || at === start) return NOT_SIMPLE;
  const length = end - labelAt - 1;
  if (length > LABEL_MAX) return NOT_SIMPLE;
  out[labelAt] = length;
  if (length > 0) return writeOrigin(at, columns, origin, end);
  // After a dot at the end the last label is the root, and the name complete.
  columns.end = end;
  return at;
}

/** Ends the name that stands up to `end`. */
function writeOrigin(
  at: number,
  columns: ZoneColumns,
  origin: Uint8Array,
  nameEnd: number,
): number {
  const out = columns.bytes;
  const first = columns.end;
  let end = nameEnd;
  for (let i = 0; i < origin.length; i++) out[end++] = origin[i]!;
  columns.end = end;
  return end - first <= NAME_MAX ? at : NOT_SIMPLE;
}

/** A name in rdata. One of nothing but digits and dots may be an address, which is a mistake. */
export function writeHost(
  text: Uint8Array,
  start: number,
  columns: ZoneColumns,
  origin: Uint8Array,
): number {
  let at = start;
  while (isDigit(text[at]!) || text[at] === DOT) at++;
  const numeric = at > start && isDigit(text[at - 1]!) && KIND[text[at]!] === ENDS;
  return numeric ? NOT_SIMPLE : writeName(text, start, columns, origin, SAME);
}

/** A number of 16 bits. */
export function writeU16(text: Uint8Array, start: number, columns: ZoneColumns): number {
  let at = start;
  let value = 0;
  for (; isDigit(text[at]!); at++) {
    value = value * 10 + text[at]! - 48;
    if (value > 0xffff || at - start >= 10) return NOT_SIMPLE;
  }
  if (at === start || KIND[text[at]!] !== ENDS) return NOT_SIMPLE;
  columns.bytes[columns.end++] = value >> 8;
  columns.bytes[columns.end++] = value;
  return at;
}

/** Four numbers without leading zeros, which some readers take as octal. */
export function writeIpv4(text: Uint8Array, start: number, columns: ZoneColumns): number {
  let at = start;
  for (let i = 0; ; i++) {
    if (!isDigit(text[at]!)) return NOT_SIMPLE;
    let octet = text[at++]! - 48;
    while (isDigit(text[at]!)) {
      if (octet === 0) return NOT_SIMPLE;
      octet = octet * 10 + text[at++]! - 48;
      if (octet > 255) return NOT_SIMPLE;
    }
    columns.bytes[columns.end++] = octet;
    if (i === 3) return KIND[text[at]!] === ENDS ? at : NOT_SIMPLE;
    if (text[at++] !== DOT) return NOT_SIMPLE;
  }
}

/** Eight groups, or fewer around one "::" that stands for at least one (RFC 4291 §2.2). */
export function writeIpv6(text: Uint8Array, start: number, columns: ZoneColumns): number {
  const out = columns.bytes;
  const first = columns.end;
  const last = first + 16;
  let at = start;
  let end = first;
  let gap = -1;
  if (text[at] === COLON) {
    if (text[at + 1] !== COLON) return NOT_SIMPLE;
    gap = end;
    at += 2;
  }
  while (gap !== end || KIND[text[at]!] !== ENDS) {
    const groupStart = at;
    let group = 0;
    for (; HEX[text[at]!]! < 16; at++) group = (group << 4) | HEX[text[at]!]!;
    if (at === groupStart || at - groupStart > 4 || end === last) return NOT_SIMPLE;
    out[end++] = group >> 8;
    out[end++] = group;
    if (text[at] !== COLON) break;
    at++;
    if (text[at] === COLON) {
      if (gap >= 0) return NOT_SIMPLE;
      gap = end;
      at++;
    }
  }
  if (KIND[text[at]!] !== ENDS || gap < 0 !== (end === last)) return NOT_SIMPLE;
  if (gap >= 0) {
    const behind = end - gap;
    out.copyWithin(last - behind, gap, end);
    out.fill(0, gap, last - behind);
  }
  columns.end = last;
  return at;
}

/** One or more strings, quoted or not, up to the end of the record; long ones are split. */
export function writeStrings(text: Uint8Array, start: number, columns: ZoneColumns): number {
  const rdataStart = columns.end;
  let at = start;
  do {
    at = text[at] === QUOTE ? writeQuoted(text, at, columns) : writeBare(text, at, columns);
    if (at < 0 || columns.end - rdataStart > RDATA_MAX) return NOT_SIMPLE;
    at = skipBlanks(text, at);
  } while (KIND[text[at]!] !== ENDS);
  return at;
}

function writeQuoted(text: Uint8Array, open: number, columns: ZoneColumns): number {
  let close = open + 1;
  for (; text[close] !== QUOTE; close++) {
    if (text[close] === NEWLINE || text[close] === BACKSLASH) return NOT_SIMPLE;
  }
  const fits = KIND[text[close + 1]!] === ENDS && writeString(text, open + 1, close, columns);
  return fits ? close + 1 : NOT_SIMPLE;
}

function writeBare(text: Uint8Array, start: number, columns: ZoneColumns): number {
  let at = start;
  while (KIND[text[at]!]! <= WIDE) at++;
  const fits = at > start && KIND[text[at]!] === ENDS && writeString(text, start, at, columns);
  return fits ? at : NOT_SIMPLE;
}

/** Makes room, too, which may move the columns; false if there is none. */
function writeString(text: Uint8Array, start: number, end: number, columns: ZoneColumns): boolean {
  if (end - start > RDATA_MAX) return false;
  let at = start;
  do {
    const length = Math.min(end - at, STRING_MAX);
    if (!columns.hasRoom(length + 1)) return false;
    const out = columns.bytes;
    let to = columns.end;
    out[to++] = length;
    for (const stop = at + length; at < stop; at++) out[to++] = text[at]!;
    columns.end = to;
  } while (at < end);
  return true;
}
