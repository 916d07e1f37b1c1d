/**
 * What this host knows about the way to a neighbour: counters of its TCP, route, link, the answer on
 * the link (ARP, ND) and its own sockets. It only looks, save for one unsigned SYN where a key is
 * configured: how that is answered tells a missing key from a missing listener. What cannot be read
 * is null, and then says nothing; no part of it is ever a key.
 */
import type { Clock } from '../base/clock.ts';
import type { Host } from '../net/host.ts';
import { parseAddress } from '../net/ip.ts';
import { linkFrom, neighborFrom, refusedRoute, routeFrom, socketsFrom } from './evidence-text.ts';
import type { Dialler, Transport } from './ports.ts';

/** Counters of the whole host (TcpExt of /proc/net/netstat), as they have risen since a mark. */
export interface TcpCounters {
  /** Segments without a signature from someone whose key we have. */
  readonly TCPMD5NotFound: number;
  /** Segments with a signature from someone whose key we do not have. */
  readonly TCPMD5Unexpected: number;
  /** Segments whose signature is of another key. */
  readonly TCPMD5Failure: number;
  /** Segments with a TTL below what we ask for (RFC 5082). */
  readonly TCPMinTTLDrop: number;
}

export const TCP_COUNTERS = [
  'TCPMD5NotFound',
  'TCPMD5Unexpected',
  'TCPMD5Failure',
  'TCPMinTTLDrop',
] as const;

export type RouteEvidence =
  /** `text`: what the kernel says of it. */
  | { readonly kind: 'none'; readonly text: string }
  /** The address is one of this machine's own. */
  | { readonly kind: 'own' }
  | { readonly kind: 'route'; readonly device: string; readonly gateway: string | null };

export interface LinkEvidence {
  readonly device: string;
  readonly state: 'missing' | 'down' | 'no-carrier' | 'up';
}

/** A socket of this host whose other end is the neighbour. */
export interface SocketEvidence {
  /** As `ss` has it: "ESTAB", "SYN-SENT" … */
  readonly state: string;
  readonly port: number;
  /** Octets that were sent and not acknowledged yet. */
  readonly unacknowledged: number;
  /** Retransmissions of what is not acknowledged yet. */
  readonly retransmits: number;
}

export interface Evidence {
  readonly counters: TcpCounters | null;
  readonly route: RouteEvidence | null;
  readonly link: LinkEvidence | null;
  /** Whoever packets are handed to on the link, and its state in the kernel's table; null: no entry. */
  readonly next_hop: { readonly address: string; readonly state: string } | null;
  readonly sockets: readonly SocketEvidence[];
  /** What an unsigned SYN was answered with; null: none was sent. */
  readonly unsigned: 'accepted' | 'refused' | 'silent' | null;
}

/** The machine, or a network namespace. */
export type EvidenceHost = Pick<Host, 'run' | 'read'>;

export interface EvidencePorts {
  readonly host: EvidenceHost;
  readonly dialler: Dialler;
  readonly clock: Clock;
}

/** A neighbour on the same continent answers a SYN in far less. */
const SYN_WAIT_MS = 1_000;
/** Of its own namespace; the file is a link to the reader's in /proc. */
const COUNTERS_FILE = '/proc/net/netstat';
const NO_COUNTS: TcpCounters = {
  TCPMD5NotFound: 0,
  TCPMD5Unexpected: 0,
  TCPMD5Failure: 0,
  TCPMinTTLDrop: 0,
};

export class EvidenceSource {
  readonly #ports: EvidencePorts;
  /** By neighbour: what the counters were when they last meant nothing for it. */
  readonly #marks = new Map<string, TcpCounters>();

  constructor(ports: EvidencePorts) {
    this.#ports = ports;
  }

