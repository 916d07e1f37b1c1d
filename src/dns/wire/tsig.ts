/**
 * The TSIG record (RFC 8945 §4.2): finding it at the end of a message, writing it, and the octets
 * that its MAC is made over (§4.3). It computes no MAC and judges nothing: keys and times are
 * src/dns/transfer/signing.ts. Reading takes any octets and never throws.
 */
import { Reader, Writer } from '../../net/cursor.ts';
import { CLASS, TYPE } from './codes.ts';
import { readName } from './compress.ts';
import { lowerName, skipName } from './name.ts';

const HEADER = 12;
/** Time signed, fudge, MAC size, original id, error, other length: what every rdata has. */
const FIXED_OCTETS = 16;

export interface Tsig {
  /** The key's name and the algorithm's, lower-cased wire form. */
  readonly key: Uint8Array;
  readonly algorithm: Uint8Array;
  /** Seconds since 1970, 48 bits. */
  readonly signed_s: number;
  /** Seconds by which the clocks may differ. */
  readonly fudge_s: number;
  readonly mac: Uint8Array;
  readonly originalId: number;
  /** An RCODE or one of TSIG_ERROR. */
  readonly error: number;
  readonly other: Uint8Array;
}

/** RFC 8945 §3 and §4.2. */
export const TSIG_ERROR = { BADSIG: 16, BADKEY: 17, BADTIME: 18 } as const;

export const SIGNED = {
  NO: 0,
  /** TSIG is the last record of the additional section. */
  YES: 1,
  /** TSIG is elsewhere, or there is more than one: FORMERR (RFC 8945 §5.1). */
  MISPLACED: 2,
} as const;

/**
 * Whether a message is signed, without allocating: `out.at` gets the offset of the TSIG record. A
 * message that is malformed before one is found counts as not signed; ordinary parsing refuses it.
 */
export function findTsig(packet: Uint8Array, length: number, out: { at: number }): number {
  if (length < HEADER) return SIGNED.NO;
  let at = HEADER;
  for (let left = u16(packet, 4); left > 0; left--) {
    at = skipName(packet, at, length);
    if (at < 0 || at + 4 > length) return SIGNED.NO;
    at += 4;
  }
  for (let left = u16(packet, 6) + u16(packet, 8) + u16(packet, 10); left > 0; left--) {
    const start = at;
    at = skipName(packet, at, length);
    if (at < 0 || at + 10 > length) return SIGNED.NO;
    const type = u16(packet, at);
    at += 10 + u16(packet, at + 8);
    if (at > length) return SIGNED.NO;
    if (type !== TYPE.TSIG) continue;
    if (left > 1 || u16(packet, 10) === 0) return SIGNED.MISPLACED;
    out.at = start;
    return SIGNED.YES;
  }
  return SIGNED.NO;
}

function u16(packet: Uint8Array, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!;
}

/** The TSIG record at `at`, which `findTsig` gave; null if it is malformed. */
export function readTsig(packet: Uint8Array, at: number): Tsig | null {
  const reader = new Reader(packet, at);
  const key = lowerName(readName(reader));
  reader.skip(2);
  const klass = reader.u16();
  const ttl_s = reader.u32();
  const length = reader.u16();
  if (length !== reader.left) return null;
  const algorithm = lowerName(readName(reader));
  const signed_s = reader.u16() * 2 ** 32 + reader.u32();
  const fudge_s = reader.u16();
  const mac = new Uint8Array(reader.take(reader.u16()));
  const originalId = reader.u16();
  const error = reader.u16();
  const other = new Uint8Array(reader.take(reader.u16()));
  if (reader.failed || reader.left > 0 || klass !== CLASS.ANY || ttl_s !== 0) return null;
  return { key, algorithm, signed_s, fudge_s, mac, originalId, error, other };
}

/** The message as it was before it was signed: without the record at `at`, with its own id. */
export function unsigned(packet: Uint8Array, at: number, originalId: number): Uint8Array {
  // Not `slice`: a Buffer's gives a view.
  const message = new Uint8Array(packet.subarray(0, at));
  const additional = u16(message, 10) - 1;
  message[0] = originalId >>> 8;
  message[1] = originalId;
  message[10] = additional >>> 8;
  message[11] = additional;
  return message;
}

/** Octets that `withTsig` adds to a message. */
export function tsigOctets(tsig: Tsig): number {
  const { key, algorithm, mac, other } = tsig;
  return key.length + 10 + algorithm.length + FIXED_OCTETS + mac.length + other.length;
}

/** `message` with the record as its last; names are not compressed (RFC 8945 §4.2). */
export function withTsig(message: Uint8Array, tsig: Tsig): Uint8Array {
  const out = new Writer(new Uint8Array(message.length + tsigOctets(tsig)));
  out.put(message);
  out.patch16(10, u16(message, 10) + 1);
  out.put(tsig.key);
  out.u16(TYPE.TSIG);
  out.u16(CLASS.ANY);
  out.u32(0);
  out.u16(tsig.algorithm.length + FIXED_OCTETS + tsig.mac.length + tsig.other.length);
  out.put(tsig.algorithm);
  writeTime(out, tsig);
  out.u16(tsig.mac.length);
  out.put(tsig.mac);
  out.u16(tsig.originalId);
  out.u16(tsig.error);
  out.u16(tsig.other.length);
  out.put(tsig.other);
  return out.bytes;
}

function writeTime(out: Writer, { signed_s, fudge_s }: Tsig): void {
  out.u16(Math.floor(signed_s / 2 ** 32));
  out.u32(signed_s % 2 ** 32);
  out.u16(fudge_s);
}

/** RFC 8945 §4.3.3: the variables of the record that the MAC covers. */
export function tsigVariables(tsig: Tsig): Uint8Array {
  const { key, algorithm, other } = tsig;
  const out = new Writer(new Uint8Array(key.length + 6 + algorithm.length + 12 + other.length));
  out.put(key);
  out.u16(CLASS.ANY);
  out.u32(0);
  out.put(algorithm);
  writeTime(out, tsig);
  out.u16(tsig.error);
  out.u16(other.length);
  out.put(other);
  return out.bytes;
}

/** RFC 8945 §5.3.1: what is covered instead in every message of a transfer after the first. */
export function tsigTimers(tsig: Tsig): Uint8Array {
  const out = new Writer(new Uint8Array(8));
  writeTime(out, tsig);
  return out.bytes;
}
