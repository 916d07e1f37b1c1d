/**
 * The passive side of the speaker, for the demo and for tests: accepts any BGP speaker that
 * connects, any number from one address, and keeps what each of them announces (Adj-RIB-In) for as
 * long as its session lasts. It announces nothing.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { formatAddress, formatPrefix, type HostPort } from '../net/ip.ts';
import { Listener } from './listener.ts';
import { Peer } from './peer.ts';
import type { PeerHooks } from './peer-ports.ts';
import { type PeerStatus, routerIdText } from './peer-record.ts';
import { NO_KEYS, type PeerSettings } from './peer-settings.ts';
import { communityTexts, parseRouterId } from './route.ts';
import { asPathText } from './wire/as-path.ts';
import { CEASE } from './wire/codes.ts';
import type { RouteChanges, Update } from './wire/update.ts';

export interface CollectorOptions {
  readonly listen: HostPort;
  readonly as: number;
  readonly router_id: string;
  readonly hold_time_ms: number;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** A name for the speaker of an AS, for the table; its AS number if there is none. */
  readonly nameOf?: (as: number) => string | null;
}

/** Who announced a route. */
export interface CollectorPeer {
  readonly as: number;
  readonly router_id: string;
  readonly address: string;
  /** What `nameOf` says, else "AS65001". */
  readonly name: string;
}

export interface CollectedRoute {
  readonly prefix: string;
  readonly from: CollectorPeer;
  readonly next_hop: string;
  readonly as_path: string;
  readonly communities: readonly string[];
  readonly med: number | null;
  readonly at_ms: number;
}

export interface CollectorChange {
  readonly kind: 'announce' | 'withdraw' | 'up' | 'down';
  readonly peer: CollectorPeer;
  /** Of announce and withdraw. */
  readonly prefix?: string;
  /** When the bytes that say so were read, on the collector's clock. */
  readonly at_ms: number;
}

/** Sessions at once, and prefixes kept of each: beyond that a session is ended. */
export const COLLECTOR_LIMITS = { peers_max: 64, prefixes_max: 10_000 } as const;
/** A session with anybody: all that can be received, nothing announced. Nothing dials here. */
const DYNAMIC: Omit<
  PeerSettings,
  'name' | 'address' | 'port' | 'local_as' | 'router_id' | 'hold_time_ms'
> = {
  ...NO_KEYS,
  remote_as: null,
  passive: true,
  source: null,
  interface: null,
  connect_retry_ms: 10_000,
  delay_open_ms: 0,
  send_hold_ms: 480_000,
  idle_hold_max_ms: 10_000,
  ttl: 64,
  ttl_security: null,
  md5_key_file: null,
  ipv4: true,
  ipv6: true,
  extended_next_hop: true,
  add_path: false,
  graceful_restart_helper: false,
  role: null,
  role_strict: false,
  bfd: null,
  receive: { accept: [], prefixes_max: COLLECTOR_LIMITS.prefixes_max, watch_vips: false },
  announce: {
    vips: null,
    when: null,
    changes: {
      med: null,
      prepend: 0,
      local_pref: null,
      communities: [],
      next_hop: null,
      next_hop6: null,
    },
    by_fitness: {},
    by_vip: {},
  },
  next_hop: null,
  next_hop6: null,
};

interface Member {
  readonly peer: Peer;
  who: CollectorPeer | null;
  readonly routes: Map<string, CollectedRoute>;
}

export class Collector {
  readonly #options: CollectorOptions;
  readonly #listener: Listener;
  readonly #members = new Set<Member>();
  readonly #changes: Listeners<CollectorChange>;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#listener = new Listener(options.listen, (socket, from) => this.#accept(socket, from));
    const broken = (error: unknown): void =>
      options.log.error({ error: String(error) }, 'a listener of the collector failed');
    this.#changes = new Listeners(broken);
  }

  /** Where it listens, with the real port. */
  get address(): HostPort {
    return this.#listener.address;
  }

  /** Rejects if the address cannot be bound. */
  async start(): Promise<void> {
    await this.#listener.open();
  }

  async stop(): Promise<void> {
    this.#listener.close();
    const stopped = [...this.#members].map(({ peer }) =>
      peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, 'collector stops'),
    );
    await Promise.all(stopped);
  }

  /** Every route of every live session. */
  routes(): CollectedRoute[] {
    return [...this.#members].flatMap(({ routes }) => [...routes.values()]);
  }

  peers(): PeerStatus[] {
    return [...this.#members].map(({ peer }) => peer.status());
  }

  onChange(listener: (change: CollectorChange) => void): () => void {
    return this.#changes.add(listener);
  }

  #accept(socket: Socket, from: string): void {
    if (this.#members.size >= COLLECTOR_LIMITS.peers_max) {
      this.#options.log.warn({ from }, 'the collector has too many sessions');
      socket.destroy();
      return;
    }
    const { as, router_id, hold_time_ms, clock, prng, log } = this.#options;
    const settings: PeerSettings = {
      ...DYNAMIC,
      name: `${from} port ${socket.remotePort ?? 0}`,
      address: from,
      port: socket.remotePort ?? 0,
      local_as: as,
      router_id: parseRouterId(router_id),
      hold_time_ms,
    };
    const hooks: PeerHooks = {
      established: () => this.#up(member),
      down: (_text, at_ms) => this.#down(member, at_ms),
      failed: () => this.#leave(member),
      routes: (changes, update, at_ms) => this.#change(member, changes, update, at_ms),
    };
    const member: Member = {
      peer: new Peer(settings, { clock, prng, log }, hooks),
      who: null,
      routes: new Map(),
    };
    this.#members.add(member);
    member.peer.start();
    member.peer.accept(socket);
  }

  #up(member: Member): void {
    const agreement = member.peer.agreement;
    if (!agreement) return;
    const as = agreement.peer_as;
    const name = this.#options.nameOf?.(as) ?? `AS${as}`;
    const router_id = routerIdText(agreement.peer.router_id);
    member.who = { as, router_id, address: member.peer.settings.address, name };
    this.#changes.emit({ kind: 'up', peer: member.who, at_ms: this.#options.clock.now() });
  }

  #down(member: Member, at_ms: number): void {
    this.#leave(member);
    if (member.who) this.#changes.emit({ kind: 'down', peer: member.who, at_ms });
  }

  /** A dynamic peer lives as long as its connection. */
  #leave(member: Member): void {
    if (!this.#members.delete(member)) return;
    member.routes.clear();
    void member.peer.stop(CEASE.REJECTED, '');
  }

  #change(member: Member, changes: RouteChanges, update: Update, at_ms: number): void {
    const { who, routes } = member;
    if (!who) return;
    for (const gone of changes.withdrawn) {
      const prefix = formatPrefix(gone);
      if (!routes.delete(prefix)) continue;
      this.#changes.emit({ kind: 'withdraw', peer: who, prefix, at_ms });
    }
    const { med = null } = update.attributes;
    const communities = communityTexts(update.attributes);
    for (const { prefix: bits, next_hop } of changes.announced) {
      const prefix = formatPrefix(bits);
      routes.set(prefix, {
        prefix,
        from: who,
        next_hop: formatAddress(next_hop),
        as_path: asPathText(changes.as_path),
        communities,
        med,
        at_ms,
      });
      this.#changes.emit({ kind: 'announce', peer: who, prefix, at_ms });
    }
    if (routes.size > COLLECTOR_LIMITS.prefixes_max) void member.peer.stop(CEASE.PREFIX_MAX, '');
  }
}
