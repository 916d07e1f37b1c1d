/**
 * A record in the form in which it is copied into answers: everything after the owner name, names in
 * the RDATA cut where they reach the zone's apex, with room for a compression pointer to it. Only the
 * types of RFC 1035 are compressed (RFC 3597 §4). One object is filled anew for each record.
 */
import { CLASS, TYPE } from './wire/codes.ts';
import { nameLength } from './wire/name.ts';
import { type NamePlace, namePlace, RDATA_MAX, rdataNames } from './wire/rdata.ts';

/** Octets before the RDATA. */
export const RECORD_HEADER = 10;

/** Types whose first name is a host that the asker will want the addresses of. */
const HOSTS: ReadonlySet<number> = new Set([TYPE.NS, TYPE.MX, TYPE.SRV, TYPE.SVCB, TYPE.HTTPS]);

/** Types of which "." as the target of a service means the owner (RFC 9460 §2.5.2). */
const SERVICES: ReadonlySet<number> = new Set([TYPE.SVCB, TYPE.HTTPS]);

interface Names {
  readonly place: NamePlace | null;
  readonly compress: boolean;
}

export class Template {
  /** Type, class, TTL, RDLENGTH, RDATA. */
  readonly bytes = new Uint8Array(RECORD_HEADER + RDATA_MAX);
  length = 0;
  /** Where in `bytes` the two octets of each pointer to the apex go; 0: none. */
  pointerA = 0;
  pointerB = 0;
  /** Where in `bytes` the name that the record points at starts; 0: none. */
  nameAt = 0;
  /** That name, uncompressed, in the source; -1: none. */
  fullAt = -1;
  fullLength = 0;
  /** The addresses of that name belong in the additional section. */
  host = false;
  /** The addresses of the owner do. */
  ownHost = false;
  /** How many names may be compressed. */
  compressed = 0;
  /** One of them is longer than one label and a pointer to the apex. */
  long = false;
  readonly #apex: Uint8Array;
  readonly #names = new Map<number, Names>();

  constructor(apex: Uint8Array) {
    this.#apex = apex;
  }

  /** Takes the record with the RDATA at `source[at…at + length]`, names in it uncompressed. */
  compile(type: number, ttl_s: number, source: Uint8Array, at: number, length: number): void {
    const { place, compress } = this.#namesOf(type);
    this.length = RECORD_HEADER;
    this.pointerA = 0;
    this.pointerB = 0;
    this.nameAt = 0;
    this.fullAt = -1;
    this.host = HOSTS.has(type);
    this.ownHost = false;
    this.long = false;
    let names = 0;
    const end = at + length;
    let from = at;
    if (place && place.offset < length) {
      this.#copy(source, from, from + place.offset);
      from += place.offset;
      for (; names < place.count; names++) {
        const octets = nameLength(source, from, end);
        if (octets === 0) break;
        this.#name(source, from, octets, compress);
        from += octets;
      }
    }
    this.compressed = compress ? names : 0;
    if (SERVICES.has(type) && this.fullAt >= 0 && this.fullLength === 1) this.#serveOwner();
    this.#copy(source, from, end);
    this.#head(type, ttl_s);
  }

  /** AliasMode, priority 0, has no such target: "." says that there is no service. */
  #serveOwner(): void {
    this.ownHost = this.bytes[RECORD_HEADER] !== 0 || this.bytes[RECORD_HEADER + 1] !== 0;
    this.host = false;
    this.nameAt = 0;
  }

  #name(source: Uint8Array, from: number, octets: number, compress: boolean): void {
    if (this.fullAt < 0) {
      this.fullAt = from;
      this.fullLength = octets;
      this.nameAt = this.length;
    }
    // The root as apex is shorter than a pointer to it.
    const room = compress && this.#apex.length > 2;
    const tail = room ? apexWithin(source, from, octets, this.#apex) : -1;
    const own = (tail < 0 ? from + octets - 1 : tail) - from;
    if (own > source[from]! + 1) this.long = true;
    this.#copy(source, from, tail < 0 ? from + octets : tail);
    if (tail < 0) return;
    if (this.pointerA === 0) this.pointerA = this.length;
    else this.pointerB = this.length;
    this.bytes[this.length++] = 0;
    this.bytes[this.length++] = 0;
  }

  #copy(source: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++) this.bytes[this.length++] = source[i]!;
  }

  #head(type: number, ttl_s: number): void {
    const { bytes } = this;
    const rdlength = this.length - RECORD_HEADER;
    bytes[0] = type >> 8;
    bytes[1] = type;
    bytes[2] = 0;
    bytes[3] = CLASS.IN;
    for (let i = 0; i < 4; i++) bytes[4 + i] = ttl_s >>> (24 - 8 * i);
    bytes[8] = rdlength >> 8;
    bytes[9] = rdlength;
  }

  #namesOf(type: number): Names {
    let names = this.#names.get(type);
    if (!names) {
      names = { place: namePlace(type), compress: rdataNames(type) !== null };
      this.#names.set(type, names);
    }
    return names;
  }
}

/** Where in `source` the tail of the name at `from` that is the apex begins; -1: outside the zone. */
function apexWithin(source: Uint8Array, from: number, octets: number, apex: Uint8Array): number {
  const end = from + octets;
  let at = from;
  while (end - at > apex.length) at += source[at]! + 1;
  if (end - at !== apex.length) return -1;
  for (let i = 0; i < apex.length; i++) {
    const octet = source[at + i]!;
    // RFC 4343: ASCII case does not count; a length octet is never in the range of letters.
    if ((octet >= 65 && octet <= 90 ? octet + 32 : octet) !== apex[i]) return -1;
  }
  return at;
}
