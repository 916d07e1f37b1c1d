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
const O_CLOEXEC = 0x80000;

export const MSG_DONTWAIT = 0x40;
export const MSG_WAITFORONE = 0x10000;
const MSG_NOSIGNAL = 0x4000;
export const SOCK_NONBLOCK = 0x800;
const SHUT_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;
const SCHED_RR = 2;
const SCHED_RESET_ON_FORK = 0x40000000;

/** Kernel error numbers that callers tell apart. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  ENODEV: 19,
  ENOPROTOOPT: 92,
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
  /** `protocol` is the type's own by default. */
  socket(domain: number, type: number, protocol?: number): number;
  setOption(fd: number, level: number, option: number, value: Uint8Array): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  close(fd: number): number;
  /** The number of a network interface, which is a link-local address's scope; 0: there is none. */
  interfaceIndex(name: string): number;
  /** `vector` is the address of `count` mmsghdr structures. */
  recvmmsg(fd: number, vector: number, count: number, flags: number): number;
  sendmmsg(fd: number, vector: number, count: number, flags: number): number;
  /** See mallopt(3); does nothing where the C library is not glibc. */
  mallopt(parameter: number, value: number): void;
  /** A second descriptor of the same file, which programs that we start do not get. */
  duplicate(fd: number): number;
  /** Makes `fd`, which is closed before, another descriptor of the file of `by` (dup3(2)). */
  replace(fd: number, by: number): number;
  /** See shutdown(2): both directions. */
  shutdown(fd: number): number;
  /** Never waits, and raises no SIGPIPE. Returns the octets that the kernel has taken. */
  sendNow(fd: number, bytes: Uint8Array): number;
  /** Never waits. */
  sendTo(fd: number, bytes: Uint8Array, address: Uint8Array): number;
  /** A counter to wake `poll` with (eventfd(2)); neither reading nor writing it waits. */
  eventfd(): number;
  read(fd: number, into: Uint8Array): number;
  write(fd: number, bytes: Uint8Array): number;
  /** `descriptors` is the address of `count` pollfd structures, `timeout` that of a timespec. */
  poll(descriptors: number, count: number, timeout: number): number;
  /** Puts the calling thread before all others (SCHED_RR), if the system lets it. */
  realtime(): number;
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
  const if_nametoindex = library.func('unsigned int if_nametoindex(const char *)');
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
    socket: (domain, type, protocol = 0) => checked(socket(domain, type | SOCK_CLOEXEC, protocol)),
    setOption: (fd, level, option, value) =>
      checked(setsockopt(fd, level, option, value, value.length)),
    bind: (fd, address) => checked(bind(fd, address, address.length)),
    connect: (fd, address) => checked(connect(fd, address, address.length)),
    close: (fd) => checked(close(fd)),
    interfaceIndex: (name) => if_nametoindex(name),
    recvmmsg: (fd, vector, count, flags) => checked(recvmmsg(fd, vector, count, flags, null)),
    sendmmsg: (fd, vector, count, flags) => checked(sendmmsg(fd, vector, count, flags)),
    mallopt: (parameter, value) => {
      mallopt?.(parameter, value);
    },
    ...bindEventCalls(library, checked),
  };
}

type EventCalls =
  | 'duplicate'
  | 'replace'
  | 'shutdown'
  | 'sendNow'
  | 'sendTo'
  | 'eventfd'
  | 'read'
  | 'write'
  | 'poll'
  | 'realtime';

/** What a thread without an event loop needs to wait for several things, and to act on them. */
function bindEventCalls(
  library: ReturnType<Koffi['load']>,
  checked: (result: number) => number,
): Pick<Libc, EventCalls> {
  const fcntl = library.func('int fcntl(int, int, ...)');
  const dup3 = library.func('int dup3(int, int, int)');
  const shutdown = library.func('int shutdown(int, int)');
  const send = library.func('int64_t send(int, void *, size_t, int)');
  const sendto = library.func('int64_t sendto(int, void *, size_t, int, void *, uint32_t)');
  const eventfd = library.func('int eventfd(unsigned int, int)');
  const read = library.func('int64_t read(int, void *, size_t)');
  const write = library.func('int64_t write(int, void *, size_t)');
  const ppoll = library.func('int ppoll(uintptr_t, unsigned long, uintptr_t, void *)');
  const sched_setscheduler = library.func('int sched_setscheduler(int, int, void *)');
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return {
    duplicate: (fd) => checked(fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0)),
    replace: (fd, by) => checked(dup3(by, fd, O_CLOEXEC)),
    shutdown: (fd) => checked(shutdown(fd, SHUT_RDWR)),
    sendNow: (fd, bytes) => checked(send(fd, bytes, bytes.length, flags)),
    sendTo: (fd, bytes, to) => checked(sendto(fd, bytes, bytes.length, flags, to, to.length)),
    eventfd: () => checked(eventfd(0, SOCK_CLOEXEC | SOCK_NONBLOCK)),
    read: (fd, into) => checked(read(fd, into, into.length)),
    write: (fd, bytes) => checked(write(fd, bytes, bytes.length)),
    poll: (descriptors, count, timeout) => checked(ppoll(descriptors, count, timeout, null)),
    realtime: () => checked(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, intOption(1))),
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

/**
 * The sockaddr_in or sockaddr_in6 of an address and port; `scope` is the number of the interface
 * that a link-local address is on.
 */
export function socketAddress({ address, port }: HostPort, scope = 0): Uint8Array {
  const octets = parseAddress(address);
  if (!octets) throw new Error(`"${address}" is not an IP address`);
  const four = octets.length === 4;
  const out = new Uint8Array(four ? 16 : 28);
  out[0] = four ? AF_INET : AF_INET6;
  out[2] = port >>> 8;
  out[3] = port;
  out.set(octets, four ? 4 : 8);
  if (!four) new DataView(out.buffer).setUint32(24, scope, true);
  return out;
}

/** An int as setsockopt takes it. */
export function intOption(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
