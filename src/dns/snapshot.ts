/**
 * Everything that answers depend on, as one value: the main thread builds it, every thread that
 * answers takes it whole. Its big parts lie in shared memory, so posting it copies only the services.
 */
import type { GeoMap, GeoTables } from '../geo/map.ts';
import type { Config, Endpoint, Region, Service } from '../model/config.ts';
import type { Image } from './image.ts';
import { buildImage } from './image-build.ts';

export interface Snapshot {
  readonly image: Image;
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
    image: buildImage(config),
    geo: geo.tables,
    health,
    services,
    endpoints,
    regions,
    udp_payload_max,
  };
}
