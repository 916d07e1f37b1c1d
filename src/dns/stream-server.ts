/**
 * Everything that the stream thread does: DNS over TCP, TLS and HTTPS on their listening sockets,
 * with one set of clients and one certificate. A thread of its own keeps floods of connections and
 * TLS handshakes away from UDP and from the agent's health checks.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { DnsTls } from '../model/config.ts';
import type { HostPort } from '../net/ip.ts';
import type { Libc } from '../net/libc.ts';
import { TRANSPORT } from './respond.ts';
import { Clients } from './stream-clients.ts';
import { Answering, Connection, type Respond } from './stream-connection.ts';
import { type Listener, listen } from './stream-listener.ts';
import type { SecureStreams } from './stream-secure.ts';
import type {
  Bind,
  StreamCounters,
  StreamHandler,
  StreamLog,
  StreamSettings,
} from './stream-shared.ts';
import type { StreamKind, StreamState } from './worker-shared.ts';

/** Time for answers under way when the server stops. */
const STOP_GRACE_MS = 200;
/** Turns of the event loop in which what has come before a stop is still taken. */
const STOP_TURNS = 3;
export interface StreamServerOptions {
  readonly respond: Respond;
  readonly handler: StreamHandler | null;
  readonly settings: StreamSettings;
  readonly clock: Clock;
  readonly counters: StreamCounters;
  readonly libc: Libc | null;
  readonly log: StreamLog;
}

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #clients: Clients;
  readonly #answering: Answering;
  #listeners: Listener[] = [];
  /** Null until TLS is configured for the first time. */
  #secure: SecureStreams | null = null;
  /** Settings are taken one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: StreamServerOptions) {
    const { settings, clock, counters } = options;
    this.#options = options;
    this.#clients = new Clients(settings, clock, counters);
    this.#answering = new Answering(options.respond, options.handler, this.#clients);
  }

  /**
   * Opens and closes listening sockets, takes limits and certificate, until all is as `settings`
   * say; a certificate that is in use already is looked at for changes. Connections stay. What
   * cannot be had is left out, and told.
   */
  use(settings: StreamSettings, bind: Bind): Promise<StreamState> {
    const state = this.#turn.then(() => this.#use(settings, bind));
    this.#turn = state.then(() => {});
    return state;
  }

  /** Takes no more connections, sends the answers under way, closes. Never takes long. */
  async stop(): Promise<void> {
    await this.#turn;
    // Connections that wait to be accepted, and the queries that wait on them, are not lost.
    for (let i = 0; i < STOP_TURNS; i++) await new Promise((resolve) => setImmediate(resolve));
    for (const listener of this.#listeners) listener.close();
    this.#secure?.stop();
    await this.#clients.finish(STOP_GRACE_MS);
  }

  async #use(settings: StreamSettings, bind: Bind): Promise<StreamState> {
    this.#clients.use(settings);
    await this.#useTls(settings.tls);
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
        this.#listeners.push(await listen(libc, kind, at, bind, accept));
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    // Whoever starts or reloads is told by the result; the death of a thread has nobody who waits.
    if (bind === 'again') {
      for (const problem of problems) {
        this.#options.log('warn', { problem }, 'an address is no longer served');
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
    if (this.#secure) this.#secure.accept(kind, client);
    else socket.destroy();
  }

  async #useTls(tls: DnsTls | null): Promise<void> {
    if (tls && !this.#secure) {
      const { SecureStreams } = await import('./stream-secure.ts');
      this.#secure = new SecureStreams({ ...this.#options, answering: this.#answering });
    }
    await this.#secure?.use(tls);
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
