/**
 * Path attributes: one table row each, with code, flags, lengths, decoder, encoder and the class of
 * RFC 7606 that a malformed one has, so that encoding and decoding cannot drift apart. What is not
 * in the table is carried verbatim. Rules that span attributes are in update.ts.
 */
import type { Reader, Writer } from '../../net/cursor.ts';
import { decodeAsPath, deprecatedSegment, encodeAsPath, twoOctets } from './as-path.ts';
import type {
  Aggregator,
  AttributeName,
  CodecContext,
  KnownAttributes,
  MpReach,
  MpUnreach,
} from './attributes.ts';
import { AFI, EXTENDED_MESSAGE_BYTES_MAX, FLAG, SAFI, UPDATE_ERROR } from './codes.ts';
import type { FaultClass } from './fault.ts';
import { decodePrefixes, encodePrefixes } from './nlri.ts';

export interface AttributeRow<Value> {
  readonly code: number;
  readonly flags: number;
  /** Allowed length of the value in bytes, a multiple of `unit`. */
  readonly min: number;
  readonly max: number;
  readonly unit: number;
  /** What a malformed value does (RFC 7606 §7 and the attribute's own RFC). */
  readonly malformed: FaultClass;
  /** What wrong flags do; absent: treat-as-withdraw (RFC 7606 §3 c). */
  readonly misflagged?: FaultClass;
  /** UPDATE error subcode of a malformed value of allowed length. */
  readonly subcode: number;
  /** The value, or undefined if it is malformed; the reader spans exactly the value. */
  readonly decode: (reader: Reader, context: CodecContext) => Value | undefined;
  readonly encode: (writer: Writer, value: Value, context: CodecContext) => void;
  /** Why a route with a value that can be read is not used all the same: treat-as-withdraw. */
  readonly refused?: (value: Value) => string | null;
}

type Rows = {
  readonly [Name in AttributeName]-?: AttributeRow<NonNullable<KnownAttributes[Name]>>;
};

const WELL_KNOWN = FLAG.TRANSITIVE;
const OPTIONAL = FLAG.OPTIONAL;
const OPTIONAL_TRANSITIVE = FLAG.OPTIONAL | FLAG.TRANSITIVE;
/** The message bounds it: nothing longer comes, and nothing longer is encoded. */
const VALUE_BYTES_MAX = EXTENDED_MESSAGE_BYTES_MAX;

function unicastFamily(afi: number, safi: number): 4 | 6 | null {
  if (safi !== SAFI.UNICAST) return null;
  return afi === AFI.IPV4 ? 4 : afi === AFI.IPV6 ? 6 : null;
}

function encodeFamily(writer: Writer, mp: MpReach | MpUnreach): void {
  writer.u16(mp.family === null ? mp.afi : mp.family === 4 ? AFI.IPV4 : AFI.IPV6);
  writer.u8(mp.family === null ? mp.safi : SAFI.UNICAST);
}

/** RFC 4760 §3. A next hop that does not fit its family resets the session (RFC 7606 §7.11). */
function decodeMpReach(reader: Reader, context: CodecContext): MpReach | undefined {
  const afi = reader.u16();
  const safi = reader.u8();
  const next_hop = reader.take(reader.u8()).slice();
  reader.skip(1); // reserved
  const family = unicastFamily(afi, safi);
  if (family === null) {
    const raw = reader.take(reader.left).slice();
    return reader.failed ? undefined : { family, afi, safi, next_hop, raw };
  }
  const fits4 = family === 4 && next_hop.length === 4;
  const fits6 = next_hop.length === 16 || next_hop.length === 32;
  if (!fits4 && !(fits6 && (family === 6 || context.extended_next_hop))) return undefined;
  const nlri = decodePrefixes(reader, family, hasPathIds(family, context));
  return reader.failed ? undefined : { family, next_hop, nlri };
}

export function hasPathIds(family: 4 | 6, context: CodecContext): boolean {
  return family === 4 ? context.add_path4 : context.add_path6;
}

function decodeMpUnreach(reader: Reader, context: CodecContext): MpUnreach | undefined {
  const afi = reader.u16();
  const safi = reader.u8();
  const family = unicastFamily(afi, safi);
  if (family === null) return { family, afi, safi, raw: reader.take(reader.left).slice() };
  const nlri = decodePrefixes(reader, family, hasPathIds(family, context));
  return reader.failed ? undefined : { family, nlri };
}

