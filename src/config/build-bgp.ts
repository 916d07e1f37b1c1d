/** The BGP part of the Config value: groups applied, defaults in, words turned into numbers. */
import type {
  AnnouncePolicy,
  BfdSettings,
  BgpSite,
  Damping,
  FitnessRule,
  MrtDump,
  Neighbor,
  NeighborRange,
  ReceivePolicy,
  RouteChanges,
  RoutePolicy,
  SessionSettings,
} from '../model/bgp.ts';
import type { Fitness } from '../model/plan.ts';
import { type Merged, neighborsOf, rangesOf } from './bgp-sessions.ts';
import { resolvePath } from './files.ts';
import { listensOf } from './listens.ts';
import { type BgpFile, USUAL_VALUES } from './schema-bgp.ts';
import type {
  DampingEntry,
  FitnessKey,
  FitnessRuleKeys,
  RouteChangesKeys,
  RoutePolicyFile,
} from './schema-routes.ts';
import type { SiteFile } from './schema-site.ts';

/** RFC 9687 §6: the send hold time is the larger of 8 minutes and twice the hold time. */
const SEND_HOLD_MIN_MS = 480_000;

/** TTL of our packets: RFC 4271's neighbours in other ASes are on the same link. */
const EBGP_TTL = 1;
const IBGP_TTL = 64;

/** How the files write what the model calls otherwise. */
const FITNESS_KEYS: Readonly<Record<Fitness, FitnessKey>> = {
  healthy: 'healthy',
  degraded: 'degraded',
  overloaded: 'overloaded',
  draining: 'draining',
  'last-site-kept': 'last_site_kept',
};

const FITNESSES = Object.keys(FITNESS_KEYS) as Fitness[];

function buildChanges(changes: RouteChangesKeys): RouteChanges {
  const { med, prepend, local_pref, communities, next_hop, next_hop6 } = changes;
  return {
    med: med ?? null,
    prepend: prepend ?? 0,
    local_pref: local_pref ?? null,
    communities: communities ?? [],
    next_hop: next_hop ?? null,
    next_hop6: next_hop6 ?? null,
  };
}

function buildRule(rule: FitnessRuleKeys): FitnessRule {
  return { announce: rule.announce ?? true, changes: buildChanges(rule) };
}

function buildAnnounce(announce: Merged['announce']): AnnouncePolicy {
  const { vips, when, by_fitness = {}, by_vip = {} } = announce ?? {};
  const rules = FITNESSES.flatMap((fitness) => {
    const rule = by_fitness[FITNESS_KEYS[fitness]];
    return rule ? [[fitness, buildRule(rule)] as const] : [];
  });
  const vipRules = Object.entries(by_vip).map(([vip, rule]) => {
    return [vip, { when: rule.when ?? null, changes: buildChanges(rule) }] as const;
  });
  return {
    vips: vips ?? null,
    when: when ?? null,
    changes: buildChanges(announce ?? {}),
    by_fitness: Object.fromEntries(rules),
    by_vip: Object.fromEntries(vipRules),
  };
}

function buildReceive(receive: Merged['receive']): ReceivePolicy {
  const usual = USUAL_VALUES.receive;
  return {
    accept: receive?.accept ?? usual.accept,
    prefixes_max: receive?.prefixes_max ?? usual.prefixes_max,
    watch_vips: receive?.watch_vips ?? usual.watch_vips,
  };
}

function buildBfd(bfd: Merged['bfd'], dir: string, multihop: boolean): BfdSettings | null {
  if (!bfd) return null;
  const usual = USUAL_VALUES.bfd;
  const interval = bfd.interval ?? usual.interval;
  const { auth } = bfd;
  return {
    multihop: bfd.multihop ?? multihop,
    transmit_ms: bfd.transmit ?? interval,
    receive_ms: bfd.receive ?? interval,
    multiplier: bfd.multiplier ?? usual.multiplier,
    auth: auth ? { ...auth, key_file: resolvePath(dir, auth.key_file) } : null,
    strict: bfd.strict ?? usual.strict,
  };
}

