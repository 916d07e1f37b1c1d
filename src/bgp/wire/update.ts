/**
 * The UPDATE message (RFC 4271 §4.3) with revised error handling (RFC 7606). A fault in an attribute
 * does not end the session unless routes could be lost by going on: the message is then obeyed
 * without that attribute, or as if it withdrew everything that it announces.
 */
import { type Reader, Writer } from '../../net/cursor.ts';
import { formatPrefix } from '../../net/ip.ts';
import { type AsPath, mergeAs4Path, needsFourOctets } from './as-path.ts';
import { ATTRIBUTE_NAMES, ATTRIBUTES, type AttributeRow, BY_CODE } from './attribute-rows.ts';
import type {
  AttributeName,
  Attributes,
  CodecContext,
  MpReach,
  RawAttribute,
} from './attributes.ts';
import { AS_TRANS, ERROR, EXTENDED_MESSAGE_BYTES_MAX, FLAG, UPDATE_ERROR } from './codes.ts';
import { type Fault, type FaultClass, fault, stronger } from './fault.ts';
import { decodePrefixes, encodePrefixes, type Nlri } from './nlri.ts';

export interface Update {
  /** IPv4 prefixes in the classic fields. */
  readonly withdrawn: readonly Nlri[];
  readonly announced: readonly Nlri[];
  readonly attributes: Attributes;
}

/** `update` is null exactly when the fault resets the session. */
export type DecodedUpdate =
  | { readonly update: Update; readonly fault: Fault | null }
  | { readonly update: null; readonly fault: Fault };

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const updateFault = (
  faultClass: FaultClass,
  subcode: number,
  detail: string,
  data?: Uint8Array,
): Fault => fault(faultClass, ERROR.UPDATE, subcode, detail, data);

const reset = (subcode: number, detail: string, data?: Uint8Array): DecodedUpdate => ({
  update: null,
  fault: updateFault('session-reset', subcode, detail, data),
});

export function decodeUpdate(reader: Reader, context: CodecContext): DecodedUpdate {
  // RFC 7606 §3 b: lengths that exceed the message leave no way to find the routes.
  const withdrawnBytes = reader.sub(reader.u16());
  const attributeBytes = reader.sub(reader.u16());
  if (reader.failed) {
    return reset(UPDATE_ERROR.ATTRIBUTE_LIST, 'field lengths exceed the message');
  }
  const withdrawn = decodePrefixes(withdrawnBytes, 4, context.add_path4);
  const announced = decodePrefixes(reader, 4, context.add_path4);
  // RFC 7606 §5.3: a prefix that cannot be read hides all that follow.
  if (withdrawnBytes.failed || reader.failed) {
    return reset(UPDATE_ERROR.NETWORK, 'an IPv4 prefix cannot be read');
  }
  const decoded = decodeAttributes(attributeBytes, context);
  const { attributes } = decoded;
  const reachable = announced.length > 0 || bringsRoutes(attributes.mp_reach);
  let worst = decoded.fault;
  if (reachable) worst = stronger(worst, missing(attributes, announced.length > 0, context));
  if (announced.length > 0) worst = stronger(worst, badNextHop(attributes));
  if (worst?.class === 'session-reset') return { update: null, fault: worst };
  // RFC 7606 §5.2: without routes that we can see, the broken attribute may have held them.
  if (worst?.class === 'treat-as-withdraw' && !reachable) {
    return { update: null, fault: { ...worst, class: 'session-reset' } };
  }
  return { update: { withdrawn, announced, attributes }, fault: worst };
}

function bringsRoutes(reach: MpReach | undefined): boolean {
  if (!reach) return false;
  return (reach.family === null ? reach.raw : reach.nlri).length > 0;
}

/** RFC 7606 §3 d: without a well-known mandatory attribute the routes are withdrawn. */
function missing(attributes: Attributes, classic: boolean, { ibgp }: CodecContext): Fault | null {
  const wanted: AttributeName[] = ['origin', 'as_path'];
  if (classic) wanted.push('next_hop');
  if (ibgp) wanted.push('local_pref');
  const name = wanted.find((candidate) => attributes[candidate] === undefined);
  if (name === undefined) return null;
  const data = Uint8Array.of(ATTRIBUTES[name].code);
  return updateFault('treat-as-withdraw', UPDATE_ERROR.MISSING_WELL_KNOWN, name, data);
}

/**
 * RFC 4271 §6.3: NEXT_HOP is a host's address, not "this network" or a group's. Beside routes in
 * MP_REACH_NLRI alone it says nothing (RFC 4760 §3), and so is not looked at.
 */
function badNextHop({ next_hop }: Attributes): Fault | null {
  if (!next_hop || (next_hop[0]! > 0 && next_hop[0]! < 224)) return null;
  const { flags, code } = ATTRIBUTES.next_hop;
  const data = Uint8Array.of(flags, code, next_hop.length, ...next_hop);
  const detail = next_hop.join('.');
  return updateFault('treat-as-withdraw', UPDATE_ERROR.NEXT_HOP, detail, data);
}

