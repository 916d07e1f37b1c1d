/**
 * What all servers of one measurement are given alike: a zone, and for steered names a map of client
 * prefixes to sites. Everything follows from a seed, so that every run measures the same.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Prng, prng } from '../../src/base/prng.ts';

export const ORIGIN = 'bench.test';
/** Sites of the map, with the address that each answers with. */
export const SITES = ['s0', 's1', 's2', 's3'] as const;
export const siteAddress = (site: number): string => `127.9.0.${site + 1}`;
/** Steered names are g0 … g99. */
export const STEERED_NAMES = 100;

export interface MapEntry {
  /** IPv4 prefix. */
  readonly prefix: string;
  /** Index into SITES. */
  readonly site: number;
}

export interface Scene {
  /** Folder that belongs to this measurement. */
  readonly dir: string;
  readonly port: number;
  /** Zone file of ORIGIN. */
  readonly zoneFile: string;
  readonly workers: number;
  /** Longest prefix wins; empty: no steered names. */
  readonly map: readonly MapEntry[];
  /** Servers that must be told to are told to answer with cookies. */
  readonly cookies: boolean;
}

/** Serial of a zone that has not been changed. */
export const SERIAL = 1;

/** A zone of `records` records beside SOA and NS: mostly A, some of each other common type. */
export function writeZone(file: string, records: number, serial = SERIAL): void {
  const lines = [
    '$TTL 300',
    `@ IN SOA ns1.${ORIGIN}. hostmaster.${ORIGIN}. ${serial} 7200 900 1209600 60`,
    `@ IN NS ns1.${ORIGIN}.`,
    '@ IN NS ns2',
    'ns1 IN A 192.0.2.1',
    'ns2 IN A 192.0.2.2',
  ];
  for (let i = 0; i < records; i++) lines.push(`${hostName(i)} IN ${hostData(i)}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** The owner of record i. Names of hosts are unique, so a name has one record. */
export const hostName = (i: number): string => `host${i}`;

const KINDS = 10;

function hostData(i: number): string {
  const low = `${(i >> 8) & 255}.${i & 255}`;
  if (i % KINDS === 7)
    return `AAAA 2001:db8::${(i >>> 16).toString(16)}:${(i & 0xffff).toString(16)}`;
  if (i % KINDS === 8) return `MX 10 host${i - 1}`;
  if (i % KINDS === 9) return `TXT "v=spf1 ip4:10.${(i >> 16) & 255}.${low} -all"`;
  return `A 10.${(i >> 16) & 255}.${low}`;
}

/** The type that record i is asked with. */
export function hostType(i: number): string {
  if (i % KINDS === 7) return 'AAAA';
  if (i % KINDS === 8) return 'MX';
  return i % KINDS === 9 ? 'TXT' : 'A';
}

/** `count` IPv4 prefixes of 16 to 24 bits, each once, those of one place mostly of one site. */
export function makeMap(count: number): MapEntry[] {
  const random = prng(7);
  const seen = new Set<string>();
  const entries: MapEntry[] = [];
  while (entries.length < count) {
    const length = random.int(10) === 0 ? 16 + random.int(8) : 24;
    const address = ((1 + random.int(222)) * 2 ** 24 + random.int(2 ** 24)) >>> 0;
    const masked = Math.floor(address / 2 ** (32 - length)) * 2 ** (32 - length);
    const prefix = `${dotted(masked)}/${length}`;
    if (masked >>> 24 === 127 || seen.has(prefix)) continue;
    seen.add(prefix);
    entries.push({ prefix, site: random.int(SITES.length) });
  }
  return entries;
}

export const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** The lines of a dnsperf file in random order; `line` gives the i-th query. */
export function writeQueries(
  dir: string,
  name: string,
  count: number,
  line: (random: Prng) => string,
): string {
  const random = prng(11);
  const file = join(dir, `${name}.queries`);
  const lines = Array.from({ length: count }, () => line(random));
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
