/**
 * The UDP sockets of BFD: one to receive for each port and address family that a session needs, and
 * one to send for each session, from a port of its own (RFC 5881 §4). Nothing here waits; failures
 * are told in words, and what failed is tried again by `retry`.
 */
import type { Prng } from '../../base/prng.ts';
import { parseAddress } from '../../net/ip.ts';
import {
  AF_INET,
  AF_INET6,
  ERRNO,
  intOption,
  type Libc,
  SOCK_NONBLOCK,
  socketAddress,
} from '../../net/libc.ts';
import { errnoError, listenErrorText } from '../../net/listen-error.ts';
import { UdpBatch } from '../../net/udp-batch.ts';
import type { Arrival, Path } from './engine.ts';
import { MULTIHOP_PORT, PACKET_BYTES_MAX, SINGLE_HOP_PORT } from './packet.ts';
import type { WatchedTarget } from './watch-shared.ts';

const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_BINDTODEVICE = 25;
const SO_ATTACH_FILTER = 26;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_PKTINFO = 8;
const IP_RECVTTL = 12;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_TCLASS = 67;

/** CS6 (RFC 2474) in the octet that DSCP shares with ECN. */
const TRAFFIC_CLASS = 0xc0;
const TTL = 255;
/** RFC 5881 §4. */
const SOURCE_PORT_MIN = 49152;
const SOURCE_PORTS = 65536 - SOURCE_PORT_MIN;
const SOURCE_PORT_TRIES = 32;
/** Packets taken from one socket before the sessions' own deadlines are looked at again. */
const PACKETS_PER_WAKE = 32;

const NOWHERE = new Uint8Array(0);

interface Receiver {
  readonly fd: number;
  readonly six: boolean;
  readonly multihop: boolean;
  readonly batch: UdpBatch;
  /** The kernel drops what does not come from this link. */
  filtered: boolean;
}

interface Sender {
  readonly target: WatchedTarget;
  readonly path: { -readonly [Key in keyof Path]: Path[Key] };
  fd: number;
  to: Uint8Array;
  /** What is missing of its sockets. */
  missing: string | null;
  /** Why its last packet could not be sent. */
  failure: string | null;
}

export class BfdSockets {
  readonly #libc: Libc;
  readonly #prng: Prng;
  readonly #replaces: boolean;
  readonly #receivers = new Map<string, Receiver>();
  readonly #senders = new Map<number, Sender>();

  /** `replaces`: take the packets from sockets that a stuck thread has left open. */
  constructor(libc: Libc, random: Prng, replaces: boolean) {
    this.#libc = libc;
    this.#prng = random;
    this.#replaces = replaces;
  }

