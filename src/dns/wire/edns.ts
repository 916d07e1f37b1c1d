/** EDNS options (RFC 6891 §6.1.2) and the client subnet option (ECS, RFC 7871 §6). */
import { err, ok, type Result } from '../../base/result.ts';
import { Reader, Writer } from '../../net/cursor.ts';
import { type Address, equalAddresses, maskAddress } from '../../net/ip.ts';
import { OPTION } from './codes.ts';

export interface Edns {
  /** The sender's largest UDP message, in octets. */
  readonly payload: number;
  readonly version: number;
  /** DNSSEC OK. */
  readonly do: boolean;
  readonly options: readonly EdnsOption[];
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** The OPT record's rdata as options; null if they do not fill it exactly. */
export function readOptions(rdata: Uint8Array): EdnsOption[] | null {
  const reader = new Reader(rdata);
  const options: EdnsOption[] = [];
  while (reader.left > 0) {
    const code = reader.u16();
    const data = reader.take(reader.u16()).slice();
    options.push({ code, data });
  }
  return reader.failed ? null : options;
}

export function writeOptions(out: Writer, options: readonly EdnsOption[]): void {
  for (const { code, data } of options) {
    out.u16(code);
    out.u16(data.length);
    out.put(data);
  }
}

export interface ClientSubnet {
  /** 4 or 16 octets, zero beyond the source prefix. */
  readonly address: Address;
  /** Prefix lengths in bits. */
  readonly source: number;
  readonly scope: number;
}

const FAMILY_OCTETS = new Map([
  [1, 4],
  [2, 16],
]);

/** The option for the first `source` bits of `address`; `scope` is 0 in queries. */
export function ecsOption(address: Address, source: number, scope = 0): EdnsOption {
  const octets = Math.ceil(source / 8);
  const out = new Writer(new Uint8Array(4 + octets));
  out.u16(address.length === 4 ? 1 : 2);
  out.u8(source);
  out.u8(scope);
  out.put(maskAddress(address, source).subarray(0, octets));
  return { code: OPTION.ECS, data: out.written() };
}

/**
 * Reads an ECS option strictly, as RFC 7871 §6 asks of a server: the address has exactly the octets
 * that the source prefix needs, and no bit beyond it is set.
 */
export function readEcs(option: EdnsOption): Result<ClientSubnet, string> {
  const reader = new Reader(option.data);
  const octets = FAMILY_OCTETS.get(reader.u16());
  const source = reader.u8();
  const scope = reader.u8();
  if (option.code !== OPTION.ECS || reader.failed) return err('not a client subnet option');
  if (octets === undefined) return err('an address family that is neither IPv4 nor IPv6');
  if (source > octets * 8 || scope > octets * 8) return err('a prefix longer than the address');
  if (reader.left !== Math.ceil(source / 8)) {
    return err('address octets that do not match the source prefix');
  }
  const address = new Uint8Array(octets);
  address.set(reader.take(reader.left));
  if (!equalAddresses(address, maskAddress(address, source))) {
    return err('address bits set beyond the source prefix');
  }
  return ok({ address, source, scope });
}
