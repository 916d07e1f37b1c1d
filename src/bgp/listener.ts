/**
 * A listening TCP socket for BGP, with a bound on the connections that it holds at once. It has the
 * MD5 keys of all who may connect, which can change while it listens, and gives each connection the
 * options of its neighbour before anyone reads from it. A connection that should be signed and whose
 * key is not on the socket, or that cannot have its options, is closed.
 */
import { createServer, type Server, type Socket } from 'node:net';
import {
  formatAddress,
  formatHostPort,
  type HostPort,
  parseAddress,
  unmapAddress,
} from '../net/ip.ts';
import { type Libc, loadLibc } from '../net/libc.ts';
import { errnoError, listenErrorText } from '../net/listen-error.ts';
import { boundTcpSocket, isWildcard } from '../net/shared-socket.ts';
import { type PeerKey, SocketKeys, sameKey } from '../net/tcp-keys.ts';
import { pathOptions, setOptions, TTL_MAX } from '../net/tcp-options.ts';
import { descriptorOf } from '../net/tcp-socket.ts';
import { LIBC_MISSING, needsLibc } from './dial.ts';
import type { Transport } from './ports.ts';

/** Connections open at once, whoever they are from. */
export const CONNECTIONS_MAX = 256;

/** What a connection must have; `from` is as for `accept`. None of them may throw. */
export interface Admission {
  /** Null: nobody is known there. */
  transport(from: string): Omit<Transport, 'port'> | null;
  /** A connection was closed, since it cannot be what it must. */
  refused(from: string, text: string): void;
}

const ANYHOW: Admission = { transport: () => null, refused: () => {} };

export class Listener {
  readonly #server: Server;
  readonly #libc: Libc | null;
  readonly #admission: Admission;
  #at: HostPort;
  #wanted: readonly PeerKey[] = [];
  /** Null until it listens, and where there can be none. */
  #keys: SocketKeys | null = null;

  /**
   * `accept` gets every connection with the canonical text of the address it comes from, which has
   * its interface if it is link-local ("fe80::1%eth0", see `scopedAddress`).
   */
  constructor(
    at: HostPort,
    accept: (socket: Socket, from: string) => void,
    admission: Admission = ANYHOW,
    libc: Libc | null = loadLibc(),
  ) {
    this.#at = at;
    this.#admission = admission;
    this.#libc = libc;
    this.#server = createServer((socket) => {
      // Whoever takes the socket adds handlers of its own; until then an error must not be fatal.
      socket.on('error', () => socket.destroy());
      const from = peerAddress(socket);
      if (from === null) {
        socket.destroy(); // it has gone already
        return;
      }
      const wrong = this.#prepare(socket, from);
      if (wrong === null) {
        accept(socket, from);
      } else {
        socket.destroy();
        this.#admission.refused(from, wrong);
      }
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Where it listens; once open with the real port, if 0 was asked for. */
  get address(): HostPort {
    return this.#at;
  }

  /**
   * Gives what `setKeys` would have said of the keys that it was given before. Rejects with an Error
   * that names the address and the reason if it cannot be bound.
   */
  open(): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        reject(new Error(`BGP ${formatHostPort(this.#at)}: ${listenErrorText(error)}`));
      };
      const target = this.#target();
      if (target instanceof Error) {
        failed(target);
        return;
      }
      this.#server.once('error', failed);
      this.#server.listen(target, () => {
        this.#server.off('error', failed);
        const bound = this.#server.address();
        if (bound !== null && typeof bound === 'object')
          this.#at = { ...this.#at, port: bound.port };
        this.#server.on('error', () => {}); // a failed accept: the peer tries again
        resolve(this.setKeys(this.#wanted));
      });
    });
  }

  /**
   * Has exactly these keys, now if it listens, else from the first moment on that it does. Gives a
   * line for each key that could not be set; whoever should have one is then not admitted. Sessions
   * that stand keep the key that they began with.
   */
  setKeys(keys: readonly PeerKey[]): string[] {
    this.#wanted = keys;
    if (!this.#libc) return keys.map(({ from }) => `TCP MD5 for ${from} ${LIBC_MISSING}`);
    return this.#keys?.replace(keys) ?? [];
  }

  /** Accepts no more; connections that were taken over live on. */
  close(): void {
    this.#keys = null;
    this.#server.close();
  }

  #target(): { fd: number } | { host: string; port: number } | Error {
    const { address: host, port } = this.#at;
    if (!this.#libc) return { host, port };
    const six = host.includes(':');
    // As node:net has it: :: is for both families.
    const both = six && isWildcard(host);
    const fd = boundTcpSocket(this.#libc, this.#at, false, both);
    if (fd < 0) return errnoError(-fd);
    // The answer to a SYN leaves before it is known whose it is, and some neighbours check its TTL.
    const far = { interface: null, ttl: TTL_MAX, ttl_security: null };
    const families = both ? [false, true] : [six];
    setOptions(
      this.#libc,
      fd,
      families.flatMap((each) => pathOptions(each, far)),
    );
    this.#keys = new SocketKeys(this.#libc, fd, six, both);
    this.#keys.replace(this.#wanted);
    return { fd };
  }

  /** Gives a connection what its neighbour's must have; null, or why it cannot be had. */
  #prepare(socket: Socket, from: string): string | null {
    const transport = this.#admission.transport(from);
    if (!transport) return null; // a stranger: not ours to judge
    const needed = needsLibc(transport);
    if (!this.#libc) return needed && `${needed} ${LIBC_MISSING}`;
    const address = parseAddress(from.split('%')[0]!);
    const fd = descriptorOf(socket);
    if (!address || fd === null) return 'it has gone already';
    const key = this.#keys?.keyFor(address) ?? null;
    if (transport.md5_key && !sameKey(key, transport.md5_key)) {
      return 'TCP MD5: its key is not on the listening socket';
    }
    const set = setOptions(this.#libc, fd, pathOptions(address.length === 16, transport));
    return set.ok ? null : set.error;
  }
}

function peerAddress(socket: Socket): string | null {
  const [text, device] = (socket.remoteAddress ?? '').split('%');
  const address = parseAddress(text!);
  if (!address) return null;
  const canonical = formatAddress(unmapAddress(address));
  return device === undefined ? canonical : `${canonical}%${device}`;
}
