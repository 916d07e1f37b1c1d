/**
 * Rdata between presentation form, uncompressed wire form and the places of its domain names: one
 * table row per record type. A type without a row is opaque and written as RFC 3597 says. A new
 * type is a row here and, if need be, a kind of field in fields.ts.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { TYPE, typeName } from './codes.ts';
import {
  type Field,
  ipv4,
  ipv6,
  mailbox,
  name,
  parseField,
  remainder,
  string,
  strings,
  tag,
  time,
  u8,
  u16,
  u32,
} from './fields.ts';
import { lowerName, nameLength } from './name.ts';
import type { Token } from './text.ts';

export const RDATA_MAX = 65535;

interface Row {
  readonly code: number;
  readonly fields: readonly Field[];
  /** Its names may be compressed in a message: only types of RFC 1035 (RFC 3597 §4). */
  readonly compress?: true;
}

const ROWS: readonly Row[] = [
  { code: TYPE.A, fields: [ipv4] },
  { code: TYPE.NS, fields: [name('a name server')], compress: true },
  { code: TYPE.CNAME, fields: [name('a canonical name')], compress: true },
  {
    code: TYPE.SOA,
    fields: [
      name('the primary name server'),
      mailbox('a mailbox such as hostmaster.example.com.'),
      u32('a serial number'),
      time('the refresh time'),
      time('the retry time'),
      time('the expire time'),
      time('the negative TTL'),
    ],
    compress: true,
  },
  { code: TYPE.PTR, fields: [name('a domain name')], compress: true },
  { code: TYPE.HINFO, fields: [string('a CPU type'), string('an operating system')] },
  { code: TYPE.MX, fields: [u16('a preference'), name('a mail server')], compress: true },
  { code: TYPE.TXT, fields: [strings('a text')] },
  { code: TYPE.AAAA, fields: [ipv6] },
  {
    code: TYPE.SRV,
    fields: [u16('a priority'), u16('a weight'), u16('a port'), name('a target')],
  },
  { code: TYPE.DNAME, fields: [name('a target')] },
  {
    code: TYPE.CAA,
    fields: [u8('CAA flags'), tag('a property tag such as issue'), remainder('a property value')],
  },
];

const BY_CODE = new Map(ROWS.map((row) => [row.code, row]));

/** What is wrong with the rdata, and with which of its words (0 is the first). */
export interface RdataError {
  readonly word: number;
  readonly message: string;
}

/** Wire form of the words after the type in a zone file; relative names get `origin`. */
export function parseRdata(
  type: number,
  words: readonly Token[],
  origin: Uint8Array,
): Result<Uint8Array, RdataError> {
  if (words[0]?.text === '\\#' && !words[0].quoted) return parseGeneric(type, words);
  const fields = BY_CODE.get(type)?.fields;
  if (!fields) {
    const message = `${typeName(type)} has no form of its own here: write \\# LENGTH HEX (RFC 3597)`;
    return err({ word: 0, message });
  }
  const parts: Uint8Array[] = [];
  let word = 0;
  for (const field of fields) {
    const last = field.many ? words.length : word + 1;
    do {
      const token = words[word];
      if (!token) return err({ word, message: `${field.what} is missing` });
      const part = parseField(field, token, origin);
      if (!part.ok) return err({ word, message: part.error });
      parts.push(part.value);
      word++;
    } while (word < last);
  }
  if (word < words.length) {
    const message = `"${words[word]!.text}" is too much: ${typeName(type)} ends before it`;
    return err({ word, message });
  }
  const rdata = concat(parts);
  if (rdata.length <= RDATA_MAX) return ok(rdata);
  return err({ word: 0, message: `rdata of more than ${RDATA_MAX} octets` });
}

