/**
 * Writes one response into a preallocated buffer. It never writes beyond `limit`: a put that does
 * not fit writes nothing and says false. Sections are written in order, so an rrset is taken back by
 * restoring `at` and the section's count.
 */
import type { ZoneImage } from '../model/zone.ts';
import {
  NAMES_COUNT,
  NAMES_SEARCH,
  type NameKey,
  nameOf,
  RECORD,
  templateOf,
  ZONE,
} from './image.ts';
import { MessageNames, POINTER_MAX } from './message-names.ts';
import { FLAG, HEADER, type Query } from './query.ts';
import { RECORD_HEADER } from './template.ts';
import { CLASS, TYPE } from './wire/codes.ts';

const NAME_MASK = NAMES_COUNT - 1;

export class Message {
  out: Uint8Array = new Uint8Array(0);
  at = 0;
  /** Octets that may be used; room for what follows the sections is kept beyond them. */
  limit = 0;
  answers = 0;
  authority = 0;
  additional = 0;
  /** Where the last record's target name can be pointed at, or 0; see RECORD.NAMES. */
  nameAt = 0;
  /** Names are compressed against all that was written, even those that seldom gain by it. */
  searching = false;
  readonly #names = new MessageNames();

  /**
   * Starts the message after its header and question, which must fit in `limit` octets; what comes
   * after them (an OPT record) is the caller's to keep room for.
   */
  begin(out: Uint8Array, limit: number, packet: Uint8Array, query: Query): void {
    this.out = out;
    this.answers = 0;
    this.authority = 0;
    this.additional = 0;
    this.nameAt = 0;
    this.at = HEADER + query.questionLength;
    this.searching = false;
    this.#names.begin();
    if (query.questionLength > 0) this.#names.note(HEADER);
    this.limit = limit;
    // The question as it came, its case included (RFC 1035 §4.1.2, and resolvers that check it).
    for (let i = HEADER; i < this.at; i++) out[i] = packet[i]!;
  }

  /** Writes the header before the `length` octets of the whole message, and returns them. */
  finish(query: Query, flags: number, rcode: number, length: number): number {
    const { out } = this;
    put16(out, 0, query.id);
    // RD and CD are copied, and the opcode (0x7800); AD, Z and RA stay clear (RFC 6895 §2.1).
    const copied = query.flags & (0x7800 | FLAG.RD | FLAG.CD);
    put16(out, 2, FLAG.QR | copied | flags | (rcode & 15));
    put16(out, 4, query.questionLength > 0 ? 1 : 0);
    put16(out, 6, this.answers);
    put16(out, 8, this.authority);
    put16(out, 10, this.additional + (query.edns ? 1 : 0));
    return length;
  }

  /** One answer, its owner a pointer to `owner`, the rest of it (from its type on) as in `record`. */
  putTemplate(owner: number, record: Uint8Array): boolean {
    if (owner > POINTER_MAX || this.at + 2 + record.length > this.limit) return false;
    const { out, at } = this;
    put16(out, at, 0xc000 | owner);
    for (let i = 0; i < record.length; i++) out[at + 2 + i] = record[i]!;
    this.at += 2 + record.length;
    this.answers++;
    return true;
  }

  /** Takes back what was written from `at` on. */
  rewind(at: number): void {
    this.at = at;
    this.#names.rewind(at);
  }

  /** One record of the name that stands at `owner`, names in its zone pointing to `apex`. */
  putRecord(image: ZoneImage, record: number, owner: number, apex: number): boolean {
    const { words, bytes } = image;
    const names = words[record + RECORD.NAMES]!;
    if (names >= (this.searching ? NAMES_COUNT : NAMES_SEARCH)) {
      return this.#putSearching(image, record, owner);
    }
    const length = words[record + RECORD.LENGTH]!;
    const template = this.#owner(owner);
    if (template < 0 || template + length > this.limit) return false;
    const { out } = this;
    const from = templateOf(record);
    for (let i = 0; i < length; i++) out[template + i] = bytes[from + i]!;
    const a = words[record + RECORD.POINTER_A]!;
    if (a !== 0) {
      put16(out, template + a, 0xc000 | apex);
      const b = words[record + RECORD.POINTER_B]!;
      if (b !== 0) put16(out, template + b, 0xc000 | apex);
    }
    this.nameAt = 0;
    if (names !== 0) {
      this.nameAt = template + (names & NAME_MASK);
      this.#names.note(this.nameAt);
    }
    this.at = template + length;
    return true;
  }

