/**
 * Services against the static records of their zones: a name's addresses come from one of them, and
 * a name that is delegated from neither. (A CNAME at a service is a problem of the zone file.)
 */
import { nameOfFile } from './files.ts';
import { isInZone, type SourceFiles, serviceName } from './names.ts';
import type { Problem } from './problem.ts';
import type { ServiceEntry } from './schema-services.ts';
import type { ServiceConflict } from './zone/compile.ts';
import type { ZonesRead } from './zones.ts';

export function checkZones(
  files: SourceFiles,
  inFolder: readonly string[],
  { zones, conflicts }: ZonesRead,
): Problem[] {
  const problems: Problem[] = [];
  const zoneFiles = [...inFolder, ...files.unread];
  const origins = zones.map(({ origin }) => origin);
  for (const file of files.services) {
    const origin = nameOfFile(file.file);
    const wanted = `zones/${origin}.zone`;
    if (!zoneFiles.some((each) => each.toLowerCase() === wanted)) {
      const message = `the zone has no zone file: write ${wanted}, with at least SOA and NS records`;
      problems.push(file.source.problem(['zone'], message));
      continue;
    }
    if (!origins.includes(origin)) continue;
    file.value?.services.forEach((service, i) => {
      const message = misplaced(service, origin, origins) ?? conflictOf(service, origin, conflicts);
      if (message) problems.push(file.source.problem(['services', i, 'name'], message));
    });
  }
  return problems;
}

/** Why the zone `origin` is not where the service belongs; null if it is. */
function misplaced(
  { name }: ServiceEntry,
  origin: string,
  origins: readonly string[],
): string | null {
  if (isInZone(name, origin)) {
    const short = name === origin ? '@' : name.slice(0, -origin.length - 1);
    return `"${name}" is relative to the zone ${origin}: write "${short}", or "${name}."`;
  }
  const full = serviceName(name, origin);
  if (!isInZone(full, origin)) {
    return `"${full}" is not in the zone ${origin}: move it to the zone that holds it`;
  }
  if (full.length > 253) return `"${full}" is longer than 253 characters: shorten it`;
  const closer = origins.find((each) => each.length > origin.length && isInZone(full, each));
  return closer === undefined
    ? null
    : `the zone ${closer} holds the name: move the service to zones/${closer}.yaml`;
}

function conflictOf(
  { name }: ServiceEntry,
  origin: string,
  conflicts: readonly ServiceConflict[],
): string | null {
  const full = serviceName(name, origin);
  const conflict = conflicts.find(({ service }) => service === full);
  return conflict
    ? `${conflict.what} (${conflict.place}): remove the record, or the service`
    : null;
}
