/**
 * Writes one response into a preallocated buffer. It never writes beyond `limit`: a put that does
 * not fit writes nothing and says false. Sections are written in order, so an rrset is taken back by
 * restoring `at` and the section's count.
 */
import type { ZoneImage } from '../model/zone.ts';
import { RECORD, templateOf } from './image.ts';
import { FLAG, HEADER, type Query } from './query.ts';
import { OPTION, TYPE } from './wire/codes.ts';

const OPT_LENGTH = 11;
/** Option code and length, family, source and scope prefix length (RFC 7871 §6). */
const SUBNET_HEADER = 8;
/** What a compression pointer can reach (RFC 1035 §4.1.4). */
const POINTER_MAX = 0x3fff;

export class Message {
  out: Uint8Array = new Uint8Array(0);
  at = 0;
  /** Octets that may be used before the OPT record, for which room is kept. */
  limit = 0;
  answers = 0;
  authority = 0;
  additional = 0;
  /** Where the last record's target name was written, or 0; see RECORD.NAME. */
  nameAt = 0;

  /** Starts the message after its header and question, which with OPT fit in any `size` ≥ 512. */
  begin(out: Uint8Array, size: number, packet: Uint8Array, query: Query): void {
    this.out = out;
    this.answers = 0;
    this.authority = 0;
    this.additional = 0;
    this.nameAt = 0;
    this.at = HEADER + query.questionLength;
    this.limit = size - (query.edns ? optLength(query) : 0);
    // The question as it came, its case included (RFC 1035 §4.1.2, and resolvers that check it).
    for (let i = HEADER; i < this.at; i++) out[i] = packet[i]!;
  }

  /** Ends the message: the OPT record, then the header. Returns the message's length. */
  finish(
    query: Query,
    packet: Uint8Array,
    flags: number,
    rcode: number,
    payload: number,
    scope: number,
  ): number {
    if (query.edns) this.#opt(query, packet, rcode, payload, scope);
    const { out } = this;
    put16(out, 0, query.id);
    // RD and CD are copied, and the opcode (0x7800); AD, Z and RA stay clear (RFC 6895 §2.1).
    const copied = query.flags & (0x7800 | FLAG.RD | FLAG.CD);
    put16(out, 2, FLAG.QR | copied | flags | (rcode & 15));
    put16(out, 4, query.questionLength > 0 ? 1 : 0);
    put16(out, 6, this.answers);
    put16(out, 8, this.authority);
    put16(out, 10, this.additional + (query.edns ? 1 : 0));
    return this.at;
  }

  /** RFC 6891 §6.1.2, with the client's subnet and our scope (RFC 7871 §7.2.1). */
  #opt(query: Query, packet: Uint8Array, rcode: number, payload: number, scope: number): void {
    const { out } = this;
    let at = this.at;
    out[at] = 0;
    put16(out, at + 1, TYPE.OPT);
    put16(out, at + 3, payload);
    out[at + 5] = rcode >> 4;
    out[at + 6] = 0;
    put16(out, at + 7, query.dnssecOk ? 0x8000 : 0);
    put16(out, at + 9, optLength(query) - OPT_LENGTH);
    if (query.subnetAt >= 0) {
      at += OPT_LENGTH;
      const octets = (query.subnetSource + 7) >> 3;
      put16(out, at, OPTION.ECS);
      put16(out, at + 2, 4 + octets);
      put16(out, at + 4, query.subnetFamily);
      out[at + 6] = query.subnetSource;
      out[at + 7] = scope;
      for (let i = 0; i < octets; i++) out[at + SUBNET_HEADER + i] = packet[query.subnetAt + i]!;
    }
    this.at += optLength(query);
  }

  /** One record, its owner a pointer to `owner`, names in its zone pointing to `apex`. */
  putRecord(image: ZoneImage, record: number, owner: number, apex: number): boolean {
    const { words, bytes } = image;
    const length = words[record + RECORD.LENGTH]!;
    if (owner > POINTER_MAX || this.at + 2 + length > this.limit) return false;
    const { out } = this;
    const start = this.at;
    put16(out, start, 0xc000 | owner);
    const template = start + 2;
    const from = templateOf(record);
    for (let i = 0; i < length; i++) out[template + i] = bytes[from + i]!;
    const a = words[record + RECORD.POINTER_A]!;
    if (a !== 0) {
      put16(out, template + a, 0xc000 | apex);
      const b = words[record + RECORD.POINTER_B]!;
      if (b !== 0) put16(out, template + b, 0xc000 | apex);
    }
    const name = words[record + RECORD.NAME]!;
    this.nameAt = name === 0 ? 0 : this.at + 2 + name;
    this.at += 2 + length;
    return true;
  }

  /** One A or AAAA record, its address the `size` octets at `from[at…]`. */
  putAddress(
    owner: number,
    type: number,
    ttl_s: number,
    from: Uint8Array,
    at: number,
    size: number,
  ): boolean {
    if (owner > POINTER_MAX || this.at + 12 + size > this.limit) return false;
    const { out } = this;
    const start = this.at;
    put16(out, start, 0xc000 | owner);
    this.#head(start + 2, type, ttl_s, size);
    for (let i = 0; i < size; i++) out[start + 12 + i] = from[at + i]!;
    this.at += 12 + size;
    return true;
  }

  #head(at: number, type: number, ttl_s: number, size: number): void {
    const { out } = this;
    put16(out, at, type);
    put16(out, at + 2, 1);
    put16(out, at + 4, ttl_s >>> 16);
    put16(out, at + 6, ttl_s);
    put16(out, at + 8, size);
  }
}

function optLength(query: Query): number {
  if (query.subnetAt < 0) return OPT_LENGTH;
  return OPT_LENGTH + SUBNET_HEADER + ((query.subnetSource + 7) >> 3);
}

function put16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}
