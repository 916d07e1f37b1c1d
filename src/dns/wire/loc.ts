/**
 * The field of the LOC record (RFC 1876): a place on Earth, its altitude, its size and how exactly it
 * is known. Everything is fixed-point: thousandths of a second of arc, and centimetres.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { Reader, Writer } from '../../net/cursor.ts';
import { type Field, type RdataError, wordsField } from './fields.ts';
import type { Token } from './text.ts';

const OCTETS = 16;
/** Of latitude and longitude: the equator, the prime meridian. */
const ORIGIN = 2 ** 31;
const DEGREE = 3_600_000;
/** Altitude counts from 100,000 m below the reference spheroid. */
const BASE_CM = 10_000_000;
const ALTITUDE_MAX_CM = 2 ** 32 - 1 - BASE_CM;
/** The largest length that four bits of mantissa and four of exponent hold: 9 × 10⁹ cm. */
const LENGTH_MAX_CM = 9_000_000_000;
/** §3: what a size and the two precisions are when they are left out. */
const DEFAULTS_CM = [100, 1_000_000, 1_000];
const LENGTHS = ['a size', 'a horizontal precision', 'a vertical precision'];

const ANGLE = /^([0-9]{1,3})(?:\.([0-9]{1,3}))?$/;
const METRES = /^(-?)([0-9]{1,8})(?:\.([0-9]{1,2}))?m?$/i;

class Words {
  readonly #words: readonly Token[];
  at = 0;

  constructor(words: readonly Token[]) {
    this.#words = words;
  }

  get text(): string | undefined {
    return this.#words[this.at]?.text;
  }

  fail(what: string): Result<never, RdataError> {
    const { text } = this;
    const message = text === undefined ? `${what} is missing` : `"${text}" is not ${what}`;
    return err({ word: this.at, message });
  }
}

const LATITUDE = 'a latitude such as 52 22 23.000 N';
const LONGITUDE = 'a longitude such as 4 53 32.000 W';

/** Degrees, and at will minutes and seconds, then one of two letters. */
function angle(
  words: Words,
  what: string,
  most: number,
  letters: string,
): Result<number, RdataError> {
  const limits = [most, 59, 59];
  let value = 0;
  let parts = 0;
  for (; words.text !== undefined && parts < 3; parts++) {
    const match = ANGLE.exec(words.text);
    if (!match) break;
    // Only seconds have a fraction.
    if (Number(match[1]) > limits[parts]! || (match[2] && parts < 2)) {
      return words.fail(`${['degrees', 'minutes', 'seconds'][parts]} of ${what}`);
    }
    const unit = DEGREE / 60 ** parts;
    value += Number(match[1]) * unit + Number((match[2] ?? '').padEnd(3, '0'));
    words.at++;
  }
  const letter = letters.indexOf(words.text?.toUpperCase() ?? ' ');
  if (parts === 0 || letter < 0 || words.text?.length !== 1) {
    return words.fail(what);
  }
  if (value > most * DEGREE) return words.fail(`${what}: ${most} degrees at most`);
  words.at++;
  return ok(ORIGIN + (letter === 0 ? value : -value));
}

/** Centimetres of "10", "-2.5m" or "1000000.00m". */
function centimetres(text: string): number | null {
  const match = METRES.exec(text);
  if (!match) return null;
  const value = Number(match[2]) * 100 + Number((match[3] ?? '').padEnd(2, '0'));
  return match[1] ? -value : value;
}

/** §2: four bits of mantissa, four of exponent of ten; smaller digits are dropped. */
function packLength(cm: number): number {
  let exponent = 0;
  let mantissa = cm;
  for (; mantissa >= 10; exponent++) mantissa = Math.floor(mantissa / 10);
  return (mantissa << 4) | exponent;
}

function unpackLength(octet: number): number {
  return (octet >> 4) * 10 ** (octet & 15);
}

function parseWords(list: readonly Token[]): Result<Uint8Array, RdataError> {
  const words = new Words(list);
  const latitude = angle(words, LATITUDE, 90, 'NS');
  if (!latitude.ok) return latitude;
  const longitude = angle(words, LONGITUDE, 180, 'EW');
  if (!longitude.ok) return longitude;
  const altitude_cm = centimetres(words.text ?? '');
  if (altitude_cm === null || altitude_cm < -BASE_CM || altitude_cm > ALTITUDE_MAX_CM) {
    return words.fail('an altitude in metres such as -2.50m');
  }
  const out = new Writer(new Uint8Array(OCTETS));
  out.u8(0);
  for (const [index, what] of LENGTHS.entries()) {
    words.at++;
    const cm = words.text === undefined ? DEFAULTS_CM[index]! : centimetres(words.text);
    if (cm === null || cm < 0 || cm > LENGTH_MAX_CM) {
      return words.fail(`${what} in metres (0–90000000)`);
    }
    out.u8(packLength(cm));
  }
  words.at++;
  if (words.text !== undefined) {
    return err({ word: words.at, message: `"${words.text}" is too much: LOC ends before it` });
  }
  out.u32(latitude.value);
  out.u32(longitude.value);
  out.u32(altitude_cm + BASE_CM);
  return ok(out.bytes);
}

function printAngle(value: number, letters: string): string {
  const size = Math.abs(value - ORIGIN);
  const degrees = Math.floor(size / DEGREE);
  const minutes = Math.floor(size / 60_000) % 60;
  const seconds = ((size % 60_000) / 1000).toFixed(3);
  return `${degrees} ${minutes} ${seconds} ${letters[value < ORIGIN ? 1 : 0]}`;
}

const printMetres = (cm: number): string => `${(cm / 100).toFixed(2)}m`;

function print(octets: Uint8Array): string {
  const reader = new Reader(octets, 1);
  const lengths = LENGTHS.map(() => printMetres(unpackLength(reader.u8())));
  const latitude = printAngle(reader.u32(), 'NS');
  const longitude = printAngle(reader.u32(), 'EW');
  return [latitude, longitude, printMetres(reader.u32() - BASE_CM), ...lengths].join(' ');
}

/** Version 0 (§2: what others mean is not known), digits that are digits, places on Earth. */
function valid(octets: Uint8Array): boolean {
  if (octets.length !== OCTETS) return false;
  const reader = new Reader(octets);
  if (reader.u8() !== 0) return false;
  for (let i = 0; i < LENGTHS.length; i++) {
    const octet = reader.u8();
    // A zero has exponent zero, so that its text has one wire form.
    if (octet >> 4 > 9 || (octet & 15) > 9 || (octet < 16 && octet !== 0)) return false;
  }
  return (
    Math.abs(reader.u32() - ORIGIN) <= 90 * DEGREE &&
    Math.abs(reader.u32() - ORIGIN) <= 180 * DEGREE
  );
}

export const location: Field = wordsField(LATITUDE, parseWords, print, valid);
