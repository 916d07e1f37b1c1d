/**
 * BFD control packets (RFC 5880 §4): octets in, a packet or the reason to discard it out; never a
 * throw. The checks of §6.8.6 that need no session are made here, those of an authentication section
 * beyond its layout in auth.ts.
 */
import { Reader, Writer } from '../../net/cursor.ts';
import type { BfdState } from '../ports.ts';

/** RFC 5881 §4, RFC 5883 §5. */
export const SINGLE_HOP_PORT = 3784;
export const MULTIHOP_PORT = 4784;

/** Octets of a packet without authentication, and the most that one can have with it. */
export const HEADER_BYTES = 24;
export const PACKET_BYTES_MAX = HEADER_BYTES + 28;

const VERSION = 1;
/** The values of the Sta field, in order. */
const STATES: readonly BfdState[] = ['admin-down', 'down', 'init', 'up'];

const FLAG = {
  POLL: 0x20,
  FINAL: 0x10,
  CONTROL_PLANE_INDEPENDENT: 0x08,
  AUTHENTICATION: 0x04,
  DEMAND: 0x02,
  MULTIPOINT: 0x01,
} as const;

export const DIAGNOSTIC = {
  NONE: 0,
  DETECTION_TIME_EXPIRED: 1,
  NEIGHBOR_SIGNALED_DOWN: 3,
  ADMIN_DOWN: 7,
} as const;

const DIAGNOSTICS: readonly (string | null)[] = [
  null,
  'control detection time expired',
  'echo function failed',
  'neighbour signalled session down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
];

/** A diagnostic code in words; null: none. */
export function diagnosticText(code: number): string | null {
  return code < DIAGNOSTICS.length ? DIAGNOSTICS[code]! : `diagnostic ${code}`;
}

/** RFC 5880 §4.2–4.4. */
export interface AuthSection {
  readonly type: number;
  readonly key_id: number;
  /** 0 in a simple password's section, which has none. */
  readonly sequence: number;
  /** The password, or the digest; a view of the packet. */
  readonly value: Uint8Array;
}

export const AUTH_TYPE = {
  SIMPLE: 1,
  MD5: 2,
  METICULOUS_MD5: 3,
  SHA1: 4,
  METICULOUS_SHA1: 5,
} as const;

export interface BfdPacket {
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  readonly control_plane_independent: boolean;
  readonly demand: boolean;
  readonly multiplier: number;
  readonly my_discriminator: number;
  readonly your_discriminator: number;
  /** Microseconds, as on the wire. */
  readonly desired_tx_us: number;
  readonly required_rx_us: number;
  readonly required_echo_rx_us: number;
}

export interface DecodedPacket extends BfdPacket {
  readonly auth: AuthSection | null;
  /** The octets that the packet says it has; what a datagram holds beyond is not part of it. */
  readonly bytes: Uint8Array;
}

export type Decoded =
  | { readonly ok: true; readonly packet: DecodedPacket }
  | { readonly ok: false; readonly error: string };

const discard = (error: string): Decoded => ({ ok: false, error });

