/**
 * Rdata between presentation form, uncompressed wire form and the places of its domain names: one
 * table row per record type. A type without a row is opaque and written as RFC 3597 says. A new
 * type is a row here and, if need be, a kind of field in fields.ts.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { TYPE, typeName } from './codes.ts';
import {
  algorithm,
  base64,
  type Field,
  filledRemainder,
  hex,
  hexOctets,
  hexText,
  ipv4,
  ipv6,
  mailbox,
  name,
  parseField,
  type RdataError,
  remainder,
  salt,
  string,
  strings,
  tag,
  time,
  u8,
  u16,
  u32,
} from './fields.ts';
import { location } from './loc.ts';
import { lowerName, nameLength } from './name.ts';
import { serviceParameters } from './svcb.ts';
import type { Token } from './text.ts';

export type { RdataError } from './fields.ts';

export const RDATA_MAX = 65535;

interface Row {
  readonly code: number;
  readonly fields: readonly Field[];
  /** Its names may be compressed in a message: only types of RFC 1035 (RFC 3597 §4). */
  readonly compress?: true;
  /** Its names count with their case when rdata is compared (RFC 4034 §6.2, RFC 6840 §5.1). */
  readonly caseful?: true;
  /** What is wrong between fields that are good one by one; null: nothing. */
  readonly check?: (rdata: Uint8Array) => string | null;
}

/** Octets of a digest by its type (RFC 3658 §2.4, RFC 4509 §2.2, RFC 6605 §2). */
const DS_DIGESTS = new Map([
  [1, 20],
  [2, 32],
  [4, 48],
]);

/** Octets of a fingerprint by its type (RFC 4255 §3.1.2, RFC 6594 §4). */
const FINGERPRINTS = new Map([
  [1, 20],
  [2, 32],
]);

/** Holds a hash at the end to the length that its type, the octet before it, asks for. */
function hashLength(what: string, at: number, lengths: ReadonlyMap<number, number>) {
  return (rdata: Uint8Array): string | null => {
    const type = rdata[at - 1]!;
    const wanted = lengths.get(type);
    if (wanted === undefined || rdata.length - at === wanted) return null;
    return `${what} of type ${type} has ${wanted} octets, not ${rdata.length - at}`;
  };
}

const DS: Omit<Row, 'code'> = {
  fields: [u16('a key tag'), algorithm('an algorithm'), u8('a digest type'), hex('a digest')],
  check: hashLength('a digest', 4, DS_DIGESTS),
};

const DNSKEY = [
  u16('key flags'),
  u8('a protocol'),
  algorithm('an algorithm'),
  base64('a public key'),
];

const TLSA = [
  u8('a certificate usage'),
  u8('a selector'),
  u8('a matching type'),
  hex('certificate data'),
];

const TEXT = [strings('a text')];

const SERVICE: Omit<Row, 'code'> = {
  fields: [u16('a priority'), name('a target'), serviceParameters],
  caseful: true,
};

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
  { code: TYPE.TXT, fields: TEXT },
  {
    code: TYPE.RP,
    fields: [mailbox('a mailbox such as admin.example.com.'), name('a name with TXT records')],
  },
  { code: TYPE.AFSDB, fields: [u16('a subtype'), name('a server')] },
  { code: TYPE.AAAA, fields: [ipv6] },
  { code: TYPE.LOC, fields: [location] },
  {
    code: TYPE.SRV,
    fields: [u16('a priority'), u16('a weight'), u16('a port'), name('a target')],
  },
  {
    code: TYPE.NAPTR,
    fields: [
      u16('an order'),
      u16('a preference'),
      string('flags'),
      string('services'),
      string('a regular expression'),
      name('a replacement'),
    ],
  },
  { code: TYPE.DNAME, fields: [name('a target')] },
  { code: TYPE.DS, ...DS },
  {
    code: TYPE.SSHFP,
    fields: [u8('a key algorithm'), u8('a fingerprint type'), hex('a fingerprint')],
    check: hashLength('a fingerprint', 2, FINGERPRINTS),
  },
  { code: TYPE.DNSKEY, fields: DNSKEY },
  {
    code: TYPE.NSEC3PARAM,
    fields: [u8('a hash algorithm'), u8('flags'), u16('iterations'), salt('a salt')],
  },
  { code: TYPE.TLSA, fields: TLSA },
  { code: TYPE.SMIMEA, fields: TLSA },
  { code: TYPE.CDS, ...DS },
  { code: TYPE.CDNSKEY, fields: DNSKEY },
  { code: TYPE.OPENPGPKEY, fields: [base64('a public key')] },
  { code: TYPE.SVCB, ...SERVICE },
  { code: TYPE.HTTPS, ...SERVICE },
  { code: TYPE.SPF, fields: TEXT },
  {
    code: TYPE.URI,
    fields: [u16('a priority'), u16('a weight'), filledRemainder('a target')],
  },
  {
    code: TYPE.CAA,
    fields: [u8('CAA flags'), tag('a property tag such as issue'), remainder('a property value')],
  },
];

