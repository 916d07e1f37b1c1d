/**
 * The router that the demo's sites announce to: a BGP collector, its peers known as sites by their
 * BGP identifiers.
 */
import type { Clock } from '../../base/clock.ts';
import { Listeners } from '../../base/listeners.ts';
import { silentLog } from '../../base/log.ts';
import { systemPrng } from '../../base/prng.ts';
import { Collector } from '../../bgp/collector.ts';
import type { Config } from '../../model/config.ts';
import type { HostPort } from '../../net/ip.ts';
import type { RouteChange, RouteTable } from './ports.ts';

/** Where the demo's deployment has its neighbour. */
export const COLLECTOR: HostPort = { address: '127.0.0.1', port: 1790 };
const COLLECTOR_AS = 65000;
const ROUTER_ID = '10.0.0.254';
const HOLD_TIME_MS = 9_000;

export interface RunningCollector {
  readonly table: RouteTable;
  stop(): Promise<void>;
}

/** Rejects if the address cannot be had. */
export async function startCollector(config: Config, clock: Clock): Promise<RunningCollector> {
  const collector = new Collector({
    listen: COLLECTOR,
    as: COLLECTOR_AS,
    router_id: ROUTER_ID,
    hold_time_ms: HOLD_TIME_MS,
    clock,
    prng: systemPrng(),
    log: silentLog,
  });
  const names = new Map(config.sites.map((site) => [site.bgp?.router_id, site.name]));
  const siteOf = (router_id: string): string => names.get(router_id) ?? router_id;
  const changes = new Listeners<RouteChange>();
  collector.onChange(({ kind, peer, prefix, at_ms }) => {
    if (prefix === undefined) return;
    changes.emit({ at_ms, site: siteOf(peer.router_id), prefix, announced: kind === 'announce' });
  });
  await collector.start();
  return {
    table: {
      changes,
      announcers: (prefix) =>
        collector
          .routes()
          .filter((route) => route.prefix === prefix)
          .map((route) => siteOf(route.from.router_id))
          .sort(),
    },
    stop: () => collector.stop(),
  };
}
