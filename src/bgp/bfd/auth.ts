/**
 * Authentication of BFD control packets (RFC 5880 §6.7): which section a packet must have, the digest
 * over it, and the window that sequence numbers must lie in. What one session knows of sequence
 * numbers is a value; nothing here keeps state or throws for what a peer sends.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { BfdAuth } from '../../model/bgp.ts';
import {
  AUTH_TYPE,
  type AuthSection,
  type BfdPacket,
  type DecodedPacket,
  encodePacket,
} from './packet.ts';

export interface AuthKey {
  readonly kind: BfdAuth['kind'];
  /** 0–255. */
  readonly key_id: number;
  /** 1–16 octets for a simple password and MD5, 1–20 for SHA1. */
  readonly key: Uint8Array;
}

interface Method {
  readonly type: number;
  /** Octets of the digest, which are also the most of a key; shorter keys end in zeroes. */
  readonly octets: number;
  readonly hash: 'md5' | 'sha1' | null;
  /** Each packet has a sequence number of its own. */
  readonly meticulous: boolean;
}

const METHODS: Readonly<Record<BfdAuth['kind'], Method>> = {
  simple: { type: AUTH_TYPE.SIMPLE, octets: 16, hash: null, meticulous: false },
  md5: { type: AUTH_TYPE.MD5, octets: 16, hash: 'md5', meticulous: false },
  'meticulous-md5': { type: AUTH_TYPE.METICULOUS_MD5, octets: 16, hash: 'md5', meticulous: true },
  sha1: { type: AUTH_TYPE.SHA1, octets: 20, hash: 'sha1', meticulous: false },
  'meticulous-sha1': {
    type: AUTH_TYPE.METICULOUS_SHA1,
    octets: 20,
    hash: 'sha1',
    meticulous: true,
  },
};

/** Why a key cannot be used, in words; null: it can. */
export function keyProblem({ kind, key }: AuthKey): string | null {
  const { octets } = METHODS[kind];
  if (key.length >= 1 && key.length <= octets) return null;
  return `a key for BFD's ${kind} has 1 to ${octets} octets, this one ${key.length}`;
}

/** RFC 5880 §6.8.1: bfd.XmitAuthSeq, bfd.RcvAuthSeq and bfd.AuthSeqKnown. */
export interface Sequences {
  readonly sent: number;
  readonly received: number | null;
}

/** `random` is any 32-bit number. */
export const firstSequences = (random: number): Sequences => ({
  sent: random >>> 0,
  received: null,
});

/**
 * Writes `packet` with its section. Every packet gets the next sequence number, which plain MD5 and
 * SHA1 allow (§6.7.3, §6.7.4), so that an old one can be replayed for as short as possible.
 */
export function signPacket(
  packet: BfdPacket,
  auth: AuthKey,
  before: Sequences,
  out: Uint8Array,
): { readonly bytes: Uint8Array; readonly sequences: Sequences } {
  const { type, hash } = METHODS[auth.kind];
  const sequence = (before.sent + 1) >>> 0;
  const section: AuthSection = {
    type,
    key_id: auth.key_id,
    sequence: hash ? sequence : 0,
    value: paddedKey(auth),
  };
  const bytes = encodePacket(packet, section, out);
  if (hash) bytes.set(digest(hash, bytes), bytes.length - section.value.length);
  return { bytes, sequences: { ...before, sent: sequence } };
}

/** What stands in the place of the digest while it is made; of a password, itself. */
function paddedKey({ kind, key }: AuthKey): Uint8Array {
  const { hash, octets } = METHODS[kind];
  if (!hash) return key;
  const padded = new Uint8Array(octets);
  padded.set(key);
  return padded;
}

const digest = (hash: 'md5' | 'sha1', bytes: Uint8Array): Uint8Array =>
  createHash(hash).update(bytes).digest();

export type Verdict =
  | { readonly ok: true; readonly sequences: Sequences }
  | { readonly ok: false; readonly error: string };

const refuse = (error: string): Verdict => ({ ok: false, error });

/** Whether a packet is the peer's (§6.7.2–6.7.4), and the sequence numbers after it. */
export function verifyPacket(
  { auth: section, bytes, multiplier }: DecodedPacket,
  auth: AuthKey | null,
  before: Sequences,
): Verdict {
  if (!auth) {
    return section ? refuse('the peer authenticates, we do not') : { ok: true, sequences: before };
  }
  if (!section) return refuse('the peer does not authenticate');
  const { type, hash, meticulous } = METHODS[auth.kind];
  if (section.type !== type) return refuse('the peer authenticates in another way');
  if (section.key_id !== auth.key_id) return refuse(`the peer uses key ${section.key_id}`);
  if (!hash) {
    if (!equal(section.value, auth.key)) return refuse('the peer has another password');
    return { ok: true, sequences: before };
  }
  // A circular space: the distance from the last one, not the number, is compared.
  if (before.received !== null) {
    const ahead = (section.sequence - before.received) >>> 0;
    if (ahead > 3 * multiplier || (meticulous && ahead === 0)) {
      return refuse('a sequence number out of order');
    }
  }
  const expected = Uint8Array.from(bytes);
  expected.set(paddedKey(auth), section.value.byteOffset - bytes.byteOffset);
  if (!equal(section.value, digest(hash, expected))) return refuse('the peer has another key');
  return { ok: true, sequences: { ...before, received: section.sequence } };
}

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);
