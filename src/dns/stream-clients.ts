/**
 * The open connections of the stream thread, whatever they carry, in the order of their last
 * progress. It must hold: never more than `tcp_clients_max`, nor more of one address than
 * `tcp_clients_per_address_max`, nor more memory in their buffers than HELD_BYTES_MAX and one more
 * buffer; who makes no progress for `tcp_idle_ms` is closed.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { formatAddress, maskAddress, parseAddress } from '../net/ip.ts';
import type { StreamCounters, StreamLimits } from './stream-shared.ts';

/** Unread input and unsent output of all clients together, in bytes. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;
/** What a site has at least (RFC 6177), so that the addresses in it are one client. */
const CLIENT_PREFIX6 = 56;

export interface Client {
  readonly socket: Socket;
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  /** The address, or the IPv6 prefix, that counts as one client. */
  readonly block: string;
  progress_at: number;
  held_bytes: number;
  /** Sends what has been answered, reads no more, closes. */
  finish: () => void;
}

export class Clients {
  readonly #clock: Clock;
  readonly #counters: StreamCounters;
  #limits: StreamLimits;
  /** The one without progress for the longest first: a Set keeps the order in which it was filled. */
  readonly #all = new Set<Client>();
  readonly #ofBlock = new Map<string, number>();
  #held_bytes = 0;
  #timer: Timer | null = null;
  #onEmpty: () => void = () => {};

  constructor(limits: StreamLimits, clock: Clock, counters: StreamCounters) {
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** New limits hold for new connections; the time limit for all. */
  use(limits: StreamLimits): void {
    this.#limits = limits;
    this.#timer?.cancel();
    this.#timer = null;
    this.#arm();
  }

  /**
   * Takes a new connection, or destroys it and gives null. When there are too many in total, the one
   * that has been idle the longest makes room: were new ones refused instead, whoever opens
   * `tcp_clients_max` connections and says nothing would shut everybody out.
   */
  admit(socket: Socket): Client | null {
    // A link-local address comes with its zone.
    const address = parseAddress(socket.remoteAddress?.split('%')[0] ?? '');
    const block = address ? clientBlock(address) : '';
    const same = this.#ofBlock.get(block) ?? 0;
    if (!address || same >= this.#limits.tcp_clients_per_address_max) {
      this.#counters.add('tcp_refused');
      socket.destroy();
      return null;
    }
    while (this.#all.size >= this.#limits.tcp_clients_max) this.#evict();
    const finish = (): void => void socket.destroy();
    const progress_at = this.#clock.now();
    const client: Client = { socket, address, block, progress_at, held_bytes: 0, finish };
    this.#all.add(client);
    this.#ofBlock.set(block, same + 1);
    this.#count();
    this.#arm();
    socket.on('close', () => this.#remove(client));
    return client;
  }

  /** The client sent a whole query, or took its answers. */
  progress(client: Client): void {
    if (!this.#all.delete(client)) return;
    client.progress_at = this.#clock.now();
    this.#all.add(client);
  }

  /** The client's buffers now hold so much. Those who move least make room. */
  hold(client: Client, bytes: number): void {
    if (client.held_bytes === bytes || !this.#all.has(client)) return;
    this.#held_bytes += bytes - client.held_bytes;
    client.held_bytes = bytes;
    for (const one of this.#all) {
      if (this.#held_bytes <= HELD_BYTES_MAX) return;
      if (one.held_bytes > 0) this.#close(one, 'tcp_evicted');
    }
  }

  /** Everybody gets what has been answered, and `grace_ms` to take it. Resolves when all have gone. */
  async finish(grace_ms: number): Promise<void> {
    for (const client of [...this.#all]) client.finish();
    const grace = this.#clock.timer(grace_ms, () => {
      for (const { socket } of [...this.#all]) socket.destroy();
    });
    if (this.#all.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    grace.cancel();
  }

  #evict(): void {
    const [oldest] = this.#all;
    if (oldest) this.#close(oldest, 'tcp_evicted');
  }

  #close(client: Client, counter: 'tcp_evicted' | 'tcp_expired'): void {
    this.#counters.add(counter);
    this.#remove(client);
    client.socket.destroy();
  }

  #remove(client: Client): void {
    if (!this.#all.delete(client)) return;
    this.#held_bytes -= client.held_bytes;
    const left = this.#ofBlock.get(client.block)! - 1;
    if (left > 0) this.#ofBlock.set(client.block, left);
    else this.#ofBlock.delete(client.block);
    this.#count();
    if (this.#all.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#onEmpty();
  }

  #count(): void {
    this.#counters.slots[this.#counters.slot('tcp_clients')] = this.#all.size;
  }

  /** One timer for all: their time is the same, so the first in the order is the first to go. */
  #arm(): void {
    if (this.#timer) return;
    for (const { progress_at } of this.#all) {
      const left_ms = progress_at + this.#limits.tcp_idle_ms - this.#clock.now();
      this.#timer = this.#clock.timer(left_ms, () => this.#onTimer());
      return;
    }
  }

  #onTimer(): void {
    this.#timer = null;
    const limit = this.#clock.now() - this.#limits.tcp_idle_ms;
    for (const client of this.#all) {
      if (client.progress_at > limit) break;
      this.#close(client, 'tcp_expired');
    }
    this.#arm();
  }
}

function clientBlock(address: Uint8Array): string {
  if (address.length === 4) return formatAddress(address);
  return formatAddress(maskAddress(address, CLIENT_PREFIX6));
}

/** A socket, or what stands for one. */
export interface Peer {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
  localAddress?: string | undefined;
  localPort?: number | undefined;
}

/** What tells a connection from all others. */
export function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Peer): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
