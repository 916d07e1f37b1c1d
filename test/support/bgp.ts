/** What the tests of the speaker share: small configurations, and a peer made of fixed bytes. */
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BgpSite, Neighbor, RouteChanges, RoutePolicy } from '../../src/model/bgp.ts';
import type { RouteOffer, RoutePlan } from '../../src/model/plan.ts';
import type { HostPort } from '../../src/net/ip.ts';

export const UNCHANGED: RouteChanges = {
  med: null,
  prepend: 0,
  local_pref: null,
  communities: [],
  next_hop: null,
  next_hop6: null,
};

/** Announces whatever its fitness, unchanged; no damping. */
export function routePolicy(changes: Partial<RoutePolicy> = {}): RoutePolicy {
  const rule = { announce: true, changes: UNCHANGED };
  return {
    fitness: {
      healthy: rule,
      degraded: rule,
      overloaded: rule,
      draining: rule,
      'last-site-kept': rule,
    },
    last_site: 'keep',
    drain_load: null,
    settle_ms: 0,
    hold_down_ms: 0,
    damping: null,
    ...changes,
  };
}

export function neighbor(to: HostPort, changes: Partial<Neighbor> = {}): Neighbor {
  return {
    name: 'router',
    address: to.address,
    port: to.port,
    as: 65000,
    passive: false,
    source: null,
    interface: null,
    hold_time_ms: 9_000,
    connect_retry_ms: 500,
    delay_open_ms: 0,
    send_hold_ms: 480_000,
    idle_hold_max_ms: 500,
    ttl: 64,
    ttl_security: null,
    md5_key_file: null,
    ipv4: true,
    ipv6: true,
    extended_next_hop: false,
    add_path: false,
    graceful_restart_helper: false,
    role: null,
    role_strict: false,
    bfd: null,
    receive: { accept: [], prefixes_max: 10_000, watch_vips: false },
    announce: { vips: null, when: null, changes: UNCHANGED, by_fitness: {}, by_vip: {} },
    ...changes,
  };
}

export function bgpSite(neighbors: Neighbor[], changes: Partial<BgpSite> = {}): BgpSite {
  return {
    as: 65001,
    router_id: '10.0.0.1',
    listen: [],
    next_hop: '192.0.2.1',
    next_hop6: '2001:db8::1',
    neighbors,
    ranges: [],
    dead_man_ms: 0,
    vip_interface: null,
    mrt: null,
    ...changes,
  };
}

/** A plan that offers each of `neighbors` the same. */
export function plan(
  prefixes: string[],
  changes: Partial<RouteOffer> = {},
  neighbors: readonly string[] = ['router'],
): RoutePlan {
  const reason = { code: 'healthy', text: '' } as const;
  const offer = { announce: true, ...UNCHANGED, reason, ...changes };
  const { announce } = offer;
  return {
    vip: 'web',
    prefixes,
    announce,
    fitness: announce ? 'healthy' : null,
    reason,
    offers: neighbors.map((name) => ({ ...offer, neighbor: name })),
  };
}

/** Waits for the real world to change; the suite's timeout ends a wait that never does. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(2);
}

/** A TCP port of `address` that was free a moment ago. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The KEEPALIVE, and an OPEN of AS 65000 with hold time 90 s and no capabilities. */
export const KEEPALIVE = Buffer.from(`${'ff'.repeat(16)}001304`, 'hex');
export const OPEN = Buffer.from(`${'ff'.repeat(16)}001d0104fde8005a0a0000fe00`, 'hex');

export interface RawPeer {
  readonly address: HostPort;
  close(): Promise<void>;
}

/**
 * A passive router that answers the first bytes with OPEN and KEEPALIVE and then leaves the socket
 * to `goOn`.
 */
export async function rawPeer(goOn: (socket: Socket) => void): Promise<RawPeer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.concat([OPEN, KEEPALIVE]));
      goOn(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    address: { address: '127.0.0.1', port },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const ROUTE_REFRESH = Buffer.from(`${'ff'.repeat(16)}00170500010001`, 'hex');

/** Asks for all IPv4 routes again and again, until the speaker cannot write any more. */
export async function fillSocket(unread: Socket, full: () => boolean): Promise<void> {
  while (!full()) {
    for (let i = 0; i < 50; i++) unread.write(ROUTE_REFRESH);
    await sleep(2);
  }
}
