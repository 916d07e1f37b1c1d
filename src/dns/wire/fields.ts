/**
 * The kinds of field that rdata is made of. A record type is a list of fields; reading a zone file,
 * printing, checking and finding the domain names all follow from that list, so that they cannot
 * drift apart.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { formatAddress, parseAddress } from '../../net/ip.ts';
import { formatName, parseName } from './name.ts';
import { parseSeconds, quoteText, type Token, unescapeText } from './text.ts';

/** What is wrong with the rdata, and with which of its words (0 is the first). */
export interface RdataError {
  readonly word: number;
  readonly message: string;
}

export interface Field {
  /** Octets in wire form, or how they delimit themselves; "rest" is all that is left. */
  readonly takes: number | 'name' | 'string' | 'rest';
  /** The field comes once or more, up to the end of the rdata. */
  readonly many: boolean;
  /** The last field, of which nothing may be written. */
  readonly optional?: true;
  /** May be written in quotes. */
  readonly quotable: boolean;
  /** What belongs here, for errors: "a preference (0–65535)". */
  readonly what: string;
  /** Wire form; a relative name gets `origin`. */
  readonly parse: (text: string, origin: Uint8Array) => Result<Uint8Array, string>;
  /** Of the last field: takes all words that are left instead of `parse`. */
  readonly parseWords?: (words: readonly Token[]) => Result<Uint8Array, RdataError>;
  /** Presentation form of exactly this field's octets. */
  readonly print: (octets: Uint8Array) => string;
  /** Left out: any octets of the right length are good. */
  readonly valid?: (octets: Uint8Array) => boolean;
}

function number(octets: 1 | 2 | 4, what: string): Field {
  const max = 2 ** (octets * 8) - 1;
  return {
    takes: octets,
    many: false,
    quotable: false,
    what: `${what} (0–${max})`,
    parse: (text) =>
      /^[0-9]{1,10}$/.test(text) && Number(text) <= max
        ? ok(bigEndian(Number(text), octets))
        : err(`"${text}" is not ${what} (0–${max})`),
    print: (bytes) => String(readBigEndian(bytes)),
  };
}

function bigEndian(value: number, octets: number): Uint8Array {
  const out = new Uint8Array(octets);
  for (let i = octets - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) out[i] = rest;
  return out;
}

function readBigEndian(bytes: Uint8Array): number {
  return bytes.reduce((value, octet) => value * 256 + octet, 0);
}

export const u8 = (what: string): Field => number(1, what);
export const u16 = (what: string): Field => number(2, what);
export const u32 = (what: string): Field => number(4, what);

/** Numbers of the DNSSEC algorithms (RFC 8624 §3.1), which may be written by name (RFC 4034 §2.2). */
const ALGORITHMS = new Map([
  ['RSAMD5', 1],
  ['DH', 2],
  ['DSA', 3],
  ['RSASHA1', 5],
  ['DSA-NSEC3-SHA1', 6],
  ['RSASHA1-NSEC3-SHA1', 7],
  ['RSASHA256', 8],
  ['RSASHA512', 10],
  ['ECC-GOST', 12],
  ['ECDSAP256SHA256', 13],
  ['ECDSAP384SHA384', 14],
  ['ED25519', 15],
  ['ED448', 16],
  ['INDIRECT', 252],
  ['PRIVATEDNS', 253],
  ['PRIVATEOID', 254],
]);

/** A number, as it is printed, or its name. */
export function algorithm(what: string): Field {
  const field = u8(what);
  return {
    ...field,
    parse: (text, origin) => {
      const known = ALGORITHMS.get(text.toUpperCase());
      return known === undefined ? field.parse(text, origin) : ok(Uint8Array.of(known));
    },
  };
}

/** A time of the SOA record: seconds, or with units ("1h30m"). */
export function time(what: string): Field {
  return {
    ...number(4, what),
    what: `${what} (seconds, or e.g. 1h30m)`,
    parse: (text) => {
      const value = parseSeconds(text, 0xffffffff);
      return value === null
        ? err(`"${text}" is not ${what}: write seconds or e.g. 1h30m`)
        : ok(bigEndian(value, 4));
    },
  };
}

function address(octets: 4 | 16, what: string): Field {
  return {
    takes: octets,
    many: false,
    quotable: false,
    what,
    parse: (text) => {
      const parsed = parseAddress(text);
      return parsed?.length === octets ? ok(parsed) : err(`"${text}" is not ${what}`);
    },
    print: formatAddress,
  };
}

export const ipv4 = address(4, 'an IPv4 address such as 192.0.2.1');
export const ipv6 = address(16, 'an IPv6 address such as 2001:db8::1');

const DOTTED_QUAD = /^[0-9]+(\.[0-9]+){3}$/;

export const name = (what: string): Field => ({
  takes: 'name',
  many: false,
  quotable: false,
  what,
  parse: (text, origin) =>
    DOTTED_QUAD.test(text)
      ? err(`"${text}" is an address: write a domain name`)
      : parseName(text, origin),
  print: formatName,
});

/** A mail address as a name: its "@" is written as a dot (RFC 1035 §8). */
export const mailbox = (what: string): Field => ({
  ...name(what),
  parse: (text, origin) =>
    /[^\\]@./.test(text)
      ? err(`"${text}" is not ${what}: write "." for "@"`)
      : parseName(text, origin),
});

export const STRING_MAX = 255;

