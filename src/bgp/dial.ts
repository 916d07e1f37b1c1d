/**
 * Dials neighbours over TCP, with every option of the session on the socket before its first packet:
 * the key of TCP MD5, TTL and its check, interface, source and traffic class. It never blocks and
 * never throws; whatever fails is an `error` of the socket, in an operator's words.
 */
import { Socket } from 'node:net';
import { err, ok, type Result } from '../base/result.ts';
import { formatHostPort, isLinkLocal, parseAddress, scopedAddress } from '../net/ip.ts';
import { type Libc, loadLibc } from '../net/libc.ts';
import { unconnectedSocket } from '../net/tcp-socket.ts';
import type { Dialler, Transport } from './ports.ts';

export class TcpDialler implements Dialler {
  readonly #libc: Libc | null;

  /** Without `libc` only what node:net itself can do is dialled. */
  constructor(libc: Libc | null = loadLibc()) {
    this.#libc = libc;
  }

  dial(to: Transport): Socket {
    const made = this.#libc ? unconnectedSocket(this.#libc, to) : plainSocket(to);
    if (!made.ok) return failed(made.error);
    const socket = made.value;
    const explain = (error: NodeJS.ErrnoException): void => {
      error.message = dialErrorText(to, error);
    };
    // The first to hear of an error, so that all the others read it in words.
    socket.once('error', explain);
    socket.once('connect', () => socket.off('error', explain));
    const host = scopedAddress(to.address, to.interface);
    const source = this.#libc || to.source === null ? {} : { localAddress: to.source };
    socket.connect({ host, port: to.port, ...source });
    return socket;
  }
}

/** What an option is for that only a socket made by system calls can have. */
export function needsLibc(to: Omit<Transport, 'port'>): string | null {
  if (to.md5_key) return 'TCP MD5';
  if (to.ttl_security !== null) return 'TTL security';
  const address = parseAddress(to.address);
  // A link-local address names its interface by itself.
  if (to.interface !== null && !(address && isLinkLocal(address))) return 'binding to an interface';
  return null;
}

export const LIBC_MISSING = 'needs the optional package koffi, on 64-bit Linux';

/** The system chooses TTL and traffic class: a session works with them, too. */
function plainSocket(to: Transport): Result<Socket, string> {
  const needed = needsLibc(to);
  return needed === null ? ok(new Socket()) : err(`${needed} ${LIBC_MISSING}`);
}

function failed(text: string): Socket {
  return new Socket().destroy(new Error(text));
}

/** Why a connection could not be made. The system's name for it stands at the end. */
function dialErrorText(to: Transport, error: NodeJS.ErrnoException): string {
  const at = formatHostPort({ address: to.address, port: to.port });
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: `nothing listens on ${at}`,
    ECONNRESET: `${at} has reset the connection`,
    EHOSTUNREACH: `no way to ${to.address}: it does not answer on its link, or a router says so`,
    ENETUNREACH: `no route to ${to.address}`,
    ETIMEDOUT: `${at} does not answer`,
    EADDRNOTAVAIL: 'no address of this machine to connect from',
    EACCES: `the system does not permit connections to ${to.address}`,
    EPERM: `a firewall of this machine does not let connections to ${at} out`,
    EINVAL: `${to.address} cannot be reached from this source or interface`,
    EMFILE: 'too many open files in this process',
  };
  const code = error.code ?? '';
  return words[code] === undefined ? error.message : `${words[code]} (${code})`;
}
