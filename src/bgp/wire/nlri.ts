/** Prefixes on the wire (RFC 4271 §4.3, RFC 4760 §5): a length in bits, then as few octets as hold it. */
import type { Reader, Writer } from '../../net/cursor.ts';
import { maskAddress, type Prefix } from '../../net/ip.ts';

/**
 * All prefixes up to the reader's end. Bits beyond the length are irrelevant (RFC 4271 §4.3) and
 * come out as zero. The reader's error is set if one is too long or cut off.
 */
export function decodePrefixes(reader: Reader, family: 4 | 6): Prefix[] {
  const octets = family === 4 ? 4 : 16;
  const prefixes: Prefix[] = [];
  while (reader.left > 0) {
    const length = reader.u8();
    if (length > octets * 8) {
      reader.fail();
      break;
    }
    const bytes = reader.take((length + 7) >> 3);
    if (reader.failed) break;
    const address = new Uint8Array(octets);
    address.set(bytes);
    prefixes.push({ address: length & 7 ? maskAddress(address, length) : address, length });
  }
  return prefixes;
}

export function encodePrefixes(writer: Writer, prefixes: readonly Prefix[]): void {
  for (const { address, length } of prefixes) {
    writer.u8(length);
    writer.put(address.subarray(0, (length + 7) >> 3));
  }
}

/** Bytes that one prefix takes on the wire. */
export function prefixBytes(prefix: Prefix): number {
  return 1 + ((prefix.length + 7) >> 3);
}
