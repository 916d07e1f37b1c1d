/**
 * From the site's configuration to the settings of each session, and what a change of the one means
 * for the others. Pure.
 */
import type { BgpSite, Neighbor, NeighborRange, SessionSettings } from '../model/bgp.ts';
import { parseAddress, parsePrefix, prefixContains, scopedAddress } from '../net/ip.ts';
import type { PeerKey } from '../net/tcp-keys.ts';
import { needsReset, type PeerKeys, type PeerSettings, peerSettings } from './peer-settings.ts';
import type { BgpKeys } from './ports.ts';

/** One line for each session, or all of a range, that ends when the configuration changes. */
export interface SessionReset {
  /** Name of the neighbour or range. */
  readonly neighbor: string;
  readonly text: string;
}

/** The settings of every neighbour, by name. */
export function neighborSettings(bgp: BgpSite, keys: BgpKeys): Map<string, PeerSettings> {
  return new Map(bgp.neighbors.map((one) => [one.name, peerSettings(bgp, one, keysOf(one, keys))]));
}

/** The settings of a neighbour that has connected from an address of a range. */
export function rangeSettings(
  bgp: BgpSite,
  range: NeighborRange,
  from: string,
  keys: BgpKeys,
): PeerSettings {
  const { prefix: _, sessions_max: __, as, ...session } = range;
  const [address = from, device = range.interface] = from.split('%');
  const dynamic = { ...session, address, interface: device, as: 0, passive: true };
  const settings = peerSettings(bgp, dynamic, keysOf(range, keys));
  return { ...settings, name: `${range.name}/${from}`, remote_as: as };
}

/**
 * The range with the longest prefix that has the address, which may name an interface; null for the
 * address of a neighbour, too, whether its session is there or not.
 */
export function rangeOf(bgp: BgpSite, from: string): NeighborRange | null {
  if (bgp.neighbors.some((one) => originOf(one) === from)) return null;
  const [text = '', device = null] = from.split('%');
  const address = parseAddress(text);
  let best: { range: NeighborRange; length: number } | null = null;
  for (const range of bgp.ranges) {
    const prefix = parsePrefix(range.prefix);
    if (!address || !prefix || !prefixContains(prefix, address)) continue;
    if (device !== null && range.interface !== null && range.interface !== device) continue;
    if (!best || prefix.length > best.length) best = { range, length: prefix.length };
  }
  return best?.range ?? null;
}

/** What an address is known by when it connects: with its interface, if it is link-local. */
export function originOf({
  address,
  interface: device,
}: Pick<Neighbor, 'address' | 'interface'>): string {
  return scopedAddress(address, device);
}

/** The MD5 keys that listening sockets must have. */
export function listenerKeys(bgp: BgpSite, keys: BgpKeys): PeerKey[] {
  const all = [
    ...bgp.neighbors.map((one) => ({ from: one.address, session: one })),
    ...bgp.ranges.map((one) => ({ from: one.prefix, session: one })),
  ];
  return all.flatMap(({ from, session }) => {
    const { md5_key } = keysOf(session, keys);
    return md5_key ? [{ from, key: md5_key }] : [];
  });
}

/** True if a key is configured and not known: without it there must be no session at all. */
export function lacksKey({ md5_key_file, md5_key, bfd, bfd_key }: PeerSettings): boolean {
  const lacksMd5 = md5_key_file !== null && md5_key === null;
  return lacksMd5 || (bfd?.auth != null && bfd_key === null);
}

function keysOf({ md5_key_file, bfd }: SessionSettings, keys: BgpKeys): PeerKeys {
  const keyIn = (file: string | undefined | null): Uint8Array | null =>
    file == null ? null : (keys.get(file) ?? null);
  return { md5_key: keyIn(md5_key_file), bfd_key: keyIn(bfd?.auth?.key_file) };
}

/**
 * The sessions that end when `after` takes the place of `before`; all others go on. Keys that are
 * changed in their files are not looked at.
 */
export function sessionResets(before: BgpSite, after: BgpSite): SessionReset[] {
  const none: BgpKeys = new Map();
  const settings = neighborSettings(after, none);
  const neighbors = [...neighborSettings(before, none)].flatMap(([neighbor, was]) => {
    const text = resetText(was, settings.get(neighbor));
    return text === null ? [] : [{ neighbor, text }];
  });
  const ranges = before.ranges.flatMap((was) => {
    const text = rangeResetText(before, was, after);
    return text === null ? [] : [{ neighbor: was.name, text }];
  });
  return [...neighbors, ...ranges];
}

function resetText(was: PeerSettings, is: PeerSettings | undefined): string | null {
  if (!is) return 'no longer configured: its session ends';
  const names = needsReset(was, is);
  return names.length > 0 ? `changed ${names.join(', ')}: its session is made anew` : null;
}

function rangeResetText(before: BgpSite, was: NeighborRange, after: BgpSite): string | null {
  const is = after.ranges.find(({ name }) => name === was.name);
  if (!is) return 'no longer configured: its sessions end';
  const address = was.prefix.split('/')[0]!;
  const none: BgpKeys = new Map();
  const names = needsReset(
    rangeSettings(before, was, address, none),
    rangeSettings(after, is, address, none),
  );
  if (names.length > 0) return `changed ${names.join(', ')}: its sessions are made anew`;
  const outside = was.prefix === is.prefix ? [] : [`sessions from outside of ${is.prefix} end`];
  const texts = [...outside, ...takenTexts(before, was, after)];
  return texts.length > 0 ? texts.join('; ') : null;
}

/** What a new neighbour, or a new range with a longer prefix, takes from a range. */
function takenTexts(before: BgpSite, was: NeighborRange, after: BgpSite): string[] {
  const named = after.neighbors.flatMap((one) => {
    const from = originOf(one);
    const taken = rangeOf(before, from)?.name === was.name;
    return taken ? [`a session with ${from} ends: ${one.name} has it`] : [];
  });
  const wide = parsePrefix(was.prefix);
  const closer = after.ranges.flatMap(({ name, prefix: text }) => {
    const prefix = parsePrefix(text);
    const known = name === was.name || before.ranges.some((one) => one.prefix === text);
    if (known || !wide || !prefix || prefix.length <= wide.length) return [];
    if (!prefixContains(wide, prefix.address)) return [];
    return [`sessions from ${text} end: ${name} has them`];
  });
  return [...named, ...closer];
}
