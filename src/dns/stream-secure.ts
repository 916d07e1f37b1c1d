/**
 * What of the stream thread speaks TLS: one server for DNS over TLS, one for HTTPS, both with the
 * certificate that was usable last. They listen nowhere; connections are given to them. Loaded only
 * when TLS is configured, for Node's own TLS and HTTP/2 take longer to load than all else here.
 */
import type { Http2SecureServer } from 'node:http2';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { DnsTls } from '../model/config.ts';
import { TRANSPORT } from './respond.ts';
import { type CertificatePair, CertificateWatch } from './stream-certificate.ts';
import { type Client, type Peer, peerOf } from './stream-clients.ts';
import { type Answering, Connection, type Respond } from './stream-connection.ts';
import { httpsServer } from './stream-https.ts';
import type { StreamCounters, StreamLog } from './stream-shared.ts';
import type { StreamKind } from './worker-shared.ts';

/** A TLS handshake takes no longer. */
const HANDSHAKE_MS = 5_000;

export interface SecureOptions {
  readonly respond: Respond;
  readonly answering: Answering;
  readonly clock: Clock;
  readonly counters: StreamCounters;
  readonly log: StreamLog;
}

interface Servers {
  readonly tls: TlsServer;
  readonly https: Http2SecureServer;
}

export class SecureStreams {
  readonly #options: SecureOptions;
  /** None until there is a usable certificate. */
  #servers: Servers | null = null;
  #certificate: CertificateWatch | null = null;
  #httpsPath = '';
  /** The clients that speak TLS, by their address and port. */
  readonly #byPeer = new Map<string, Client>();

  constructor(options: SecureOptions) {
    this.#options = options;
  }

  /** Resolves when the files of `tls` have been looked at. Null: no longer. Connections stay. */
  async use(tls: DnsTls | null): Promise<void> {
    if (tls) this.#httpsPath = tls.https_path;
    const files = this.#certificate?.files;
    if (tls && files?.certificate === tls.certificate && files.key === tls.key) {
      await this.#certificate?.look();
      return;
    }
    this.stop();
    if (!tls) return;
    const { clock, log } = this.#options;
    this.#certificate = new CertificateWatch(
      tls,
      clock,
      (pair) => this.#usePair(pair, tls.certificate),
      (problem) => {
        const then = this.#servers ? 'the TLS certificate in use stays' : 'nobody is served by TLS';
        log('warn', { problem }, then);
      },
    );
    await this.#certificate.start();
  }

  /** Looks at the certificate no more. */
  stop(): void {
    this.#certificate?.stop();
    this.#certificate = null;
  }

  /** Takes the connection of a client that has been admitted. */
  accept(kind: Exclude<StreamKind, 'tcp'>, client: Client): void {
    const { socket } = client;
    if (!this.#servers) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    this.#byPeer.set(peer, client);
    socket.on('close', () => {
      if (this.#byPeer.get(peer) === client) this.#byPeer.delete(peer);
    });
    this.#servers[kind].emit('connection', socket);
  }

  #clientOf(socket: Peer): Client | null {
    return this.#byPeer.get(peerOf(socket)) ?? null;
  }

  #usePair(pair: CertificatePair, file: string): void {
    // RFC 8310 §8.1, RFC 9325: nothing older than TLS 1.2.
    const context = { ...pair, minVersion: 'TLSv1.2' } as const;
    if (!this.#servers) {
      this.#servers = this.#makeServers(context);
      return;
    }
    this.#servers.tls.setSecureContext(context);
    this.#servers.https.setSecureContext(context);
    this.#options.log('info', { file }, 'a new TLS certificate is in use');
  }

  #makeServers(context: CertificatePair & { readonly minVersion: 'TLSv1.2' }): Servers {
    const { respond, answering, counters } = this.#options;
    // RFC 7858 has no ALPN of its own; "dot" is registered for it, and a client may leave it out.
    const dot = { ALPNProtocols: ['dot'], handshakeTimeout: HANDSHAKE_MS };
    const tls = createTlsServer({ ...context, ...dot }, (socket) => this.#onSecure(socket));
    const https = httpsServer({
      tls: context,
      handshake_ms: HANDSHAKE_MS,
      respond,
      clients: answering.clients,
      clientOf: (socket) => this.#clientOf(socket),
      path: () => this.#httpsPath,
    });
    for (const server of [tls, https]) {
      server.on('tlsClientError', (_error: Error, socket: TLSSocket) => {
        counters.add('tls_failed');
        socket.destroy();
      });
    }
    return { tls, https };
  }

  #onSecure(socket: TLSSocket): void {
    const client = this.#clientOf(socket);
    if (!client) socket.destroy();
    else new Connection(socket, client, this.#options.answering, TRANSPORT.ENCRYPTED);
  }
}