  /** Descriptors to wait for. */
  descriptors(): number[] {
    return [...this.#receivers.values()].map(({ fd }) => fd);
  }

  open(id: number, target: WatchedTarget): Path {
    const { multihop, address, source } = target;
    const path = {
      multihop,
      address: parseAddress(address)!,
      source: source === null ? null : parseAddress(source)!,
      interface_index: null,
    };
    const sender: Sender = { target, path, fd: -1, to: NOWHERE, missing: null, failure: null };
    this.#senders.set(id, sender);
    this.#prepare(sender);
    return path;
  }

  close(id: number): void {
    const sender = this.#senders.get(id);
    if (sender) this.#closeSender(sender);
    this.#senders.delete(id);
  }

  closeAll(): void {
    for (const id of this.#senders.keys()) this.close(id);
    for (const { fd } of this.#receivers.values()) this.#libc.close(fd);
    this.#receivers.clear();
  }

  /** Makes the sockets that could not be made before; the world may have changed. */
  retry(): void {
    for (const sender of this.#senders.values()) {
      if (sender.missing !== null || sender.failure !== null) this.#prepare(sender);
    }
  }

  /** Null, or in words why it could not be sent, or why no answer can be received. */
  send(id: number, bytes: Uint8Array): string | null {
    const sender = this.#senders.get(id);
    if (!sender) return null;
    if (sender.fd >= 0) {
      const result = this.#libc.sendTo(sender.fd, bytes, sender.to);
      sender.failure = result < 0 ? `cannot send: ${errnoText(result)}` : null;
    }
    return sender.missing ?? sender.failure;
  }

  /**
   * Takes what has come, so many from each socket; `arrival` is valid during the call only. True:
   * there may be more.
   */
  receive(take: (arrival: Arrival) => void): boolean {
    let full = false;
    for (const receiver of this.#receivers.values()) {
      const count = receiver.batch.receive();
      for (let i = 0; i < count; i++) take(arrivalOf(receiver, i));
      if (count < PACKETS_PER_WAKE) continue;
      full = true;
      this.#filter(receiver);
    }
    return full;
  }

  /**
   * A flood that comes through a router is dropped by the kernel, before it can take the room of the
   * neighbours' packets. Not earlier: while it is us who drop, a session can say why.
   */
  #filter(receiver: Receiver): void {
    if (receiver.multihop || receiver.filtered) return;
    receiver.filtered = true;
    const filter = this.#libc.alloc(FILTER_STEPS * FILTER_STEP_BYTES);
    filter.bytes.set(singleHopFilter(receiver.six));
    // struct sock_fprog { u16 length; struct sock_filter *filter }
    const program = new DataView(new ArrayBuffer(16));
    program.setUint16(0, FILTER_STEPS, true);
    program.setBigUint64(8, BigInt(filter.address), true);
    const value = new Uint8Array(program.buffer);
    this.#libc.setOption(receiver.fd, SOL_SOCKET, SO_ATTACH_FILTER, value);
  }

  #prepare(sender: Sender): void {
    const { target, path } = sender;
    const six = path.address.length === 16;
    sender.missing = this.#ensureReceiver(six, target.multihop);
    let scope = 0;
    if (target.interface !== null) {
      scope = this.#libc.interfaceIndex(target.interface);
      // One of the same name may have taken its place.
      if (scope !== path.interface_index) this.#closeSender(sender);
      path.interface_index = scope;
      if (scope === 0) {
        sender.missing = `there is no interface ${target.interface}`;
        return;
      }
    }
    if (sender.fd >= 0) return;
    const port = target.multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT;
    sender.to = socketAddress({ address: target.address, port }, scope);
    const fd = this.#senderSocket(six, target, scope);
    if (fd >= 0) sender.fd = fd;
    else sender.missing = `cannot send from ${target.source ?? 'here'}: ${errnoText(fd)}`;
  }

  #closeSender(sender: Sender): void {
    if (sender.fd >= 0) this.#libc.close(sender.fd);
    sender.fd = -1;
  }

  /** Null, or in words why nothing can be received. */
  #ensureReceiver(six: boolean, multihop: boolean): string | null {
    const key = `${six}/${multihop}`;
    if (this.#receivers.has(key)) return null;
    const port = multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT;
    const options: Option[] = six
      ? [
          [IPPROTO_IPV6, IPV6_V6ONLY, intOption(1)],
          [IPPROTO_IPV6, IPV6_RECVHOPLIMIT, intOption(1)],
          [IPPROTO_IPV6, IPV6_RECVPKTINFO, intOption(1)],
        ]
      : [
          [IPPROTO_IP, IP_RECVTTL, intOption(1)],
          [IPPROTO_IP, IP_PKTINFO, intOption(1)],
        ];
    const reuse: Option = [SOL_SOCKET, SO_REUSEADDR, intOption(1)];
    if (this.#replaces) options.push(reuse);
    const fd = this.#socket(six, options);
    if (fd < 0) return `cannot receive: ${errnoText(fd)}`;
    const result = this.#libc.bind(fd, socketAddress({ address: six ? '::' : '0.0.0.0', port }));
    if (result < 0) {
      this.#libc.close(fd);
      return `UDP port ${port}: ${listenErrorText(errnoError(-result))}`;
    }
    // Only now: another program's socket must not be shared, but one that comes to replace us may
    // bind beside ours, and then has the packets, because the kernel prefers the newest.
    this.#libc.setOption(fd, ...reuse);
    const batch = new UdpBatch(this.#libc, fd, PACKETS_PER_WAKE, PACKET_BYTES_MAX + 1, 0, true);
    this.#receivers.set(key, { fd, six, multihop, batch, filtered: false });
    return null;
  }

  #senderSocket(six: boolean, target: WatchedTarget, scope: number): number {
    const options: Option[] = six
      ? [
          [IPPROTO_IPV6, IPV6_UNICAST_HOPS, intOption(TTL)],
          [IPPROTO_IPV6, IPV6_TCLASS, intOption(TRAFFIC_CLASS)],
        ]
      : [
          [IPPROTO_IP, IP_TTL, intOption(TTL)],
          [IPPROTO_IP, IP_TOS, intOption(TRAFFIC_CLASS)],
        ];
    if (target.interface !== null) {
      options.push([SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(target.interface)]);
    }
    const fd = this.#socket(six, options);
    if (fd < 0) return fd;
    const address = target.source ?? (six ? '::' : '0.0.0.0');
    let result = -ERRNO.EADDRINUSE;
    for (let i = 0; i < SOURCE_PORT_TRIES && result === -ERRNO.EADDRINUSE; i++) {
      const port = SOURCE_PORT_MIN + this.#prng.int(SOURCE_PORTS);
      result = this.#libc.bind(fd, socketAddress({ address, port }, scope));
    }
    if (result >= 0) return fd;
    this.#libc.close(fd);
    return result;
  }

  #socket(six: boolean, options: readonly Option[]): number {
    const fd = this.#libc.socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
    if (fd < 0) return fd;
    for (const option of options) {
      const result = this.#libc.setOption(fd, ...option);
      if (result >= 0) continue;
      this.#libc.close(fd);
      return result;
    }
    return fd;
  }
}

