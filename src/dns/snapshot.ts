/**
 * Everything that answers depend on, as one value: the main thread builds it, every thread that
 * answers takes it whole. Its big parts lie in shared memory, so posting it copies only the services.
 */
import type { GeoMap, GeoTables } from '../geo/map.ts';
import type { Config, Endpoint, Region, Service, Zone } from '../model/config.ts';
import { findNode, NameKey, NODE } from './image.ts';
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
}

export function makeSnapshot(
  config: Config,
  geo: GeoMap,
  health: SharedArrayBuffer,
  udp_payload_max: number,
): Snapshot {
  const { services, endpoints, regions } = config;
  return {
    zones: makeZoneTable(config.zones.map((zone) => serve(config, zone))),
    geo: geo.tables,
    health,
    services,
    endpoints,
    regions,
    udp_payload_max,
  };
}

/** A zone's image knows its services by their place in a list of its own. */
function serve({ services }: Config, { origin, image }: Zone): ServedZone {
  const own = new Map<number, number>();
  const key = new NameKey();
  services.forEach(({ name, zone }, index) => {
    if (zone !== origin) return;
    const wire = wireName(name);
    key.take(wire, 0, wire.length);
    const node = findNode(image, key, 0);
    if (node >= 0) own.set(image.words[node + NODE.SERVICE]!, index);
  });
  const indices = new Int32Array(Math.max(0, ...own.keys()) + 1).fill(-1);
  for (const [place, index] of own) if (place >= 0) indices[place] = index;
  return { image, services: indices };
}
