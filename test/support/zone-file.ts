/** A zone file's text → what the server makes of it, for tests of one zone without a deployment. */
import { compileZone, type ZoneOutcome } from '../../src/config/zone/compile.ts';
import { readZoneRecords, type ZoneSource } from '../../src/config/zone/file.ts';
import { recordsOf, type ZoneRecord } from './zone-columns.ts';

export interface ZoneText extends Omit<ZoneSource, 'bytes'> {
  readonly text: string;
  readonly services?: readonly string[];
  readonly childApexes?: readonly string[];
}

export interface ZoneRead extends Pick<ZoneOutcome, 'problems' | 'conflicts'> {
  /** Null if there is any problem. */
  readonly zone: (ZoneOutcome['zone'] & { readonly records: readonly ZoneRecord[] }) | null;
}

export function readZoneFile({
  text,
  services = [],
  childApexes = [],
  ...rest
}: ZoneText): ZoneRead {
  const source = { ...rest, bytes: Buffer.from(text) };
  const { zone, problems, conflicts } = compileZone({ ...source, services, childApexes });
  const records = recordsOf(readZoneRecords(source).records);
  return { zone: zone && { ...zone, records }, problems, conflicts };
}
