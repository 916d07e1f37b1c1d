/**
 * The TCP side of one peer: at most one dial, one connection that waits to be adopted, one link in
 * each slot, and those that were told good-bye and have not closed yet. Whatever is taken in is
 * closed in the end.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Slot } from './fsm-model.ts';
import { Link } from './link.ts';
import type { Dialler, Transport } from './ports.ts';
import type { Fault } from './wire/fault.ts';

/** As `LinkEvents`, with the slot; none may throw. */
export interface ConnectionEvents {
  /** The dial has led to a connection, which is in the slot `out`. */
  connected(): void;
  dialFailed(text: string): void;
  message(slot: Slot, bytes: Uint8Array, at_ms: number): void;
  sending(slot: Slot, bytes: Uint8Array): void;
  fault(slot: Slot, fault: Fault): void;
  drain(): void;
  waits(slot: Slot, waiting: boolean): void;
  closed(slot: Slot, text: string): void;
}

export class Connections {
  readonly #clock: Clock;
  readonly #dialler: Dialler;
  readonly #events: ConnectionEvents;
  readonly #links: Record<Slot, Link | null> = { out: null, in: null };
  readonly #finishing = new Set<Promise<void>>();
  #dialling: Socket | null = null;
  #accepted: Socket | null = null;

  constructor(clock: Clock, dialler: Dialler, events: ConnectionEvents) {
    this.#clock = clock;
    this.#dialler = dialler;
    this.#events = events;
  }

  link(slot: Slot): Link | null {
    return this.#links[slot];
  }

  /** True if there is no connection, nor one that waits to be adopted. */
  get none(): boolean {
    return !this.#links.out && !this.#links.in && !this.#accepted;
  }

  dial(to: Transport): void {
    const socket = this.#dialler.dial(to);
    this.#dialling = socket;
    const failed = (error: Error): void => {
      if (this.#dialling !== socket) return;
      this.#dialling = null;
      this.#events.dialFailed(error.message);
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      if (this.#dialling !== socket) return;
      this.#dialling = null;
      this.#attach('out', socket);
      this.#events.connected();
    });
  }

  stopDial(): void {
    this.#dialling?.destroy();
    this.#dialling = null;
  }

  /** Holds a connection until it is adopted or refused. */
  offer(socket: Socket): void {
    this.#accepted = socket;
  }

  adopt(): void {
    if (this.#accepted) this.#attach('in', this.#accepted);
    this.#accepted = null;
  }

  refuse(): void {
    this.#accepted?.destroy();
    this.#accepted = null;
  }

  /** Lets a connection end after all that was sent; nothing more is heard of it. */
  close(slot: Slot): void {
    const link = this.#links[slot];
    this.#links[slot] = null;
    if (!link) return;
    const finished = link.finish().then(() => {
      this.#finishing.delete(finished);
    });
    this.#finishing.add(finished);
  }

  /** Resolves when every connection that was closed is gone. */
  async finished(): Promise<void> {
    await Promise.all(this.#finishing);
  }

  #attach(slot: Slot, socket: Socket): void {
    this.#links[slot] = new Link(socket, this.#clock, {
      message: (bytes, at_ms) => this.#events.message(slot, bytes, at_ms),
      sending: (bytes) => this.#events.sending(slot, bytes),
      fault: (fault) => this.#events.fault(slot, fault),
      drain: () => this.#events.drain(),
      waits: (waiting) => this.#events.waits(slot, waiting),
      closed: (text) => this.#events.closed(slot, text),
    });
  }
}
