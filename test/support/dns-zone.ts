/** A Config with every kind of name that the DNS server tells apart, and a door to ask it. */
import { VirtualClock } from '../../src/base/clock.ts';
import { HealthWriter } from '../../src/dns/health-table.ts';
import { type ResponsePolicy, responsePolicy } from '../../src/dns/policy.ts';
import { rateTable } from '../../src/dns/rate-limit.ts';
import {
  dnsCounters,
  Responder,
  TCP_MAX,
  TRANSPORT,
  type Transport,
} from '../../src/dns/respond.ts';
import { makeSnapshot, type Snapshot } from '../../src/dns/snapshot.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { wireName } from '../../src/dns/wire/name.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { GeoMap } from '../../src/geo/map.ts';
import type { Config, DnsListen } from '../../src/model/config.ts';
import type { Plan } from '../../src/model/plan.ts';
import { parseAddress } from '../../src/net/ip.ts';
import { type ConfigParts, record, type TestConfig, testConfig } from './config.ts';
import { buildQuery, type QueryShape, type ReadMessage, readMessage } from './dns-query.ts';
import type { ZoneRecord } from './zone-columns.ts';

const text = (value: string): Uint8Array =>
  Uint8Array.from([value.length, ...Buffer.from(value, 'latin1')]);
const mx = (preference: number, name: string): Uint8Array =>
  Uint8Array.from([0, preference, ...wireName(name)]);
const srv = (port: number, name: string): Uint8Array =>
  Uint8Array.from([0, 0, 0, 0, port >> 8, port & 255, ...wireName(name)]);
const svcb = (priority: number, name: string): Uint8Array =>
  Uint8Array.from([0, priority, ...wireName(name)]);
const a = (owner: string, address: string): ZoneRecord =>
  record(owner, TYPE.A, parseAddress(address)!);
const aaaa = (owner: string, address: string): ZoneRecord =>
  record(owner, TYPE.AAAA, parseAddress(address)!);
const cname = (owner: string, target: string): ZoneRecord =>
  record(owner, TYPE.CNAME, wireName(target));

function soa(zone: string, minimum: number): ZoneRecord {
  const numbers = new Uint8Array(20);
  const view = new DataView(numbers.buffer);
  [7, 7200, 900, 1209600, minimum].forEach((value, i) => {
    view.setUint32(i * 4, value);
  });
  const names = [...wireName(`ns1.${zone}`), ...wireName(`hostmaster.${zone}`)];
  return record(zone, TYPE.SOA, Uint8Array.from([...names, ...numbers]));
}

export function zoneConfig(overrides: ConfigParts = {}): TestConfig {
  const www = testConfig().services[0]!;
  return testConfig({
    services: [
      www,
      { ...www, name: 'weighted.example.com', policy: 'weighted', pool: weights(1, 3) },
      { ...www, name: 'backup.example.com', policy: 'failover', order: [2, 0, 1] },
      { ...www, name: 'none.example.com', pool: [] },
    ],
    zones: [
      {
        origin: 'example.com',
        file: 'zones/example.com.zone',
        transfer: null,
        records: [
          soa('example.com', 60),
          record('example.com', TYPE.NS, wireName('ns1.example.com')),
          record('example.com', TYPE.NS, wireName('ns2.example.net')),
          record('example.com', TYPE.MX, mx(10, 'mail.example.com')),
          record('example.com', TYPE.MX, mx(20, 'www.example.com')),
          record('example.com', TYPE.TXT, text('v=spf1 -all')),
          a('ns1.example.com', '192.0.2.53'),
          aaaa('ns1.example.com', '2001:db8::53'),
          a('mail.example.com', '192.0.2.25'),
          a('deep.er.example.com', '192.0.2.99'),
          record('*.wild.example.com', TYPE.TXT, text('wild')),
          a('*.wild.example.com', '192.0.2.77'),
          a('known.wild.example.com', '192.0.2.78'),
          a('under.ent.wild.example.com', '192.0.2.79'),
          cname('alias.example.com', 'www.example.com'),
          cname('one.example.com', 'two.example.com'),
          cname('two.example.com', 'host.sub.example.com'),
          cname('away.example.com', 'www.example.org'),
          cname('lost.example.com', 'nowhere.example.com'),
          cname('ping.example.com', 'pong.example.com'),
          cname('pong.example.com', 'ping.example.com'),
          cname('todown.example.com', 'x.down.example.com'),
          record('moved.example.com', TYPE.DNAME, wireName('example.com')),
          record('svc.example.com', TYPE.HTTPS, svcb(0, 'www.example.com')),
          record('www.example.com', TYPE.HTTPS, svcb(1, '')),
          record('_sip._tcp.example.com', TYPE.SRV, srv(5060, 'mail.example.com')),
          record('down.example.com', TYPE.NS, wireName('ns.down.example.com')),
          record('down.example.com', TYPE.NS, wireName('ns.elsewhere.net')),
          a('ns.down.example.com', '192.0.2.54'),
          record('www.example.com', TYPE.TXT, text('static beside steered')),
          ...Array.from({ length: 60 }, (_, i) => a('big.example.com', `198.18.0.${i + 1}`)),
          // Said by the parent about a zone that we serve ourselves: the child is right.
          a('host.sub.example.com', '203.0.113.66'),
        ],
      },
      {
        origin: 'sub.example.com',
        file: 'zones/sub.example.com.zone',
        transfer: null,
        records: [
          soa('sub.example.com', 900),
          record('sub.example.com', TYPE.NS, wireName('ns1.example.com')),
          a('host.sub.example.com', '192.0.2.100'),
          cname('up.sub.example.com', 'mail.example.com'),
        ],
      },
    ],
    ...overrides,
  });
}

