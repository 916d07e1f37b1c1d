/** The BGP part of the Config value: groups applied, defaults in. */
import type { BgpSite, RouteChanges, RoutePolicy, SessionSettings } from '../model/bgp.ts';
import type { SiteFile } from './schema-site.ts';

const UNCHANGED: RouteChanges = {
  med: null,
  prepend: 0,
  local_pref: null,
  communities: [],
  next_hop: null,
  next_hop6: null,
};

type Defaults = Omit<
  SessionSettings,
  'name' | 'port' | 'source' | 'hold_time_ms' | 'connect_retry_ms'
>;

const DEFAULTS: Defaults = {
  interface: null,
  delay_open_ms: 0,
  send_hold_ms: 480_000,
  idle_hold_max_ms: 60_000,
  ttl: 64,
  ttl_security: null,
  md5_key_file: null,
  ipv4: true,
  ipv6: true,
  extended_next_hop: false,
  add_path: false,
  graceful_restart_helper: false,
  role: null,
  role_strict: false,
  bfd: null,
  receive: { accept: [], prefixes_max: 10_000, watch_vips: false },
  announce: { vips: null, when: null, changes: UNCHANGED, by_fitness: {}, by_vip: {} },
};

export function buildBgp(bgp: SiteFile['bgp']): BgpSite | null {
  if (!bgp) return null;
  return {
    as: bgp.as,
    router_id: bgp.router_id,
    listen: bgp.listen ? [bgp.listen] : [],
    next_hop: bgp.next_hop ?? null,
    next_hop6: bgp.next_hop6 ?? null,
    neighbors: bgp.neighbors.map(({ hold_time, connect_retry, source, ...rest }) => ({
      ...DEFAULTS,
      ...rest,
      source: source ?? null,
      hold_time_ms: hold_time,
      connect_retry_ms: connect_retry,
    })),
    ranges: [],
    dead_man_ms: 0,
    vip_interface: null,
    mrt: null,
  };
}

export function buildRoutePolicy(): RoutePolicy {
  const rule = { announce: true, changes: UNCHANGED };
  return {
    fitness: {
      healthy: rule,
      degraded: rule,
      overloaded: rule,
      draining: rule,
      'last-site-kept': rule,
    },
    drain_load: null,
    settle_ms: 0,
    hold_down_ms: 0,
    damping: null,
  };
}
