/**
 * System calls that Node does not offer, made through koffi: socket options (shared-socket.ts) and
 * UDP in batches (udp-batch.ts). Where koffi is missing, or the machine is not 64-bit little-endian
 * Linux (whose structure layouts are written out here), `loadLibc` gives null and callers do without.
 * A call never throws for what the kernel says: it returns a negative errno, as in the kernel's own
 * interface.
 */
import { createRequire } from 'node:module';
import process from 'node:process';
import { type HostPort, parseAddress } from './ip.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_CLOEXEC = 0x80000;

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
  connect(fd: number, address: Uint8Array): number;
  close(fd: number): number;
  /** `vector` is the address of `count` mmsghdr structures. */
  recvmmsg(fd: number, vector: number, count: number, flags: number): number;
  sendmmsg(fd: number, vector: number, count: number, flags: number): number;
  /** See mallopt(3); does nothing where the C library is not glibc. */
  mallopt(parameter: number, value: number): void;
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
  const connect = library.func('int connect(int, void *, uint32_t)');
  const close = library.func('int close(int)');
  const recvmmsg = library.func('int recvmmsg(int, uintptr_t, unsigned int, int, void *)');
  const sendmmsg = library.func('int sendmmsg(int, uintptr_t, unsigned int, int)');
  const mallopt = optional(() => library.func('int mallopt(int, int)'));
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
    connect: (fd, address) => checked(connect(fd, address, address.length)),
    close: (fd) => checked(close(fd)),
    recvmmsg: (fd, vector, count, flags) => checked(recvmmsg(fd, vector, count, flags, null)),
    sendmmsg: (fd, vector, count, flags) => checked(sendmmsg(fd, vector, count, flags)),
    mallopt: (parameter, value) => {
      mallopt?.(parameter, value);
    },
  };
}

/** A function that not every C library has; null where it is missing. */
function optional<T>(bind: () => T): T | null {
  try {
    return bind();
  } catch {
    return null;
  }
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
