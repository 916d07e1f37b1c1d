/**
 * Domain names between their wire form (RFC 1035 §3.1: length-prefixed labels, root label last) and
 * their presentation form (§5.1: dots, `\.` and `\DDD` escapes). In memory a name is its
 * uncompressed wire form; comparison ignores ASCII case (RFC 4343), so stored names are lower-cased.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { badEscape } from './text.ts';

export const NAME_MAX = 255;
export const LABEL_MAX = 63;

const DOT = 46;
const ZERO = 48;
const NINE = 57;
const BACKSLASH = 92;
const NOTHING = new Uint8Array(0);
const ROOT = new Uint8Array(1);

/** Lower-cases ASCII letters in place. Safe on wire form: label lengths are below 'A'. */
export function lowerName(name: Uint8Array): Uint8Array {
  for (let i = 0; i < name.length; i++) {
    const octet = name[i]!;
    if (octet >= 65 && octet <= 90) name[i] = octet + 32;
  }
  return name;
}

/**
 * Parses presentation form. A name without a trailing dot is relative and gets `origin` (wire form)
 * appended; without an `origin` it counts as absolute. "@" is the origin. Case is kept.
 */
export function parseName(text: string, origin?: Uint8Array): Result<Uint8Array, string> {
  if (text === '@' && origin) return ok(origin.slice());
  if (text === '.') return ok(new Uint8Array(1));
  if (text === '') return err('an empty name');
  const out = [0];
  /** Where the length octet of the current label is. */
  let labelAt = 0;
  for (let i = 0; i < text.length; i++) {
    let octet = text.charCodeAt(i);
    if (octet === DOT) {
      out[labelAt] = out.length - labelAt - 1;
      if (out[labelAt] === 0) return err(`an empty label in "${text}"`);
      labelAt = out.length;
      out.push(0);
      continue;
    }
    if (octet === BACKSLASH && /^[0-9]{3}/.test(text.slice(i + 1, i + 4))) {
      octet = Number(text.slice(i + 1, i + 4));
      if (octet > 255) return err(`the escape \\${octet} is above \\255`);
      i += 3;
    } else {
      if (octet === BACKSLASH) {
        octet = text.charCodeAt(++i);
        if (octet >= ZERO && octet <= NINE) return err(badEscape(text[i]!));
      }
      if (Number.isNaN(octet)) return err(`a lone backslash at the end of "${text}"`);
      if (octet > 127) return err(`"${text}" has a character outside ASCII: write it as punycode`);
    }
    out.push(octet);
    if (out.length - labelAt > 1 + LABEL_MAX) {
      return err(`a label of more than 63 octets in "${text}"`);
    }
  }
  // After a dot at the end the last label is the root, and the name complete.
  const absolute = out.length === labelAt + 1;
  if (!absolute) out[labelAt] = out.length - labelAt - 1;
  const tail = absolute ? NOTHING : (origin ?? ROOT);
  if (out.length + tail.length > NAME_MAX) return err(`"${text}" is longer than 255 octets`);
  const name = new Uint8Array(out.length + tail.length);
  name.set(out);
  name.set(tail, out.length);
  return ok(name);
}

/** Wire form of a name that is known to be good, lower-cased; throws on a programmer's mistake. */
export function wireName(text: string): Uint8Array {
  const name = parseName(text === '' ? '.' : text);
  if (!name.ok) throw new Error(name.error);
  return lowerName(name.value);
}

/** Presentation form with a trailing dot, escaped so that parsing it gives the same octets. */
export function formatName(name: Uint8Array, offset = 0): string {
  if (name[offset] === 0) return '.';
  let text = '';
  let at = offset;
  for (;;) {
    const length = name[at];
    if (length === undefined || length === 0) return text;
    for (let i = at + 1; i <= at + length; i++) {
      const octet = name[i] ?? 0;
      const char = String.fromCharCode(octet);
      if (octet <= 32 || octet >= 127) text += `\\${String(octet).padStart(3, '0')}`;
      else text += '."\\;@$()'.includes(char) ? `\\${char}` : char;
    }
    text += '.';
    at += length + 1;
  }
}

/** Octets of the uncompressed name at `offset`, root label included; 0 if it is malformed. */
export function nameLength(bytes: Uint8Array, offset: number, end = bytes.length): number {
  let at = offset;
  for (;;) {
    const length = at < end ? bytes[at]! : 255;
    if (length > LABEL_MAX) return 0;
    at += length + 1;
    if (at > end || at - offset > NAME_MAX) return 0;
    if (length === 0) return at - offset;
  }
}

/** True if `name` is `ancestor` or lies below it; both uncompressed and lower-cased. */
export function isWithin(name: Uint8Array, ancestor: Uint8Array): boolean {
  let at = 0;
  while (name.length - at > ancestor.length) at += name[at]! + 1;
  if (name.length - at !== ancestor.length) return false;
  for (let i = 0; i < ancestor.length; i++) if (name[at + i] !== ancestor[i]) return false;
  return true;
}

/** A lower-cased name as a key of maps: one character for each octet. */
export function nameKey(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}

/** The offset after a name that may end in a compression pointer, wherever that leads; or -1. */
export function skipName(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const label = bytes[at]!;
    if (label === 0) return at + 1;
    if (label >= 0xc0) return at + 2;
    if (label > LABEL_MAX) return -1;
    at += label + 1;
  }
  return -1;
}
