/** The kinds of load of `bench -- dns`: what is asked, how, and of whom. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prng } from '../../src/base/prng.ts';
import { OPTION, TYPE } from '../../src/dns/wire/codes.ts';
import { encodeQuery } from '../../src/dns/wire/message.ts';
import {
  hostName,
  hostType,
  type MapEntry,
  makeMap,
  ORIGIN,
  STEERED_NAMES,
  writeQueries,
} from './dns-scene.ts';

export interface Mix {
  readonly about: string;
  readonly map: () => readonly MapEntry[];
  /** Every query carries the cookie of a client that is known to the server. */
  readonly cookies: boolean;
  readonly transport: 'udp' | 'tcp';
  /** Writes dnsperf's file into `dir` and returns its path. */
  readonly queries: (dir: string, map: readonly MapEntry[]) => string;
  /** The response codes that there must be, and no others. */
  readonly rcodes: readonly string[];
}

/** Names of hosts in the zone of every mix. */
export const HOSTS = 10_000;
const QUERIES = 100_000;
const GEO_PREFIXES = 200_000;

const hosts = (dir: string): string =>
  writeQueries(dir, 'hosts', QUERIES, (random) => {
    const i = random.int(HOSTS);
    return `${hostName(i)}.${ORIGIN} ${hostType(i)}`;
  });

const PLAIN: Mix = {
  about: '10,000 static names',
  map: () => [],
  cookies: false,
  transport: 'udp',
  queries: hosts,
  rcodes: ['NOERROR'],
};

/** Steered names, each query from another client subnet (RFC 7871): framed packets for dnsperf -B. */
function subnets(dir: string, map: readonly MapEntry[]): string {
  const random = prng(13);
  const packets: Uint8Array[] = [];
  for (let i = 0; i < QUERIES; i++) {
    const prefix = map[random.int(map.length)]!.prefix.replace(/\/.*/, '');
    const subnet = prefix.split('.').slice(0, 3).map(Number);
    const name = `g${random.int(STEERED_NAMES)}.${ORIGIN}`;
    const option = { code: OPTION.ECS, data: Uint8Array.of(0, 1, 24, 0, ...subnet) };
    const packet = encodeQuery({ id: 0, name, type: TYPE.A, edns: { options: [option] } });
    packets.push(Uint8Array.of(packet.length >> 8, packet.length & 255), packet);
  }
  const file = join(dir, 'subnets.bin');
  writeFileSync(file, Buffer.concat(packets));
  return file;
}

export const MIXES: Readonly<Record<string, Mix>> = {
  static: PLAIN,
  cookies: { ...PLAIN, about: 'the same with EDNS and cookies', cookies: true },
  geo: {
    ...PLAIN,
    about: 'steered names, 200,000 prefixes, client subnets',
    map: () => makeMap(GEO_PREFIXES),
    queries: subnets,
  },
  nxdomain: {
    ...PLAIN,
    about: 'half of the names do not exist',
    rcodes: ['NOERROR', 'NXDOMAIN'],
    queries: (dir) =>
      writeQueries(dir, 'nxdomain', QUERIES, (random) => {
        const i = random.int(HOSTS);
        if (random.int(2) === 0) return `${hostName(i)}.${ORIGIN} ${hostType(i)}`;
        return `no${random.int(1_000_000)}.${ORIGIN} A`;
      }),
  },
  tcp: { ...PLAIN, about: 'the names of static over TCP, pipelined', transport: 'tcp' },
};
