/** Peers over real sockets on a virtual clock, with every port faked and written down. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Peer } from '../../src/bgp/peer.ts';
import type { PeerHooks, PeerPorts } from '../../src/bgp/peer-ports.ts';
import { NO_KEYS, type PeerSettings, peerSettings } from '../../src/bgp/peer-settings.ts';
import type {
  Bfd,
  BfdState,
  BfdStatus,
  BfdTarget,
  Guard,
  MrtPort,
  RouteSink,
} from '../../src/bgp/ports.ts';
import { parseBundle, type RouteTable } from '../../src/bgp/route.ts';
import type { MrtMessage, MrtSession } from '../../src/bgp/wire/mrt.ts';
import type { BfdSettings } from '../../src/model/bgp.ts';
import { formatAddress, formatPrefix, type HostPort, parsePrefix } from '../../src/net/ip.ts';
import { bgpSite, neighbor, UNCHANGED } from './bgp.ts';

/** Every session is one of AS 65001 at 10.0.0.1 with one of AS 65000 at 10.0.0.254. */
export function settingsTo(at: HostPort, changes: Partial<PeerSettings> = {}): PeerSettings {
  return { ...peerSettings(bgpSite([]), neighbor(at), NO_KEYS), ...changes };
}

export function otherSide(changes: Partial<PeerSettings> = {}): PeerSettings {
  const at = { address: '127.0.0.1', port: 179 };
  const sides = { local_as: 65000, remote_as: 65001, router_id: 0x0a0000fe, passive: true };
  return { ...settingsTo(at), name: 'site', ...sides, ...changes };
}

/** Routes of ours with nothing special about them. */
export function routeTable(...prefixes: string[]): RouteTable {
  const bundle = parseBundle(UNCHANGED);
  assert.ok(bundle.ok);
  const routes = prefixes.map((key) => {
    return { key, prefix: parsePrefix(key)!, bundle: bundle.value };
  });
  return { routes: new Map(routes.map((route) => [route.key, route])), since: null };
}

/** A clock of a process that can stand still: its timers are then late. */
export class StallingClock extends VirtualClock {
  #stalled_ms = 0;

  override now(): number {
    return super.now() + this.#stalled_ms;
  }

  stall(ms: number): void {
    this.#stalled_ms += ms;
  }
}

export type FakePorts = Partial<Omit<PeerPorts, 'clock'>>;

export interface Made {
  readonly peer: Peer;
  /** "up", "down …", "failed …", "+prefix", "-prefix", in their order. */
  readonly seen: string[];
}

/** A peer with its own clock, which stands still unless it is told to move. */
export function makePeer(
  settings: PeerSettings,
  ports: FakePorts = {},
): Made & { readonly clock: StallingClock } {
  const clock = new StallingClock();
  const seen: string[] = [];
  const hooks: PeerHooks = {
    established: () => seen.push('up'),
    down: (text) => seen.push(`down ${text}`),
    failed: (text) => seen.push(`failed ${text}`),
    routes: ({ announced, withdrawn }) => {
      seen.push(...withdrawn.map((prefix) => `-${formatPrefix(prefix)}`));
      seen.push(...announced.map(({ prefix }) => `+${formatPrefix(prefix)}`));
    },
  };
  const common = { clock, prng: prng(5), log: silentLog };
  return { peer: new Peer(settings, { ...common, ...ports }, hooks), seen, clock };
}

/** Listens on a loopback port and gives every connection to the peer. */
export async function listenFor(peer: Peer): Promise<{ at: HostPort; close(): void }> {
  const server = createServer((socket) => peer.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { at: { address: '127.0.0.1', port }, close: () => void server.close() };
}

/** BFD whose state the test says. */
export class FakeBfd implements Bfd {
  readonly targets: BfdTarget[] = [];
  /** Of the live session. */
  updates: BfdSettings[] = [];
  closed = 0;
  /** Of each session, in the order of `targets`. */
  readonly #changed: ((state: BfdState, text: string) => void)[] = [];

  open(target: BfdTarget, changed: (state: BfdState, text: string) => void) {
    this.targets.push(target);
    this.#changed.push(changed);
    return {
      status: (): BfdStatus | null => null,
      update: (settings: BfdSettings) => {
        this.updates.push(settings);
      },
      close: () => {
        this.closed++;
      },
    };
  }

  /** By default of the newest session. */
  say(state: BfdState, text = '', session = -1): void {
    this.#changed.at(session)!(state, text);
  }
}

/** A guard that fires when the test says so. */
export class FakeGuard implements Guard {
  updates: { readonly withdrawals: Uint8Array; readonly clean: boolean }[] = [];
  readonly marks: boolean[] = [];
  released = 0;
  #socket: Socket | null = null;
  #fired: () => void = () => {};

  protect(socket: Socket, fired: () => void) {
    this.#socket = socket;
    this.#fired = fired;
    return {
      update: (withdrawals: Uint8Array, clean: boolean) => {
        this.updates.push({ withdrawals, clean });
      },
      mark: (clean: boolean) => {
        this.marks.push(clean);
      },
      release: () => {
        this.released++;
      },
    };
  }

  fire(): void {
    const last = this.updates.at(-1);
    if (last) this.#socket?.write(last.withdrawals);
    this.#fired();
  }
}

/** An Adj-RIB-In that writes down what it is told. */
export class FakeSink implements RouteSink {
  readonly told: string[] = [];
  overLimit = false;

  open({ peer_as }: { peer_as: number }): void {
    this.told.push(`open AS${peer_as}`);
  }
  routes({ announced, withdrawn }: Parameters<RouteSink['routes']>[0]): void {
    for (const prefix of withdrawn) this.told.push(`-${formatPrefix(prefix)}`);
    for (const { prefix } of announced) this.told.push(`+${formatPrefix(prefix)}`);
  }
  stale(family: 4 | 6): void {
    this.told.push(`stale ${family}`);
  }
  sweep(family: 4 | 6): void {
    this.told.push(`sweep ${family}`);
  }
  clear(): void {
    this.told.push('clear');
  }
}

/** A dump that is only counted. */
export class FakeMrt implements MrtPort {
  /** Types of the messages. */
  readonly sent: number[] = [];
  readonly received: number[] = [];
  readonly states: string[] = [];
  /** "address AS address AS", ours first. */
  readonly ends: string[] = [];

  message(session: MrtSession, { bytes, sent }: MrtMessage): void {
    (sent ? this.sent : this.received).push(bytes[18]!);
    const { local_address, local_as, peer_address, peer_as } = session;
    const ends = [formatAddress(local_address), local_as, formatAddress(peer_address), peer_as];
    this.ends.push(ends.join(' '));
  }

  state(_session: MrtSession, from: string, to: string): void {
    this.states.push(`${from} > ${to}`);
  }
}
