/**
 * Sockets for ICMP echo. Linux has two kinds: ping sockets, for the groups of net.ipv4.ping_group_range,
 * and raw sockets, for CAP_NET_RAW. Both are made by system calls and read by Node's event loop; the
 * difference between them ends here. A function that fails leaves nothing open.
 */
import type { Buffer } from 'node:buffer';
import { createSocket, type Socket } from 'node:dgram';
import { getSystemErrorName } from 'node:util';
import { err, ok, type Result } from '../base/result.ts';
import { AF_INET, AF_INET6, ERRNO, type Libc, SOCK_NONBLOCK, socketAddress } from './libc.ts';

const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ICMPV6_FILTER = 1;

export const ECHO = { request4: 8, reply4: 0, request6: 128, reply6: 129 } as const;

/** The least that an ICMP message has: type, code, checksum and a word (RFC 792, RFC 4443 §2.1). */
const ICMP_BYTES_MIN = 8;

export interface PingSocket {
  /** Sends an ICMP message, whose checksum is filled in. Returns 0 or a negative errno. */
  send(message: Uint8Array, to: string): number;
  close(): void;
}

export interface PingSocketOptions {
  readonly six: boolean;
  /** Address to send from; null: the system chooses. */
  readonly source: string | null;
  /** An ICMP message came, without its IP header; anything may be in it. */
  readonly receive: (message: Uint8Array, from: string) => void;
}

/** The error is a sentence that says what to do. */
export function openPingSocket(libc: Libc, options: PingSocketOptions): Result<PingSocket, string> {
  const { six, source } = options;
  const domain = six ? AF_INET6 : AF_INET;
  const protocol = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  let raw = false;
  let fd = libc.socket(domain, SOCK_DGRAM | SOCK_NONBLOCK, protocol);
  if (fd === -ERRNO.EACCES) {
    raw = true;
    fd = libc.socket(domain, SOCK_RAW | SOCK_NONBLOCK, protocol);
  }
  if (fd === -ERRNO.EPERM) {
    return err(
      'ICMP is not allowed: put the group of isobar into net.ipv4.ping_group_range, or give CAP_NET_RAW',
    );
  }
  if (fd < 0) return err(`no socket for ICMP (${getSystemErrorName(fd)})`);
  if (raw) onlyReplies(libc, fd, six);
  const address = socketAddress({ address: source ?? (six ? '::' : '0.0.0.0'), port: 0 });
  const bound = libc.bind(fd, address);
  if (bound < 0) {
    libc.close(fd);
    if (bound !== -ERRNO.EADDRNOTAVAIL) return err(`no source (${getSystemErrorName(bound)})`);
    return err(`the source ${source} is not an address of this machine`);
  }
  const opened = raw ? watchRaw(libc, fd, six) : watch(libc, fd, six);
  return opened.ok ? ok(new EventPingSocket(libc, opened.value, raw, options)) : opened;
}

/** A raw socket would get a copy of every ICMP message that comes to this machine. */
function onlyReplies(libc: Libc, fd: number, six: boolean): void {
  if (!six) {
    const filter = new Uint8Array(Uint32Array.of(~(1 << ECHO.reply4) >>> 0).buffer);
    libc.setOption(fd, SOL_RAW, ICMP_FILTER, filter);
    return;
  }
  // RFC 3542 §3.2; in Linux a set bit blocks the type.
  const blocked = new Uint32Array(8).fill(0xffffffff);
  blocked[ECHO.reply6 >> 5] = ~(1 << (ECHO.reply6 & 31)) >>> 0;
  libc.setOption(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, new Uint8Array(blocked.buffer));
}

interface Watched {
  readonly fd: number;
  readonly socket: Socket;
}

/** Has Node read the datagram socket `fd`, which then belongs to the socket returned. */
function watch(libc: Libc, fd: number, six: boolean): Result<Watched, string> {
  const socket = createSocket(six ? 'udp6' : 'udp4');
  try {
    socket.bind({ fd });
  } catch (error) {
    socket.close();
    libc.close(fd);
    return err(`no socket for ICMP (${(error as Error).message})`);
  }
  return ok({ fd, socket });
}

/**
 * Node takes no raw sockets, but reads whatever is behind the descriptor of a datagram socket: it is
 * given one of UDP, whose place the raw socket takes before the event loop has first looked at it.
 */
function watchRaw(libc: Libc, raw: number, six: boolean): Result<Watched, string> {
  const place = libc.socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
  const watched =
    place < 0 ? err(`no socket for ICMP (${getSystemErrorName(place)})`) : watch(libc, place, six);
  if (watched.ok) libc.replace(place, raw);
  libc.close(raw);
  return watched;
}

class EventPingSocket implements PingSocket {
  readonly #libc: Libc;
  readonly #watched: Watched;
  readonly #six: boolean;

  constructor(libc: Libc, watched: Watched, raw: boolean, options: PingSocketOptions) {
    this.#libc = libc;
    this.#watched = watched;
    this.#six = options.six;
    // An error of the socket shows as the timeouts of what was asked.
    watched.socket.on('error', () => {});
    watched.socket.on('message', (bytes: Buffer, { address }) => {
      // An IPv4 raw socket gets the IP header, too, whose length is in its first octet.
      const header = raw && !options.six ? (bytes[0]! & 0x0f) * 4 : 0;
      const message = bytes.subarray(header);
      if (message.length >= ICMP_BYTES_MIN) options.receive(message, address);
    });
  }

  send(message: Uint8Array, to: string): number {
    // The kernel fills it in for IPv6, whose checksum covers addresses, and on ping sockets.
    if (!this.#six) fillChecksum(message);
    const sent = this.#libc.sendTo(
      this.#watched.fd,
      message,
      socketAddress({ address: to, port: 0 }),
    );
    return Math.min(0, sent);
  }

  close(): void {
    this.#watched.socket.close();
  }
}

/** RFC 1071: the ones' complement of the sum of all 16-bit words. */
function fillChecksum(message: Uint8Array): void {
  message[2] = 0;
  message[3] = 0;
  let sum = 0;
  for (let at = 0; at < message.length; at += 2) {
    sum += (message[at]! << 8) | (message[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  message[2] = (~sum >>> 8) & 0xff;
  message[3] = ~sum & 0xff;
}