/** RFC 3597 §5: `\# LENGTH HEX…`, allowed for known types too if the octets fit them. */
function parseGeneric(type: number, words: readonly Token[]): Result<Uint8Array, RdataError> {
  const length = words[1]?.text ?? '';
  if (!/^[0-9]{1,5}$/.test(length) || Number(length) > RDATA_MAX) {
    return err({ word: 1, message: `write the length in octets (0–${RDATA_MAX}) after \\#` });
  }
  const hex = words
    .slice(2)
    .map((token) => token.text)
    .join('');
  if (!/^([0-9a-f]{2})*$/i.test(hex)) {
    return err({ word: 2, message: 'write the octets as pairs of hexadecimal digits' });
  }
  if (hex.length !== Number(length) * 2) {
    const message = `the length says ${length} octets, but ${hex.length / 2} follow`;
    return err({ word: 1, message });
  }
  const rdata = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  if (validRdata(type, rdata)) return ok(rdata);
  return err({ word: 2, message: `these octets are not the rdata of ${typeName(type)}` });
}

/** Presentation form; RFC 3597's for an unknown type or octets that do not fit the type. */
export function printRdata(type: number, rdata: Uint8Array): string {
  const fields = BY_CODE.get(type)?.fields;
  const parts = fields && splitRdata(fields, rdata);
  if (parts) return parts.map(({ field, octets }) => field.print(octets)).join(' ');
  const hex = Array.from(rdata, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return `\\# ${rdata.length}${hex === '' ? '' : ` ${hex}`}`;
}

/** True if the octets are rdata of the type, names uncompressed; always for an unknown type. */
export function validRdata(type: number, rdata: Uint8Array): boolean {
  const fields = BY_CODE.get(type)?.fields;
  return rdata.length <= RDATA_MAX && (!fields || splitRdata(fields, rdata) !== null);
}

/** The fields of a type that holds domain names, in order; null for a type that holds none. */
export function fieldsWithNames(type: number): readonly Field[] | null {
  const fields = BY_CODE.get(type)?.fields;
  return fields?.some((field) => field.takes === 'name') ? fields : null;
}

/** `count` names, one after the other, the first at `offset` octets into the rdata. */
export interface NamePlace {
  readonly offset: number;
  readonly count: number;
}

/** Where rdata holds names that a server may compress (RFC 3597 §4); null: nowhere. */
export function rdataNames(type: number): NamePlace | null {
  return BY_CODE.get(type)?.compress ? namePlace(type) : null;
}

/**
 * Where rdata holds names at all, e.g. the target of SRV, which must not be compressed; null also
 * for a type whose names have no fixed place.
 */
export function namePlace(type: number): NamePlace | null {
  const fields = BY_CODE.get(type)?.fields ?? [];
  let offset = 0;
  for (const [index, field] of fields.entries()) {
    if (field.takes === 'name') {
      const next = fields.findIndex((other, at) => at > index && other.takes !== 'name');
      return { offset, count: (next < 0 ? fields.length : next) - index };
    }
    if (typeof field.takes !== 'number') return null;
    offset += field.takes;
  }
  return null;
}

/** A copy with names in lower case, for comparing (RFC 4034 §6.2); the same if it holds none. */
export function canonicalRdata(type: number, rdata: Uint8Array): Uint8Array {
  const fields = fieldsWithNames(type);
  const copy = rdata.slice();
  for (const { field, octets } of (fields && splitRdata(fields, copy)) ?? []) {
    if (field.takes === 'name') lowerName(octets);
  }
  return copy;
}

interface Part {
  readonly field: Field;
  /** A view into the rdata. */
  readonly octets: Uint8Array;
}

function splitRdata(fields: readonly Field[], rdata: Uint8Array): Part[] | null {
  const parts: Part[] = [];
  let at = 0;
  for (const field of fields) {
    do {
      const length = fieldLength(field, rdata, at);
      if (length < 0 || at + length > rdata.length) return null;
      const octets = rdata.subarray(at, at + length);
      if (field.valid && !field.valid(octets)) return null;
      parts.push({ field, octets });
      at += length;
    } while (field.many && at < rdata.length);
  }
  return at === rdata.length ? parts : null;
}

/** Octets of the field that begins at `at`; -1 if it is malformed. */
function fieldLength(field: Field, rdata: Uint8Array, at: number): number {
  if (typeof field.takes === 'number') return field.takes;
  if (field.takes === 'rest') return rdata.length - at;
  if (field.takes === 'name') return nameLength(rdata, at) || -1;
  return at < rdata.length ? 1 + rdata[at]! : -1;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
