/**
 * Reads one query into preallocated fields. Nothing here throws or allocates; every offset is checked
 * against the packet's length before it is read. After `PARSED.OK` all fields are valid; after any
 * other result those up to where it says are.
 */
import { NameKey } from './image.ts';
import { CLASS, OPCODE, OPTION, TYPE } from './wire/codes.ts';

export const HEADER = 12;

/** Header bits (RFC 1035 §4.1.1, RFC 4035 §3.1.6) in the second 16-bit word. */
export const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, CD: 0x0010 } as const;

/** Smallest UDP payload everyone must take (RFC 1035 §2.3.4, RFC 6891 §6.2.3). */
export const UDP_MIN = 512;

export const PARSED = {
  OK: 0,
  /** Not to be answered: too short for a header, or itself a response. */
  DROP: 1,
  NOTIMP: 2,
  FORMERR: 3,
  REFUSED: 4,
  BADVERS: 5,
} as const;

export class Query {
  readonly key = new NameKey();
  id = 0;
  flags = 0;
  /** Octets of the question section as received; 0 while there is no good question. */
  questionLength = 0;
  type = 0;
  edns = false;
  dnssecOk = false;
  /** The client's UDP payload size in bytes, never below 512. */
  payload = UDP_MIN;
  /** Client subnet (RFC 7871 §6): offset of its address in the packet, or -1 without the option. */
  subnetAt = -1;
  subnetFamily = 0;
  subnetSource = 0;
  #at = 0;

  parse(packet: Uint8Array, length: number): number {
    this.questionLength = 0;
    this.edns = false;
    this.dnssecOk = false;
    this.payload = UDP_MIN;
    this.subnetAt = -1;
    if (length < HEADER) return PARSED.DROP;
    this.id = u16(packet, 0);
    this.flags = u16(packet, 2);
    // Answering a response would let two servers talk to each other without end.
    if (this.flags & FLAG.QR) return PARSED.DROP;
    if (((this.flags >> 11) & 15) !== OPCODE.QUERY) return PARSED.NOTIMP;
    if (u16(packet, 4) !== 1) return PARSED.FORMERR;
    const nameLength = this.key.take(packet, HEADER, length);
    const afterName = HEADER + nameLength;
    if (nameLength === 0 || afterName + 4 > length) return PARSED.FORMERR;
    this.type = u16(packet, afterName);
    this.questionLength = nameLength + 4;
    this.#at = afterName + 4;
    const transfer = this.type === TYPE.AXFR || this.type === TYPE.IXFR;
    const records = u16(packet, 6) + u16(packet, 8);
    // Only a zone transfer's query carries records: in IXFR the SOA that the client has.
    if (records !== 0 && !transfer) return PARSED.FORMERR;
    for (let i = 0; i < records; i++) {
      if (this.#record(packet, length) < 0) return PARSED.FORMERR;
    }
    const additional = this.#additional(packet, length, u16(packet, 10));
    if (additional !== PARSED.OK) return additional;
    const refused = transfer || u16(packet, afterName + 2) !== CLASS.IN;
    return refused ? PARSED.REFUSED : PARSED.OK;
  }

  /** Moves on by one record. Returns the offset of its type, after the owner; -1 if it is cut short. */
  #record(packet: Uint8Array, length: number): number {
    const header = skipName(packet, this.#at, length);
    if (header < 0 || header + 10 > length) return -1;
    const end = header + 10 + u16(packet, header + 8);
    if (end > length) return -1;
    this.#at = end;
    return header;
  }

  /** The additional section: an OPT record is read, any other skipped; nothing may follow. */
  #additional(packet: Uint8Array, length: number, count: number): number {
    let result: number = PARSED.OK;
    for (let i = 0; i < count; i++) {
      const owner = this.#at;
      const header = this.#record(packet, length);
      if (header < 0) return PARSED.FORMERR;
      if (u16(packet, header) !== TYPE.OPT) continue;
      // RFC 6891 §6.1.1: a second OPT, or one with an owner, is a format error.
      if (this.edns || packet[owner] !== 0) return PARSED.FORMERR;
      result = this.#opt(packet, header, this.#at);
      if (result === PARSED.FORMERR) return result;
    }
    return this.#at === length ? result : PARSED.FORMERR;
  }

  /** RFC 6891 §6.1.2: class is the payload size; TTL is extended rcode, version and flags. */
  #opt(packet: Uint8Array, header: number, end: number): number {
    this.edns = true;
    this.payload = Math.max(UDP_MIN, u16(packet, header + 2));
    this.dnssecOk = (packet[header + 6]! & 0x80) !== 0;
    // §6.1.3: of an unknown version nothing but the header is known.
    if (packet[header + 5] !== 0) return PARSED.BADVERS;
    for (let at = header + 10; at < end; ) {
      if (at + 4 > end) return PARSED.FORMERR;
      const code = u16(packet, at);
      const next = at + 4 + u16(packet, at + 2);
      if (next > end) return PARSED.FORMERR;
      if (code === OPTION.ECS && !this.#subnet(packet, at + 4, next)) return PARSED.FORMERR;
      at = next; // §6.1.2: options that we do not know are ignored
    }
    return PARSED.OK;
  }

  /**
   * RFC 7871 §6 and §7.1.2: the scope must be 0, the address exactly as long as the source prefix
   * needs, and every bit beyond that prefix zero. Family 0 is only used to say "no subnet".
   */
  #subnet(packet: Uint8Array, at: number, end: number): boolean {
    if (end - at < 4 || this.subnetAt >= 0) return false;
    const family = u16(packet, at);
    const source = packet[at + 2]!;
    const longest = family === 1 ? 32 : family === 2 ? 128 : 0;
    if (family > 2 || source > longest || packet[at + 3] !== 0) return false;
    if (end - at - 4 !== (source + 7) >> 3) return false;
    if (source & 7 && packet[end - 1]! & (0xff >> (source & 7))) return false;
    this.subnetAt = at + 4;
    this.subnetFamily = family;
    this.subnetSource = source;
    return true;
  }
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The offset after a name that may end in a compression pointer, or -1. */
function skipName(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const label = bytes[at]!;
    if (label === 0) return at + 1;
    if (label >= 0xc0) return at + 2;
    if (label > 63) return -1;
    at += label + 1;
  }
  return -1;
}
