/** The stream thread's server in this thread, on loopback, with whatever answers a test wants. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Clock, SystemClock } from '../../src/base/clock.ts';
import type { Respond } from '../../src/dns/stream-connection.ts';
import { StreamServer } from '../../src/dns/stream-server.ts';
import {
  type StreamCounters,
  type StreamHandler,
  type StreamLog,
  type StreamSettings,
  streamCounters,
} from '../../src/dns/stream-shared.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { loadLibc } from '../../src/net/libc.ts';
import { openDoor } from './dns-zone.ts';

export interface Streams {
  readonly server: StreamServer;
  readonly at: HostPort;
  readonly counters: StreamCounters;
  /** Queries that `respond` was asked. */
  readonly asked: () => number;
}

export interface StreamsShape {
  readonly settings?: Partial<StreamSettings>;
  readonly handler?: StreamHandler;
  readonly clock?: Clock;
  readonly respond?: Respond;
  readonly log?: StreamLog;
}

export async function startStreams(shape: StreamsShape = {}): Promise<Streams> {
  const counters = streamCounters();
  const settings: StreamSettings = {
    listen: [{ address: '127.0.53.31', port: 0 }],
    tls: null,
    tcp_clients_max: 1000,
    tcp_clients_per_address_max: 1000,
    tcp_idle_ms: 10_000,
    ...shape.settings,
  };
  const respond = shape.respond ?? doorRespond();
  let asked = 0;
  const server = new StreamServer({
    respond: (...query) => {
      asked++;
      return respond(...query);
    },
    handler: shape.handler ?? null,
    settings,
    clock: shape.clock ?? new SystemClock(),
    counters,
    libc: loadLibc(),
    log: shape.log ?? (() => {}),
  });
  const { listening, problems } = await server.use(settings, 'alone');
  if (problems.length > 0) throw new Error(problems[0]);
  return { server, at: listening[0]!.bound, counters, asked: () => asked };
}

function doorRespond(): Respond {
  const { responder } = openDoor();
  return (packet, length, client, out, transport) =>
    responder.respond(packet, length, client, 0, client.length === 4 ? 4 : 6, out, transport);
}

/** A connection whose errors are of no interest. */
export async function open({ address, port }: HostPort): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true, allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Resolves with all that the other side sends until it ends. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.resume();
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** The messages in a stream, each without its length. */
export function unframed(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 2 + stream.readUInt16BE(at);
    messages.push(stream.subarray(at + 2, end));
    at = end;
  }
  return messages;
}

/** Resolves when no more queries are taken, for the client does not read. */
export async function stalled({ asked }: Streams): Promise<void> {
  for (let seen = -1; seen !== asked() || seen === 0; ) {
    seen = asked();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
