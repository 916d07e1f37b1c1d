/**
 * Options of TCP sockets that Node cannot set: TTL and its check (GTSM), traffic class, interface
 * and MD5 keys. An option is plain data; `setOptions` gives it to the kernel and says in words what
 * the kernel refused and what to do about it. No error ever tells a key.
 */
import { getSystemErrorName } from 'node:util';
import { err, ok, type Result } from '../base/result.ts';
import type { Prefix } from './ip.ts';
import { formatAddress, formatPrefix } from './ip.ts';
import { ERRNO, intOption, type Libc, socketAddress } from './libc.ts';

const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;
const TCP_MD5SIG_EXT = 32;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_TCLASS = 67;
const IPV6_MINHOPCOUNT = 73;

/** RFC 4271 does not ask for it, but routers agree: BGP is network control, CS6 (RFC 4594 §3.1). */
const CS6 = 0xc0;
/** RFC 5082 §3: GTSM sends the largest TTL there is. */
export const TTL_MAX = 255;

/** struct tcp_md5sig of linux/tcp.h: sockaddr_storage, then flags and the key. */
const MD5SIG_OCTETS = 216;
const MD5SIG_FLAGS = 128;
const MD5SIG_PREFIX_LENGTH = 129;
const MD5SIG_KEY_LENGTH = 130;
const MD5SIG_KEY = 136;
const MD5SIG_FLAG_PREFIX = 1;
/** TCP_MD5SIG_MAXKEYLEN. */
export const MD5_KEY_OCTETS_MAX = 80;

export interface TcpOption {
  /** What an operator calls it. */
  readonly name: string;
  readonly level: number;
  readonly option: number;
  readonly value: Uint8Array;
}

/** How the packets of a connection travel. */
export interface TcpPath {
  /** The interface that they must use; null: any. */
  readonly interface: string | null;
  /** Their TTL (hop limit), 1–255. Not used with `ttl_security`. */
  readonly ttl: number;
  /** GTSM: the other side is at most this many hops away, 1–254; null: not checked. */
  readonly ttl_security: number | null;
}

/** The options of one connection. `six`: its packets are IPv6. */
export function pathOptions(six: boolean, path: TcpPath): TcpOption[] {
  const level = six ? IPPROTO_IPV6 : IPPROTO_IP;
  const { ttl, ttl_security: hops } = path;
  const sent = hops === null ? ttl : TTL_MAX;
  const options = [
    { name: 'DSCP', level, option: six ? IPV6_TCLASS : IP_TOS, value: intOption(CS6) },
    { name: 'TTL', level, option: six ? IPV6_UNICAST_HOPS : IP_TTL, value: intOption(sent) },
  ];
  if (hops !== null) {
    // RFC 5082 §3: sent with 255, and each router on the way takes one away.
    const least = intOption(TTL_MAX - hops + 1);
    const option = six ? IPV6_MINHOPCOUNT : IP_MINTTL;
    options.push({ name: 'TTL security', level, option, value: least });
  }
  if (path.interface !== null) options.push(deviceOption(path.interface));
  return options;
}

function deviceOption(device: string): TcpOption {
  const value = new TextEncoder().encode(`${device}\0`);
  return { name: `interface ${device}`, level: SOL_SOCKET, option: SO_BINDTODEVICE, value };
}

/**
 * The key of TCP MD5 (RFC 2385) for all that comes from and goes to the addresses of `peer`; without
 * octets: no key any more. Of several prefixes the kernel takes the longest. `six`: the socket is an
 * IPv6 one, which knows IPv4 addresses as mapped ones.
 */
export function keyOption(six: boolean, peer: Prefix, key: Uint8Array): TcpOption {
  const whole = peer.length === peer.address.length * 8;
  const value = new Uint8Array(MD5SIG_OCTETS);
  const view = new DataView(value.buffer);
  const text = formatAddress(peer.address);
  const address = six && peer.address.length === 4 ? `::ffff:${text}` : text;
  value.set(socketAddress({ address, port: 0 }));
  view.setUint16(MD5SIG_KEY_LENGTH, key.length, true);
  value.set(key.subarray(0, MD5_KEY_OCTETS_MAX), MD5SIG_KEY);
  const name = `TCP MD5 for ${whole ? text : formatPrefix(peer)}`;
  if (whole) return { name, level: IPPROTO_TCP, option: TCP_MD5SIG, value };
  value[MD5SIG_FLAGS] = MD5SIG_FLAG_PREFIX;
  value[MD5SIG_PREFIX_LENGTH] = peer.length;
  return { name, level: IPPROTO_TCP, option: TCP_MD5SIG_EXT, value };
}

/** Sets all of them, or stops at the first that the kernel refuses and says which and why. */
export function setOptions(
  libc: Libc,
  fd: number,
  options: readonly TcpOption[],
): Result<null, string> {
  for (const { name, level, option, value } of options) {
    const result = libc.setOption(fd, level, option, value);
    if (result < 0) return err(`${name}: ${refusal(option, -result)}`);
  }
  return ok(null);
}

function refusal(option: number, errno: number): string {
  if (option === SO_BINDTODEVICE && errno === ERRNO.ENODEV) return 'there is no such interface';
  if (option === SO_BINDTODEVICE && errno === ERRNO.EPERM) return 'not permitted (CAP_NET_RAW)';
  if (option === TCP_MD5SIG || option === TCP_MD5SIG_EXT) {
    if (errno === ERRNO.ENOPROTOOPT) return 'this kernel has none (CONFIG_TCP_MD5SIG)';
    // The kernel counts keys as option memory of their socket.
    if (errno === ERRNO.ENOMEM) return 'no room for the key: raise net.core.optmem_max';
  }
  return `refused by the system (${getSystemErrorName(-errno)})`;
}