  /**
   * What was counted until now says nothing about this neighbour: to be called when it is added and
   * whenever a session with it is established.
   */
  async mark(name: string): Promise<void> {
    if (!this.#marks.has(name)) this.#marks.set(name, NO_COUNTS);
    const counters = await this.#counters();
    // It may have been forgotten meanwhile.
    if (counters && this.#marks.has(name)) this.#marks.set(name, counters);
  }

  forget(name: string): void {
    this.#marks.delete(name);
  }

  /** `ask`: send an unsigned SYN, if `to` has a key. Takes a second at most, and never rejects. */
  async collect(name: string, to: Transport, ask: boolean): Promise<Evidence> {
    const [counters, way, sockets, unsigned] = await Promise.all([
      this.#rise(name),
      this.#way(to),
      this.#sockets(to),
      ask && to.md5_key ? this.#unsigned(to) : null,
    ]);
    return { counters, ...way, sockets, unsigned };
  }

  async #rise(name: string): Promise<TcpCounters | null> {
    const now = await this.#counters();
    const before = this.#marks.get(name) ?? NO_COUNTS;
    if (!now) return null;
    const rise = TCP_COUNTERS.map((counter) => [counter, now[counter] - before[counter]]);
    return Object.fromEntries(rise) as unknown as TcpCounters;
  }

  async #counters(): Promise<TcpCounters | null> {
    try {
      const lines = (await this.#ports.host.read(COUNTERS_FILE)).split('\n');
      const [names, values] = lines.filter((line) => line.startsWith('TcpExt:'));
      const columns = names!.split(' ');
      const numbers = values!.split(' ').map(Number);
      const read = TCP_COUNTERS.map((name) => [name, numbers[columns.indexOf(name)] ?? 0]);
      return Object.fromEntries(read) as unknown as TcpCounters;
    } catch {
      return null;
    }
  }

  async #way(to: Transport): Promise<Pick<Evidence, 'route' | 'link' | 'next_hop'>> {
    const from = to.source === null ? [] : ['from', to.source];
    const over = to.interface === null ? [] : ['oif', to.interface];
    const asked = ['-j', 'route', 'get', to.address, ...from, ...over];
    const route = await this.#ports.host.run('ip', asked).then(routeFrom, refusedRoute);
    const device = to.interface ?? (route?.kind === 'route' ? route.device : null);
    if (device === null) return { route, link: null, next_hop: null };
    const gateway = route?.kind === 'route' ? route.gateway : null;
    const address = gateway ?? to.address;
    const row = ['-j', 'neigh', 'show', 'to', address, 'dev', device];
    const [link, state] = await Promise.all([
      this.#link(device),
      this.#ports.host.run('ip', row).then(neighborFrom, () => null),
    ]);
    return { route, link, next_hop: state === null ? null : { address, state } };
  }

  async #link(device: string): Promise<LinkEvidence | null> {
    try {
      return linkFrom(device, await this.#ports.host.run('ip', ['-j', 'link', 'show', device]));
    } catch (error) {
      const missing = /does not exist|Cannot find/.test((error as Error).message);
      return missing ? { device, state: 'missing' } : null;
    }
  }

  async #sockets(to: Transport): Promise<SocketEvidence[]> {
    const six = parseAddress(to.address)?.length === 16;
    const peer = six ? `[${to.address}]` : to.address;
    try {
      // Not with -i, which would print the keys of signed connections.
      return socketsFrom(await this.#ports.host.run('ss', ['-tnoHO', 'dst', peer]));
    } catch {
      return [];
    }
  }

  #unsigned(to: Transport): Promise<'accepted' | 'refused' | 'silent'> {
    return new Promise((resolve) => {
      const socket = this.#ports.dialler.dial({ ...to, md5_key: null });
      const timer = this.#ports.clock.timer(SYN_WAIT_MS, () => done('silent'));
      const done = (answer: 'accepted' | 'refused' | 'silent'): void => {
        timer.cancel();
        socket.destroy();
        resolve(answer);
      };
      socket.on('error', (error: NodeJS.ErrnoException) => {
        done(error.code === 'ECONNREFUSED' ? 'refused' : 'silent');
      });
      socket.once('connect', () => done('accepted'));
    });
  }
}
