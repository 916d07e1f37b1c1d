/**
 * isobar's BGP speaker: keeps one session with each configured neighbour and has each of them know
 * exactly the routes that the plan announces. `apply` writes the difference to the sockets before it
 * returns. Routes that neighbours send are counted and never used.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { BgpSite, Neighbor } from '../model/bgp.ts';
import type { RoutePlan } from '../model/plan.ts';
import { canonicalAddress, type HostPort } from '../net/ip.ts';
import type { SessionState } from './fsm-model.ts';
import { Listener } from './listener.ts';
import { Peer } from './peer.ts';
import type { PeerHooks } from './peer-ports.ts';
import { type PeerStatus, worthLogging } from './peer-record.ts';
import { type PeerSettings, peerSettings } from './peer-settings.ts';
import { RouteBook } from './route-book.ts';
import { CEASE } from './wire/codes.ts';

export type NeighborStatus = PeerStatus;

export interface NeighborEvent {
  readonly neighbor: string;
  readonly text: string;
  readonly state: SessionState;
}

export interface SpeakerOptions {
  readonly bgp: BgpSite;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** Must not throw. */
  readonly onEvent: (event: NeighborEvent) => void;
}

export class Speaker {
  readonly #options: SpeakerOptions;
  #bgp: BgpSite;
  #listener: Listener | null = null;
  readonly #peers = new Map<string, Peer>();
  readonly #book = new RouteBook();
  #unknown = 0;
  /** Sessions are made only while it is `running`; it does not come back from `stopped`. */
  #phase: 'new' | 'running' | 'stopped' = 'new';
  /** Incoming connections so far whose address several waiting neighbours share. */
  #shared = 0;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#bgp = options.bgp;
  }

  /** Where passive neighbours reach us, with the real port; null when we only dial. */
  get listening(): HostPort | null {
    return this.#listener?.address ?? null;
  }

  /** Connections from addresses that are no neighbour's; they were closed. */
  get unknown_connections(): number {
    return this.#unknown;
  }

  /** Listens and starts every session. Rejects if the listening address cannot be bound. */
  async start(): Promise<void> {
    await this.#listen(this.#bgp.listen[0] ?? null);
    if (this.#phase === 'new') this.#phase = 'running';
    for (const neighbor of this.#bgp.neighbors) this.#add(neighbor);
  }

  /**
   * Has every neighbour know exactly these routes: written to the sockets before it returns. What
   * cannot be announced is logged and left out.
   */
  apply(routes: readonly RoutePlan[]): void {
    for (const problem of this.#book.take(routes)) this.#options.log.error({}, problem);
    for (const [name, peer] of this.#peers) peer.want(this.#book.table(name));
  }

  neighbors(): NeighborStatus[] {
    return [...this.#peers.values()].map((peer) => peer.status());
  }

  /**
   * Takes a new configuration. Sessions whose settings stay the same are not touched. Rejects, and
   * changes nothing, if a new listening address cannot be bound.
   */
  async reload(bgp: BgpSite): Promise<void> {
    if (JSON.stringify(bgp.listen) !== JSON.stringify(this.#bgp.listen)) {
      await this.#listenInstead(bgp.listen[0] ?? null);
    }
    this.#bgp = bgp;
    const wanted = new Map(bgp.neighbors.map((neighbor) => [neighbor.name, neighbor]));
    const ended: Promise<void>[] = [];
    for (const [name, peer] of this.#peers) {
      const neighbor = wanted.get(name);
      if (neighbor && same(peer.settings, peerSettings(bgp, neighbor))) continue;
      const subcode = neighbor ? CEASE.CONFIGURATION_CHANGE : CEASE.DECONFIGURED;
      this.#peers.delete(name);
      ended.push(peer.stop(subcode, ''));
    }
    await Promise.all(ended);
    // The newest configuration, should another reload have come meanwhile.
    for (const neighbor of this.#bgp.neighbors) {
      if (!this.#peers.has(neighbor.name)) this.#add(neighbor);
    }
  }

  /**
   * Withdraws every route, then ends every session with an administrative shutdown that carries
   * `text` (RFC 9003), and waits until the peers have read it, for two seconds at most.
   */
  async stop(text = ''): Promise<void> {
    this.#phase = 'stopped';
    this.#listener?.close();
    this.#listener = null;
    const peers = [...this.#peers.values()];
    await Promise.all(peers.map((peer) => peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, text)));
  }

  async #listen(at: HostPort | null): Promise<void> {
    const listener = at && new Listener(at, (socket, from) => this.#accept(socket, from));
    await listener?.open();
    if (this.#phase === 'stopped') listener?.close();
    else this.#listener = listener;
  }

  /** The old address is given up first: a wildcard and one address of it cannot both be bound. */
  async #listenInstead(at: HostPort | null): Promise<void> {
    const before = this.#listener?.address ?? null;
    this.#listener?.close();
    this.#listener = null;
    try {
      await this.#listen(at);
    } catch (error) {
      await this.#listen(before);
      throw error;
    }
  }

  #add(neighbor: Neighbor): void {
    if (this.#phase !== 'running') return;
    const { clock, prng, log } = this.#options;
    const peer = new Peer(
      peerSettings(this.#bgp, neighbor),
      { clock, prng, log },
      this.#hooks(neighbor.name),
    );
    this.#peers.set(neighbor.name, peer);
    peer.want(this.#book.table(neighbor.name));
    peer.start();
  }

  #hooks(neighbor: string): PeerHooks {
    const { onEvent } = this.#options;
    let lastFailure = '';
    return {
      established: ({ hold_ms, peer_as }) => {
        lastFailure = '';
        const text = `session with AS${peer_as} established, hold time ${hold_ms / 1000} s`;
        onEvent({ neighbor, text, state: 'Established' });
      },
      down: (text) => onEvent({ neighbor, text: `session down: ${text}`, state: 'Idle' }),
      // A neighbour that stays away fails again and again in the same way: told once.
      failed: (text) => {
        if (text !== lastFailure) onEvent({ neighbor, text, state: this.#state(neighbor) });
        lastFailure = text;
      },
      routes: () => {},
    };
  }

  #state(neighbor: string): SessionState {
    return this.#peers.get(neighbor)?.state ?? 'Idle';
  }

  /**
   * Gives a connection to the neighbour with that address. Of several that wait for one it is each
   * one's turn: which of them has dialled shows only in its OPEN, and a wrong guess is refused and
   * dialled again.
   */
  #accept(socket: Socket, from: string): void {
    const candidates = [...this.#peers.values()].filter(
      ({ settings }) => canonicalAddress(settings.address) === from,
    );
    const waiting = candidates.filter(({ state }) => state === 'Active' || state === 'Connect');
    const passive = waiting.filter(({ settings }) => settings.passive);
    const likely = passive.length > 0 ? passive : waiting;
    if (likely.length > 1) this.#shared++;
    const peer = likely.length > 0 ? likely[this.#shared % likely.length] : candidates[0];
    if (peer) {
      peer.accept(socket);
      return;
    }
    this.#unknown++;
    if (worthLogging(this.#unknown)) {
      const fields = { from, count: this.#unknown };
      this.#options.log.warn(fields, 'BGP connection from an address that is no neighbour');
    }
    socket.destroy();
  }
}

function same(a: PeerSettings, b: PeerSettings): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
