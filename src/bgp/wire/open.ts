/**
 * The OPEN message (RFC 4271 §4.2) with optional parameters in the classic and the extended form
 * (RFC 9072). Syntax only: whether the peer may say what it says is the FSM's business. Each
 * capability is sent in a parameter of its own, the form that every implementation reads.
 */
import { type Reader, Writer } from '../../net/cursor.ts';
import {
  type Capability,
  capabilityText,
  decodeCapability,
  encodeCapability,
} from './capability.ts';
import { ERROR, MESSAGE_BYTES_MAX, OPEN_ERROR, VERSION } from './codes.ts';
import { type Decoded, type Fault, fault } from './fault.ts';

export interface Open {
  /** The two-octet field; AS_TRANS when the number needs four. See `openAs`. */
  readonly my_as: number;
  readonly hold_time_s: number;
  /** BGP identifier as an unsigned number (RFC 6286). */
  readonly router_id: number;
  readonly capabilities: readonly Capability[];
}

const CAPABILITIES_PARAMETER = 2;
const EXTENDED = 255;
/** Code, length and the longest value. */
const CAPABILITY_BYTES_MAX = 257;

/** The sender's AS number: the four-octet capability's if it sent one (RFC 6793 §4.1). */
export function openAs(open: Open): number {
  for (const capability of open.capabilities) {
    if (capability.kind === 'four-octet-as') return capability.as;
  }
  return open.my_as;
}

export function hasFourOctetAs(open: Open): boolean {
  return open.capabilities.some(({ kind }) => kind === 'four-octet-as');
}

/**
 * True if the sender can take routes of this family. RFC 4760 §8: without any multiprotocol
 * capability a speaker does IPv4 unicast.
 */
export function offersFamily(open: Open, afi: number, safi: number): boolean {
  let any = false;
  for (const capability of open.capabilities) {
    if (capability.kind !== 'multiprotocol') continue;
    if (capability.afi === afi && capability.safi === safi) return true;
    any = true;
  }
  return !any && afi === 1 && safi === 1;
}

const openFault = (subcode: number, detail: string, data?: Uint8Array): Fault =>
  fault('session-reset', ERROR.OPEN, subcode, detail, data);

export function decodeOpen(reader: Reader): Decoded<Open> {
  const version = reader.u8();
  // RFC 4271 §6.2: of another version's OPEN nothing more can be understood.
  if (version !== VERSION) {
    const data = Uint8Array.of(0, VERSION);
    const detail = `version ${version}`;
    return { ok: false, fault: openFault(OPEN_ERROR.VERSION, detail, data) };
  }
  const my_as = reader.u16();
  const hold_time_s = reader.u16();
  const router_id = reader.u32();
  const capabilities: Capability[] = [];
  let length = reader.u8();
  // RFC 9072 §2: a first parameter of type 255 says that lengths have two octets.
  const extended = length !== 0 && reader.left > 0 && reader.bytes[reader.offset] === EXTENDED;
  if (extended) {
    reader.skip(1);
    length = reader.u16();
  }
  if (length !== reader.left) reader.fail();
  while (reader.left > 0) {
    const type = reader.u8();
    const value = reader.sub(extended ? reader.u16() : reader.u8());
    if (!value.failed && type !== CAPABILITIES_PARAMETER) {
      const subcode = OPEN_ERROR.PARAMETER;
      return { ok: false, fault: openFault(subcode, `type ${type}`) };
    }
    while (value.left > 0) {
      const capability = decodeCapability(value);
      if (!value.failed) capabilities.push(capability);
    }
    if (value.failed) reader.fail();
  }
  if (reader.failed) {
    const detail = 'optional parameters do not fit their lengths';
    return { ok: false, fault: openFault(OPEN_ERROR.UNSPECIFIC, detail) };
  }
  return { ok: true, value: { my_as, hold_time_s, router_id, capabilities } };
}

export function encodeOpen(writer: Writer, open: Open): void {
  writer.u8(VERSION);
  writer.u16(open.my_as);
  writer.u16(open.hold_time_s);
  writer.u32(open.router_id);
  const parameters = open.capabilities.map((capability) => {
    const value = new Writer(new Uint8Array(CAPABILITY_BYTES_MAX));
    encodeCapability(value, capability);
    if (value.failed) writer.failed = true;
    return value.written();
  });
  const classic = parameters.reduce((sum, { length }) => sum + 2 + length, 0);
  // A length of 255 would be read as the mark of the extended form (RFC 9072 §2).
  const extended = classic >= EXTENDED || parameters.some(({ length }) => length > 255);
  if (extended) {
    writer.u8(EXTENDED);
    writer.u8(EXTENDED);
    writer.u16(classic + parameters.length);
  } else {
    writer.u8(classic);
  }
  for (const parameter of parameters) {
    writer.u8(CAPABILITIES_PARAMETER);
    if (extended) writer.u16(parameter.length);
    else writer.u8(parameter.length);
    writer.put(parameter);
  }
}

/** The refusal of an OPEN for its capabilities, which are its data (RFC 5492 §5). */
export function unsupportedCapability(capabilities: readonly Capability[]): Fault {
  const data = new Writer(new Uint8Array(MESSAGE_BYTES_MAX));
  for (const capability of capabilities) encodeCapability(data, capability);
  const detail = capabilities.map(capabilityText).join(', ');
  return openFault(OPEN_ERROR.CAPABILITY, detail, data.written());
}
