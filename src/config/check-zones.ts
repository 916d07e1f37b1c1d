/**
 * Services against the static records of their zones: a name's addresses come from one of them, and
 * a name that is delegated from neither. (A CNAME at a service is a problem of the zone file.)
 */
import { TYPE } from '../dns/wire/codes.ts';
import { isWithin, wireName } from '../dns/wire/name.ts';
import type { Zone, ZoneRecord } from '../model/config.ts';
import { nameOfFile, type TextFile } from './files.ts';
import { isInZone, type SourceFiles, serviceName } from './names.ts';
import type { Problem } from './problem.ts';
import type { ServiceEntry } from './schema-services.ts';

const key = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

/** A zone's records by owner, and its cuts (RFC 1034 §4.2.1). */
class ZoneIndex {
  readonly #byOwner = new Map<string, ZoneRecord[]>();
  readonly #cuts: ZoneRecord[] = [];

  constructor(zone: Zone) {
    const apex = key(wireName(zone.origin));
    for (const record of zone.records) {
      const owner = key(record.owner);
      const records = this.#byOwner.get(owner);
      if (records) records.push(record);
      else this.#byOwner.set(owner, [record]);
      if (record.type === TYPE.NS && owner !== apex) this.#cuts.push(record);
    }
  }

  /** Why a service cannot have `name`, with the line that is in its way; null if it can. */
  conflict(name: Uint8Array): { readonly line: number; readonly what: string } | null {
    const cut = this.#cuts.find((record) => isWithin(name, record.owner));
    if (cut) return { line: cut.line, what: 'NS records give the name away to other servers' };
    for (const record of this.#byOwner.get(key(name)) ?? []) {
      const { line } = record;
      if (record.type === TYPE.A || record.type === TYPE.AAAA) {
        const type = record.type === TYPE.A ? 'an A' : 'an AAAA';
        return { line, what: `the name has ${type} record` };
      }
    }
    return null;
  }
}

export function checkZones(
  files: SourceFiles,
  texts: readonly TextFile[],
  zones: readonly Zone[],
): Problem[] {
  const problems: Problem[] = [];
  const zoneFiles = [...texts.map(({ file }) => file), ...files.unread];
  const origins = zones.map(({ origin }) => origin);
  for (const file of files.services) {
    const origin = nameOfFile(file.file);
    const wanted = `zones/${origin}.zone`;
    if (!zoneFiles.some((each) => each.toLowerCase() === wanted)) {
      const message = `the zone has no zone file: write ${wanted}, with at least SOA and NS records`;
      problems.push(file.source.problem(['zone'], message));
      continue;
    }
    const zone = zones.find((each) => each.origin === origin);
    if (!zone) continue;
    const index = new ZoneIndex(zone);
    file.value?.services.forEach((service, i) => {
      const message = misplaced(service, origin, origins) ?? conflictOf(service, zone, index);
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

function conflictOf({ name }: ServiceEntry, zone: Zone, index: ZoneIndex): string | null {
  const conflict = index.conflict(wireName(serviceName(name, zone.origin)));
  if (!conflict) return null;
  const place = `${zone.file}:${conflict.line}`;
  return `${conflict.what} (${place}): remove the record, or the service`;
}
