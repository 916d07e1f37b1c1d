/**
 * The listening sockets of a speaker, one for each configured address. Those that stay in the
 * configuration are not touched by a change of it, and a change that cannot be made is undone.
 */
import type { Socket } from 'node:net';
import { formatHostPort, type HostPort } from '../net/ip.ts';
import type { PeerKey } from '../net/tcp-keys.ts';
import { type Admission, Listener } from './listener.ts';

export interface DoorPorts extends Admission {
  /** As `Listener` has it. */
  accept(socket: Socket, from: string): void;
  /** A key could not be set; whoever should have it is not admitted. */
  problem(text: string): void;
}

export class Doors {
  readonly #ports: DoorPorts;
  /** By the address as it is configured. */
  readonly #listeners = new Map<string, Listener>();
  #keys: readonly PeerKey[] = [];
  #closed = false;

  constructor(ports: DoorPorts) {
    this.#ports = ports;
  }

  /** Where neighbours reach us, with the real ports. */
  get addresses(): HostPort[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /**
   * Listens at exactly these addresses. Rejects with an Error that names the one that cannot be
   * bound; it then listens as before.
   */
  async listen(wanted: readonly HostPort[]): Promise<void> {
    const names = new Set(wanted.map(formatHostPort));
    const given = [...this.#listeners].filter(([name]) => !names.has(name));
    // Given up first: a wildcard and one address of it cannot both be bound.
    for (const [name, listener] of given) this.#close(name, listener);
    const opened: [string, Listener][] = [];
    try {
      for (const at of wanted) {
        const name = formatHostPort(at);
        if (!this.#listeners.has(name)) opened.push([name, await this.#open(name, at)]);
      }
    } catch (error) {
      for (const [name, listener] of opened) this.#close(name, listener);
      for (const [name, { address }] of given) {
        await this.#open(name, address).catch((again: Error) => this.#ports.problem(again.message));
      }
      throw error;
    }
  }

  /** Has exactly these keys on every socket. */
  setKeys(keys: readonly PeerKey[]): void {
    this.#keys = keys;
    for (const listener of this.#listeners.values()) this.#report(listener.setKeys(keys));
  }

  /** For good; connections that were taken over live on. */
  close(): void {
    this.#closed = true;
    for (const [name, listener] of this.#listeners) this.#close(name, listener);
  }

  async #open(name: string, at: HostPort): Promise<Listener> {
    const { accept } = this.#ports;
    const listener = new Listener(at, (socket, from) => accept(socket, from), this.#ports);
    listener.setKeys(this.#keys);
    this.#report(await listener.open());
    if (this.#closed) listener.close();
    else this.#listeners.set(name, listener);
    return listener;
  }

  #close(name: string, listener: Listener): void {
    listener.close();
    this.#listeners.delete(name);
  }

  #report(problems: readonly string[]): void {
    for (const text of problems) this.#ports.problem(text);
  }
}
