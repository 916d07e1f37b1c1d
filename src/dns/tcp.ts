/**
 * DNS over TCP (RFC 7766): messages with a two-octet length, many on one connection, answered in
 * order. Everything a client can make us hold has a bound: connections, unread input (one message),
 * unsent output, and the time in which it must make progress.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { formatHostPort, type HostPort, parseAddress } from '../net/ip.ts';
import { listenErrorText } from '../net/listen-error.ts';
import { type Responder, TCP_MAX, TRANSPORT } from './respond.ts';

/** Bytes of answers that wait for one client at most before its next query is read. */
const OUTPUT_MAX = 128 * 1024;
/** Time for answers under way when the server stops. */
const STOP_GRACE_MS = 200;

const NOTHING = new Uint8Array(0);

export interface TcpLimits {
  /** Open connections in total. */
  readonly tcp_clients_max: number;
  /** A connection without a whole query, or without taking its answers, for so long is closed. */
  readonly tcp_idle_ms: number;
}

class Connection {
  readonly socket: Socket;
  readonly #answer: (query: Uint8Array) => Uint8Array | null;
  readonly #clock: Clock;
  readonly #idle_ms: number;
  #input: Uint8Array = NOTHING;
  #finishing = false;
  /** The client has sent all it will; its queries are still answered. */
  #halfClosed = false;
  #progress_at: number;
  #timer: Timer;

  constructor(
    socket: Socket,
    clock: Clock,
    idle_ms: number,
    answer: (query: Uint8Array) => Uint8Array | null,
  ) {
    this.socket = socket;
    this.#answer = answer;
    this.#clock = clock;
    this.#idle_ms = idle_ms;
    this.#progress_at = clock.now();
    this.#timer = clock.timer(idle_ms, () => this.#onTimer());
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => {
      this.#halfClosed = true;
      this.#answerAll();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#timer.cancel());
  }

  /**
   * Sends what has been answered and reads no further query. Input is still taken, and dropped: a
   * socket closed over unread input resets the connection, and what the client has not read is gone.
   */
  finish(): void {
    this.#finishing = true;
    this.#input = NOTHING;
    this.socket.end();
    this.socket.resume();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#finishing) return;
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    this.#answerAll();
  }

  #onDrain(): void {
    this.#progress_at = this.#clock.now();
    this.socket.resume();
    this.#answerAll();
  }

  /** RFC 7766 §6.2.1.1: pipelined queries; as many as came, while the client takes the answers. */
  #answerAll(): void {
    if (this.#finishing) return;
    const { socket } = this;
    const input = this.#input;
    let at = 0;
    while (input.length - at >= 2) {
      const end = at + 2 + ((input[at]! << 8) | input[at + 1]!);
      if (end > input.length) break;
      if (socket.writableLength > OUTPUT_MAX) {
        socket.pause();
        this.#input = input.subarray(at);
        return;
      }
      const answer = this.#answer(input.subarray(at + 2, end));
      this.#progress_at = this.#clock.now();
      at = end;
      // What gets no answer is no DNS query; nothing after it can be trusted to be in step.
      if (!answer) {
        this.finish();
        return;
      }
      socket.write(answer);
    }
    // An empty view would hold on to the whole chunk for as long as the connection is idle.
    this.#input = at === input.length ? NOTHING : input.subarray(at);
    if (this.#halfClosed) this.finish();
  }

  #onTimer(): void {
    const left_ms = this.#progress_at + this.#idle_ms - this.#clock.now();
    if (left_ms <= 0) this.socket.destroy();
    else this.#timer = this.#clock.timer(left_ms, () => this.#onTimer());
  }
}

export class TcpListener {
  readonly #responder: Responder;
  readonly #limits: TcpLimits;
  readonly #clock: Clock;
  readonly #connections = new Set<Connection>();
  readonly #servers: Server[] = [];
  #stopping = false;
  /** A length field and the largest message. */
  readonly #frame = new Uint8Array(2 + TCP_MAX);
  readonly #out = this.#frame.subarray(2);

  constructor(responder: Responder, limits: TcpLimits, clock: Clock) {
    this.#responder = responder;
    this.#limits = limits;
    this.#clock = clock;
  }

  get clients(): number {
    return this.#connections.size;
  }

  /** Listens; returns the address with the port that was given for port 0. */
  listen({ address, port }: HostPort): Promise<HostPort> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const at = formatHostPort({ address, port });
        reject(new Error(`TCP ${at}: ${listenErrorText(error)}`));
      };
      server.once('error', failed);
      server.listen({ host: address, port, ipv6Only: address.includes(':') }, () => {
        server.off('error', failed);
        server.on('error', () => {}); // a failed accept (out of descriptors) is the client's loss
        this.#servers.push(server);
        if (this.#stopping) server.close();
        const bound = server.address();
        resolve({ address, port: bound && typeof bound === 'object' ? bound.port : port });
      });
    });
  }

  /** Takes no more connections, sends the answers under way, closes. Never takes long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const connection of this.#connections) connection.finish();
    const grace = this.#clock.timer(STOP_GRACE_MS, () => {
      for (const { socket } of this.#connections) socket.destroy();
    });
    await Promise.all(closed);
    grace.cancel();
  }

  #accept(socket: Socket): void {
    const client = parseAddress(socket.remoteAddress?.split('%')[0] ?? '');
    if (!client || this.#connections.size >= this.#limits.tcp_clients_max) {
      socket.destroy();
      return;
    }
    const answer = (query: Uint8Array): Uint8Array | null => this.#answer(query, client);
    const idle_ms = this.#limits.tcp_idle_ms;
    const connection = new Connection(socket, this.#clock, idle_ms, answer);
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
  }

  #answer(query: Uint8Array, client: Uint8Array): Uint8Array | null {
    const family = client.length === 4 ? 4 : 6;
    const { length } = query;
    const out = this.#out;
    const size = this.#responder.respond(query, length, client, 0, family, out, TRANSPORT.TCP);
    if (size === 0) return null;
    this.#frame[0] = size >>> 8;
    this.#frame[1] = size;
    return this.#frame.slice(0, 2 + size);
  }
}
