/**
 * The parameters of SVCB and HTTPS records (RFC 9460 §2): on the wire strictly ascending keys, in
 * text `key=value` in any order. One table row per key; a key without a row is opaque and written as
 * keyNNNNN.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { Reader, Writer } from '../../net/cursor.ts';
import { formatAddress, parseAddress } from '../../net/ip.ts';
import { base64Octets, base64Text, type Field, type RdataError, wordsField } from './fields.ts';
import { quoteText, type Token, unescapeText } from './text.ts';

/** §14.3.2. Key 65535 is reserved as invalid. */
const KEY_MAX = 65534;
const MANDATORY = 0;
const NO_DEFAULT_ALPN = 2;
const ALPN = 1;
const VALUE_MAX = 65535;
const ITEM_MAX = 255;

interface Row {
  readonly key: number;
  readonly name: string;
  /** From the octets between the quotes, escapes resolved; an error says what they are not. */
  readonly parse: (value: Uint8Array) => Result<Uint8Array, string>;
  /** The text behind "=". */
  readonly print: (octets: Uint8Array) => string;
  readonly valid: (octets: Uint8Array) => boolean;
}

const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');
const COMMA = 44;
const BACKSLASH = 92;

/** Appendix A.1: items between commas; `\,` and `\\` stand for these two octets inside an item. */
function splitList(value: Uint8Array): number[][] {
  const items: number[][] = [[]];
  for (let i = 0; i < value.length; i++) {
    const next = value[i + 1];
    if (value[i] === COMMA) items.push([]);
    else if (value[i] === BACKSLASH && (next === COMMA || next === BACKSLASH)) {
      items.at(-1)!.push(value[++i]!);
    } else items.at(-1)!.push(value[i]!);
  }
  return items;
}

/** §7.1.1: protocol names, each behind its length. */
function parseAlpn(value: Uint8Array): Result<Uint8Array, string> {
  const items = splitList(value);
  if (items.some((item) => item.length === 0 || item.length > ITEM_MAX)) {
    return err('a list of protocols (1–255 octets each) such as h2,h3');
  }
  return ok(Uint8Array.from(items.flatMap((item) => [item.length, ...item])));
}

function alpnItems(octets: Uint8Array): Uint8Array[] | null {
  const reader = new Reader(octets);
  const items: Uint8Array[] = [];
  while (reader.left > 0) items.push(reader.take(reader.u8()));
  return reader.failed || items.length === 0 || items.some((item) => item.length === 0)
    ? null
    : items;
}

function printAlpn(octets: Uint8Array): string {
  const list: number[] = [];
  for (const [index, item] of (alpnItems(octets) ?? []).entries()) {
    if (index > 0) list.push(COMMA);
    for (const octet of item) {
      if (octet === COMMA || octet === BACKSLASH) list.push(BACKSLASH);
      list.push(octet);
    }
  }
  return quoteText(Uint8Array.from(list));
}

/** A list of items that need no escapes, all of one size on the wire. */
function fixedList(
  size: number,
  what: string,
  parseItem: (text: string) => Uint8Array | null,
  printItem: (octets: Uint8Array) => string,
): Omit<Row, 'key' | 'name'> {
  const items = (octets: Uint8Array): Uint8Array[] =>
    Array.from({ length: octets.length / size }, (_, i) =>
      octets.subarray(i * size, (i + 1) * size),
    );
  return {
    parse: (value) => {
      const parsed = latin1(value).split(',').map(parseItem);
      const good = parsed.filter((item) => item !== null);
      return good.length === parsed.length
        ? ok(Uint8Array.from(good.flatMap((item) => [...item])))
        : err(what);
    },
    print: (octets) => items(octets).map(printItem).join(','),
    valid: (octets) => octets.length > 0 && octets.length % size === 0,
  };
}

function address(octets: 4 | 16, what: string): Omit<Row, 'key' | 'name'> {
  const parseItem = (text: string): Uint8Array | null => {
    const parsed = parseAddress(text);
    return parsed?.length === octets ? parsed : null;
  };
  return fixedList(octets, what, parseItem, formatAddress);
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value);
const readU16 = (octets: Uint8Array): number => (octets[0]! << 8) | octets[1]!;