const BY_CODE = new Map(ROWS.map((row) => [row.code, row]));

/** Wire form of the words after the type in a zone file; relative names get `origin`. */
export function parseRdata(
  type: number,
  words: readonly Token[],
  origin: Uint8Array,
): Result<Uint8Array, RdataError> {
  if (words[0]?.text === '\\#' && !words[0].quoted) return parseGeneric(type, words);
  const row = BY_CODE.get(type);
  if (!row) {
    const message = `${typeName(type)} has no form of its own here: write \\# LENGTH HEX (RFC 3597)`;
    return err({ word: 0, message });
  }
  const parts: Uint8Array[] = [];
  let word = 0;
  for (const field of row.fields) {
    if (field.optional && word === words.length) break;
    const last = field.many || field.parseWords ? words.length : word + 1;
    do {
      const token = words[word];
      if (!token) return err({ word, message: `${field.what} is missing` });
      if (field.parseWords) {
        const part = field.parseWords(words.slice(word));
        if (!part.ok) return err({ ...part.error, word: word + part.error.word });
        parts.push(part.value);
        word = words.length;
      } else {
        const part = parseField(field, token, origin);
        if (!part.ok) return err({ word, message: part.error });
        parts.push(part.value);
        word++;
      }
    } while (word < last);
  }
  if (word < words.length) {
    const message = `"${words[word]!.text}" is too much: ${typeName(type)} ends before it`;
    return err({ word, message });
  }
  const rdata = concat(parts);
  if (rdata.length > RDATA_MAX) {
    return err({ word: 0, message: `rdata of more than ${RDATA_MAX} octets` });
  }
  const wrong = row.check?.(rdata) ?? null;
  return wrong === null ? ok(rdata) : err({ word: words.length - 1, message: wrong });
}

/** RFC 3597 §5: `\# LENGTH HEX…`, allowed for known types too if the octets fit them. */
function parseGeneric(type: number, words: readonly Token[]): Result<Uint8Array, RdataError> {
  const length = words[1]?.text ?? '';
  if (!/^[0-9]{1,5}$/.test(length) || Number(length) > RDATA_MAX) {
    return err({ word: 1, message: `write the length in octets (0–${RDATA_MAX}) after \\#` });
  }
  const text = words
    .slice(2)
    .map((token) => token.text)
    .join('');
  const rdata = hexOctets(text);
  if (!rdata) return err({ word: 2, message: 'write the octets as pairs of hexadecimal digits' });
  if (rdata.length !== Number(length)) {
    const message = `the length says ${length} octets, but ${rdata.length} follow`;
    return err({ word: 1, message });
  }
  if (validRdata(type, rdata)) return ok(rdata);
  return err({ word: 2, message: `these octets are not the rdata of ${typeName(type)}` });
}

/** Presentation form; RFC 3597's for an unknown type or octets that do not fit the type. */
export function printRdata(type: number, rdata: Uint8Array): string {
  const row = BY_CODE.get(type);
  const parts = row && splitRdata(row, rdata);
  if (parts) {
    const texts = parts.map(({ field, octets }) => field.print(octets));
    return texts.filter((text) => text !== '').join(' ');
  }
  const hexadecimal = hexText(rdata);
  return `\\# ${rdata.length}${hexadecimal === '' ? '' : ` ${hexadecimal}`}`;
}

/** True if the octets are rdata of the type, names uncompressed; always for an unknown type. */
export function validRdata(type: number, rdata: Uint8Array): boolean {
  const row = BY_CODE.get(type);
  return rdata.length <= RDATA_MAX && (!row || splitRdata(row, rdata) !== null);
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

/**
 * A copy for comparing (RFC 4034 §6.2): names in lower case, but for types of which RFC 6840 §5.1 and
 * later ones keep the case; the same if it holds none.
 */
export function canonicalRdata(type: number, rdata: Uint8Array): Uint8Array {
  const row = BY_CODE.get(type);
  const copy = rdata.slice();
  if (!row || row.caseful || !fieldsWithNames(type)) return copy;
  for (const { field, octets } of splitRdata(row, copy) ?? []) {
    if (field.takes === 'name') lowerName(octets);
  }
  return copy;
}

interface Part {
  readonly field: Field;
  /** A view into the rdata. */
  readonly octets: Uint8Array;
}

function splitRdata({ fields, check }: Row, rdata: Uint8Array): Part[] | null {
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
  return at === rdata.length && !check?.(rdata) ? parts : null;
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
