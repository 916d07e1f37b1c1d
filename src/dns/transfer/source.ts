/** Where the records of a transfer come from: one zone as it stands, one record after the other. */

export interface PlainRecord {
  /** Wire form, lower-cased. */
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttl_s: number;
  /** Wire form, names uncompressed. */
  readonly rdata: Uint8Array;
}

export interface ZoneSource {
  /** Wire form, lower-cased. */
  readonly origin: Uint8Array;
  /** As the zone file has it. */
  readonly soa: PlainRecord;
  /**
   * Every other record of the zone, with its delegations, glue and occluded names; records of one
   * rrset follow each other. Addresses of health-aware names are not among them.
   */
  records(): Iterator<PlainRecord>;
}

/** The serial is the first of the five numbers that end the rdata (RFC 1035 §3.3.13). */
const SERIAL_FROM_END = 20;

export function serialOf(soa: PlainRecord): number {
  const { rdata } = soa;
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  return view.getUint32(rdata.length - SERIAL_FROM_END);
}

export function withSerial(soa: PlainRecord, serial: number): PlainRecord {
  const rdata = Uint8Array.from(soa.rdata);
  new DataView(rdata.buffer).setUint32(rdata.length - SERIAL_FROM_END, serial);
  return { ...soa, rdata };
}
