/**
 * A listening TCP socket that a successor may bind beside (shared-socket.ts). Where koffi is missing
 * it is one of Node's own, whose address nobody can share.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { formatHostPort, type HostPort } from '../net/ip.ts';
import type { Libc } from '../net/libc.ts';
import { errnoError, listenErrorText } from '../net/listen-error.ts';
import { admitSuccessor, boundTcpSocket, preferSuccessor } from '../net/shared-socket.ts';
import type { Bind } from './stream-shared.ts';
import type { Listening, StreamKind } from './worker-shared.ts';

/** Connections that wait to be accepted; the kernel takes net.core.somaxconn at most. */
const BACKLOG = 1024;

const NAMES: Readonly<Record<StreamKind, string>> = { tcp: 'TCP', tls: 'TLS', https: 'HTTPS' };

export class Listener implements Listening {
  readonly kind: StreamKind;
  readonly asked: HostPort;
  readonly bound: HostPort;
  readonly #server: Server;

  constructor(kind: StreamKind, asked: HostPort, server: Server) {
    this.kind = kind;
    this.asked = asked;
    this.#server = server;
    const at = server.address();
    this.bound = at && typeof at === 'object' ? { ...asked, port: at.port } : asked;
  }

  /** Accepts no more. */
  close(): void {
    this.#server.close();
  }
}

/** Rejects with one clear sentence when the address cannot be had. */
export async function listen(
  libc: Libc | null,
  kind: StreamKind,
  asked: HostPort,
  bind: Bind,
  accept: (socket: Socket) => void,
): Promise<Listener> {
  // A client may end its side and still take answers; HTTP does not do that.
  const server = createServer({ allowHalfOpen: kind !== 'https', noDelay: true }, accept);
  try {
    if (libc) await listenShared(libc, server, asked, bind);
    else await listening(server, { host: asked.address, port: asked.port });
  } catch (error) {
    const why = listenErrorText(error as NodeJS.ErrnoException);
    throw new Error(`${NAMES[kind]} ${formatHostPort(asked)}: ${why}`);
  }
  server.on('error', () => {}); // a failed accept (out of descriptors) is the client's loss
  return new Listener(kind, asked, server);
}

async function listenShared(
  libc: Libc,
  server: Server,
  asked: HostPort,
  bind: Bind,
): Promise<void> {
  const fd = boundTcpSocket(libc, asked, bind !== 'alone');
  if (fd < 0) throw errnoError(-fd);
  await listening(server, { fd });
  if (bind === 'alone') admitSuccessor(libc, fd);
  if (bind === 'beside') preferSuccessor(libc, fd);
}

function listening(
  server: Server,
  at: { readonly fd: number } | { readonly host: string; readonly port: number },
): Promise<void> {
  const ipv6Only = 'host' in at && at.host.includes(':');
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...at, ipv6Only, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