function oneString(text: string): Result<Uint8Array, string> {
  const octets = unescapeText(text);
  if (!octets.ok) return octets;
  if (octets.value.length > STRING_MAX) {
    return err(`a string of ${octets.value.length} octets: at most ${STRING_MAX} are allowed`);
  }
  return ok(Uint8Array.of(octets.value.length, ...octets.value));
}

export const string = (what: string): Field => ({
  takes: 'string',
  many: false,
  quotable: true,
  what,
  parse: oneString,
  print: (octets) => quoteText(octets.subarray(1)),
});

/**
 * One or more strings. A longer one is split at 255 octets (RFC 7208 §3.3: readers join them
 * without a space), since nobody wants to cut a DKIM key by hand.
 */
export const strings = (what: string): Field => ({
  ...string(what),
  many: true,
  parse: (text) => {
    const octets = unescapeText(text);
    if (!octets.ok) return octets;
    const { length } = octets.value;
    const out = new Uint8Array(length + Math.max(1, Math.ceil(length / STRING_MAX)));
    for (let at = 0, to = 0; to < out.length; at += STRING_MAX) {
      const part = octets.value.subarray(at, at + STRING_MAX);
      out[to] = part.length;
      out.set(part, to + 1);
      to += 1 + part.length;
    }
    return ok(out);
  },
});

const TAG = /^[a-z0-9]{1,255}$/i;

/** The property tag of CAA (RFC 8659 §4.1): letters and digits, printed without quotes. */
export const tag = (what: string): Field => ({
  ...string(what),
  quotable: false,
  parse: (text) =>
    TAG.test(text) ? oneString(text) : err(`"${text}" is not ${what}: only letters and digits`),
  print: (octets) => String.fromCharCode(...octets.subarray(1)),
  valid: (octets) => TAG.test(String.fromCharCode(...octets.subarray(1))),
});

/** All that is left of the rdata as one string, without a length octet. */
export const remainder = (what: string): Field => ({
  takes: 'rest',
  many: false,
  quotable: true,
  what,
  parse: unescapeText,
  print: quoteText,
});

/** The rest as one string of at least one octet. */
export const filledRemainder = (what: string): Field => ({
  ...remainder(what),
  parse: (text) => (text === '' ? err(`${what} is empty`) : unescapeText(text)),
  valid: (octets) => octets.length > 0,
});

/** A last field whose words, however many, are read by `parseWords`. */
export function wordsField(
  what: string,
  parseWords: NonNullable<Field['parseWords']>,
  print: Field['print'],
  valid: NonNullable<Field['valid']>,
): Field {
  return {
    takes: 'rest',
    many: false,
    quotable: false,
    what,
    parse: (text) => {
      const parsed = parseWords([{ text, quoted: false }]);
      return parsed.ok ? parsed : err(parsed.error.message);
    },
    parseWords,
    print,
    valid,
  };
}

/** Octets in a code of letters and digits, which may be cut into words anywhere. */
function encoded(
  what: string,
  code: string,
  decode: (text: string) => Uint8Array | null,
  print: Field['print'],
): Field {
  const parseWords = (words: readonly Token[]): Result<Uint8Array, RdataError> => {
    const quoted = words.findIndex((word) => word.quoted);
    if (quoted >= 0) return err({ word: quoted, message: `write ${what} without quotes` });
    const text = words.map((word) => word.text).join('');
    const octets = decode(text);
    if (octets) return ok(octets);
    const shown = text.length > 20 ? `${text.slice(0, 20)}…` : text;
    return err({ word: 0, message: `"${shown}" is not ${what}: write it in ${code}` });
  };
  return wordsField(what, parseWords, print, (octets) => octets.length > 0);
}

export function hexOctets(text: string): Uint8Array | null {
  return /^([0-9a-f]{2})*$/i.test(text) ? new Uint8Array(Buffer.from(text, 'hex')) : null;
}

export function hexText(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

/** Null unless the text is canonical base64 with its padding (RFC 4648 §3.5 and §4). */
export function base64Octets(text: string): Uint8Array | null {
  const octets = Buffer.from(text, 'base64');
  return octets.toString('base64') === text ? new Uint8Array(octets) : null;
}

export function base64Text(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64');
}

export const hex = (what: string): Field =>
  encoded(what, 'pairs of hexadecimal digits', hexOctets, (octets) =>
    hexText(octets).toUpperCase(),
  );

export const base64 = (what: string): Field => encoded(what, 'base64', base64Octets, base64Text);

/** The salt of NSEC3PARAM behind its length (RFC 5155 §4.3): hexadecimal, or "-" for none. */
export const salt = (what: string): Field => ({
  ...string(what),
  quotable: false,
  parse: (text) => {
    const octets = text === '-' ? new Uint8Array(0) : text === '' ? null : hexOctets(text);
    return octets && octets.length <= STRING_MAX
      ? ok(Uint8Array.of(octets.length, ...octets))
      : err(`"${text}" is not ${what}: write pairs of hexadecimal digits, or - for none`);
  },
  print: (octets) => (octets.length > 1 ? hexText(octets.subarray(1)).toUpperCase() : '-'),
});

/** Wire form of one word for `field`, or what is wrong with it. */
export function parseField(
  field: Field,
  token: Token,
  origin: Uint8Array,
): Result<Uint8Array, string> {
  if (token.quoted && !field.quotable) return err(`write ${field.what} without quotes`);
  return field.parse(token.text, origin);
}
