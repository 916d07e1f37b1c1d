/** The geo map of a configuration, its mmdb read; a large one is made in a thread of its own. */
import { readFileSync, statSync } from 'node:fs';
import { err, ok, type Result } from '../base/result.ts';
import { inThread } from '../base/thread.ts';
import type { GeoConfig, Region } from '../model/config.ts';
import { buildGeoMap } from './build.ts';
import { GeoMap, type GeoTables } from './map.ts';

/** Work that is done without a thread: some tens of milliseconds at most. */
const INLINE_BYTES_MAX = 256 * 1024;
const INLINE_PREFIXES_MAX = 5_000;

const ENTRY = new URL('./thread.js', import.meta.url);

type Tables = Result<GeoTables, string>;

export interface GeoRequest {
  readonly geo: GeoConfig;
  readonly regions: readonly Region[];
}

/** The error is one sentence, with the file that it is about. */
export async function loadGeoMap(
  geo: GeoConfig,
  regions: readonly Region[],
): Promise<Result<GeoMap, string>> {
  const request: GeoRequest = { geo, regions };
  const made = isSmall(geo) ? ok(makeTables(request)) : await inThread<Tables>(ENTRY, request);
  if (!made.ok) return err(`the thread that makes the geo map failed: ${made.error}`);
  return made.value.ok ? ok(new GeoMap(made.value.value)) : made.value;
}

function isSmall({ mmdb, prefixes }: GeoConfig): boolean {
  const octets = mmdb === null ? 0 : (statSync(mmdb, { throwIfNoEntry: false })?.size ?? 0);
  return prefixes.length <= INLINE_PREFIXES_MAX && octets <= INLINE_BYTES_MAX;
}

export function makeTables({ geo, regions }: GeoRequest): Tables {
  const { mmdb } = geo;
  try {
    const bytes = mmdb === null ? undefined : readFileSync(mmdb);
    const built = buildGeoMap(geo, regions, bytes);
    if (built.ok) return ok(built.value.tables);
    return err(mmdb === null ? built.error : `${mmdb}: ${built.error}`);
  } catch (error) {
    return err(`${mmdb}: ${(error as Error).message}`);
  }
}
