/**
 * TCP sockets with options that Node cannot set, made by system calls and then handed to node:net,
 * which connects or accepts on them without ever blocking. A function that fails leaves nothing open.
 */
import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { err, ok, type Result } from '../base/result.ts';
import { isLinkLocal, parseAddress } from './ip.ts';
import { AF_INET, AF_INET6, type Libc, socketAddress } from './libc.ts';
import { errnoError, listenErrorText } from './listen-error.ts';
import { keyOption, pathOptions, setOptions, type TcpOption, type TcpPath } from './tcp-options.ts';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;

export interface TcpTarget extends TcpPath {
  readonly address: string;
  /** Address to connect from; null: the system chooses. */
  readonly source: string | null;
  /** The key of TCP MD5 (RFC 2385), at most 80 octets; null: none. */
  readonly md5_key: Uint8Array | null;
}

/**
 * A socket of node:net that is not connected yet and has every option of `to`, so that its very
 * first packet is as it must be: `connect` on it uses this descriptor. The error is in words.
 */
export function unconnectedSocket(libc: Libc, to: TcpTarget): Result<Socket, string> {
  const address = parseAddress(to.address);
  if (!address) return err(`"${to.address}" is not an IP address`);
  const six = address.length === 16;
  const options = pathOptions(six, to);
  const peer = { address, length: address.length * 8 };
  if (to.md5_key) options.push(keyOption(six, peer, to.md5_key));
  const fd = libc.socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  if (fd < 0) return err(`no socket (${getSystemErrorName(fd)})`);
  const prepared = prepare(libc, fd, to, options);
  if (prepared.ok) return ok(socketOn(fd));
  libc.close(fd);
  return prepared;
}

function socketOn(fd: number): Socket {
  // Else it would be read from at once, which is an error before it is connected.
  const options = { fd, manualStart: true };
  return new Socket(options);
}

function prepare(
  libc: Libc,
  fd: number,
  to: TcpTarget,
  options: readonly TcpOption[],
): Result<null, string> {
  const set = setOptions(libc, fd, options);
  if (!set.ok || to.source === null) return set;
  const source = parseAddress(to.source);
  if (!source) return err(`source "${to.source}" is not an IP address`);
  const scope = to.interface !== null && isLinkLocal(source) ? to.interface : null;
  const index = scope === null ? 0 : libc.interfaceIndex(scope);
  const bound = libc.bind(fd, socketAddress({ address: to.source, port: 0 }, index));
  return bound === 0 ? set : err(`source ${to.source}: ${listenErrorText(errnoError(-bound))}`);
}

/** The descriptor under a connected socket; null once it is closed, or where there is none. */
export function descriptorOf(socket: Socket): number | null {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : null;
}
