/**
 * Spill without a kernel: the steering driver of the demo. A site's load balancers ask it about
 * every new request of an own client, and it forwards the share that the plan asks for over HTTP
 * to the peer's load balancers. One request is one flow here, so a flow never moves.
 *
 * Must hold: the same as for the kernel drivers. Steering is by hash over fixed slots, so a larger
 * share only adds flows to the spilled ones; shares end with their lease; a guest is never
 * forwarded again; when a peer fails, the request is served at home.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { HostPort } from '../../net/ip.ts';
import type { FlowCounts, SpillPeer, SteeringDriver, TunnelDriver } from '../../spill/port.ts';

/** Names the site that a request was spilled from. */
export const SPILLED_FROM = 'x-isobar-spilled-from';
/** What a client's flow is known by; stands for the source address and port of a real one. */
export const FLOW = 'x-isobar-flow';

export const SLOTS = 1_000;
const FORWARD_TIMEOUT_MS = 1_000;
/** Connections to one load balancer of a peer at most; further requests wait for one. */
const PEER_CONNECTIONS_MAX = 64;
/** Below the load balancers' keep-alive time, so that no request meets a closing connection. */
const IDLE_MS = 4_000;

/** Headers that belong to one connection (RFC 9110 §7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te']);

/** FNV-1a, then the slot. */
export function slotOf(flow: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < flow.length; i++) {
    hash = Math.imul(hash ^ flow.charCodeAt(i), 0x01000193);
  }
  // FNV's low bits are weak on short keys that differ in their last character only.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) % SLOTS;
}

export interface ForwardingOptions {
  readonly site: string;
  /** Peer site → its load balancers. */
  readonly peers: ReadonlyMap<string, readonly HostPort[]>;
  readonly clock: Clock;
}

export class ForwardingDriver implements SteeringDriver {
  readonly kind = 'userspace';
  readonly #options: ForwardingOptions;
  readonly #agent = new http.Agent({
    keepAlive: true,
    maxSockets: PEER_CONNECTIONS_MAX,
    timeout: IDLE_MS,
  });
  /** Slots below `until` (and not below the one before) go to `peer`. */
  #ranges: readonly { readonly peer: string; readonly until: number }[] = [];
  #lease_ends = 0;
  #turn = 0;
  #kept = 0;
  readonly #sent: Record<string, number> = {};
  readonly #guests: Record<string, number> = {};

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  async apply(shares: Readonly<Record<string, number>>, lease_ms: number): Promise<void> {
    const ranges: { peer: string; until: number }[] = [];
    let total = 0;
    for (const [peer, share] of Object.entries(shares).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!this.#options.peers.has(peer)) throw new Error(`${peer} is not a peer of this site`);
      if (!(share >= 0)) throw new Error(`a share of ${share} for ${peer} is not from 0 to 1`);
      total += share;
      ranges.push({ peer, until: Math.round(total * SLOTS) });
    }
    if (total > 1 + 1e-9) throw new Error(`the shares add up to ${total}, more than 1`);
    this.#ranges = ranges;
    this.#lease_ends = this.#options.clock.now() + lease_ms;
  }

  /** The part of own new flows that goes elsewhere now. */
  get share(): number {
    if (this.#options.clock.now() >= this.#lease_ends) return 0;
    return (this.#ranges.at(-1)?.until ?? 0) / SLOTS;
  }

  /** Where a new flow in `slot` belongs: a peer site, or null for here. */
  route(slot: number): string | null {
    if (this.#options.clock.now() >= this.#lease_ends) return null;
    return this.#ranges.find((range) => slot < range.until)?.peer ?? null;
  }

  /** Counts an own request that is served here. */
  keep(): void {
    this.#kept++;
  }

  /** Counts a request that `from` spilled to here. A name that is no peer's is not counted. */
  admit(from: string): void {
    if (this.#options.peers.has(from)) this.#guests[from] = (this.#guests[from] ?? 0) + 1;
  }

  /**
   * Lets a load balancer of `peer` answer. False if it did not, and nothing has been written to
   * `response`: then the request is to be served here.
   */
  forward(peer: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const targets = this.#options.peers.get(peer) ?? [];
    const target = targets[this.#turn++ % targets.length];
    if (!target) return Promise.resolve(false);
    return new Promise((resolve) => {
      let answered = false;
      const outgoing = http.request({
        host: target.address,
        port: target.port,
        path: request.url,
        headers: { [SPILLED_FROM]: this.#options.site, [FLOW]: request.headers[FLOW] ?? '' },
        agent: this.#agent,
        timeout: FORWARD_TIMEOUT_MS,
      });
      outgoing.on('response', (answer) => {
        if (answer.statusCode! >= 500) {
          answer.resume();
          resolve(false);
          return;
        }
        answered = true;
        this.#sent[peer] = (this.#sent[peer] ?? 0) + 1;
        response.writeHead(answer.statusCode!, endToEnd(answer.headers));
        pipeline(answer, response, () => resolve(true));
      });
      outgoing.on('timeout', () => outgoing.destroy());
      outgoing.on('error', () => {
        if (!answered) resolve(false);
      });
      outgoing.end();
    });
  }

  async counts(): Promise<FlowCounts> {
    return { kept: this.#kept, sent: { ...this.#sent }, guests: { ...this.#guests } };
  }

  async close(): Promise<void> {
    this.#ranges = [];
    this.#agent.destroy();
  }
}

function endToEnd(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

/** The demo's sites reach each other over the loopback: there is no tunnel to make. */
export class LoopbackTunnel implements TunnelDriver {
  readonly kind = 'loopback';

  async ensure(peers: readonly SpillPeer[]): Promise<ReadonlyMap<string, string>> {
    return new Map(peers.map((peer) => [peer.site, 'lo']));
  }

  async remove(): Promise<void> {}
}
