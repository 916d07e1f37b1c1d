/**
 * A zone file's octets → the zone as it is served, or every problem of it. Whatever the outcome
 * depends on is in the request, so that it can be made in another thread and kept until that changes.
 */
import { createHash } from 'node:crypto';
import { findRrset, RECORD, RRSET, templateOf, ZONE } from '../../dns/image.ts';
import { buildZoneImage, treeOf } from '../../dns/image-build.ts';
import { TYPE, typeName } from '../../dns/wire/codes.ts';
import { wireName } from '../../dns/wire/name.ts';
import type { ZoneTree } from '../../dns/zone-tree.ts';
import { twinsOf } from '../../dns/zone-twins.ts';
import type { Zone } from '../../model/config.ts';
import type { ZoneImage } from '../../model/zone.ts';
import { PROBLEMS_MAX } from '../limits.ts';
import type { Problem } from '../problem.ts';
import { checkZone } from './check.ts';
import { inFileOrder, readZoneRecords, type ZoneSource } from './file.ts';

export interface ZoneNames {
  /** The zone's name. Lower-case, without the trailing dot, as all names here. */
  readonly origin: string;
  /** Its health-aware names, which have addresses though the file does not say so. */
  readonly services: readonly string[];
  /** Apexes of zones that are served here too and lie in this one. */
  readonly childApexes: readonly string[];
}

/** A service whose name the zone's records have, or give away. */
export interface ServiceConflict {
  readonly service: string;
  /** In which file and line, and what is in the way. */
  readonly place: string;
  readonly what: string;
}

export interface ZoneOutcome {
  /** Null if there is any problem. */
  readonly zone: Zone | null;
  /** In the order of the files and lines. */
  readonly problems: readonly Problem[];
  readonly conflicts: readonly ServiceConflict[];
}

export function compileZone(source: ZoneSource & ZoneNames): ZoneOutcome {
  const { origin, file } = source;
  const { records, problems: misread, unsure } = readZoneRecords(source);
  const services = source.services.map(wireName);
  const childApexes = source.childApexes.map(wireName);
  const content = { apex: wireName(origin), records, services, childApexes };
  const tree = treeOf(content);
  const twins = twinsOf(tree);
  const nodesOf = (names: readonly Uint8Array[]): Set<number> =>
    new Set(names.map((name) => tree.find(name, 0)));
  const found = checkZone({
    tree,
    twins,
    file,
    unsure,
    services: nodesOf(services),
    childApexes: nodesOf(childApexes),
  });
  const problems = inFileOrder([...misread, ...found], records.files).slice(0, PROBLEMS_MAX);
  const conflicts = source.services.flatMap((service) => conflictOf(service, tree));
  if (problems.length > 0) return { zone: null, problems, conflicts };
  const image = buildZoneImage(content, tree, twins);
  return { zone: zoneOf(origin, file, image), problems, conflicts };
}

/** The zone as it is served; who may copy it is for the deployment to say. */
export function zoneOf(origin: string, file: string, image: ZoneImage): Zone {
  const [serial, digest] = [serialOf(image), digestOf(image)];
  return { origin, file, serial, digest, image, transfer: null };
}

/** A name's addresses come from the zone file or the decision, of a delegated name from neither. */
function conflictOf(service: string, tree: ZoneTree): ServiceConflict[] {
  const node = tree.find(wireName(service), 0);
  if (node < 0) return [];
  const { file, files, line } = tree.records;
  const told = (at: number, what: string): ServiceConflict[] => {
    const record = tree.order[at]!;
    return [{ service, place: `${files[file[record]!]}:${line[record]}`, what }];
  };
  const cut = tree.cuts[node]!;
  if (cut >= 0) {
    return told(tree.rrset(cut, TYPE.NS), 'NS records give the name away to other servers');
  }
  for (const type of [TYPE.A, TYPE.AAAA]) {
    const at = tree.rrset(node, type);
    if (at >= 0) return told(at, `the name has an ${typeName(type)} record`);
  }
  return [];
}

/** The serial number in the SOA record, or 0. */
function serialOf(image: ZoneImage): number {
  const { words, bytes } = image;
  const soa = findRrset(image, ZONE.APEX, TYPE.SOA);
  if (soa < 0) return 0;
  const record = words[soa + RRSET.RECORDS_AT]!;
  const end = templateOf(record) + words[record + RECORD.LENGTH]!;
  // RFC 1035 §3.3.13: the serial is the first of the five numbers at the end.
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(end - 20);
}

/** Two zones with one digest answer alike. */
function digestOf({ bytes, slots }: ZoneImage): string {
  return createHash('sha256').update(bytes).update(String(slots.length)).digest('base64');
}
