/**
 * System calls that Node does not offer, made through koffi: sockets with SO_REUSEPORT and UDP in
 * batches. Where koffi is missing, or the machine is not 64-bit little-endian Linux (whose structure
 * layouts are written out here), `loadLibc` gives null and callers do without. A call never throws
 * for what the kernel says: it returns a negative errno, as in the kernel's own interface.
 */
import { createRequire } from 'node:module';
import process from 'node:process';
import { type HostPort, parseAddress } from './ip.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;

export const MSG_DONTWAIT = 0x40;
export const MSG_WAITFORONE = 0x10000;

/** Kernel error numbers that callers tell apart. */
export const ERRNO = {
  EINTR: 4,
  EAGAIN: 11,
  EACCES: 13,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
} as const;

/** Memory at a fixed address, which system calls are given as a number. It lives until exit. */
export interface NativeMemory {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface Libc {
  alloc(size: number): NativeMemory;
  socket(domain: number, type: number): number;
  setOption(fd: number, level: number, option: number, value: Uint8Array): number;
  bind(fd: number, address: Uint8Array): number;
  close(fd: number): number;
  /** `vector` is the address of `count` mmsghdr structures. */
  recvmmsg(fd: number, vector: number, count: number, flags: number): number;
  sendmmsg(fd: number, vector: number, count: number, flags: number): number;
}

interface Koffi {
  load(path: null): { func(definition: string): (...args: unknown[]) => number };
  alloc(type: string, count: number): bigint;
  view(pointer: bigint, length: number): ArrayBuffer;
  errno(): number;
}

let loaded: Libc | null | undefined;

/** The calls, or null where they cannot be made. */
export function loadLibc(): Libc | null {
  if (loaded === undefined) loaded = bindCalls();
  return loaded;
}

function bindCalls(): Libc | null {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return null;
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    return null; // an optional dependency
  }
  const library = koffi.load(null);
  const socket = library.func('int socket(int, int, int)');
  const setsockopt = library.func('int setsockopt(int, int, int, void *, uint32_t)');
  const bind = library.func('int bind(int, void *, uint32_t)');
  const close = library.func('int close(int)');
  const recvmmsg = library.func('int recvmmsg(int, uintptr_t, unsigned int, int, void *)');
  const sendmmsg = library.func('int sendmmsg(int, uintptr_t, unsigned int, int)');
  const checked = (result: number): number => (result < 0 ? -koffi.errno() : result);
  return {
    alloc: (size) => {
      const pointer = koffi.alloc('uint8_t', size);
      const bytes = new Uint8Array(koffi.view(pointer, size));
      bytes.fill(0);
      return { address: Number(pointer), bytes };
    },
    socket: (domain, type) => checked(socket(domain, type | SOCK_CLOEXEC, 0)),
    setOption: (fd, level, option, value) =>
      checked(setsockopt(fd, level, option, value, value.length)),
    bind: (fd, address) => checked(bind(fd, address, address.length)),
    close: (fd) => checked(close(fd)),
    recvmmsg: (fd, vector, count, flags) => checked(recvmmsg(fd, vector, count, flags, null)),
    sendmmsg: (fd, vector, count, flags) => checked(sendmmsg(fd, vector, count, flags)),
  };
}

/** The sockaddr_in or sockaddr_in6 of an address and port. */
export function socketAddress({ address, port }: HostPort): Uint8Array {
  const octets = parseAddress(address);
  if (!octets) throw new Error(`"${address}" is not an IP address`);
  const four = octets.length === 4;
  const out = new Uint8Array(four ? 16 : 28);
  out[0] = four ? AF_INET : AF_INET6;
  out[2] = port >>> 8;
  out[3] = port;
  out.set(octets, four ? 4 : 8);
  return out;
}

/** An int as setsockopt takes it. */
export function intOption(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** True for 0.0.0.0 and ::, where each reply must leave from the address that was asked. */
export function isWildcard(address: string): boolean {
  return parseAddress(address)?.every((octet) => octet === 0) ?? false;
}

/**
 * A bound UDP socket that other threads may bind as well, the kernel spreading the flows among them.
 * A read waits `timeout_ms` at most. Returns the descriptor, or a negative errno.
 */
export function sharedUdpSocket(
  libc: Libc,
  at: HostPort,
  timeout_ms: number,
  receive_bytes: number,
): number {
  const address = socketAddress(at);
  const six = address[0] === AF_INET6;
  const fd = libc.socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM);
  if (fd < 0) return fd;
  const timeout = new BigInt64Array([
    BigInt(Math.floor(timeout_ms / 1000)),
    BigInt((timeout_ms % 1000) * 1000),
  ]);
  const options: [number, number, Uint8Array][] = [
    [SOL_SOCKET, SO_REUSEPORT, intOption(1)],
    [SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeout.buffer)],
    [SOL_SOCKET, SO_RCVBUF, intOption(receive_bytes)],
  ];
  if (six) options.push([IPPROTO_IPV6, IPV6_V6ONLY, intOption(1)]);
  if (isWildcard(at.address)) {
    options.push(
      six ? [IPPROTO_IPV6, IPV6_RECVPKTINFO, intOption(1)] : [IPPROTO_IP, IP_PKTINFO, intOption(1)],
    );
  }
  let result = 0;
  for (const [level, option, value] of options) {
    if (result === 0) result = libc.setOption(fd, level, option, value);
  }
  if (result === 0) result = libc.bind(fd, address);
  if (result === 0) return fd;
  libc.close(fd);
  return result;
}
