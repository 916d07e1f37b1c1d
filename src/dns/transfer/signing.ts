/**
 * Signed messages (TSIG, RFC 8945): a request is verified against the keys that we know, and what
 * is sent back is signed with the key and the MAC of the request. Requests of ours (NOTIFY) are
 * signed and their answers verified in the same way. Nothing here throws whatever a packet holds.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { TsigKey } from '../../model/config.ts';
import { RCODE } from '../wire/codes.ts';
import { nameKey, wireName } from '../wire/name.ts';
import {
  findTsig,
  readTsig,
  SIGNED,
  TSIG_ERROR,
  type Tsig,
  tsigTimers,
  tsigVariables,
  unsigned,
  withTsig,
} from '../wire/tsig.ts';

/** A key that can sign: the model's, with its secret instead of the file that holds it. */
export interface TsigSecret extends Pick<TsigKey, 'name' | 'algorithm'> {
  readonly secret: Uint8Array;
}

/** RFC 8945 §10: recommended. */
const FUDGE_S = 300;
const NOTHING = new Uint8Array(0);

const HASHES: Readonly<Record<TsigKey['algorithm'], { hash: string; octets: number }>> = {
  'hmac-sha256': { hash: 'sha256', octets: 32 },
  'hmac-sha384': { hash: 'sha384', octets: 48 },
  'hmac-sha512': { hash: 'sha512', octets: 64 },
};

interface Key {
  readonly text: string;
  readonly name: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly hash: string;
  readonly octets: number;
  readonly secret: Uint8Array;
}