interface AttributeDraft {
  readonly known: Record<string, unknown>;
  readonly unknown: RawAttribute[];
  readonly seen: Set<number>;
}

function decodeAttributes(
  reader: Reader,
  context: CodecContext,
): { attributes: Attributes; fault: Fault | null } {
  const draft: AttributeDraft = { known: {}, unknown: [], seen: new Set() };
  let worst: Fault | null = null;
  while (reader.left > 0) {
    const start = reader.offset;
    const flags = reader.u8();
    const code = reader.u8();
    const value = reader.sub(flags & FLAG.EXTENDED ? reader.u16() : reader.u8());
    if (value.failed) {
      // RFC 7606 §4: the total length still tells where the classic routes begin.
      const detail = `attribute ${code} exceeds the attribute list`;
      worst = stronger(worst, updateFault('treat-as-withdraw', UPDATE_ERROR.LENGTH, detail));
      break;
    }
    const whole = reader.bytes.subarray(start, reader.offset);
    worst = stronger(worst, decodeAttribute(draft, flags, code, value, whole, context));
  }
  if (draft.unknown.length > 0) draft.known.unknown = draft.unknown;
  return { attributes: draft.known as Attributes, fault: worst };
}

/** Adds one attribute to the draft, or says what is wrong with it. */
function decodeAttribute(
  draft: AttributeDraft,
  flags: number,
  code: number,
  value: Reader,
  whole: Uint8Array,
  context: CodecContext,
): Fault | null {
  const known = BY_CODE.get(code);
  if (draft.seen.has(code)) {
    // RFC 7606 §3 g: a second copy is dropped, but a second set of routes is beyond repair.
    const routes = known?.name === 'mp_reach' || known?.name === 'mp_unreach';
    const faultClass = routes ? 'session-reset' : 'attribute-discard';
    return updateFault(faultClass, UPDATE_ERROR.ATTRIBUTE_LIST, `attribute ${code} twice`);
  }
  draft.seen.add(code);
  if (!known) {
    if (!(flags & FLAG.OPTIONAL)) {
      const subcode = UPDATE_ERROR.UNRECOGNIZED_WELL_KNOWN;
      return updateFault('session-reset', subcode, `attribute ${code}`, whole);
    }
    const raw = value.take(value.left).slice();
    draft.unknown.push({ flags: flags & ~FLAG.EXTENDED, code, value: raw });
    return null;
  }
  const { name, row } = known;
  const ignored = outOfPlace(name, context);
  if (ignored) return updateFault('attribute-discard', UPDATE_ERROR.ATTRIBUTE_LIST, ignored);
  const length = value.left;
  if (length < row.min || length > row.max || length % row.unit !== 0) {
    const detail = `${name} of ${length} bytes`;
    return updateFault(row.malformed, UPDATE_ERROR.LENGTH, detail, whole);
  }
  const decoded = row.decode(value, context);
  const data = name === 'as_path' ? undefined : whole; // RFC 4271 §6.3 names none for AS_PATH
  if (decoded === undefined) return updateFault(row.malformed, row.subcode, name, data);
  const mask = FLAG.OPTIONAL | FLAG.TRANSITIVE;
  if ((flags & mask) !== row.flags) {
    // RFC 7606 §3 c. The value is kept: if it has routes, they are what must be withdrawn.
    const faultClass = row.misflagged ?? 'treat-as-withdraw';
    if (faultClass !== 'attribute-discard') draft.known[name] = decoded;
    return updateFault(faultClass, UPDATE_ERROR.FLAGS, name, whole);
  }
  draft.known[name] = decoded;
  const refused = row.refused?.(decoded) ?? null;
  return refused === null ? null : updateFault('treat-as-withdraw', row.subcode, refused, data);
}

/** What an external peer has no business to say. */
const INTERNAL: ReadonlySet<AttributeName> = new Set([
  'local_pref',
  'originator_id',
  'cluster_list',
]);

/** Why an attribute must be ignored from this peer, or null. */
function outOfPlace(name: AttributeName, context: CodecContext): string | null {
  // RFC 7606 §7.5, §7.9, §7.10.
  if (INTERNAL.has(name) && !context.ibgp) return `${name} from an external peer`;
  // RFC 6793 §4.1.
  if (context.four_octet_as && (name === 'as4_path' || name === 'as4_aggregator')) {
    return `${name} from a four-octet AS speaker`;
  }
  return null;
}

/** One route that an UPDATE brings. */
export interface Announced {
  readonly prefix: Nlri;
  readonly next_hop: Uint8Array;
}

/** What an UPDATE means, families and fields put together. No path is in both lists. */
export interface RouteChanges {
  readonly withdrawn: readonly Nlri[];
  readonly announced: readonly Announced[];
  /** The true AS path, with AS4_PATH merged in. */
  readonly as_path: AsPath;
}

/**
 * The changes that `decoded` asks for. With a treat-as-withdraw fault everything announced is
 * withdrawn; otherwise a prefix in both fields counts as announced (RFC 4271 §4.3).
 */
