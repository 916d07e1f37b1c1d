/** The zone files of a deployment, each for the zone it is named after: zones/example.com.zone. */
import { join } from 'node:path';
import type { Zone } from '../model/config.ts';
import { nameOfFile, type TextFile } from './files.ts';
import { isInZone } from './names.ts';
import type { Problem } from './problem.ts';
import { readZoneFile } from './zone/file.ts';
import { zoneFolder } from './zone/include.ts';

const ORIGIN = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;

/** True if a service may be asked for at `name`, a lower-cased domain name without a final dot. */
function isWithinZone(name: string, origin: string): boolean {
  return ORIGIN.test(name) && isInZone(name, origin);
}

/** `services` are the full names that have addresses though no zone file gives them. */
export function readZones(
  dir: string,
  texts: readonly TextFile[],
  services: Iterable<string>,
): { readonly zones: readonly Zone[]; readonly problems: readonly Problem[] } {
  const zones: Zone[] = [];
  const problems: Problem[] = [];
  const names = [...services];
  for (const { file, text } of texts) {
    const origin = nameOfFile(file);
    if (!ORIGIN.test(origin)) {
      const message = `"${origin}" is not a zone: name the file like example.com.zone, lower-case`;
      problems.push({ file, line: 1, column: 1, message });
      continue;
    }
    const read = readZoneFile({
      file,
      text,
      origin,
      readInclude: zoneFolder(join(dir, 'zones')),
      services: names.filter((name) => isWithinZone(name, origin)),
    });
    problems.push(...read.problems);
    if (read.zone) zones.push(read.zone);
  }
  return { zones, problems };
}
