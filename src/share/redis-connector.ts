/**
 * One connection to one Redis node: dialled here, so that TLS, time limits and what is taken from the
 * other side are ours to say; spoken over by the client library, which gets the socket ready.
 *
 * Must hold: nothing is queued while there is no connection, nothing is tried again behind our back, and
 * every command is answered, or fails, within `ANSWER_TIMEOUT_MS`.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis } from 'ioredis';
import type { Clock } from '../base/clock.ts';
import type { RedisNode, RedisTls } from '../model/config.ts';
import { GuardedSocket } from './redis-guard.ts';

export const ANSWER_TIMEOUT_MS = 1_000;
/** Until the connection stands, TLS included. A SYN that is lost is sent again after a second. */
export const CONNECT_TIMEOUT_MS = 1_000;

/** What lies in files; never logged. */
export interface RedisSecrets {
  /** Null: none is sent. */
  readonly password: string | null;
  /** The same for the Sentinels. */
  readonly sentinel_password: string | null;
  /** PEM; null: the certificate authorities that Node knows. */
  readonly ca: string | null;
  /** PEM, both or none: what shows who we are. */
  readonly certificate: string | null;
  readonly key: string | null;
}

export interface Dialling {
  readonly node: RedisNode;
  readonly tls: RedisTls | null;
  readonly secrets: RedisSecrets;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  /** Where the socket is noted for as long as it lives, so that it can be ended at any time. */
  readonly sockets: Set<Socket>;
  readonly clock: Clock;
}

function socketTo({ node, tls, secrets }: Dialling): Socket {
  const { host, port } = node;
  if (tls === null) return connect({ host, port });
  const { ca, certificate: cert, key } = secrets;
  // SNI carries names only (RFC 6066 §3).
  const servername = tls.server_name ?? (isIP(host) ? undefined : host);
  return connectTls({
    host,
    port,
    ...(servername !== undefined && { servername }),
    ...(ca !== null && { ca }),
    ...(cert !== null && key !== null && { cert, key }),
  });
}

/** Resolves to a connected socket; fails after `CONNECT_TIMEOUT_MS`. */
function dial(dialling: Dialling): { socket: Socket; ready: Promise<void> } {
  const { sockets } = dialling;
  const socket = socketTo(dialling);
  socket.setNoDelay(true);
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  const ready = new Promise<void>((resolve, reject) => {
    const limit = dialling.clock.timer(CONNECT_TIMEOUT_MS, () => {
      socket.destroy(new Error('the connection could not be made in time'));
    });
    const settled = (): void => limit.cancel();
    socket.once(dialling.tls ? 'secureConnect' : 'connect', () => {
      settled();
      resolve();
    });
    // A socket may fail more than once; an error that nobody hears ends the process.
    socket.on('error', (error) => {
      settled();
      reject(error);
    });
    socket.once('close', () => {
      settled();
      reject(new Error('the connection was closed'));
    });
  });
  return { socket, ready };
}

/** A class, since the client library makes its connector itself. */
function connectorTo(dialling: Dialling) {
  return class extends AbstractConnector {
    #socket: Socket | null = null;

    constructor() {
      super(0);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const { socket, ready } = dial(dialling);
      this.#socket = socket;
      await ready;
      const guarded = new GuardedSocket(socket);
      this.#socket = guarded as unknown as Socket;
      return this.#socket;
    }

    override disconnect(): void {
      this.connecting = false;
      this.#socket?.destroy();
    }
  };
}

/** A connection that has logged in; throws what went wrong, in words without any secret. */
export async function openRedis(dialling: Dialling): Promise<Redis> {
  const { username, password, database } = dialling;
  const redis = new Redis({
    Connector: connectorTo(dialling),
    lazyConnect: true,
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    db: database,
    protocol: 3,
    noDelay: false,
    commandTimeout: ANSWER_TIMEOUT_MS,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    disableClientInfo: true,
    retryStrategy: null,
  });
  let why: Error | null = null;
  redis.on('error', (error: Error) => {
    why ??= error;
  });
  try {
    await redis.connect();
    return redis;
  } catch (error) {
    redis.disconnect();
    throw why ?? error;
  }
}