function weights(...list: number[]): { endpoint: number; weight: number }[] {
  return list.map((weight, endpoint) => ({ endpoint, weight }));
}

/** A Plan that says only which endpoints DNS may use. */
export function planOf(config: Config, eligible: (id: string) => boolean): Plan {
  const reason = { code: 'healthy', text: '' } as const;
  const endpoints = config.endpoints.map(({ id }) => ({ id, eligible: eligible(id), reason }));
  return { endpoints } as unknown as Plan;
}

export function geoOf(config: Config): GeoMap {
  const built = buildGeoMap(config.geo, config.regions);
  if (!built.ok) throw new Error(built.error);
  return built.value;
}

/** What the server answers from; no endpoint is eligible unless `health` says so. */
export function snapshotOf(
  config: Config,
  health = new HealthWriter(config.endpoints),
  policy = policyOf(config),
): Snapshot {
  return makeSnapshot(config, geoOf(config), health.buffer, 1232, policy);
}

export interface Door {
  readonly health: HealthWriter;
  readonly counters: ReturnType<typeof dnsCounters>;
  readonly responder: Responder;
  /** Sends raw octets; null: nothing came back. */
  raw(packet: Uint8Array, options?: { transport?: Transport; client?: string }): Uint8Array | null;
  ask(name: string, type: number, more?: AskOptions): ReadMessage;
}

export type AskOptions = Partial<QueryShape> & { transport?: Transport; client?: string };

/** How the first site responds. */
export function policyOf(
  config: Config,
  dns: Partial<DnsListen> = {},
  secrets: readonly Uint8Array[] = [new Uint8Array(16)],
): ResponsePolicy {
  return responsePolicy({ ...config.sites[0]!.dns, ...dns }, secrets, rateTable());
}

export interface DoorPolicy {
  readonly dns?: Partial<DnsListen>;
  readonly secrets?: readonly Uint8Array[];
  readonly clock?: VirtualClock;
}

/**
 * A responder with every endpoint eligible; the client is in Europe unless said.
 * `dns` replaces what the site says of its responses; time stands still unless `clock` is moved.
 */
export function openDoor(
  config: Config = zoneConfig(),
  { dns, secrets, clock = new VirtualClock() }: DoorPolicy = {},
): Door {
  const health = new HealthWriter(config.endpoints);
  health.apply(planOf(config, () => true));
  const counters = dnsCounters();
  const policy = policyOf(config, dns, secrets);
  const responder = new Responder(snapshotOf(config, health, policy), 1, counters, clock);
  const out = new Uint8Array(TCP_MAX);
  const raw: Door['raw'] = (packet, options = {}) => {
    const client = parseAddress(options.client ?? '192.0.2.1')!;
    const family = client.length === 4 ? 4 : 6;
    const transport = options.transport ?? TRANSPORT.UDP;
    responder.tick();
    const length = responder.respond(packet, packet.length, client, 0, family, out, transport);
    return length === 0 ? null : out.slice(0, length);
  };
  const ask: Door['ask'] = (name, type, more = {}) => {
    const answer = raw(buildQuery({ name, type, ...more }), more);
    if (!answer) throw new Error('no answer');
    return readMessage(answer);
  };
  return { health, counters, responder, raw, ask };
}
