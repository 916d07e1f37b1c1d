/**
 * MRT records of one session (RFC 6396 §4.4), in the form with microseconds (§3, BGP4MP_ET), so that
 * the usual tools can read what was said when. Encoding only. Which subtype a message gets says who
 * sent it, how wide its AS numbers are and whether its routes have path identifiers (RFC 8050 §3).
 */
import { Writer } from '../../net/cursor.ts';
import type { Address } from '../../net/ip.ts';
import { twoOctets } from './as-path.ts';
import { hasPathIds } from './attribute-rows.ts';
import type { CodecContext } from './attributes.ts';
import { AFI, EXTENDED_MESSAGE_BYTES_MAX } from './codes.ts';
import { decodeMessage } from './message.ts';

/** Both ends of a session; the addresses are of one family. */
export interface MrtSession {
  readonly peer_address: Address;
  readonly local_address: Address;
  /** 0 while it is not known. */
  readonly peer_as: number;
  readonly local_as: number;
}

/** RFC 4271 §8.2.2, by their numbers in MRT (RFC 6396 §4.4.1). */
const STATES = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'] as const;
export type MrtState = (typeof STATES)[number];

export interface MrtMessage {
  /** Header included. */
  readonly bytes: Uint8Array;
  /** We sent it. */
  readonly sent: boolean;
  /** What the message is encoded by. */
  readonly context: CodecContext;
}

const BGP4MP_ET = 17;
const SUBTYPE = { STATE_CHANGE_AS4: 5, MESSAGE: 1, MESSAGE_AS4: 4 } as const;
/** From a message's subtype to that of one that we sent, §4.4.4 and §4.4.5. */
const LOCAL = { [SUBTYPE.MESSAGE]: 6, [SUBTYPE.MESSAGE_AS4]: 7 } as const;
/** RFC 8050 §3. */
const ADDPATH = { 1: 8, 4: 9, 6: 10, 7: 11 } as const;

const HEADER_BYTES = 12;
/** Two AS numbers, interface and family, two IPv6 addresses. */
const ENDS_BYTES_MAX = 44;
const MICROSECONDS_BYTES = 4;

/** One message as a record; `wall_ms` is in milliseconds since 1970, fractions allowed. */
export function encodeMrtMessage(
  session: MrtSession,
  { bytes, sent, context }: MrtMessage,
  wall_ms: number,
): Uint8Array {
  const base = context.four_octet_as ? SUBTYPE.MESSAGE_AS4 : SUBTYPE.MESSAGE;
  const directed = sent ? LOCAL[base] : base;
  // Path identifiers are agreed on for what we receive only.
  const paths = !sent && familiesOf(bytes, context).some((family) => hasPathIds(family, context));
  const subtype = paths ? ADDPATH[directed] : directed;
  return record(subtype, wall_ms, (writer) => {
    putEnds(writer, session, context.four_octet_as);
    writer.put(bytes);
  });
}

/** Of an UPDATE's routes: only they have path identifiers, and these are agreed on for each family. */
function familiesOf(bytes: Uint8Array, context: CodecContext): (4 | 6)[] {
  if (!context.add_path4 && !context.add_path6) return [];
  const { message } = decodeMessage(bytes, context);
  if (message?.type !== 'update') return [];
  const { withdrawn, announced, attributes } = message.update;
  const { mp_reach, mp_unreach } = attributes;
  const classic = withdrawn.length + announced.length > 0 ? [4 as const] : [];
  const others = [mp_reach?.family, mp_unreach?.family].filter((family) => family != null);
  return [...classic, ...others];
}

/** A change of the session's state as a record. */
export function encodeMrtState(
  session: MrtSession,
  from: MrtState,
  to: MrtState,
  wall_ms: number,
): Uint8Array {
  return record(SUBTYPE.STATE_CHANGE_AS4, wall_ms, (writer) => {
    putEnds(writer, session, true);
    writer.u16(STATES.indexOf(from) + 1);
    writer.u16(STATES.indexOf(to) + 1);
  });
}

const scratch = new Uint8Array(
  HEADER_BYTES + MICROSECONDS_BYTES + ENDS_BYTES_MAX + EXTENDED_MESSAGE_BYTES_MAX,
);

function record(subtype: number, wall_ms: number, body: (writer: Writer) => void): Uint8Array {
  const seconds = Math.floor(wall_ms / 1000);
  const writer = new Writer(scratch);
  writer.u32(seconds);
  writer.u16(BGP4MP_ET);
  writer.u16(subtype);
  const lengthAt = writer.offset;
  writer.u32(0);
  // RFC 6396 §3: the microseconds count as part of the message.
  const start = writer.offset;
  writer.u32(Math.floor((wall_ms - seconds * 1000) * 1000));
  body(writer);
  const length = writer.offset - start;
  new DataView(scratch.buffer).setUint32(lengthAt, length);
  return writer.written().slice();
}

function putEnds(writer: Writer, session: MrtSession, fourOctets: boolean): void {
  const { peer_as, local_as, peer_address, local_address } = session;
  for (const as of [peer_as, local_as]) {
    if (fourOctets) writer.u32(as);
    else writer.u16(twoOctets(as));
  }
  writer.u16(0); // the interface, which need not be told
  writer.u16(peer_address.length === 4 ? AFI.IPV4 : AFI.IPV6);
  writer.put(peer_address);
  writer.put(local_address);
}
