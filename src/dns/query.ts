/**
 * Reads one query into preallocated fields. Nothing here throws or allocates; every offset is checked
 * against the packet's length before it is read. After `PARSED.OK` all fields are valid; after any
 * other result those up to where it says are.
 */
import { NameKey } from './image.ts';
import { CLASS, OPCODE, OPTION, TYPE } from './wire/codes.ts';
import { skipName } from './wire/name.ts';

export const HEADER = 12;

/** Header bits (RFC 1035 §4.1.1, RFC 4035 §3.1.6) in the second 16-bit word. */
export const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, CD: 0x0010 } as const;

/** Smallest UDP payload everyone must take (RFC 1035 §2.3.4, RFC 6891 §6.2.3). */
export const UDP_MIN = 512;

export const PARSED = {
  OK: 0,
  /** Not to be answered: too short for a header, or itself a response. */
  DROP: 1,
  /** An opcode, or a question type, that is not implemented. */
  NOTIMP: 2,
  FORMERR: 3,
  /** A class that nothing is served in. */
  REFUSED: 4,
  BADVERS: 5,
  /** No question, but a cookie (RFC 7873 §5.4). */
  COOKIE: 6,
  /** Class CH: a question about the server itself. */
  CHAOS: 7,
  /** AXFR or IXFR. */
  TRANSFER: 8,
  /** A type that only means something elsewhere in a message. */
  BAD_TYPE: 9,
} as const;

/** Options that a query may hold and that its response answers to; bits of Query.options. */
export const ASKS = { SUBNET: 1, COOKIE: 2, NSID: 4, KEEPALIVE: 8, PADDING: 16 } as const;

/** RFC 7873 §4: a client cookie of 8 octets, alone or with a server cookie of 8 to 32. */
const CLIENT_COOKIE = 8;
const COOKIE_MIN = 16;
const COOKIE_MAX = 40;

export class Query {
  readonly key = new NameKey();
  id = 0;
  flags = 0;
  /** Octets of the question section as received; 0 while there is no good question. */
  questionLength = 0;
  type = 0;
  class = 0;
  edns = false;
  dnssecOk = false;
  /** The client's UDP payload size in bytes, never below 512. */
  payload = UDP_MIN;
  /** Bits of ASKS; 0 without options that we know. */
  options = 0;
  /** Client subnet (RFC 7871 §6): offset of its address in the packet, or -1 without the option. */
  subnetAt = -1;
  subnetFamily = 0;
  subnetSource = 0;
  /** With ASKS.COOKIE: where the cookie is in the packet, and its octets. */
  cookieAt = 0;
  cookieLength = 0;
  /** It asks for a zone, or has a TSIG record: what to answer is for a TransferServer to say. */
  special = false;
  #at = 0;

  parse(packet: Uint8Array, length: number): number {
    this.questionLength = 0;
    this.edns = false;
    this.dnssecOk = false;
    this.payload = UDP_MIN;
    this.options = 0;
    this.subnetAt = -1;
    this.special = false;
    if (length < HEADER) return PARSED.DROP;
    this.id = u16(packet, 0);
    this.flags = u16(packet, 2);
    // Answering a response would let two servers talk to each other without end.
    if (this.flags & FLAG.QR) return PARSED.DROP;
    const known = ((this.flags >> 11) & 15) === OPCODE.QUERY;
    if (!known || u16(packet, 4) !== 1) return this.#unusual(packet, length, known);
    const nameLength = this.key.take(packet, HEADER, length);
    const afterName = HEADER + nameLength;
    if (nameLength === 0 || afterName + 4 > length) return PARSED.FORMERR;
    this.type = u16(packet, afterName);
    this.class = u16(packet, afterName + 2);
    this.questionLength = nameLength + 4;
    this.#at = afterName + 4;
    this.special = this.type === TYPE.AXFR || this.type === TYPE.IXFR;
    const records = u16(packet, 6) + u16(packet, 8);
    for (let i = 0; i < records; i++) {
      if (this.#record(packet, length) < 0) return PARSED.FORMERR;
    }
    const additional = this.#additional(packet, length, u16(packet, 10));
    if (additional !== PARSED.OK) return additional;
    const { type } = this;
    // Only a zone transfer's query carries records: in IXFR the SOA that the client has.
    if (records !== 0 && type !== TYPE.IXFR && type !== TYPE.AXFR) return PARSED.FORMERR;
    if (this.class === CLASS.IN && !isMeta(type)) return PARSED.OK;
    return this.#special();
  }

  /** Questions that no zone answers, by class and type. */
  #special(): number {
    const { type } = this;
    if (this.class === CLASS.CH) return PARSED.CHAOS;
    if (this.class !== CLASS.IN && this.class !== CLASS.ANY) return PARSED.REFUSED;
    if (type === TYPE.AXFR || type === TYPE.IXFR) return PARSED.TRANSFER;
    if (type === TYPE.MAILB || type === TYPE.MAILA) return PARSED.NOTIMP; // obsolete since RFC 1035
    return isMeta(type) ? PARSED.BAD_TYPE : PARSED.OK;
  }

