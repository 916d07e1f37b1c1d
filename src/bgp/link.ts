/**
 * One TCP connection to a peer: bytes in, whole messages out, and an end that the peer can hear.
 * After `finish` nothing more is reported. What is held for reading is one message and a chunk or two
 * of the socket, for writing what the caller sends beyond `full`. However much a peer sends, and
 * whatever it asks for, its messages take no more than half of this thread's time.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Fault } from './wire/fault.ts';
import { Framer } from './wire/framer.ts';

/** How long a peer may take to close its side after our last word. */
const FINISH_MS = 1_000;
/** So long a peer's messages may be worked on before all others get as much time. */
const TURN_MS = 5;

export interface LinkEvents {
  /** One whole message; `at_ms` is when its last bytes were read. */
  message(bytes: Uint8Array, at_ms: number): void;
  /** One whole message is about to be written. */
  sending(bytes: Uint8Array): void;
  /** The stream cannot be cut into messages any more. */
  fault(fault: Fault): void;
  /** The socket can take more. */
  drain(): void;
  /**
   * Bytes wait that the kernel does not take, since the peer does not: said when it begins and when
   * some of them have left; with `waiting` false when none is left.
   */
  waits(waiting: boolean): void;
  /** The peer, or the network, ended the connection. */
  closed(text: string): void;
}

export class Link {
  readonly socket: Socket;
  readonly #clock: Clock;
  readonly #framer = new Framer();
  #events: LinkEvents | null;
  #waiting = false;
  /** Time that the peer has had more than others could have, up to `#idle_ms` on the clock. */
  #spent_ms = 0;
  #idle_ms = 0;
  /** Runs while the others have their turn. */
  #pause: Timer | null = null;
  /** How the connection has ended meanwhile. */
  #end: string | null = null;

  /** `socket` is connected. */
  constructor(socket: Socket, clock: Clock, events: LinkEvents) {
    this.socket = socket;
    this.#clock = clock;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.#read(chunk, this.#clock.now()));
    socket.on('drain', () => this.#events?.drain());
    socket.on('error', (error) => this.#ended(error.message));
    socket.on('end', () => this.#ended('connection closed by the peer'));
    socket.on('close', () => this.#ended('connection closed'));
  }

  /** True while the kernel and our own small buffer are full: build nothing more until `drain`. */
  get full(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** True if all that was sent has left for the kernel, so that a message can begin. */
  get clean(): boolean {
    return this.socket.writableLength === 0;
  }

  /** From now on messages up to this length are taken (RFC 8654). */
  allow(bytes_max: number): void {
    this.#framer.bytesMax = bytes_max;
  }

  send(bytes: Uint8Array): void {
    if (!this.socket.writable) return;
    this.#events?.sending(bytes);
    this.socket.write(bytes, this.#taken);
    if (this.#waiting || this.clean) return;
    this.#waiting = true;
    this.#events?.waits(true);
  }

  /** The kernel has taken what one `send` gave it, or the connection is gone. */
  readonly #taken = (): void => {
    if (!this.#waiting) return;
    this.#waiting = !this.clean;
    this.#events?.waits(this.#waiting);
  };

  /**
   * Ends our side after all that was sent, and waits for the peer to end its own, which it does
   * after it has read everything. Resolves when the connection is gone, after FINISH_MS at most.
   */
  finish(): Promise<void> {
    this.#events = null;
    this.#pause?.cancel();
    this.socket.resume(); // what still comes is thrown away, so that the end is seen
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

  /** `at_ms`: when the chunk came. */
  #read(chunk: Uint8Array, at_ms: number): void {
    const begun_ms = this.#clock.now();
    const owed_ms = Math.max(0, this.#spent_ms - (begun_ms - this.#idle_ms));
    const fault = this.#framer.push(chunk, (bytes) => {
      this.#events?.message(bytes, at_ms);
      return this.#events !== null && owed_ms + this.#clock.now() - begun_ms < TURN_MS;
    });
    if (fault) this.#events?.fault(fault);
    this.#idle_ms = this.#clock.now();
    this.#spent_ms = owed_ms + this.#idle_ms - begun_ms;
    if (this.#events && this.#spent_ms >= TURN_MS) this.#rest(at_ms);
  }

  /** Reads nothing for as long as the peer was worked for. */
  #rest(at_ms: number): void {
    this.socket.pause();
    this.#pause = this.#clock.timer(this.#spent_ms, () => {
      this.#pause = null;
      if (this.#events) this.#read(this.#framer.rest, at_ms);
      if (this.#pause) return;
      this.socket.resume();
      if (this.#end !== null) this.#ended(this.#end);
    });
  }

  /** Told after the messages that came before it. */
  #ended(text: string): void {
    if (this.#pause && this.#framer.rest.length > 0) {
      this.#end ??= text;
      return;
    }
    const events = this.#events;
    this.#events = null;
    this.#pause?.cancel();
    events?.closed(text);
  }
}