function parsePort(text: string): Uint8Array | null {
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535 ? u16(Number(text)) : null;
}

const keys = fixedList(
  2,
  'a list of keys such as alpn,port',
  (text) => {
    const key = keyNumber(text);
    return key === null ? null : u16(key);
  },
  (octets) => keyName(readU16(octets)),
);

/** §8: ascending on the wire, and so without a key twice; "mandatory" itself is always known. */
const mandatory: Omit<Row, 'key' | 'name'> = {
  ...keys,
  parse: (value) => {
    const list = keys.parse(value);
    if (!list.ok) return list;
    const sorted = keyList(list.value).sort((a, b) => a - b);
    return ok(Uint8Array.from(sorted.flatMap((key) => [...u16(key)])));
  },
  valid: (octets) => keys.valid(octets) && ascending(keyList(octets), MANDATORY),
};

function keyList(octets: Uint8Array): number[] {
  return Array.from({ length: octets.length >> 1 }, (_, i) => readU16(octets.subarray(i * 2)));
}

function ascending(list: readonly number[], above: number): boolean {
  return list.every((key, i) => key > (i === 0 ? above : list[i - 1]!) && key <= KEY_MAX);
}

const port = fixedList(2, 'a port (0–65535)', parsePort, (octets) => String(readU16(octets)));

const opaque: Omit<Row, 'key' | 'name'> = {
  parse: ok,
  print: quoteText,
  valid: () => true,
};

const empty: Omit<Row, 'key' | 'name'> = {
  parse: (value) => (value.length === 0 ? ok(value) : err('without a value')),
  print: () => '',
  valid: (octets) => octets.length === 0,
};

/** RFC 9461 §5: a relative URI template with the variable "dns". */
const DNS_TEMPLATE = /^\/.*\{[^}]*\bdns\b[^}]*\}/su;

