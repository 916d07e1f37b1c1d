/**
 * What one peer is told to be: the session's settings as the configuration has them, our side of it,
 * and which of them cannot change while a session lasts.
 */
import type { BgpSite, Neighbor, SessionSettings } from '../model/bgp.ts';
import type { FsmSettings } from './fsm-model.ts';
import { parseRouterId } from './route.ts';

export interface PeerSettings extends SessionSettings, FsmSettings {
  readonly address: string;
  /** Next hops that we announce; null: our own address in the session, if it is of that family. */
  readonly next_hop: string | null;
  readonly next_hop6: string | null;
  /** Keys read from `md5_key_file` and `bfd.auth.key_file`; null: none. */
  readonly md5_key: Uint8Array | null;
  readonly bfd_key: Uint8Array | null;
}

/** Keys are secrets and come from files; `peerSettings` is told them. */
export type PeerKeys = Pick<PeerSettings, 'md5_key' | 'bfd_key'>;

export const NO_KEYS: PeerKeys = { md5_key: null, bfd_key: null };

/** Throws a RangeError for a router id that config should have refused. */
export function peerSettings(bgp: BgpSite, neighbor: Neighbor, keys = NO_KEYS): PeerSettings {
  const { as, ...session } = neighbor;
  return {
    ...session,
    ...keys,
    remote_as: as,
    local_as: bgp.as,
    router_id: parseRouterId(bgp.router_id),
    next_hop: bgp.next_hop,
    next_hop6: bgp.next_hop6,
  };
}

/** What is said in the OPEN, or is fixed with the connection; with the name that people know. */
const FIXED: readonly (readonly [keyof PeerSettings, string])[] = [
  ['local_as', 'our AS'],
  ['router_id', 'router id'],
  ['remote_as', 'AS'],
  ['address', 'address'],
  ['port', 'port'],
  ['source', 'source'],
  ['interface', 'interface'],
  ['ttl', 'TTL'],
  ['ttl_security', 'TTL security'],
  ['md5_key_file', 'MD5 key file'],
  ['hold_time_ms', 'hold time'],
  ['ipv4', 'family IPv4'],
  ['ipv6', 'family IPv6'],
  ['extended_next_hop', 'extended next hop'],
  ['add_path', 'add-path'],
  ['graceful_restart_helper', 'graceful restart helper'],
  ['role', 'role'],
  ['role_strict', 'strict role'],
];

const sameKey = (a: Uint8Array | null, b: Uint8Array | null): boolean => a?.join() === b?.join();

/**
 * The names of the settings whose change ends a session; empty: all that differs can be applied to
 * the session as it is. Pure.
 */
export function needsReset(before: PeerSettings, after: PeerSettings): string[] {
  const names = FIXED.flatMap(([key, name]) => (before[key] === after[key] ? [] : [name]));
  // Another TTL means nothing where TTL security decides it.
  const ttl = after.ttl_security !== null && before.ttl_security === after.ttl_security;
  const meant = ttl ? names.filter((name) => name !== 'TTL') : names;
  if (!sameKey(before.md5_key, after.md5_key)) meant.push('MD5 key');
  if (before.bfd?.strict !== after.bfd?.strict && (before.bfd?.strict || after.bfd?.strict)) {
    meant.push('strict BFD');
  }
  return meant;
}