function mac(key: Key, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac(key.hash, key.secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function withLength(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 + bytes.length);
  out[0] = bytes.length >>> 8;
  out[1] = bytes.length;
  out.set(bytes, 2);
  return out;
}

/**
 * Signs the messages that follow one signed message (§5.3): each covers the MAC before it, so none
 * can be left out or put elsewhere. `error` and `other` are only for an answer that is BADTIME.
 */
export class Signer {
  readonly #key: Key;
  #before: Uint8Array;
  #first = true;

  constructor(key: Key, before: Uint8Array) {
    this.#key = key;
    this.#before = before;
  }

  /** Octets that signing adds to a message. */
  get octets(): number {
    const { name, algorithm, octets } = this.#key;
    return name.length + 26 + algorithm.length + octets;
  }

  /** The MAC of the last message that was signed. */
  get mac(): Uint8Array {
    return this.#before;
  }

  /** `now_s`: seconds since 1970. */
  sign(message: Uint8Array, now_s: number, error = 0, other = NOTHING): Uint8Array {
    const key = this.#key;
    const bare: Tsig = {
      key: key.name,
      algorithm: key.algorithm,
      signed_s: now_s,
      fudge_s: FUDGE_S,
      mac: NOTHING,
      originalId: (message[0]! << 8) | message[1]!,
      error,
      other,
    };
    const before = this.#before.length > 0 ? withLength(this.#before) : NOTHING;
    const covered = this.#first ? tsigVariables(bare) : tsigTimers(bare);
    this.#before = mac(key, before, message, covered);
    this.#first = false;
    return withTsig(message, { ...bare, mac: this.#before });
  }
}

/** What a request's signature is worth. */
export type Verdict =
  | { readonly kind: 'unsigned' }
  /** `message` is the request without its signature; `signer` signs what is answered. */
  | {
      readonly kind: 'good';
      readonly key: string;
      readonly message: Uint8Array;
      readonly signer: Signer;
    }
  /** Not to be obeyed: `answer` is the whole response; null: send nothing. */
  | { readonly kind: 'bad'; readonly answer: Uint8Array | null };

export class Keyring {
  /** By nameKey(). */
  readonly #keys = new Map<string, Key>();
  readonly #found = { at: 0 };

  constructor(secrets: readonly TsigSecret[]) {
    for (const { name: text, algorithm: title, secret } of secrets) {
      const name = wireName(text);
      const algorithm = wireName(title);
      this.#keys.set(nameKey(name), { text, name, algorithm, secret, ...HASHES[title] });
    }
  }

  /**
   * RFC 8945 §5.2, in its order: the record, the key, the MAC, the time. To anyone who forges them it
   * costs us about as much as a few ordinary answers, and the answer is never larger than the packet.
   */
  verify(packet: Uint8Array, now_s: number): Verdict {
    const found = this.#found;
    const signed = findTsig(packet, packet.length, found);
    if (signed === SIGNED.NO) return { kind: 'unsigned' };
    // An answer to an answer could go back and forth without end.
    if (packet[2]! & 0x80) return { kind: 'bad', answer: null };
    const tsig = signed === SIGNED.YES ? readTsig(packet, found.at) : null;
    if (!tsig) return { kind: 'bad', answer: rejection(packet, RCODE.FORMERR) };
    const key = this.#keys.get(nameKey(tsig.key));
    if (!key || !isOf(key, tsig)) {
      return { kind: 'bad', answer: unsignedError(packet, tsig, TSIG_ERROR.BADKEY, now_s) };
    }
    if (!permittedLength(key, tsig)) {
      return { kind: 'bad', answer: rejection(packet, RCODE.FORMERR) };
    }
    const message = unsigned(packet, found.at, tsig.originalId);
    if (!matches(tsig.mac, mac(key, message, tsigVariables(tsig)))) {
      return { kind: 'bad', answer: unsignedError(packet, tsig, TSIG_ERROR.BADSIG, now_s) };
    }
    const signer = new Signer(key, tsig.mac);
    if (Math.abs(now_s - tsig.signed_s) > tsig.fudge_s) {
      return { kind: 'bad', answer: timeError(packet, signer, tsig, now_s) };
    }
    message.set(packet.subarray(0, 2));
    return { kind: 'good', key: key.text, message, signer };
  }

  /** Signs the first message of an exchange that we begin; null if there is no such key. */
  begin(name: string): Signer | null {
    const key = this.#keys.get(nameKey(wireName(name)));
    return key ? new Signer(key, NOTHING) : null;
  }

  /**
   * RFC 8945 §5.4: the answer to a request whose MAC was `request`, without its signature; null if
   * it is not signed with the key, or wrongly.
   */
  answered(name: string, packet: Uint8Array, request: Uint8Array, now_s: number) {
    const found = this.#found;
    if (findTsig(packet, packet.length, found) !== SIGNED.YES) return null;
    const key = this.#keys.get(nameKey(wireName(name)));
    const tsig = readTsig(packet, found.at);
    if (!key || !tsig || Buffer.compare(tsig.key, key.name) !== 0) return null;
    if (!isOf(key, tsig) || !permittedLength(key, tsig)) return null;
    const message = unsigned(packet, found.at, tsig.originalId);
    const full = mac(key, withLength(request), message, tsigVariables(tsig));
    if (!matches(tsig.mac, full) || Math.abs(now_s - tsig.signed_s) > tsig.fudge_s) return null;
    return message;
  }
}

/** A key is for one algorithm: with a weaker one its MACs would be easier to forge. */
function isOf({ algorithm }: Key, tsig: Tsig): boolean {
  return Buffer.compare(algorithm, tsig.algorithm) === 0;
}

/**
 * RFC 8945 §5.2.2.1: a MAC may be cut to half its length, and not below ten octets. We take every
 * length that the RFC permits, so BADTRUNC (§5.2.4) is never said, and always send the whole MAC.
 */
function permittedLength({ octets }: Key, tsig: Tsig): boolean {
  return tsig.mac.length <= octets && tsig.mac.length >= Math.max(10, octets / 2);
}

/** In a time that does not tell how much of the MAC was right. */
function matches(given: Uint8Array, full: Uint8Array): boolean {
  return timingSafeEqual(given, full.subarray(0, given.length));
}

/** The response that is only a header and, where it can be read, the question. */
export function rejection(packet: Uint8Array, rcode: number): Uint8Array {
  const end = questionEnd(packet);
  const answer = new Uint8Array(packet.subarray(0, end));
  // QR; the opcode and RD as they came.
  answer[2] = 0x80 | (answer[2]! & 0x79);
  answer[3] = rcode;
  answer.fill(0, 4, 12);
  answer[5] = end > 12 ? 1 : 0;
  return answer;
}

function questionEnd(packet: Uint8Array): number {
  if (packet[4] !== 0 || packet[5] !== 1) return 12;
  let at = 12;
  while (at < packet.length && packet[at] !== 0) {
    if (packet[at]! > 63) return 12;
    at += packet[at]! + 1;
  }
  return at + 5 <= packet.length ? at + 5 : 12;
}

/** §5.3.2: about key or MAC nothing can be said that is signed. */
function unsignedError(packet: Uint8Array, tsig: Tsig, error: number, now_s: number): Uint8Array {
  const { key, algorithm } = tsig;
  const bare = { key, algorithm, signed_s: now_s, fudge_s: FUDGE_S, mac: NOTHING, other: NOTHING };
  const originalId = (packet[0]! << 8) | packet[1]!;
  return withTsig(rejection(packet, RCODE.NOTAUTH), { ...bare, originalId, error });
}

/** §5.2.3: signed with the client's time, so that it can be verified, and our time beside it. */
function timeError(packet: Uint8Array, signer: Signer, tsig: Tsig, now_s: number): Uint8Array {
  const other = new Uint8Array(6);
  const view = new DataView(other.buffer);
  view.setUint16(0, Math.floor(now_s / 2 ** 32));
  view.setUint32(2, now_s % 2 ** 32);
  const message = rejection(packet, RCODE.NOTAUTH);
  return signer.sign(message, tsig.signed_s, TSIG_ERROR.BADTIME, other);
}
