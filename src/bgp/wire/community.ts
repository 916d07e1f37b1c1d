/**
 * Communities as people write them: "65000:80" and the well-known names (RFC 1997), "target:65000:1"
 * and "origin:192.0.2.1:5" (RFC 4360, RFC 5668), "65000:1:2" (RFC 8092), and any other extended one as
 * sixteen hexadecimal digits. Every community has exactly one canonical text, which is read back as
 * the same community.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { formatAddress, parseAddress } from '../../net/ip.ts';

export type LargeCommunity = readonly [number, number, number];

export type Community =
  /** RFC 1997: the AS number in the upper half, the value in the lower. */
  | { readonly kind: 'standard'; readonly value: number }
  /** RFC 4360: eight octets. */
  | { readonly kind: 'extended'; readonly value: Uint8Array }
  /** RFC 8092: global administrator and two local parts. */
  | { readonly kind: 'large'; readonly value: LargeCommunity };

/** IANA "BGP Well-known Communities". */
export const WELL_KNOWN_COMMUNITIES: Readonly<Record<string, number>> = {
  'graceful-shutdown': 0xffff0000, // RFC 8326
  'accept-own': 0xffff0001, // RFC 7611
  'llgr-stale': 0xffff0006, // RFC 9494
  'no-llgr': 0xffff0007, // RFC 9494
  blackhole: 0xffff029a, // RFC 7999
  'no-export': 0xffffff01, // RFC 1997
  'no-advertise': 0xffffff02, // RFC 1997
  'no-export-subconfed': 0xffffff03, // RFC 1997
  'no-peer': 0xffffff04, // RFC 3765
};

const NAMES = new Map(Object.entries(WELL_KNOWN_COMMUNITIES).map(([name, value]) => [value, name]));

/** Second octet of the transitive types that have a text of their own. */
const SUBTYPES = new Map([
  ['target', 2],
  ['origin', 3],
]);
/** First octet, which says how the administrator is written: RFC 4360 §3.1, §3.2, RFC 5668. */
const FORM = { AS2: 0, ADDRESS: 1, AS4: 2 } as const;

const FORMS = 'as:value, a well-known name, target:as:value, origin:as:value or as:a:b';

/** The number in decimal digits without leading zeros, or null if it is none or above `max`. */
function decimal(text: string, max: number): number | null {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

/** The community, or what is wrong with `text` and what may stand there instead. */
export function parseCommunity(text: string): Result<Community, string> {
  const known = Object.hasOwn(WELL_KNOWN_COMMUNITIES, text) ? WELL_KNOWN_COMMUNITIES[text] : null;
  if (known != null) return ok({ kind: 'standard', value: known });
  if (/^0x[0-9a-f]{16}$/.test(text)) {
    return ok({ kind: 'extended', value: Uint8Array.from(Buffer.from(text.slice(2), 'hex')) });
  }
  const parts = text.split(':');
  const subtype = SUBTYPES.get(parts[0]!);
  if (subtype !== undefined && parts.length === 3) return extended(subtype, parts[1]!, parts[2]!);
  if (parts.length === 2) return standard(parts[0]!, parts[1]!);
  if (parts.length === 3) return large(parts);
  return err(`"${text}" is no community: write ${FORMS}`);
}

function standard(asText: string, valueText: string): Result<Community, string> {
  const as = decimal(asText, 0xffff);
  const value = decimal(valueText, 0xffff);
  if (as !== null && value !== null) return ok({ kind: 'standard', value: as * 0x10000 + value });
  const detail = 'both numbers are 0–65535; a larger AS needs a large community, as:a:b';
  return err(`"${asText}:${valueText}": ${detail}`);
}

function large(parts: readonly string[]): Result<Community, string> {
  const [a, b, c] = parts.map((part) => decimal(part, 0xffffffff));
  if (a != null && b != null && c != null) return ok({ kind: 'large', value: [a, b, c] });
  return err(`"${parts.join(':')}": the three numbers of a large community are 0–4294967295`);
}

/**
 * The administrator is an AS number or an IPv4 address. An AS above 65535 has the four-octet form,
 * which leaves two octets for the value; "65000L" asks for that form with a smaller one.
 */
function extended(subtype: number, admin: string, valueText: string): Result<Community, string> {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  bytes[1] = subtype;
  const address = parseAddress(admin);
  const long = admin.endsWith('L');
  const as = decimal(long ? admin.slice(0, -1) : admin, 0xffffffff);
  const form = address ? FORM.ADDRESS : long || (as ?? 0) > 0xffff ? FORM.AS4 : FORM.AS2;
  if ((address && address.length !== 4) || (!address && as === null)) {
    return err(`"${admin}" is neither an AS number nor an IPv4 address`);
  }
  const valueMax = form === FORM.AS2 ? 0xffffffff : 0xffff;
  const value = decimal(valueText, valueMax);
  if (value === null) return err(`"${valueText}": after ${admin} a number of 0–${valueMax} stands`);
  bytes[0] = form;
  if (address) bytes.set(address, 2);
  else if (form === FORM.AS4) view.setUint32(2, as!);
  if (form === FORM.AS2) {
    view.setUint16(2, as!);
    view.setUint32(4, value);
  } else {
    view.setUint16(6, value);
  }
  return ok({ kind: 'extended', value: bytes });
}

/** Canonical text. */
export function communityText(community: Community): string {
  switch (community.kind) {
    case 'standard':
      return standardText(community.value);
    case 'extended':
      return extendedText(community.value);
    case 'large':
      return community.value.join(':');
  }
}

/** "no-export", "65000:80". */
export function standardText(value: number): string {
  return NAMES.get(value) ?? `${value >>> 16}:${value & 0xffff}`;
}

/** "target:65000:1", or all eight octets as "0x…". */
export function extendedText(value: Uint8Array): string {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  for (const [name, subtype] of SUBTYPES) {
    if (value[1] !== subtype) continue;
    switch (value[0]) {
      case FORM.AS2:
        return `${name}:${view.getUint16(2)}:${view.getUint32(4)}`;
      case FORM.ADDRESS:
        return `${name}:${formatAddress(value.subarray(2, 6))}:${view.getUint16(6)}`;
      case FORM.AS4: {
        const as = view.getUint32(2);
        return `${name}:${as}${as > 0xffff ? '' : 'L'}:${view.getUint16(6)}`;
      }
    }
  }
  return `0x${Buffer.from(value).toString('hex')}`;
}

/** The values of one attribute as texts: its eight-octet pieces. */
export function extendedTexts(values: Uint8Array): string[] {
  const texts: string[] = [];
  for (let at = 0; at + 8 <= values.length; at += 8) {
    texts.push(extendedText(values.subarray(at, at + 8)));
  }
  return texts;
}
