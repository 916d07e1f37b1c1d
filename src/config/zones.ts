/**
 * The zone files of a deployment, each for the zone it is named after: zones/example.com.zone. Large
 * ones are read in a thread of their own, so that the main thread goes on with its duties.
 */
import { join } from 'node:path';
import { collectGarbage } from '../base/memory.ts';
import { inThread } from '../base/thread.ts';
import type { Zone } from '../model/config.ts';
import { nameOfFile, readBytes } from './files.ts';
import type { Problem } from './problem.ts';
import type { ZoneCache } from './zone/cache.ts';
import type { ServiceConflict } from './zone/compile.ts';
import { readZone, type ZoneReading, type ZoneRequest } from './zone/read.ts';

const ORIGIN = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;

/** Octets of zone files that are read without a thread: some milliseconds' work. */
const INLINE_BYTES_MAX = 256 * 1024;

interface Draft extends ZoneRequest {
  readonly services: string[];
  readonly childApexes: string[];
}

export interface ZonesRead {
  readonly zones: readonly Zone[];
  readonly problems: readonly Problem[];
  readonly conflicts: readonly ServiceConflict[];
}

/**
 * Reads `files`, relative to `dir`, as far as `cache` does not know them. `services` are the full
 * names that have addresses though no zone file gives them.
 */
export async function readZones(
  dir: string,
  files: readonly string[],
  services: Iterable<string>,
  cache: ZoneCache,
): Promise<ZonesRead> {
  const problems: Problem[] = [];
  const named = files.filter((file) => {
    const origin = nameOfFile(file);
    if (ORIGIN.test(origin)) return true;
    const message = `"${origin}" is not a zone: name the file like example.com.zone, lower-case`;
    problems.push({ file, line: 1, column: 1, message });
    return false;
  });
  const requests = requestsOf(dir, named, [...services]);
  const known = new Map(requests.map((request) => [request, cache.find(request)]));
  const stale = requests.filter((request) => !known.get(request));
  const fresh = await readAll(dir, stale);
  if (typeof fresh === 'string') {
    const message = `the thread that reads the zones failed: ${fresh}`;
    problems.push({ file: 'zones', line: 1, column: 1, message });
    return { zones: [], problems, conflicts: [] };
  }
  stale.forEach((request, i) => {
    known.set(request, cache.keep(request, fresh[i]!));
  });
  const all = [...known.values()].flatMap((reading) => reading ?? []);
  cache.retain(new Set(named));
  return {
    zones: all.flatMap(({ zone }) => zone ?? []),
    problems: [...problems, ...all.flatMap((reading) => reading.problems)],
    conflicts: all.flatMap((reading) => reading.conflicts),
  };
}

function requestsOf(
  dir: string,
  files: readonly string[],
  services: readonly string[],
): ZoneRequest[] {
  const byOrigin = new Map(
    files.map((file) => {
      const origin = nameOfFile(file);
      return [origin, { dir, file, origin, services: [], childApexes: [] } as Draft];
    }),
  );
  for (const origin of byOrigin.keys()) {
    for (const above of enclosing(origin, byOrigin).slice(1)) above.childApexes.push(origin);
  }
  for (const name of services) {
    if (ORIGIN.test(name)) enclosing(name, byOrigin)[0]?.services.push(name);
  }
  const requests = [...byOrigin.values()];
  for (const { services: own, childApexes } of requests) {
    own.sort();
    childApexes.sort();
  }
  return requests;
}

/** The zones that hold `name`, the closest first. */
function enclosing(name: string, zones: ReadonlyMap<string, Draft>): Draft[] {
  const found: Draft[] = [];
  for (let at = name; ; at = at.slice(at.indexOf('.') + 1)) {
    const zone = zones.get(at);
    if (zone) found.push(zone);
    if (!at.includes('.')) return found;
  }
}

/** Directives by which a small file can make much work. */
const MAKES_MORE = /^\$(INCLUDE|GENERATE)/im;

/** True if the main thread can read them all itself. */
function isLittle(dir: string, requests: readonly ZoneRequest[]): boolean {
  let left = INLINE_BYTES_MAX;
  return requests.every(({ file }) => {
    const text = readBytes(join(dir, file), left);
    if (!text.ok) return false;
    left -= text.value.length;
    return !MAKES_MORE.test(Buffer.from(text.value).toString('latin1'));
  });
}

/** The readings, in the order of the requests; or why there are none. */
async function readAll(
  dir: string,
  requests: readonly ZoneRequest[],
): Promise<readonly ZoneReading[] | string> {
  if (isLittle(dir, requests)) return requests.map(readZone);
  // Room for the new zones: V8 does not see how large those are that a reload before has replaced.
  collectGarbage();
  const entry = new URL('./zone/thread.js', import.meta.url);
  const read = await inThread<readonly ZoneReading[]>(entry, requests);
  return read.ok ? read.value : read.error;
}