/** RFC 7607: AS 0 makes it malformed. */
function decodeAggregator(reader: Reader, octets: number): Aggregator | undefined {
  if (reader.left !== octets + 4) return undefined;
  const as = octets === 4 ? reader.u32() : reader.u16();
  return as === 0 ? undefined : { as, address: reader.take(4).slice() };
}

function decodeList<Item>(reader: Reader, item: () => Item): Item[] {
  const items: Item[] = [];
  while (reader.left > 0) items.push(item());
  return items;
}

/** A four-octet number: MULTI_EXIT_DISC, LOCAL_PREF, ORIGINATOR_ID, OTC. */
function number32(code: number, flags: number): AttributeRow<number> {
  return {
    code,
    flags,
    min: 4,
    max: 4,
    unit: 1,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.LENGTH,
    decode: (reader) => reader.u32(),
    encode: (writer, value) => writer.u32(value),
  };
}

/** Four-octet numbers, at least one: COMMUNITIES, CLUSTER_LIST. */
function list32(code: number, flags: number): AttributeRow<readonly number[]> {
  return {
    code,
    flags,
    min: 4,
    max: VALUE_BYTES_MAX,
    unit: 4,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: (reader) => decodeList(reader, () => reader.u32()),
    encode: (writer, value) => {
      for (const number of value) writer.u32(number);
    },
  };
}

/** Pieces of `unit` octets, at least one, of which the types are nobody's error (RFC 7606 §7.14). */
function pieces(code: number, unit: number): AttributeRow<Uint8Array> {
  return {
    code,
    flags: OPTIONAL_TRANSITIVE,
    min: unit,
    max: VALUE_BYTES_MAX,
    unit,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: (reader) => reader.take(reader.left).slice(),
    encode: (writer, value) => writer.put(value),
  };
}

/** RFC 7311 §3: TLVs of at least three octets, of which type 1 has a metric of eight. */
function decodeAigp(reader: Reader): Uint8Array | undefined {
  const value = reader.bytes.slice(reader.offset, reader.end);
  while (reader.left > 0) {
    const type = reader.u8();
    const length = reader.u16();
    if (length < 3 || (type === AIGP_METRIC && length !== 11)) return undefined;
    reader.skip(length - 3);
  }
  if (reader.failed || aigpMetric(value) === AIGP_UNREACHABLE) return undefined;
  return value;
}

const AIGP_METRIC = 1;
/** RFC 7311 §3.2: the largest metric makes the attribute malformed. */
const AIGP_UNREACHABLE = 0xffff_ffff_ffff_ffffn;

/** The accumulated metric of an AIGP attribute, or null if it has none (RFC 7311 §3). */
export function aigpMetric(aigp: Uint8Array): bigint | null {
  const view = new DataView(aigp.buffer, aigp.byteOffset, aigp.byteLength);
  for (let at = 0; at + 3 <= aigp.length; at += view.getUint16(at + 1)) {
    if (view.getUint8(at) === AIGP_METRIC) return view.getBigUint64(at + 3);
  }
  return null;
}

