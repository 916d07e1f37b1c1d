/** A real DnsServer on a loopback address and a free port, and small clients for it. */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SystemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { DnsServer } from '../../src/dns/server.ts';
import type { TsigSecret } from '../../src/dns/transfer/signing.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import type { Config, DnsListen } from '../../src/model/config.ts';
import type { HostPort } from '../../src/net/ip.ts';
import type { TestConfig } from './config.ts';
import { type ReadMessage, readMessage } from './dns-query.ts';
import { geoOf, planOf, zoneConfig } from './dns-zone.ts';

export interface ServerShape<C extends Config = Config> {
  readonly config?: C;
  readonly dns?: Partial<DnsListen>;
  readonly udp?: UdpEngine;
  readonly takeOver?: boolean;
  readonly log?: Log;
  readonly tsigKeys?: readonly TsigSecret[];
  readonly cookieSecrets?: readonly Uint8Array[];
}

export function serverConfig({ config, dns }: ServerShape<TestConfig>): TestConfig {
  return listening(config ?? zoneConfig(), dns);
}

function listening<C extends Config>(config: C, dns: Partial<DnsListen> = {}): C {
  const listen = [{ address: '127.0.53.1', port: 0 }];
  const sites = config.sites.map((site) => ({ ...site, dns: { ...site.dns, listen, ...dns } }));
  return { ...config, sites };
}

/** Started, with every endpoint eligible. The caller stops it. */
export async function startServer(shape: ServerShape = {}): Promise<DnsServer> {
  const config = listening<Config>(shape.config ?? zoneConfig(), shape.dns);
  const server = new DnsServer({
    config,
    site: 'fra',
    geo: geoOf(config),
    clock: new SystemClock(),
    prng: prng(1),
    log: shape.log ?? silentLog,
    udp: shape.udp ?? 'batch',
    takeOver: shape.takeOver ?? false,
    tsigKeys: shape.tsigKeys ?? [],
    ...(shape.cookieSecrets && { cookieSecrets: shape.cookieSecrets }),
  });
  server.apply(planOf(config, () => true));
  await server.start();
  return server;
}

/** One query over UDP from a socket of its own; rejects after two seconds of silence. */
export function askUdp({ address, port }: HostPort, query: Uint8Array): Promise<ReadMessage> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const late = setTimeout(() => done(new Error('no answer in 2 s')), 2000);
    const done = (result: ReadMessage | Error): void => {
      clearTimeout(late);
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.on('error', done);
    socket.on('connect', () => socket.send(query));
    socket.on('message', (answer) => done(readMessage(answer)));
    // Connected, so that an answer from another address than the one asked does not arrive.
    socket.connect(port, address);
  });
}

/** Sends `chunks` over one connection, in order; resolves with the answers when there are `count`. */
export function askTcp(
  { address, port }: HostPort,
  chunks: readonly Uint8Array[],
  count: number,
): Promise<ReadMessage[]> {
  return askStream(connect({ host: address, port, noDelay: true }), 'connect', chunks, count);
}

/** The same over TLS; the certificate is not verified. */
export function askTls(
  { address, port }: HostPort,
  chunks: readonly Uint8Array[],
  count: number,
): Promise<ReadMessage[]> {
  const options = { host: address, port, rejectUnauthorized: false, ALPNProtocols: ['dot'] };
  return askStream(connectTls(options), 'secureConnect', chunks, count);
}

function askStream(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  chunks: readonly Uint8Array[],
  count: number,
): Promise<ReadMessage[]> {
  return new Promise((resolve, reject) => {
    const answers: ReadMessage[] = [];
    let input = Buffer.alloc(0);
    socket.once(ready, () => void send(0));
    const send = (index: number): void => {
      const chunk = chunks[index];
      if (chunk) socket.write(chunk, () => setImmediate(() => send(index + 1)));
    };
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${answers.length} answers`)));
    socket.on('data', (chunk) => {
      input = Buffer.concat([input, chunk]);
      while (input.length >= 2 && input.length >= 2 + input.readUInt16BE()) {
        const end = 2 + input.readUInt16BE();
        answers.push(readMessage(input.subarray(2, end)));
        input = input.subarray(end);
      }
      if (answers.length < count) return;
      resolve(answers);
      socket.destroy();
    });
  });
}

/** A message with its length before it (RFC 1035 §4.2.2). */
export function framed(message: Uint8Array): Uint8Array {
  return Uint8Array.from([message.length >> 8, message.length & 255, ...message]);
}
