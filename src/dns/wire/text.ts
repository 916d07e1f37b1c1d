/**
 * The small parts of the presentation format (RFC 1035 §5.1) that rdata and zone files share:
 * tokens, escapes, character strings and times with units. What is printed here parses back to the
 * same octets.
 */
import { err, ok, type Result } from '../../base/result.ts';

/** One word of a zone file; `text` keeps its escapes, but not the quotes around it. */
export interface Token {
  readonly text: string;
  readonly quoted: boolean;
}

const utf8 = new TextEncoder();
const BACKSLASH = 92;

/** RFC 1035 §5.1: the X of an escape `\X` is no digit. */
export const badEscape = (digit: string): string =>
  `the escape \\${digit} lacks digits: write three, e.g. \\065`;

/** Octets of a text with `\X` and `\DDD` escapes; characters outside ASCII become UTF-8. */
export function unescapeText(text: string): Result<Uint8Array, string> {
  const octets = utf8.encode(text);
  let at = octets.indexOf(BACKSLASH);
  if (at < 0) return ok(octets);
  // What is written is never longer than what was read: it goes into the same memory.
  let end = at;
  for (; at < octets.length; at++) {
    if (octets[at] === BACKSLASH) {
      at++;
      if (at === octets.length) return err('a lone backslash at the end');
      if (isDigit(octets[at]!)) {
        const digits = String.fromCharCode(...octets.subarray(at, at + 3));
        if (!/^[0-9]{3}$/.test(digits)) return err(badEscape(digits[0]!));
        if (Number(digits) > 255) return err(`the escape \\${digits} is above \\255`);
        octets[end++] = Number(digits);
        at += 2;
        continue;
      }
    }
    octets[end++] = octets[at]!;
  }
  return ok(octets.slice(0, end));
}

const isDigit = (octet: number): boolean => octet >= 48 && octet <= 57;

/** Octets as a quoted string. */
export function quoteText(octets: Uint8Array): string {
  let text = '"';
  for (const octet of octets) {
    if (octet < 32 || octet >= 127) text += `\\${String(octet).padStart(3, '0')}`;
    else if (octet === 34 || octet === 92) text += `\\${String.fromCharCode(octet)}`;
    else text += String.fromCharCode(octet);
  }
  return `${text}"`;
}

export const UNIT_S: Readonly<Record<string, number>> = {
  w: 604800,
  d: 86400,
  h: 3600,
  m: 60,
  s: 1,
};

/** Seconds of "3600", "1h" or "1d2h30m"; null if it is none of these or above `max_s`. */
export function parseSeconds(text: string, max_s: number): number | null {
  let total_s = 0;
  if (/^[0-9]+$/.test(text)) {
    total_s = Number(text);
  } else {
    if (!/^([0-9]+[wdhms])+$/i.test(text)) return null;
    for (const [, count, unit] of text.toLowerCase().matchAll(/([0-9]+)([wdhms])/g)) {
      total_s += Number(count) * UNIT_S[unit!]!;
    }
  }
  return total_s <= max_s ? total_s : null;
}