export const ATTRIBUTES: Rows = {
  mp_reach: {
    code: 14,
    flags: OPTIONAL,
    min: 5,
    max: VALUE_BYTES_MAX,
    unit: 1,
    malformed: 'session-reset',
    misflagged: 'session-reset', // RFC 7606 §5.3
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: decodeMpReach,
    encode: (writer, value) => {
      encodeFamily(writer, value);
      writer.u8(value.next_hop.length);
      writer.put(value.next_hop);
      writer.u8(0);
      if (value.family === null) writer.put(value.raw);
      else encodePrefixes(writer, value.nlri);
    },
  },
  mp_unreach: {
    code: 15,
    flags: OPTIONAL,
    min: 3,
    max: VALUE_BYTES_MAX,
    unit: 1,
    malformed: 'session-reset',
    misflagged: 'session-reset', // RFC 7606 §5.3
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: decodeMpUnreach,
    encode: (writer, value) => {
      encodeFamily(writer, value);
      if (value.family === null) writer.put(value.raw);
      else encodePrefixes(writer, value.nlri);
    },
  },
  origin: {
    code: 1,
    flags: WELL_KNOWN,
    min: 1,
    max: 1,
    unit: 1,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.ORIGIN,
    decode: (reader) => {
      const origin = reader.u8();
      return origin > 2 ? undefined : origin;
    },
    encode: (writer, value) => writer.u8(value),
  },
  as_path: {
    code: 2,
    flags: WELL_KNOWN,
    min: 0,
    max: VALUE_BYTES_MAX,
    unit: 1,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.AS_PATH,
    decode: (reader, { four_octet_as }) => decodeAsPath(reader, four_octet_as ? 4 : 2),
    encode: (writer, value, { four_octet_as }) =>
      encodeAsPath(writer, value, four_octet_as ? 4 : 2),
    refused: deprecatedSegment,
  },
  next_hop: {
    code: 3,
    flags: WELL_KNOWN,
    min: 4,
    max: 4,
    unit: 1,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.NEXT_HOP,
    decode: (reader) => reader.take(4).slice(),
    encode: (writer, value) => writer.put(value),
  },
  med: number32(4, OPTIONAL),
  local_pref: number32(5, WELL_KNOWN),
  atomic_aggregate: {
    code: 6,
    flags: WELL_KNOWN,
    min: 0,
    max: 0,
    unit: 1,
    malformed: 'attribute-discard',
    subcode: UPDATE_ERROR.LENGTH,
    decode: () => true,
    encode: () => {},
  },
  aggregator: {
    code: 7,
    flags: OPTIONAL_TRANSITIVE,
    min: 6,
    max: 8,
    unit: 2,
    malformed: 'attribute-discard',
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: (reader, { four_octet_as }) => decodeAggregator(reader, four_octet_as ? 4 : 2),
    encode: (writer, value, { four_octet_as }) => {
      if (four_octet_as) writer.u32(value.as);
      else writer.u16(twoOctets(value.as));
      writer.put(value.address);
    },
  },
  communities: list32(8, OPTIONAL_TRANSITIVE),
  extended_communities: pieces(16, 8),
  ipv6_extended_communities: pieces(25, 20),
  // RFC 6793 §6: a malformed AS4_PATH or AS4_AGGREGATOR is ignored.
  as4_path: {
    code: 17,
    flags: OPTIONAL_TRANSITIVE,
    min: 6,
    max: VALUE_BYTES_MAX,
    unit: 2,
    malformed: 'attribute-discard',
    subcode: UPDATE_ERROR.OPTIONAL,
    // RFC 6793 §6: confederation segments do not belong here, and are left out.
    decode: (reader) => decodeAsPath(reader, 4)?.filter(({ kind }) => kind !== 'confed-sequence'),
    encode: (writer, value) => encodeAsPath(writer, value, 4),
    refused: deprecatedSegment,
  },
  as4_aggregator: {
    code: 18,
    flags: OPTIONAL_TRANSITIVE,
    min: 8,
    max: 8,
    unit: 1,
    malformed: 'attribute-discard',
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: (reader) => decodeAggregator(reader, 4),
    encode: (writer, value) => {
      writer.u32(value.as);
      writer.put(value.address);
    },
  },
  large_communities: {
    code: 32,
    flags: OPTIONAL_TRANSITIVE,
    min: 12,
    max: VALUE_BYTES_MAX,
    unit: 12,
    malformed: 'treat-as-withdraw',
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: (reader) =>
      decodeList(reader, (): [number, number, number] => [
        reader.u32(),
        reader.u32(),
        reader.u32(),
      ]),
    encode: (writer, value) => {
      for (const parts of value) for (const part of parts) writer.u32(part);
    },
  },
  originator_id: number32(9, OPTIONAL),
  cluster_list: list32(10, OPTIONAL),
  aigp: {
    code: 26,
    flags: OPTIONAL,
    min: 3,
    max: VALUE_BYTES_MAX,
    unit: 1,
    malformed: 'attribute-discard',
    misflagged: 'attribute-discard',
    subcode: UPDATE_ERROR.OPTIONAL,
    decode: decodeAigp,
    encode: (writer, value) => writer.put(value),
  },
  otc: number32(35, OPTIONAL_TRANSITIVE),
};

export const ATTRIBUTE_NAMES = Object.keys(ATTRIBUTES) as AttributeName[];

/** Row and name by attribute code. */
export const BY_CODE = new Map(
  ATTRIBUTE_NAMES.map((name) => {
    const row = ATTRIBUTES[name] as AttributeRow<unknown>;
    return [row.code, { name, row }] as const;
  }),
);
