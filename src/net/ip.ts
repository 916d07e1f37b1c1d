/**
 * IP addresses and prefixes. An address is its 4 or 16 octets in network order; text is parsed
 * strictly (no octal, no short forms: "010.0.0.1" and "10.1" are errors) and printed in the
 * canonical form of RFC 5952.
 */
import { isIPv6 } from 'node:net';

export type Address = Uint8Array;

export interface Prefix {
  /** Octets with every bit beyond `length` zero. */
  readonly address: Address;
  /** Prefix length in bits, 0–32 or 0–128. */
  readonly length: number;
}

export function family(address: Address): 4 | 6 {
  return address.length === 4 ? 4 : 6;
}

function parse4(text: string): Address | null {
  const out = new Uint8Array(4);
  let octet = -1;
  let index = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46;
    if (code === 46) {
      if (octet < 0 || index > 3) return null;
      out[index++] = octet;
      octet = -1;
    } else if (code >= 48 && code <= 57) {
      if (octet === 0) return null; // a leading zero, which some readers take as octal
      octet = octet < 0 ? code - 48 : octet * 10 + code - 48;
      if (octet > 255) return null;
    } else {
      return null;
    }
  }
  return index === 4 ? out : null;
}

function parse6(text: string): Address | null {
  if (text.includes('%') || !isIPv6(text)) return null;
  const out = new Uint8Array(16);
  let body = text;
  const lastColon = body.lastIndexOf(':');
  const tail = body.slice(lastColon + 1);
  let groupsWanted = 8;
  if (tail.includes('.')) {
    const v4 = parse4(tail);
    if (!v4) return null;
    out.set(v4, 12);
    groupsWanted = 6;
    body = body.slice(0, lastColon + 1);
    body = body.endsWith('::') ? body : body.slice(0, -1);
  }
  const halves = body.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const head = groups(halves[0]!);
  const rest = halves.length > 1 ? groups(halves[1]!) : [];
  head.forEach((value, i) => {
    out[i * 2] = value >>> 8;
    out[i * 2 + 1] = value;
  });
  rest.forEach((value, i) => {
    const at = (groupsWanted - rest.length + i) * 2;
    out[at] = value >>> 8;
    out[at + 1] = value;
  });
  return out;
}

/** The address's octets, or null if `text` is not an IPv4 or IPv6 address in standard form. */
export function parseAddress(text: string): Address | null {
  return text.includes(':') ? parse6(text) : parse4(text);
}

/** Canonical text (RFC 5952 for IPv6: lower case, longest run of zero groups as "::"). */
export function formatAddress(address: Address): string {
  if (address.length === 4) return address.join('.');
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((address[i]! << 8) | address[i + 1]!);
  let bestStart = -1;
  let bestLength = 1; // RFC 5952 §4.2.2: a single zero group is not shortened
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) {
      bestStart = i;
      bestLength = length;
    }
    if (length > 0) i += length;
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (bestStart < 0) return hex(groups);
  return `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}

/** The canonical text of an address given as text, or null if it is not one. */
export function canonicalAddress(text: string): string | null {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

/** `address` with every bit beyond the first `bits` zeroed, as a new array. */
export function maskAddress(address: Address, bits: number): Address {
  const out = new Uint8Array(address.length);
  const whole = bits >> 3;
  out.set(address.subarray(0, whole));
  if (bits & 7) out[whole] = address[whole]! & (0xff << (8 - (bits & 7)));
  return out;
}

export function equalAddresses(a: Address, b: Address): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Parses `address/length`. Host bits must be zero: a prefix with some set is nearly always a typing
 * mistake, so it is refused rather than masked.
 */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const address = parseAddress(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (!address || !/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return null;
  const length = Number(lengthText);
  if (length > address.length * 8) return null;
  if (!equalAddresses(address, maskAddress(address, length))) return null;
  return { address, length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

/** True if `address` lies in `prefix`; never across address families. */
export function prefixContains(prefix: Prefix, address: Address): boolean {
  if (prefix.address.length !== address.length) return false;
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.address[i] !== address[i]) return false;
  const rest = prefix.length & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((prefix.address[whole]! ^ address[whole]!) & mask) === 0;
}

/** An IPv4-mapped IPv6 address (::ffff:a.b.c.d) as IPv4; any other address as it is. */
export function unmapAddress(address: Address): Address {
  if (address.length !== 16) return address;
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return address;
  return address[10] === 0xff && address[11] === 0xff ? address.slice(12) : address;
}

/** True for fe80::/10 (RFC 4291 §2.5.6), which means something only together with an interface. */
export function isLinkLocal(address: Address): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

/** A link-local address with its interface (RFC 4007 §11: "fe80::1%eth0"); others as they are. */
export function scopedAddress(address: string, device: string | null): string {
  const octets = parseAddress(address);
  if (!octets) return address;
  const text = formatAddress(octets);
  return device !== null && isLinkLocal(octets) ? `${text}%${device}` : text;
}

/** A socket address: an IP address in canonical text and a port. */
export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/** Parses "192.0.2.1:53" or "[2001:db8::1]:53"; null if it is neither. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  if (!match) return null;
  const parsed = parseAddress(match[1] ?? match[2]!);
  const port = Number(match[3]);
  if (!parsed || port > 65535 || (match[1] !== undefined) !== (parsed.length === 16)) return null;
  return { address: formatAddress(parsed), port };
}

export function formatHostPort({ address, port }: HostPort): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