  /** The same with names that may end in a pointer to any name of the message. */
  #putSearching(image: ZoneImage, record: number, owner: number): boolean {
    const { words, bytes } = image;
    const { out, limit } = this;
    const start = this.at;
    const template = this.#owner(owner);
    const from = templateOf(record);
    const end = from + words[record + RECORD.LENGTH]!;
    const names = words[record + RECORD.NAMES]!;
    const first = names & NAME_MASK;
    if (template < 0 || template + first > limit) return false;
    for (let i = 0; i < first; i++) out[template + i] = bytes[from + i]!;
    const cutA = from + words[record + RECORD.POINTER_A]!;
    const cutB = from + words[record + RECORD.POINTER_B]!;
    const apex = nameOf(ZONE.APEX);
    let source = from + first;
    let at = template + first;
    for (let left = (names & ~NAMES_SEARCH) >> 16; left > 0; left--) {
      at = this.#names.put(bytes, source, cutA, cutB, apex, out, at, limit);
      if (at < 0) {
        this.rewind(start);
        return false;
      }
      if (source === from + first) this.nameAt = this.#names.start;
      source = this.#names.next;
    }
    if (at + end - source > limit) {
      this.rewind(start);
      return false;
    }
    while (source < end) out[at++] = bytes[source++]!;
    put16(out, template + 8, at - template - RECORD_HEADER);
    this.at = at;
    return true;
  }

  /** A CNAME record that points at `target`. Its TTL is the four octets at `bytes[ttlAt]`. */
  putAlias(owner: number, bytes: Uint8Array, ttlAt: number, target: NameKey): boolean {
    const { out } = this;
    const start = this.at;
    const head = this.#owner(owner);
    const name = head + RECORD_HEADER;
    if (head < 0 || name > this.limit) return false;
    put16(out, head, TYPE.CNAME);
    put16(out, head + 2, CLASS.IN);
    for (let i = 0; i < 4; i++) out[head + 4 + i] = bytes[ttlAt + i]!;
    const end = this.#names.put(target.bytes, 0, -1, -1, 0, out, name, this.limit);
    if (end < 0) {
      this.rewind(start);
      return false;
    }
    put16(out, head + 8, end - name);
    this.nameAt = this.#names.start;
    this.at = end;
    return true;
  }

  /** Adds to the serial of the SOA record just written: the first of the five numbers at its end. */
  raiseSerial(offset: number): void {
    const { out } = this;
    const at = this.at - 20;
    const low = ((out[at + 2]! << 8) | out[at + 3]!) + (offset & 0xffff);
    put16(out, at + 2, low);
    put16(out, at, ((out[at]! << 8) | out[at + 1]!) + (offset >>> 16) + (low >>> 16));
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
    const head = this.#owner(owner);
    if (head < 0 || head + RECORD_HEADER + size > this.limit) return false;
    const { out } = this;
    this.#head(head, type, ttl_s, size);
    for (let i = 0; i < size; i++) out[head + RECORD_HEADER + i] = from[at + i]!;
    this.at = head + RECORD_HEADER + size;
    return true;
  }

  /** Writes the name that stands at `owner` to the end; returns the offset behind it, -1: no room. */
  #owner(owner: number): number {
    const { at } = this;
    if (owner > POINTER_MAX) return this.#copyName(owner);
    if (at + 2 > this.limit) return -1;
    put16(this.out, at, 0xc000 | owner);
    return at + 2;
  }

  /** Beyond what a pointer reaches a name is repeated as it stands, its own pointer included. */
  #copyName(from: number): number {
    const { out, limit } = this;
    let { at } = this;
    for (let source = from; ; ) {
      const octet = out[source]!;
      const octets = octet >= 0xc0 ? 2 : octet + 1;
      if (at + octets > limit) return -1;
      for (let i = 0; i < octets; i++) out[at + i] = out[source + i]!;
      at += octets;
      if (octet === 0 || octet >= 0xc0) return at;
      source += octets;
    }
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

/** Two octets in network order; of `value` the lower 16 bits count. */
export function put16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}