function buildSession(
  name: string,
  keys: Merged,
  as: number | null,
  bgp: BgpFile,
  dir: string,
): SessionSettings {
  const usual = USUAL_VALUES.session;
  const hold_time_ms = keys.hold_time ?? usual.hold_time;
  const families = keys.families ?? usual.families;
  const ttl = keys.multihop ?? (as === bgp.as ? IBGP_TTL : EBGP_TTL);
  // RFC 5082: within one hop a neighbour is on the link, as with a TTL of 1.
  const far = (keys.ttl_security ?? ttl) > 1;
  return {
    name,
    port: keys.port ?? usual.port,
    source: keys.source ?? null,
    interface: keys.interface ?? null,
    hold_time_ms,
    connect_retry_ms: keys.connect_retry ?? usual.connect_retry,
    delay_open_ms: keys.delay_open ?? usual.delay_open,
    send_hold_ms: keys.send_hold ?? Math.max(SEND_HOLD_MIN_MS, 2 * hold_time_ms),
    idle_hold_max_ms: keys.idle_hold_max ?? usual.idle_hold_max,
    ttl,
    ttl_security: keys.ttl_security ?? null,
    md5_key_file: keys.md5_key_file === undefined ? null : resolvePath(dir, keys.md5_key_file),
    ipv4: families.includes('ipv4'),
    ipv6: families.includes('ipv6'),
    extended_next_hop: keys.extended_next_hop ?? usual.extended_next_hop,
    add_path: keys.add_path ?? usual.add_path,
    graceful_restart_helper: keys.graceful_restart_helper ?? usual.graceful_restart_helper,
    role: keys.role ?? null,
    role_strict: keys.role_strict ?? usual.role_strict,
    bfd: buildBfd(keys.bfd, dir, far),
    receive: buildReceive(keys.receive),
    announce: buildAnnounce(keys.announce),
  };
}

function buildNeighbors(bgp: BgpFile, dir: string): Neighbor[] {
  return neighborsOf(bgp).map(({ own, keys }) => ({
    ...buildSession(own.name, keys, keys.as!, bgp, dir),
    address: own.address,
    as: keys.as!,
    passive: keys.passive ?? USUAL_VALUES.session.passive,
  }));
}

function buildRanges(bgp: BgpFile, dir: string): NeighborRange[] {
  return rangesOf(bgp).map(({ own, keys }) => ({
    ...buildSession(own.name, keys, keys.as ?? null, bgp, dir),
    // We never dial them, so nothing of that can be theirs.
    source: null,
    prefix: own.prefix,
    as: keys.as ?? null,
    sessions_max: own.sessions_max,
  }));
}

function buildMrt({ mrt }: BgpFile, dir: string): MrtDump | null {
  return mrt ? { file: resolvePath(dir, mrt.file), bytes_max: mrt.max } : null;
}

/** The speaker of a site whose file has passed every check. */
export function buildBgp(site: SiteFile, dir: string): BgpSite | null {
  const { bgp } = site;
  if (!bgp) return null;
  return {
    as: bgp.as,
    router_id: bgp.router_id,
    listen: listensOf(site).flatMap(({ path, listen }) => (path[0] === 'bgp' ? [listen] : [])),
    next_hop: bgp.next_hop ?? null,
    next_hop6: bgp.next_hop6 ?? null,
    neighbors: buildNeighbors(bgp, dir),
    ranges: buildRanges(bgp, dir),
    dead_man_ms: bgp.dead_man,
    vip_interface: bgp.vip_interface ?? null,
    mrt: buildMrt(bgp, dir),
  };
}

export function buildRoutePolicy(policy: RoutePolicyFile): RoutePolicy {
  const rule = (fitness: Fitness): FitnessRule => buildRule(policy.fitness[FITNESS_KEYS[fitness]]);
  const { damping } = policy;
  return {
    fitness: {
      healthy: rule('healthy'),
      degraded: rule('degraded'),
      overloaded: rule('overloaded'),
      draining: rule('draining'),
      'last-site-kept': rule('last-site-kept'),
    },
    last_site: policy.last_site,
    drain_load: policy.drain_load ?? null,
    settle_ms: policy.settle,
    hold_down_ms: policy.hold_down,
    damping: buildDamping(damping),
  };
}

export function buildDamping(damping: DampingEntry): Damping | null {
  if (damping === 'none') return null;
  const { half_life, suppress_max, ...thresholds } = damping;
  return { ...thresholds, half_life_ms: half_life, suppress_max_ms: suppress_max };
}
