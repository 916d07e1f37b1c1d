/**
 * Sockets that share their address (SO_REUSEPORT): threads of one process among themselves, and an
 * old process with the new one that takes over from it. Functions that make a socket return its
 * descriptor, or a negative errno, and then nothing is left open.
 */
import { type HostPort, parseAddress } from './ip.ts';
import {
  AF_INET,
  AF_INET6,
  intOption,
  type Libc,
  type NativeMemory,
  socketAddress,
} from './libc.ts';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
/** Classic BPF: return the constant k (linux/filter.h: BPF_RET | BPF_K). */
const BPF_RETURN = 0x06;
/** The discard port: nobody sends DNS queries from it. */
const DISCARD_PORT = 9;

type Option = readonly [level: number, option: number, value: Uint8Array];

/** True for 0.0.0.0 and ::, where each reply must leave from the address that was asked. */
export function isWildcard(address: string): boolean {
  return parseAddress(address)?.every((octet) => octet === 0) ?? false;
}

/**
 * A UDP socket that is not bound yet (`bindSocket` does that, when its reader is ready to read) and
 * that others may bind beside, the kernel spreading the flows among them. A read waits `timeout_ms`
 * at most.
 */
export function sharedUdpSocket(
  libc: Libc,
  { address }: HostPort,
  timeout_ms: number,
  receive_bytes: number,
): number {
  const six = address.includes(':');
  const options: Option[] = [
    [SOL_SOCKET, SO_REUSEPORT, intOption(1)],
    [SOL_SOCKET, SO_RCVTIMEO, timeOption(timeout_ms)],
    [SOL_SOCKET, SO_RCVBUF, intOption(receive_bytes)],
  ];
  if (six) options.push([IPPROTO_IPV6, IPV6_V6ONLY, intOption(1)]);
  if (isWildcard(address)) {
    options.push(
      six ? [IPPROTO_IPV6, IPV6_RECVPKTINFO, intOption(1)] : [IPPROTO_IP, IP_PKTINFO, intOption(1)],
    );
  }
  const fd = socketWith(libc, six, SOCK_DGRAM, options);
  // More than net.core.rmem_max where we may (CAP_NET_ADMIN); a refusal leaves what SO_RCVBUF got.
  if (fd >= 0) libc.setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, intOption(receive_bytes));
  return fd;
}

/** Binds `fd`, or closes it. Returns 0, or a negative errno. */
export function bindSocket(libc: Libc, fd: number, at: HostPort): number {
  const result = libc.bind(fd, socketAddress(at));
  if (result !== 0) libc.close(fd);
  return result;
}

/**
 * Takes a UDP socket out of the sharing, so that no more datagrams come to it, while those that it
 * has can still be read, for `timeout_ms` after the last of them, and answered. The way is to
 * connect it to where nothing comes from: a connected socket takes only its peer's datagrams, and
 * Linux ≥ 5.4 does not count it among those that share the flows. Where that fails it stays as it was.
 */
export function leaveSharedUdp(libc: Libc, fd: number, at: HostPort, timeout_ms: number): void {
  const six = at.address.includes(':');
  const loopback = six ? '::1' : '127.0.0.1';
  const address = isWildcard(at.address) ? loopback : at.address;
  libc.connect(fd, socketAddress({ address, port: DISCARD_PORT }));
  libc.setOption(fd, SOL_SOCKET, SO_RCVTIMEO, timeOption(timeout_ms));
}

/**
 * A bound TCP socket, to be listened on. `beside`: others, even of other processes, may have the
 * address if they share it; without it nobody may. `both`: the address is ::, and the socket takes
 * connections from IPv4 addresses, too.
 */
export function boundTcpSocket(libc: Libc, at: HostPort, beside: boolean, both = false): number {
  const six = at.address.includes(':');
  // An address in use by connections that have ended (TIME-WAIT) is free.
  const options: Option[] = [[SOL_SOCKET, SO_REUSEADDR, intOption(1)]];
  if (six) options.push([IPPROTO_IPV6, IPV6_V6ONLY, intOption(both ? 0 : 1)]);
  if (beside) options.push([SOL_SOCKET, SO_REUSEPORT, intOption(1)]);
  const fd = socketWith(libc, six, SOCK_STREAM, options);
  if (fd < 0) return fd;
  const result = bindSocket(libc, fd, at);
  return result === 0 ? fd : result;
}

/**
 * Lets a successor bind beside the listening socket `fd`. Said only after it listens: until then the
 * address was ours alone, so two processes that start at once never both have it.
 */
export function admitSuccessor(libc: Libc, fd: number): void {
  libc.setOption(fd, SOL_SOCKET, SO_REUSEPORT, intOption(1));
}

let secondOfGroup: NativeMemory | null = null;

/**
 * Sends all new connections to the second of the sockets that share the address of `fd`: the
 * successor's. The predecessor then has nothing to lose when it closes. An index that does not exist
 * is no choice, so when either has left, the other gets everything.
 */
export function preferSuccessor(libc: Libc, fd: number): void {
  if (!secondOfGroup) {
    // struct sock_filter { u16 code; u8 jt, jf; u32 k }
    secondOfGroup = libc.alloc(8);
    secondOfGroup.bytes[0] = BPF_RETURN;
    secondOfGroup.bytes[4] = 1;
  }
  // struct sock_fprog { u16 length; struct sock_filter *filter }
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, 1, true);
  program.setBigUint64(8, BigInt(secondOfGroup.address), true);
  libc.setOption(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, new Uint8Array(program.buffer));
}

function socketWith(libc: Libc, six: boolean, type: number, options: readonly Option[]): number {
  const fd = libc.socket(six ? AF_INET6 : AF_INET, type);
  if (fd < 0) return fd;
  for (const [level, option, value] of options) {
    const result = libc.setOption(fd, level, option, value);
    if (result === 0) continue;
    libc.close(fd);
    return result;
  }
  return fd;
}

/** struct timeval of 64-bit Linux. */
function timeOption(ms: number): Uint8Array {
  const seconds = Math.floor(ms / 1000);
  return new Uint8Array(new BigInt64Array([seconds, (ms % 1000) * 1000].map(BigInt)).buffer);
}