type Option = readonly [level: number, option: number, value: Uint8Array];

const errnoText = (result: number): string => errnoError(-result).message;

const FILTER_STEPS = 4;
/** struct sock_filter { u16 code; u8 jt, jf; u32 k } */
const FILTER_STEP_BYTES = 8;
/** Offsets from here are counted from the IP header (linux/filter.h). */
const SKF_NET_OFF = -0x100000;

/** Classic BPF: take a packet whole if its TTL or hop limit is 255, else not at all. */
function singleHopFilter(six: boolean): Uint8Array {
  const steps = new DataView(new ArrayBuffer(FILTER_STEPS * FILTER_STEP_BYTES));
  const put = (step: number, code: number, jf: number, k: number): void => {
    steps.setUint16(step * FILTER_STEP_BYTES, code, true);
    steps.setUint8(step * FILTER_STEP_BYTES + 3, jf);
    steps.setInt32(step * FILTER_STEP_BYTES + 4, k, true);
  };
  put(0, 0x30, 0, SKF_NET_OFF + (six ? 7 : 8)); // load that octet
  put(1, 0x15, 1, TTL); // equal: the next step, else the one after
  put(2, 0x06, 0, -1); // take all of it
  put(3, 0x06, 0, 0); // take none
  return new Uint8Array(steps.buffer);
}

/** struct cmsghdr of 64-bit Linux: length, level, type, data; the next begins at a multiple of 8. */
const CONTROL_HEADER = 16;

function arrivalOf({ batch, six, multihop }: Receiver, i: number): Arrival {
  const control = batch.control(i);
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  const octets = six ? 16 : 4;
  const at = batch.addressAt(i);
  let ttl = 0;
  let interface_index = 0;
  let to = control.subarray(0, 0);
  for (let next = 0; next + CONTROL_HEADER <= control.length; ) {
    const length = view.getUint32(next, true);
    const type = view.getInt32(next + 12, true);
    const data = next + CONTROL_HEADER;
    if (length < CONTROL_HEADER || next + length > control.length) break;
    if (type === (six ? IPV6_HOPLIMIT : IP_TTL)) {
      ttl = view.getInt32(data, true);
    } else if (type === (six ? IPV6_PKTINFO : IP_PKTINFO)) {
      // struct in_pktinfo: index, local address, address; in6_pktinfo: address, index.
      interface_index = view.getInt32(six ? data + 16 : data, true);
      to = control.subarray(six ? data : data + 8, (six ? data : data + 8) + octets);
    }
    next += (length + 7) & ~7;
  }
  return {
    bytes: batch.packets[i]!.subarray(0, batch.length(i)),
    multihop,
    from: batch.names.subarray(at, at + octets),
    to,
    interface_index,
    ttl,
  };
}