export function routeChanges(update: Update, cause: Fault | null): RouteChanges {
  const { mp_reach, mp_unreach, next_hop } = update.attributes;
  const announced: Announced[] = [];
  for (const prefix of update.announced) {
    announced.push({ prefix, next_hop: next_hop ?? new Uint8Array(4) });
  }
  if (mp_reach && mp_reach.family !== null) {
    // RFC 2545 §3: behind the global address there may be a link-local one.
    const hop = mp_reach.next_hop.subarray(0, 16);
    for (const prefix of mp_reach.nlri) announced.push({ prefix, next_hop: hop });
  }
  const removed = [...update.withdrawn];
  if (mp_unreach && mp_unreach.family !== null) removed.push(...mp_unreach.nlri);
  if (cause?.class === 'treat-as-withdraw') {
    removed.push(...announced.map(({ prefix }) => prefix));
    return { withdrawn: removed, announced: [], as_path: [] };
  }
  const again = new Set(removed.length > 0 ? announced.map(({ prefix }) => pathKey(prefix)) : []);
  const withdrawn = removed.filter((prefix) => !again.has(pathKey(prefix)));
  return { withdrawn, announced, as_path: truePath(update.attributes) };
}

/** What a route replaces: the same prefix with the same path identifier (RFC 7911 §3). */
function pathKey(prefix: Nlri): string {
  return prefix.path_id === undefined
    ? formatPrefix(prefix)
    : `${formatPrefix(prefix)} ${prefix.path_id}`;
}

/** AS_PATH with the numbers that a two-octet speaker on the way had to replace. */
function truePath({ as_path = [], as4_path, aggregator, as4_aggregator }: Attributes): AsPath {
  // RFC 6793 §4.2.3: the route was aggregated by such a speaker after AS4_PATH was made.
  const outdated = as4_aggregator && aggregator && aggregator.as !== AS_TRANS;
  return as4_path && !outdated ? mergeAs4Path(as_path, as4_path) : as_path;
}

/**
 * The family whose initial table ends with this message, or null (RFC 4724 §2): an UPDATE without
 * routes or attributes for IPv4, an empty MP_UNREACH_NLRI alone for the others.
 */
export function endOfRib({ withdrawn, announced, attributes }: Update): 4 | 6 | null {
  if (withdrawn.length > 0 || announced.length > 0) return null;
  const names = Object.keys(attributes);
  if (names.length === 0) return 4;
  const { mp_unreach } = attributes;
  if (names.length !== 1 || !mp_unreach || mp_unreach.family === null) return null;
  return mp_unreach.nlri.length === 0 ? mp_unreach.family : null;
}

export function encodeUpdate(writer: Writer, update: Update, context: CodecContext): void {
  const withdrawnAt = writer.offset;
  writer.u16(0);
  encodePrefixes(writer, update.withdrawn);
  writer.patch16(withdrawnAt, writer.offset - withdrawnAt - 2);
  const attributesAt = writer.offset;
  writer.u16(0);
  encodeAttributes(writer, update.attributes, context);
  writer.patch16(attributesAt, writer.offset - attributesAt - 2);
  encodePrefixes(writer, update.announced);
}

/** `attributes` with AS4_PATH and AS4_AGGREGATOR where a two-octet peer needs them (RFC 6793 §4.2.2). */
export function forTwoOctetPeer(attributes: Attributes): Attributes {
  const { as_path, aggregator } = attributes;
  const out: Mutable<Attributes> = { ...attributes };
  if (as_path && needsFourOctets(as_path)) out.as4_path = as_path;
  if (aggregator && aggregator.as > 0xffff) out.as4_aggregator = aggregator;
  return out;
}

// One value at a time is encoded here before its length is known.
const scratch = new Uint8Array(EXTENDED_MESSAGE_BYTES_MAX);

/** RFC 7606 §5.1: the attribute with the routes comes first; RFC 4271 §5: the others by code. */
function sendingOrder({ code }: RawAttribute): number {
  return code === ATTRIBUTES.mp_reach.code || code === ATTRIBUTES.mp_unreach.code ? -1 : code;
}

function encodeAttributes(writer: Writer, attributes: Attributes, context: CodecContext): void {
  const raw: RawAttribute[] = [...(attributes.unknown ?? [])];
  for (const name of ATTRIBUTE_NAMES) {
    const value = attributes[name];
    if (value === undefined) continue;
    const row = ATTRIBUTES[name] as AttributeRow<unknown>;
    const inner = new Writer(scratch);
    row.encode(inner, value, context);
    if (inner.failed) writer.failed = true;
    raw.push({ flags: row.flags, code: row.code, value: inner.written().slice() });
  }
  raw.sort((a, b) => sendingOrder(a) - sendingOrder(b));
  for (const { flags, code, value } of raw) putAttribute(writer, flags, code, value);
}

function putAttribute(writer: Writer, flags: number, code: number, value: Uint8Array): void {
  const long = value.length > 255;
  writer.u8(long ? flags | FLAG.EXTENDED : flags);
  writer.u8(code);
  if (long) writer.u16(value.length);
  else writer.u8(value.length);
  writer.put(value);
}
