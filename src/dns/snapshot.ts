/**
 * Everything that answers depend on, as one value: the main thread builds it, every thread that
 * answers takes it whole. Its big parts lie in shared memory, so posting it copies only the services.
 */
import type { GeoMap, GeoTables } from '../geo/map.ts';
import type { Config, Endpoint, Region, Service, Zone } from '../model/config.ts';
import { buildZoneImage } from './image-build.ts';
import { isWithin, wireName } from './wire/name.ts';
import { columnsOf } from './zone-columns.ts';
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

function serve({ services, zones }: Config, { origin, file, records }: Zone): ServedZone {
  const apex = wireName(origin);
  const own = services.flatMap(({ zone }, index) => (zone === origin ? [index] : []));
  const image = buildZoneImage({
    apex,
    records: columnsOf(records, file),
    services: own.map((index) => wireName(services[index]!.name)),
    childApexes: zones
      .map((zone) => wireName(zone.origin))
      .filter((other) => other.length > apex.length && isWithin(other, apex)),
  });
  return { image, services: Int32Array.from(own) };
}
