/** Numbers of the DNS (IANA "Domain Name System (DNS) Parameters") and their names. */

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

export const CLASS = { IN: 1, CH: 3, NONE: 254, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** A name that DNAME makes longer than a name can be (RFC 6672 §2.2). */
  YXDOMAIN: 6,
  /** Not authoritative (RFC 5936 §2.2.1), or not authorised (RFC 8945 §5.2). */
  NOTAUTH: 9,
  /** Extended: upper eight bits in the OPT record (RFC 6891 §6.1.3). */
  BADVERS: 16,
  /** RFC 7873 §8. */
  BADCOOKIE: 23,
} as const;

/** Extended errors (RFC 8914 §4; INVALID_TYPE: RFC 9824). 0 is "other", which tells nothing. */
export const EDE = {
  NONE: 0,
  PROHIBITED: 18,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  INVALID_TYPE: 30,
} as const;

/** EDNS option codes. */
export const OPTION = { NSID: 3, ECS: 8, COOKIE: 10, KEEPALIVE: 11, PADDING: 12, EDE: 15 } as const;

const TYPE_NAMES = new Map<number, string>(
  Object.entries(TYPE).map(([name, code]) => [code, name]),
);

/** True for a type that zone data may hold: neither a question type nor a meta type (RFC 6895 §3.1). */
export function isDataType(type: number): boolean {
  return type !== 0 && type !== TYPE.OPT && (type < 128 || type > 255);
}

/** "A", or "TYPE65280" for a type without a name (RFC 3597 §5). */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** The number of a type's name in either form, upper or lower case; null if it is none. */
export function typeNumber(text: string): number | null {
  const upper = text.toUpperCase();
  const known = (TYPE as Record<string, number>)[upper];
  if (known !== undefined) return known;
  const generic = /^TYPE(0|[1-9][0-9]{0,4})$/.exec(upper);
  if (!generic || Number(generic[1]) > 65535) return null;
  return Number(generic[1]);
}