/** RFC 5880 §6.8.6: the checks in their order. */
export function decodePacket(datagram: Uint8Array): Decoded {
  const reader = new Reader(datagram);
  const first = reader.u8();
  const second = reader.u8();
  const multiplier = reader.u8();
  const length = reader.u8();
  const authenticated = (second & FLAG.AUTHENTICATION) !== 0;
  if (first >> 5 !== VERSION) return discard('version is not 1');
  if (length < (authenticated ? HEADER_BYTES + 2 : HEADER_BYTES)) return discard('too short');
  if (length > datagram.length) return discard('longer than its datagram');
  if (multiplier === 0) return discard('detect multiplier is 0');
  if ((second & FLAG.MULTIPOINT) !== 0) return discard('multipoint');
  const my_discriminator = reader.u32();
  const your_discriminator = reader.u32();
  const state = STATES[second >> 6]!;
  if (my_discriminator === 0) return discard('no discriminator of its sender');
  if (your_discriminator === 0 && state !== 'down' && state !== 'admin-down') {
    return discard('no discriminator of ours in a session that has begun');
  }
  const bytes = datagram.subarray(0, length);
  const intervals = [reader.u32(), reader.u32(), reader.u32()] as const;
  let auth: AuthSection | null = null;
  if (authenticated) {
    auth = decodeAuth(new Reader(bytes, HEADER_BYTES));
    if (!auth) return discard('malformed authentication section');
  }
  const packet = {
    diagnostic: first & 0x1f,
    state,
    poll: (second & FLAG.POLL) !== 0,
    final: (second & FLAG.FINAL) !== 0,
    control_plane_independent: (second & FLAG.CONTROL_PLANE_INDEPENDENT) !== 0,
    demand: (second & FLAG.DEMAND) !== 0,
    multiplier,
    my_discriminator,
    your_discriminator,
    desired_tx_us: intervals[0],
    required_rx_us: intervals[1],
    required_echo_rx_us: intervals[2],
    auth,
    bytes,
  };
  return { ok: true, packet };
}

/** Octets of a section with a sequence number, by type: §4.3, §4.4. */
function digestSectionLength(type: number): number {
  if (type === AUTH_TYPE.MD5 || type === AUTH_TYPE.METICULOUS_MD5) return 24;
  if (type === AUTH_TYPE.SHA1 || type === AUTH_TYPE.METICULOUS_SHA1) return 28;
  return 0;
}

function decodeAuth(reader: Reader): AuthSection | null {
  const type = reader.u8();
  const length = reader.u8();
  const key_id = reader.u8();
  if (type === AUTH_TYPE.SIMPLE) {
    const value = reader.take(length - 3);
    return reader.failed || value.length < 1 || value.length > 16
      ? null
      : { type, key_id, sequence: 0, value };
  }
  if (length === 0 || length !== digestSectionLength(type)) return null;
  reader.skip(1); // reserved, ignored on receipt
  const sequence = reader.u32();
  const value = reader.take(length - 8);
  return reader.failed ? null : { type, key_id, sequence, value };
}

/**
 * Writes the packet, and after it the authentication section, if any; the result is a view of `out`,
 * which has room for PACKET_BYTES_MAX octets.
 */
export function encodePacket(
  packet: BfdPacket,
  auth: AuthSection | null,
  out: Uint8Array,
): Uint8Array {
  const writer = new Writer(out);
  const flags =
    (packet.poll ? FLAG.POLL : 0) |
    (packet.final ? FLAG.FINAL : 0) |
    (packet.control_plane_independent ? FLAG.CONTROL_PLANE_INDEPENDENT : 0) |
    (auth ? FLAG.AUTHENTICATION : 0) |
    (packet.demand ? FLAG.DEMAND : 0);
  writer.u8((VERSION << 5) | packet.diagnostic);
  writer.u8((STATES.indexOf(packet.state) << 6) | flags);
  writer.u8(packet.multiplier);
  writer.u8(HEADER_BYTES + (auth ? authLength(auth) : 0));
  writer.u32(packet.my_discriminator);
  writer.u32(packet.your_discriminator);
  writer.u32(packet.desired_tx_us);
  writer.u32(packet.required_rx_us);
  writer.u32(packet.required_echo_rx_us);
  if (auth) writeAuth(writer, auth);
  return writer.written();
}

const authLength = ({ type, value }: AuthSection): number =>
  type === AUTH_TYPE.SIMPLE ? 3 + value.length : 8 + value.length;

function writeAuth(writer: Writer, auth: AuthSection): void {
  writer.u8(auth.type);
  writer.u8(authLength(auth));
  writer.u8(auth.key_id);
  if (auth.type !== AUTH_TYPE.SIMPLE) {
    writer.u8(0);
    writer.u32(auth.sequence);
  }
  writer.put(auth.value);
}
