/** Zones from lines "OWNER TYPE RDATA" or "OWNER TTL TYPE RDATA", and answers as such lines. */
import { typeName, typeNumber } from '../../src/dns/wire/codes.ts';
import { decodeMessage, type Message, type ResourceRecord } from '../../src/dns/wire/message.ts';
import { formatName, wireName } from '../../src/dns/wire/name.ts';
import { parseRdata, printRdata } from '../../src/dns/wire/rdata.ts';
import { type ConfigParts, record, type TestConfig, type TestZone, testConfig } from './config.ts';
import type { ZoneRecord } from './zone-columns.ts';

const TTL_S = 300;

function readLine(line: string, origin: string): ZoneRecord {
  const words = line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const owner = words[0] === '@' ? origin : `${words[0]}.${origin}`;
  const ttl = /^[0-9]+$/.test(words[1] ?? '') ? 1 : 0;
  const type = typeNumber(words[1 + ttl] ?? '') ?? 0;
  const rest = words.slice(2 + ttl).map((word) => {
    const quoted = word.startsWith('"');
    return { text: quoted ? word.slice(1, -1) : word, quoted };
  });
  const rdata = parseRdata(type, rest, wireName(origin));
  if (!rdata.ok) throw new Error(`${line}: ${rdata.error.message}`);
  return record(owner, type, rdata.value, ttl ? Number(words[1]) : TTL_S);
}

/** A zone with the records of `lines`, an SOA (negative TTL 60), and "@ NS ns1". */
export function zoneOf(origin: string, lines: readonly string[]): TestZone {
  const all = ['@ SOA ns1 hostmaster 1 7200 900 1209600 60', '@ NS ns1', 'ns1 A 192.0.2.53'];
  const records = [...all, ...lines].map((line) => readLine(line, origin));
  return { origin, file: `zones/${origin}.zone`, transfer: null, records };
}

/** A deployment with these zones, and without health-aware names unless told. */
export function configOf(zones: readonly TestZone[], overrides: ConfigParts = {}): TestConfig {
  return testConfig({ services: [], ...overrides, zones });
}

export function decode(bytes: Uint8Array): Message {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

/** "OWNER TTL TYPE RDATA" of each record. */
export function show(section: readonly ResourceRecord[]): string[] {
  return section.map(({ owner, ttl_s, type, rdata }) => {
    return `${formatName(owner)} ${ttl_s} ${typeName(type)} ${printRdata(type, rdata)}`;
  });
}
