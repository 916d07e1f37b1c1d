/**
 * Questions about the server itself, in class CH: id.server and hostname.bind (RFC 4892), and
 * version.server and version.bind. What is not to be told is not there: REFUSED.
 */
import type { NameKey } from './image.ts';
import type { Message } from './message.ts';
import { FLAG, HEADER, type Query } from './query.ts';
import { CLASS, RCODE, TYPE } from './wire/codes.ts';
import { wireName } from './wire/name.ts';

/** Octets of one string in a TXT record (RFC 1035 §3.3). */
const STRING_MAX = 255;

interface Name {
  readonly key: Uint8Array;
  /** The TXT record without its owner. */
  readonly record: Uint8Array;
}

export class Chaos {
  /** Of the header: AA and TC. */
  flags = 0;
  readonly #names: readonly Name[];

  /** Null: not told. */
  constructor(identity: string | null, version: string | null) {
    this.#names = [
      ...namesOf(identity, ['id.server', 'hostname.bind']),
      ...namesOf(version, ['version.server', 'version.bind']),
    ];
  }

  /** Writes the answer; returns the rcode. */
  answer({ key, type }: Query, message: Message): number {
    this.flags = 0;
    for (const name of this.#names) {
      if (!isName(key, name.key)) continue;
      this.flags = FLAG.AA;
      if (type !== TYPE.TXT && type !== TYPE.ANY) return RCODE.NOERROR;
      if (!message.putTemplate(HEADER, name.record)) this.flags |= FLAG.TC;
      return RCODE.NOERROR;
    }
    return RCODE.REFUSED;
  }
}

function namesOf(text: string | null, names: readonly string[]): Name[] {
  if (text === null) return [];
  const record = txtRecord(Buffer.from(text));
  return names.map((name) => ({ key: wireName(name), record }));
}

/** Type, class, TTL 0 (RFC 4892 §3.1: such data is not to be cached), length, strings. */
function txtRecord(text: Uint8Array): Uint8Array {
  const strings: number[] = [];
  for (let at = 0; at < text.length || at === 0; at += STRING_MAX) {
    const part = text.subarray(at, at + STRING_MAX);
    strings.push(part.length, ...part);
  }
  const length = [strings.length >> 8, strings.length & 255];
  return Uint8Array.from([0, TYPE.TXT, 0, CLASS.CH, 0, 0, 0, 0, ...length, ...strings]);
}

function isName(key: NameKey, name: Uint8Array): boolean {
  if (key.length !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (key.bytes[i] !== name[i]) return false;
  return true;
}
