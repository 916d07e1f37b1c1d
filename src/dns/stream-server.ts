/**
 * Everything that the stream thread does: DNS over TCP, TLS and HTTPS on their listening sockets,
 * with one set of clients and one certificate. A thread of its own keeps floods of connections and
 * TLS handshakes away from UDP and from the agent's health checks.
 */
import type { Http2SecureServer } from 'node:http2';
import type { Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { DnsTls } from '../model/config.ts';
import type { HostPort } from '../net/ip.ts';
import type { Libc } from '../net/libc.ts';
import { TRANSPORT } from './respond.ts';
import { type CertificatePair, CertificateWatch } from './stream-certificate.ts';
import { type Client, Clients, type Peer, peerOf } from './stream-clients.ts';
import { Answering, Connection, type Respond } from './stream-connection.ts';
import { httpsServer } from './stream-https.ts';
import { type Listener, listen } from './stream-listener.ts';
import type { StreamCounters, StreamHandler, StreamSettings } from './stream-shared.ts';
import type { StreamKind, StreamState } from './worker-shared.ts';

/** Time for answers under way when the server stops. */
const STOP_GRACE_MS = 200;
/** Turns of the event loop in which what has come before a stop is still taken. */
const STOP_TURNS = 3;
/** A TLS handshake takes no longer, and no longer than an idle connection may be idle. */
const HANDSHAKE_MAX_MS = 5_000;

export interface StreamServerOptions {
  readonly respond: Respond;
  readonly handler: StreamHandler | null;
  readonly settings: StreamSettings;
  readonly clock: Clock;
  readonly counters: StreamCounters;
  readonly libc: Libc | null;
  readonly log: (level: 'info' | 'warn', fields: object, message: string) => void;
}

/** The servers that speak TLS; they listen nowhere themselves. */
interface Secure {
  readonly tls: TlsServer;
  readonly https: Http2SecureServer;
}

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #clients: Clients;
  readonly #answering: Answering;
  #settings: StreamSettings;
  #listeners: Listener[] = [];
  #certificate: CertificateWatch | null = null;
  #secure: Secure | null = null;
  /** The clients that speak TLS, by their address and port. */
  readonly #byPeer = new Map<string, Client>();
  /** Settings are taken one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: StreamServerOptions) {
    const { settings, clock, counters } = options;
    this.#options = options;
    this.#settings = settings;
    this.#clients = new Clients(settings, clock, counters);
    this.#answering = new Answering(options.respond, options.handler, this.#clients);
  }

  /**
   * Opens and closes listening sockets, takes limits and certificate, until all is as `settings`
   * say. Connections stay. What cannot be had is left out, and told.
   */
  use(settings: StreamSettings): Promise<StreamState> {
    const state = this.#turn.then(() => this.#use(settings));
    this.#turn = state.then(() => {});
    return state;
  }

  /** Takes no more connections, sends the answers under way, closes. Never takes long. */
  async stop(): Promise<void> {
    await this.#turn;
    // Connections that wait to be accepted, and the queries that wait on them, are not lost.
    for (let i = 0; i < STOP_TURNS; i++) await new Promise((resolve) => setImmediate(resolve));
    for (const listener of this.#listeners) listener.close();
    this.#certificate?.stop();
    await this.#clients.finish(STOP_GRACE_MS);
  }

  async #use(settings: StreamSettings): Promise<StreamState> {
    this.#settings = settings;
    this.#clients.use(settings);
    await this.#useCertificate(settings.tls);
    const wanted = [
      ...wantedListeners('tcp', settings.listen),
      ...wantedListeners('tls', settings.tls?.listen ?? []),
      ...wantedListeners('https', settings.tls?.https_listen ?? []),
    ];
    for (const listener of this.#listeners) {
      if (!wanted.some(({ kind, at }) => serves(listener, kind, at))) listener.close();
    }
    this.#listeners = this.#listeners.filter((listener) =>
      wanted.some(({ kind, at }) => serves(listener, kind, at)),
    );
    const problems: string[] = [];
    for (const { kind, at } of wanted) {
      if (this.#listeners.some((listener) => serves(listener, kind, at))) continue;
      try {
        const accept = (socket: Socket): void => this.#accept(kind, socket);
        const { libc } = this.#options;
        this.#listeners.push(await listen(libc, kind, at, settings.bind, accept));
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    const listening = this.#listeners.map(({ kind, asked, bound }) => ({ kind, asked, bound }));
    return { listening, problems };
  }

  #accept(kind: StreamKind, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const client = this.#clients.admit(socket);
    if (!client) return;
    if (kind === 'tcp') {
      new Connection(socket, client, this.#answering, TRANSPORT.TCP);
      return;
    }
    const server = kind === 'tls' ? this.#secure?.tls : this.#secure?.https;
    if (!server) {
      socket.destroy(); // there has never been a usable certificate
      return;
    }
    const peer = peerOf(socket);
    this.#byPeer.set(peer, client);
    socket.on('close', () => {
      if (this.#byPeer.get(peer) === client) this.#byPeer.delete(peer);
    });
    server.emit('connection', socket);
  }

  #clientOf(socket: Peer): Client | null {
    return this.#byPeer.get(peerOf(socket)) ?? null;
  }

  async #useCertificate(tls: DnsTls | null): Promise<void> {
    const files = this.#certificate?.files;
    if (tls && files && files.certificate === tls.certificate && files.key === tls.key) return;
    this.#certificate?.stop();
    this.#certificate = null;
    if (!tls) return;
    const { clock, log } = this.#options;
    this.#certificate = new CertificateWatch(
      tls,
      clock,
      (pair) => this.#usePair(pair, tls.certificate),
      (problem) => {
        const then = this.#secure ? 'the TLS certificate in use stays' : 'nobody is served by TLS';
        log('warn', { problem }, then);
      },
    );
    await this.#certificate.start();
  }

  #usePair(pair: CertificatePair, file: string): void {
    // RFC 8310 §8.1, RFC 9325: nothing older than TLS 1.2.
    const context = { ...pair, minVersion: 'TLSv1.2' } as const;
    if (this.#secure) {
      this.#secure.tls.setSecureContext(context);
      this.#secure.https.setSecureContext(context);
      this.#options.log('info', { file }, 'a new TLS certificate is in use');
      return;
    }
    const handshake_ms = Math.min(this.#settings.tcp_idle_ms, HANDSHAKE_MAX_MS);
    const { respond } = this.#options;
    // RFC 7858 has no ALPN of its own; "dot" is registered for it, and a client may leave it out.
    const dot = { ALPNProtocols: ['dot'], handshakeTimeout: handshake_ms };
    const tls = createTlsServer({ ...context, ...dot }, (socket) => this.#onSecure(socket));
    const https = httpsServer({
      tls: context,
      handshake_ms,
      respond,
      clients: this.#clients,
      clientOf: (socket) => this.#clientOf(socket),
      path: () => this.#settings.tls?.https_path ?? '',
    });
    for (const server of [tls, https]) {
      server.on('tlsClientError', (_error: Error, socket: TLSSocket) => {
        this.#options.counters.add('tls_failed');
        socket.destroy();
      });
    }
    this.#secure = { tls, https };
  }

  #onSecure(socket: TLSSocket): void {
    const client = this.#clientOf(socket);
    if (!client) socket.destroy();
    else new Connection(socket, client, this.#answering, TRANSPORT.ENCRYPTED);
  }
}

function wantedListeners(
  kind: StreamKind,
  addresses: readonly HostPort[],
): { readonly kind: StreamKind; readonly at: HostPort }[] {
  return addresses.map((at) => ({ kind, at }));
}

/** True if the listener is that one, named as it was asked for or with the port that it got. */
function serves({ kind, asked, bound }: Listener, other: StreamKind, at: HostPort): boolean {
  const same = (one: HostPort): boolean => one.address === at.address && one.port === at.port;
  return kind === other && (same(asked) || same(bound));
}
