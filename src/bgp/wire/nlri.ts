/**
 * Prefixes on the wire (RFC 4271 §4.3, RFC 4760 §5): a length in bits, then as few octets as hold it;
 * before it a path identifier where the session has agreed on them (RFC 7911 §3).
 */
import type { Reader, Writer } from '../../net/cursor.ts';
import { maskAddress, type Prefix } from '../../net/ip.ts';

export interface Nlri extends Prefix {
  /** RFC 7911: which of several paths to the prefix; absent where only one can be. */
  readonly path_id?: number;
}

const PATH_ID_BYTES = 4;

/**
 * All prefixes up to the reader's end. Bits beyond the length are irrelevant (RFC 4271 §4.3) and
 * come out as zero. The reader's error is set if one is too long or cut off.
 */
export function decodePrefixes(reader: Reader, family: 4 | 6, addPath: boolean): Nlri[] {
  const octets = family === 4 ? 4 : 16;
  const prefixes: Nlri[] = [];
  while (reader.left > 0) {
    const path_id = addPath ? reader.u32() : undefined;
    const length = reader.u8();
    if (length > octets * 8) {
      reader.fail();
      break;
    }
    const bytes = reader.take((length + 7) >> 3);
    if (reader.failed) break;
    const address = new Uint8Array(octets);
    address.set(bytes);
    const prefix = { address: length & 7 ? maskAddress(address, length) : address, length };
    prefixes.push(path_id === undefined ? prefix : { ...prefix, path_id });
  }
  return prefixes;
}

/**
 * A path identifier is written where there is one: who makes routes for a session gives them one
 * exactly if the peer said that it takes them.
 */
export function encodePrefixes(writer: Writer, prefixes: readonly Nlri[]): void {
  for (const { address, length, path_id } of prefixes) {
    if (path_id !== undefined) writer.u32(path_id);
    writer.u8(length);
    writer.put(address.subarray(0, (length + 7) >> 3));
  }
}

/** Bytes that one prefix takes on the wire. */
export function prefixBytes({ length, path_id }: Nlri): number {
  return (path_id === undefined ? 0 : PATH_ID_BYTES) + 1 + ((length + 7) >> 3);
}
