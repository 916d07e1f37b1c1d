/**
 * Makes a DNS message from outside safe for dns2, which reads names for as long as their pointers lead
 * on: a message of 64 kB can keep it busy for a minute. Pure; whatever the octets are, it takes no longer
 * than the message is long and `NAME_STEPS_MAX` allows.
 */
import { Buffer } from 'node:buffer';

const HEADER_BYTES = 12;
/** Labels and pointers of all names together: some 20 ms of dns2. A hundred records have about 1,000. */
const NAME_STEPS_MAX = 10_000;
/** Reserved for private use (RFC 6895 §3.1): dns2 does not look into such a record. */
const OPAQUE_TYPE = 0xff00;

/** Octets before the first name in the data of a record, and how many names there are, by type. */
const NAMES: Readonly<Record<number, { readonly skip: number; readonly count: number }>> = {
  2: { skip: 0, count: 1 }, // NS
  5: { skip: 0, count: 1 }, // CNAME
  6: { skip: 0, count: 2 }, // SOA
  12: { skip: 0, count: 1 }, // PTR
  15: { skip: 2, count: 1 }, // MX
};

class Malformed extends Error {}

/**
 * A copy with nothing but the question and the answers, of which only those of `type` can be looked into.
 * Null for a message that is cut off, or whose names take too long.
 */
export function tameAnswer(message: Buffer, type: number): Buffer | null {
  const copy = Buffer.from(message);
  const walk = new Walk(copy);
  try {
    for (let left = copy.readUInt16BE(4); left > 0; left--) {
      walk.name();
      walk.skip(4);
    }
    for (let left = copy.readUInt16BE(6); left > 0; left--) walk.record(type);
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
  copy.writeUInt32BE(0, 8); // no authority, no additional records
  return copy.subarray(0, walk.at);
}

class Walk {
  readonly #message: Buffer;
  at = HEADER_BYTES;
  #steps = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  skip(octets: number): void {
    this.at += octets;
    if (this.at > this.#message.length) throw new Malformed();
  }

  record(wanted: number): void {
    this.name();
    const start = this.at;
    this.skip(10);
    const type = this.#message.readUInt16BE(start);
    const end = this.at + this.#message.readUInt16BE(start + 8);
    if (type !== wanted) this.#message.writeUInt16BE(OPAQUE_TYPE, start);
    const names = type === wanted ? NAMES[type] : undefined;
    this.skip(names?.skip ?? 0);
    for (let left = names?.count ?? 0; left > 0; left--) this.name();
    if (this.at > end) throw new Malformed();
    this.skip(end - this.at);
  }

  /** Follows the name here to its end, and goes on behind it. */
  name(): void {
    let behind: number | null = null;
    for (let at = this.at; ; ) {
      const length = this.#message[at];
      if (length === undefined || ++this.#steps > NAME_STEPS_MAX) throw new Malformed();
      if (length >= 0xc0) {
        behind ??= at + 2;
        at = ((length & 0x3f) << 8) | (this.#message[at + 1] ?? 0);
      } else {
        at += length + 1;
        if (length > 0) continue;
        at = behind ?? at;
        if (at > this.#message.length) throw new Malformed();
        this.at = at;
        return;
      }
    }
  }
}
