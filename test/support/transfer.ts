/** A TransferServer over a Config, its zones given as plain records. */
import { VirtualClock } from '../../src/base/clock.ts';
import { HealthWriter } from '../../src/dns/health-table.ts';
import { dnsCounters, Responder, TCP_MAX, TRANSPORT } from '../../src/dns/respond.ts';
import { SerialWriter } from '../../src/dns/serials.ts';
import { makeSnapshot, type Snapshot } from '../../src/dns/snapshot.ts';
import { makeTransfers } from '../../src/dns/transfer/access.ts';
import { type TransferEvent, TransferServer } from '../../src/dns/transfer/server.ts';
import type { TsigSecret } from '../../src/dns/transfer/signing.ts';
import type { Config, ZoneTransfer } from '../../src/model/config.ts';
import { parseAddress } from '../../src/net/ip.ts';
import type { TestConfig } from './config.ts';
import { geoOf, planOf, policyOf, zoneConfig } from './dns-zone.ts';

/** 2026-11-20T12:00:00Z. */
export const NOW_MS = Date.UTC(2026, 10, 20, 12);

export const SECRETS: readonly TsigSecret[] = [
  {
    name: 'transfer.key',
    algorithm: 'hmac-sha256',
    secret: Buffer.from('a secret of some length'),
  },
  { name: 'other.key', algorithm: 'hmac-sha512', secret: Buffer.from('another secret') },
];

/** `config` with its first zone open to 127.0.0.0/8 with a key, and to 192.0.2.0/24 without one. */
export function transferConfig(
  transfer: Partial<ZoneTransfer> = {},
  config = zoneConfig(),
): TestConfig {
  const allow = [
    { prefix: '127.0.0.0/8', key: 'transfer.key' },
    { prefix: '192.0.2.0/24', key: null },
  ];
  const zones = config.zones.map((zone, i) =>
    i === 0 ? { ...zone, transfer: { notify: [], allow, ...transfer } } : zone,
  );
  return { ...config, zones };
}

export interface Stage {
  readonly health: HealthWriter;
  readonly serials: SerialWriter;
  readonly snapshot: Snapshot;
  readonly server: TransferServer;
  readonly respond: (packet: Uint8Array, client: Uint8Array) => Uint8Array | null;
  readonly events: TransferEvent[];
  /** Makes only these endpoints eligible. */
  eligible(ids: (id: string) => boolean): void;
}

export function stage(config: Config, secrets = SECRETS, wall = () => NOW_MS): Stage {
  const health = new HealthWriter(config.endpoints);
  health.apply(planOf(config, () => true));
  const serials = new SerialWriter(config, wall());
  const transfers = makeTransfers(config, secrets, serials.shared);
  const snapshot = makeSnapshot(
    config,
    geoOf(config),
    health.buffer,
    1232,
    policyOf(config),
    transfers,
  );
  const responder = new Responder(snapshot, 1, dnsCounters(), new VirtualClock());
  const events: TransferEvent[] = [];
  const out = new Uint8Array(TCP_MAX);
  const respond: Stage['respond'] = (packet, client) => {
    const family = client.length === 4 ? 4 : 6;
    const { length } = packet;
    const size = responder.respond(packet, length, client, 0, family, out, TRANSPORT.TCP);
    return size === 0 ? null : out.slice(0, size);
  };
  const server = new TransferServer(snapshot, {
    clock: { wall },
    respond,
    onTransfer: (event) => events.push(event),
  });
  const eligible: Stage['eligible'] = (ids) => health.apply(planOf(config, ids));
  return { health, serials, snapshot, server, respond, events, eligible };
}

/** The answer to one datagram, as a UDP worker makes it; null: an ordinary query. */
export function datagram(
  { server, respond }: Stage,
  packet: Uint8Array,
  client = '192.0.2.1',
  size_max = 1232,
): Uint8Array | null {
  const address = parseAddress(client)!;
  const plain = respond(packet, address) ?? new Uint8Array(0);
  return server.answerDatagram(packet, address, plain, size_max);
}

/** Every message of the answer to one request. */
export function collect(
  server: TransferServer,
  packet: Uint8Array,
  client = '192.0.2.1',
): Uint8Array[] {
  const messages = server.answer(packet, parseAddress(client)!);
  const all: Uint8Array[] = [];
  for (let next = messages?.next(); next && !next.done; next = messages?.next()) {
    all.push(next.value);
  }
  return all;
}
