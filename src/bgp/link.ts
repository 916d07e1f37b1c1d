/**
 * One TCP connection to a peer: bytes in, whole messages out, and an end that the peer can hear.
 * After `finish` or `destroy` nothing more is reported. What is held for reading is one message,
 * for writing what the caller sends beyond `full`.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Fault } from './wire/fault.ts';
import { Framer } from './wire/framer.ts';

/** How long a peer may take to close its side after our last word. */
const FINISH_MS = 1_000;

export interface LinkEvents {
  /** One whole message; `at_ms` is when its last bytes were read. */
  message(bytes: Uint8Array, at_ms: number): void;
  /** The stream cannot be cut into messages any more. */
  fault(fault: Fault): void;
  /** The socket can take more. */
  drain(): void;
  /** The peer, or the network, ended the connection. */
  closed(text: string): void;
}

export class Link {
  readonly socket: Socket;
  readonly #clock: Clock;
  readonly #framer = new Framer();
  #events: LinkEvents | null;

  /** `socket` is connected. */
  constructor(socket: Socket, clock: Clock, events: LinkEvents) {
    this.socket = socket;
    this.#clock = clock;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.#read(chunk));
    socket.on('drain', () => this.#events?.drain());
    socket.on('error', (error) => this.#ended(error.message));
    socket.on('end', () => this.#ended('connection closed by the peer'));
    socket.on('close', () => this.#ended('connection closed'));
  }

  /** True while the kernel and our own small buffer are full: build nothing more until `drain`. */
  get full(): boolean {
    return this.socket.writableNeedDrain;
  }

  send(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /**
   * Ends our side after all that was sent, and waits for the peer to end its own, which it does
   * after it has read everything. Resolves when the connection is gone, after FINISH_MS at most.
   */
  finish(): Promise<void> {
    this.#events = null;
    return new Promise((resolve) => {
      if (this.socket.destroyed) {
        resolve();
        return;
      }
      const timer = this.#clock.timer(FINISH_MS, () => this.socket.destroy());
      this.socket.once('close', () => {
        timer.cancel();
        resolve();
      });
      this.socket.end();
    });
  }

  #read(chunk: Uint8Array): void {
    const at_ms = this.#clock.now();
    const fault = this.#framer.push(chunk, (bytes) => {
      this.#events?.message(bytes, at_ms);
      return this.#events !== null;
    });
    if (fault) this.#events?.fault(fault);
  }

  #ended(text: string): void {
    const events = this.#events;
    this.#events = null;
    events?.closed(text);
  }
}