  /**
   * Another opcode than QUERY, or another number of questions than one. Nothing of it is used but its
   * OPT record, as far as its sections are like a query's: RFC 6891 §6.1.1 wants EDNS answered by EDNS.
   */
  #unusual(packet: Uint8Array, length: number, known: boolean): number {
    const questions = u16(packet, 4);
    const read = this.#skipTo(packet, length, questions, u16(packet, 6) + u16(packet, 8));
    const additional = read ? this.#additional(packet, length, u16(packet, 10)) : PARSED.FORMERR;
    // RFC 8906 §8.1.4: of an unknown opcode not even the packet's format is known.
    if (!known) return PARSED.NOTIMP;
    const cookie = questions === 0 && (this.options & ASKS.COOKIE) !== 0;
    return cookie && additional === PARSED.OK ? PARSED.COOKIE : PARSED.FORMERR;
  }

  /** Moves to the additional section. False if something before it is cut short. */
  #skipTo(packet: Uint8Array, length: number, questions: number, records: number): boolean {
    this.#at = HEADER;
    for (let i = 0; i < questions; i++) {
      const afterName = skipName(packet, this.#at, length);
      if (afterName < 0 || afterName + 4 > length) return false;
      this.#at = afterName + 4;
    }
    for (let i = 0; i < records; i++) if (this.#record(packet, length) < 0) return false;
    return true;
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
      const type = u16(packet, header);
      if (type === TYPE.TSIG) this.special = true;
      if (type !== TYPE.OPT) continue;
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
      const next = at + 4 + u16(packet, at + 2);
      if (next > end || !this.#option(packet, u16(packet, at), at + 4, next)) return PARSED.FORMERR;
      at = next;
    }
    return PARSED.OK;
  }

  /** Notes one option. False if it is malformed in a way that its RFC calls a format error. */
  #option(packet: Uint8Array, code: number, at: number, end: number): boolean {
    switch (code) {
      case OPTION.ECS:
        return this.#subnet(packet, at, end);
      case OPTION.COOKIE:
        return this.#cookie(at, end);
      case OPTION.NSID:
        this.options |= ASKS.NSID; // its data, of which there should be none, is ignored (RFC 5001 §2.1)
        return true;
      case OPTION.KEEPALIVE:
        // RFC 7828 §3.2.1 forbids clients a timeout, but names no error for servers to answer with.
        this.options |= ASKS.KEEPALIVE;
        return true;
      case OPTION.PADDING:
        this.options |= ASKS.PADDING;
        return true;
      default:
        return true; // RFC 6891 §6.1.2: options that we do not know are ignored
    }
  }

  /** RFC 7873 §5.2.2: a cookie of another length is a format error; §5.2: the first one counts. */
  #cookie(at: number, end: number): boolean {
    if (this.options & ASKS.COOKIE) return true;
    const length = end - at;
    if (length !== CLIENT_COOKIE && (length < COOKIE_MIN || length > COOKIE_MAX)) return false;
    this.options |= ASKS.COOKIE;
    this.cookieAt = at;
    this.cookieLength = length;
    return true;
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
    this.options |= ASKS.SUBNET;
    this.subnetAt = at + 4;
    this.subnetFamily = family;
    this.subnetSource = source;
    return true;
  }
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** True for OPT and the range of question and meta types, ANY excepted (RFC 6895 §3.1). */
function isMeta(type: number): boolean {
  return (type >= 128 && type < TYPE.ANY) || type === TYPE.OPT;
}
