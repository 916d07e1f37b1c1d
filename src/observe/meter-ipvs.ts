/**
 * The load of an IPVS director (LVS), as the kernel tells it in /proc/net: open connections of virtual
 * services, or what all of them together carry per second. The files hold numbers and addresses in
 * hexadecimal; IPv6 addresses and totals of bytes are long.
 */
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { IpvsSource, LoadMeterTiming } from '../model/load.ts';
import { canonicalAddress, formatHostPort } from '../net/ip.ts';
import { readFileText } from './meter-input.ts';
import { CounterBook } from './meter-rates.ts';
import { loadReading, type MeterReading, type ReadMeter } from './meter-reading.ts';
import { silenceOf } from './meter-state.ts';

/** About 10,000 virtual services and real servers together. */
const TABLE_BYTES_MAX = 1_048_576;

/** "C0000201:0050" or "[2001:0db8:…:0001]:0050" → "192.0.2.1:80"; null if it is neither. */
function hostPort(text: string): string | null {
  const match = /^(?:([0-9A-F]{8})|\[([0-9a-f:]{2,39})\]):([0-9A-F]{4})$/i.exec(text);
  if (!match) return null;
  const octets = match[1]?.match(/../g)?.map((octet) => Number.parseInt(octet, 16));
  const address = canonicalAddress(octets?.join('.') ?? match[2]!);
  return address && formatHostPort({ address, port: Number.parseInt(match[3]!, 16) });
}

/** "TCP  C0000201:0050 rr " → "tcp/192.0.2.1:80"; "FWM  00000007 wlc " → "fwmark/7". */
function serviceName(line: string): string | null {
  const [protocol = '', where = ''] = line.trim().split(/\s+/);
  if (protocol === 'FWM') {
    return /^[0-9A-F]{8}$/i.test(where) ? `fwmark/${Number.parseInt(where, 16)}` : null;
  }
  const address = hostPort(where);
  if (address === null || !/^(TCP|UDP|SCTP)$/.test(protocol)) return null;
  return `${protocol.toLowerCase()}/${address}`;
}

interface VirtualService {
  /** Whether each packet is given out for itself: then there is no connection to be counted. */
  readonly by_packet: boolean;
  readonly servers: number;
  /** Open connections of its real servers. */
  readonly open: number;
}

/**
 * By name, of the text of /proc/net/ip_vs. The kernel counts each flow of UDP as inactive for as long as
 * it knows it, so of UDP that column is what is open; of TCP it is what is being closed.
 */
export function parseIpvs(text: string): Result<ReadonlyMap<string, VirtualService>, string> {
  const [version, services, servers, ...lines] = text.split('\n');
  const known =
    version?.startsWith('IP Virtual Server version ') &&
    services?.startsWith('Prot LocalAddress:Port ') &&
    servers?.trim().startsWith('-> RemoteAddress:Port Forward Weight ActiveConn InActConn');
  if (!known) return err('the file is not the table of IPVS');
  const table = new Map<string, VirtualService>();
  let service: string | null = null;
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const where = `line ${i + 4}`;
    if (!line.trimStart().startsWith('->')) {
      service = serviceName(line);
      if (service === null) return err(`${where} is not a virtual service`);
      // One mark may stand for a service of IPv4 and for one of IPv6.
      const [, , , ...flags] = line.trim().split(/\s+/);
      const by_packet = flags.includes('ops');
      if (!table.has(service)) table.set(service, { by_packet, servers: 0, open: 0 });
      continue;
    }
    const [, , , , active = '', inactive = ''] = line.trim().split(/\s+/);
    const count = service?.startsWith('udp/') ? inactive : active;
    const before = service === null ? undefined : table.get(service);
    if (!before || !/^[0-9]+$/.test(count)) return err(`${where} is not a real server`);
    const open = before.open + Number(count);
    table.set(service!, { ...before, servers: before.servers + 1, open });
  }
  return ok(table);
}

/** Open connections of the services, or of all if none is named. One that is not there is an error. */
export function activeConnections(
  text: string,
  services: readonly string[],
): Result<MeterReading, string> {
  const table = parseIpvs(text);
  if (!table.ok) return table;
  if (table.value.size === 0) return err('there is no virtual service');
  const names = services.length > 0 ? services : [...table.value.keys()];
  let servers = 0;
  let sum = 0;
  for (const name of names) {
    const service = table.value.get(name);
    if (!service) return err(`there is no virtual service ${name}`);
    if (service.by_packet) return err(`${name} has no connections (ops): measure packets_per_s`);
    servers += service.servers;
    sum += service.open;
  }
  if (servers === 0) return err('no virtual service has a real server');
  return loadReading(sum, 'active');
}

type Totals = Readonly<Record<Exclude<IpvsSource['measure'], 'active'>, number>>;

/** The totals since the start, of both directions, of the text of /proc/net/ip_vs_stats. */
export function parseIpvsStats(text: string): Result<Totals, string> {
  const lines = text.split('\n');
  const cells = lines[2]?.trim().split(/\s+/) ?? [];
  const known = /^\s*Conns\s+Packets\s+Packets\s+Bytes\s+Bytes\s*$/.test(lines[1] ?? '');
  if (!known || cells.length !== 5 || !cells.every((cell) => /^[0-9A-F]{1,16}$/i.test(cell))) {
    return err('the file is not the statistics of IPVS');
  }
  const [connections, packetsIn, packetsOut, bytesIn, bytesOut] = cells.map((cell) =>
    Number.parseInt(cell, 16),
  );
  return ok({
    connections_per_s: connections!,
    packets_per_s: packetsIn! + packetsOut!,
    bytes_per_s: bytesIn! + bytesOut!,
  });
}

export function ipvsMeter(meter: IpvsSource & LoadMeterTiming, clock: Clock): ReadMeter {
  const { measure, services, proc } = meter;
  const path = `${proc}/net/${measure === 'active' ? 'ip_vs' : 'ip_vs_stats'}`;
  const book = new CounterBook(silenceOf(meter));
  return async () => {
    const file = await readFileText(path, TABLE_BYTES_MAX);
    if (!file.ok) return err(`${file.error} (without the module ip_vs there is no IPVS)`);
    if (measure === 'active') return activeConnections(file.value.text, services);
    const totals = parseIpvsStats(file.value.text);
    if (!totals.ok) return totals;
    return book.total(new Map([[measure, totals.value[measure]]]), clock.now(), measure);
  };
}
