/**
 * Everything that answers depend on, as one value: the main thread builds it, every thread that
 * answers takes it whole. Its big parts lie in shared memory, so posting it copies only the services.
 */
import type { GeoMap, GeoTables } from '../geo/map.ts';
import type { Config, Endpoint, Region, Service, Zone } from '../model/config.ts';
import { findNode, NameKey, NODE } from './image.ts';
import type { ResponsePolicy } from './policy.ts';
import { makeTransfers, type Transfers } from './transfer/access.ts';
import { wireName } from './wire/name.ts';
import { makeZoneTable, type ServedZone, type ZoneTable } from './zone-table.ts';

export interface Snapshot {
  readonly zones: ZoneTable;
  readonly geo: GeoTables;
  /** The memory of a HealthTable over `endpoints`. */
  readonly health: SharedArrayBuffer;
  readonly services: readonly Service[];
  readonly endpoints: readonly Endpoint[];
  readonly regions: readonly Region[];
  /** Largest UDP response in bytes. */
  readonly udp_payload_max: number;
  readonly policy: ResponsePolicy;
  readonly transfers: Transfers;
}

export function makeSnapshot(
  config: Config,
  geo: GeoMap,
  health: SharedArrayBuffer,
  udp_payload_max: number,
  policy: ResponsePolicy,
  transfers: Transfers = makeTransfers(config, [], null),
): Snapshot {
  const { services, endpoints, regions } = config;
  const byZone = new Map<string, number[]>();
  services.forEach(({ zone }, index) => {
    const known = byZone.get(zone);
    if (known) known.push(index);
    else byZone.set(zone, [index]);
  });
  const zones = config.zones.map((zone) => serve(zone, services, byZone.get(zone.origin) ?? []));
  return {
    zones: makeZoneTable(zones),
    geo: geo.tables,
    health,
    services,
    endpoints,
    regions,
    udp_payload_max,
    policy,
    transfers,
  };
}

/** A zone's image knows its services, which `own` are the indices of, by their place in a list. */
function serve({ image }: Zone, services: readonly Service[], own: readonly number[]): ServedZone {
  const indices = new Int32Array(own.length).fill(-1);
  const key = new NameKey();
  for (const index of own) {
    const name = wireName(services[index]!.name);
    key.take(name, 0, name.length);
    const node = findNode(image, key, 0);
    const place = node < 0 ? -1 : image.words[node + NODE.SERVICE]!;
    if (place >= 0) indices[place] = index;
  }
  return { image, services: indices };
}