function validPath(octets: Uint8Array): boolean {
  try {
    return DNS_TEMPLATE.test(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch {
    return false;
  }
}

const ROWS: readonly Row[] = [
  { key: MANDATORY, name: 'mandatory', ...mandatory },
  {
    key: ALPN,
    name: 'alpn',
    parse: parseAlpn,
    print: printAlpn,
    valid: (octets) => alpnItems(octets) !== null,
  },
  { key: NO_DEFAULT_ALPN, name: 'no-default-alpn', ...empty },
  { key: 3, name: 'port', ...port, valid: (octets) => octets.length === 2 },
  { key: 4, name: 'ipv4hint', ...address(4, 'a list of IPv4 addresses') },
  {
    key: 5,
    name: 'ech',
    parse: (value) => {
      const octets = base64Octets(latin1(value));
      return octets ? ok(octets) : err('base64');
    },
    print: base64Text,
    valid: (octets) => octets.length > 0,
  },
  { key: 6, name: 'ipv6hint', ...address(16, 'a list of IPv6 addresses') },
  { key: 7, name: 'dohpath', ...opaque, valid: validPath },
];

const BY_KEY = new Map(ROWS.map((row) => [row.key, row]));
const BY_NAME = new Map(ROWS.map((row) => [row.name, row]));

function keyName(key: number): string {
  return BY_KEY.get(key)?.name ?? `key${key}`;
}

function keyNumber(name: string): number | null {
  const known = BY_NAME.get(name);
  if (known) return known.key;
  const match = /^key(0|[1-9][0-9]{0,4})$/.exec(name);
  return match && Number(match[1]) <= KEY_MAX ? Number(match[1]) : null;
}

interface Parameter {
  readonly key: number;
  readonly value: Uint8Array;
  readonly word: number;
}

/** The octets behind "=", with or without quotes around them. */
function readValue(text: string): Result<Uint8Array, string> {
  const quoted = text.length > 1 && text.startsWith('"') && text.endsWith('"');
  return unescapeText(quoted ? text.slice(1, -1) : text);
}

/** `key` or `key=value`; of a key by number the value is what goes on the wire (§2.1). */
function parseParameter({ text, quoted }: Token, word: number): Result<Parameter, RdataError> {
  const fail = (message: string): Result<never, RdataError> => err({ word, message });
  if (quoted) return fail('write only the value behind "=" in quotes, not the key');
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const key = keyNumber(name);
  if (key === null) {
    return fail(`"${name}" is not a service parameter: write e.g. alpn, port or key65280`);
  }
  const raw = equals < 0 ? ok(new Uint8Array(0)) : readValue(text.slice(equals + 1));
  if (!raw.ok) return fail(raw.error);
  const row = BY_NAME.has(name) ? BY_KEY.get(key)! : opaque;
  const octets = row.parse(raw.value);
  if (!octets.ok) {
    if (equals < 0) return fail(`${name} needs a value: ${octets.error}`);
    return fail(`"${text.slice(equals + 1)}" is not good for ${name}: write it as ${octets.error}`);
  }
  if (octets.value.length > VALUE_MAX) return fail(`${name} has more than ${VALUE_MAX} octets`);
  if (!(BY_KEY.get(key)?.valid(octets.value) ?? true)) {
    return fail(equals < 0 ? `${name} needs a value` : `this value is not good for ${name}`);
  }
  return ok({ key, value: octets.value, word });
}

function parseWords(words: readonly Token[]): Result<Uint8Array, RdataError> {
  const parameters: Parameter[] = [];
  for (const [word, token] of words.entries()) {
    const parameter = parseParameter(token, word);
    if (!parameter.ok) return parameter;
    const { key } = parameter.value;
    if (parameters.some((other) => other.key === key)) {
      return err({ word, message: `${keyName(key)} a second time: write each key once` });
    }
    parameters.push(parameter.value);
  }
  const wrong = checkTogether(parameters);
  if (wrong) return err(wrong);
  parameters.sort((a, b) => a.key - b.key);
  const octets = parameters.reduce((sum, { value }) => sum + 4 + value.length, 0);
  const out = new Writer(new Uint8Array(octets));
  for (const { key, value } of parameters) {
    out.u16(key);
    out.u16(value.length);
    out.put(value);
  }
  return ok(out.bytes);
}

/** What parameters ask of each other (§7.1.1 and §8). */
function checkTogether(parameters: readonly Parameter[]): RdataError | null {
  const find = (key: number): Parameter | undefined => parameters.find((one) => one.key === key);
  const required = find(MANDATORY);
  for (const key of required ? keyList(required.value) : []) {
    if (find(key)) continue;
    const message = `mandatory names ${keyName(key)}, which is not there: add it, or leave it out`;
    return { word: required!.word, message };
  }
  const alone = find(NO_DEFAULT_ALPN);
  if (!alone || find(ALPN)) return null;
  return { word: alone.word, message: 'no-default-alpn needs alpn beside it' };
}

/** The parameters of wire form; null if they are malformed or not in order. */
function readParameters(octets: Uint8Array): Parameter[] | null {
  const reader = new Reader(octets);
  const parameters: Parameter[] = [];
  while (reader.left > 0) {
    const key = reader.u16();
    parameters.push({ key, value: reader.take(reader.u16()), word: 0 });
  }
  const inOrder = ascending(
    parameters.map(({ key }) => key),
    -1,
  );
  return reader.failed || !inOrder ? null : parameters;
}

function valid(octets: Uint8Array): boolean {
  const parameters = readParameters(octets);
  return (
    parameters?.every(({ key, value }) => BY_KEY.get(key)?.valid(value) ?? true) === true &&
    checkTogether(parameters) === null
  );
}

function print(octets: Uint8Array): string {
  const texts = (readParameters(octets) ?? []).map(({ key, value }) => {
    const text = (BY_KEY.get(key) ?? opaque).print(value);
    return value.length === 0 ? keyName(key) : `${keyName(key)}=${text}`;
  });
  return texts.join(' ');
}

export const serviceParameters: Field = {
  ...wordsField('a service parameter such as alpn=h2', parseWords, print, valid),
  optional: true,
};
