/**
 * Buffers for receiving and sending UDP packets many at a time (recvmmsg, sendmmsg), laid out once in
 * native memory. The packet at index i is answered in place: its response goes back to the socket
 * address, and from the local address, that it came with.
 */
import { AF_INET, type Libc, MSG_DONTWAIT, MSG_WAITFORONE } from './libc.ts';

/** Offsets in struct mmsghdr of 64-bit Linux, in 32-bit words, and its size in bytes. */
const NAME = 0;
const NAME_LENGTH = 2;
const VECTOR = 4;
const VECTOR_LENGTH = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const RECEIVED = 14;
const HEADER_BYTES = 64;
const HEADER_WORDS = HEADER_BYTES / 4;
const IOVEC_WORDS = 4;

const SOCKADDR_MAX = 28;
const NAME_STRIDE = 32;
/** Room for an IP_PKTINFO or IPV6_PKTINFO control message, and one with a TTL or hop limit. */
const CONTROL_MAX = 64;
/** Octets before the data of a control message; in IP_PKTINFO the interface comes first. */
const CONTROL_DATA = 16;
/** First octet of a link-local IPv6 address, which means nothing without its interface. */
const LINK_LOCAL = 0xfe;

export class UdpBatch {
  readonly size: number;
  /** Packets received, and room for the responses. */
  readonly packets: readonly Uint8Array[];
  readonly responses: readonly Uint8Array[];
  /** The same memory as 32-bit words in the machine's order. */
  readonly packetWords: readonly Int32Array[];
  readonly responseWords: readonly Int32Array[];
  /** Socket addresses of the senders; that of packet i starts at i × `NAME_STRIDE`. */
  readonly names: Uint8Array;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #control: Uint8Array;
  readonly #controlled: boolean;
  readonly #in: Uint32Array;
  readonly #out: Uint32Array;
  readonly #inAddress: number;
  readonly #outAddress: number;
  readonly #outVectors: Uint32Array;
  /** Address of each response's iovec: the lower halves, then the upper. */
  readonly #vectorOf: Uint32Array;
  /** Which packet's pointers each header for sending holds. */
  readonly #holds: Int32Array;
  #queued = 0;
  /** Headers that the last call of the kernel has written to. */
  #used: number;

  /** `controlled`: the socket tells, and is told, the local address of each packet. */
  constructor(
    libc: Libc,
    fd: number,
    size: number,
    packet_bytes: number,
    response_bytes: number,
    controlled: boolean,
  ) {
    this.#libc = libc;
    this.#fd = fd;
    this.size = size;
    this.#used = size;
    this.#holds = Int32Array.from({ length: size }, (_, i) => i);
    this.#controlled = controlled;
    const slots = (bytes: number): { address: number; views: Uint8Array[]; bytes: Uint8Array } => {
      const memory = libc.alloc(size * bytes);
      const views = Array.from({ length: size }, (_, i) =>
        memory.bytes.subarray(i * bytes, (i + 1) * bytes),
      );
      return { address: memory.address, views, bytes: memory.bytes };
    };
    const words = (bytes: Uint8Array): Uint32Array =>
      new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const packets = slots(strideOf(packet_bytes));
    const responses = slots(strideOf(response_bytes));
    const names = slots(NAME_STRIDE);
    const control = slots(CONTROL_MAX);
    const inVectors = slots(IOVEC_WORDS * 4);
    const outVectors = slots(IOVEC_WORDS * 4);
    const headersIn = slots(HEADER_BYTES);
    const headersOut = slots(HEADER_BYTES);
    this.packets = packets.views;
    this.responses = responses.views;
    this.packetWords = packets.views.map(signedWords);
    this.responseWords = responses.views.map(signedWords);
    this.names = names.bytes;
    this.#control = control.bytes;
    this.#in = words(headersIn.bytes);
    this.#out = words(headersOut.bytes);
    this.#inAddress = headersIn.address;
    this.#outAddress = headersOut.address;
    this.#outVectors = words(outVectors.bytes);
    this.#vectorOf = new Uint32Array(size * 2);
    const inWords = words(inVectors.bytes);
    for (let i = 0; i < size; i++) {
      put64(inWords, i * IOVEC_WORDS, packets.address + i * strideOf(packet_bytes));
      put64(inWords, i * IOVEC_WORDS + 2, packet_bytes);
      put64(this.#outVectors, i * IOVEC_WORDS, responses.address + i * strideOf(response_bytes));
      for (const [header, vectors] of [
        [this.#in, inVectors],
        [this.#out, outVectors],
      ] as const) {
        const row = i * HEADER_WORDS;
        put64(header, row + NAME, names.address + i * NAME_STRIDE);
        put64(header, row + VECTOR, vectors.address + i * IOVEC_WORDS * 4);
        put64(header, row + VECTOR_LENGTH, 1);
        if (controlled) put64(header, row + CONTROL, control.address + i * CONTROL_MAX);
      }
      this.#vectorOf[i] = this.#out[i * HEADER_WORDS + VECTOR]!;
      this.#vectorOf[size + i] = this.#out[i * HEADER_WORDS + VECTOR + 1]!;
    }
  }

  /**
   * Waits for at least one packet (until the socket's timeout) and takes those that are there.
   * Returns their number, or a negative errno; -EAGAIN: none came.
   */
  receive(): number {
    this.#queued = 0;
    for (let i = 0; i < this.#used; i++) {
      const row = i * HEADER_WORDS;
      this.#in[row + NAME_LENGTH] = SOCKADDR_MAX;
      if (this.#controlled) this.#in[row + CONTROL_LENGTH] = CONTROL_MAX;
    }
    const received = this.#libc.recvmmsg(this.#fd, this.#inAddress, this.size, MSG_WAITFORONE);
    this.#used = Math.max(0, received);
    return received;
  }

  /** Octets of packet i. One longer than its buffer was cut to it. */
  length(i: number): number {
    return this.#in[i * HEADER_WORDS + RECEIVED]!;
  }

  /** The control messages of packet i, where the socket gives them. */
  control(i: number): Uint8Array {
    const length = Math.min(this.#in[i * HEADER_WORDS + CONTROL_LENGTH]!, CONTROL_MAX);
    return this.#control.subarray(i * CONTROL_MAX, i * CONTROL_MAX + length);
  }

  isIPv4(i: number): boolean {
    return this.names[i * NAME_STRIDE] === AF_INET;
  }

  /** Offset in `names` of the sender's address. */
  addressAt(i: number): number {
    return i * NAME_STRIDE + (this.isIPv4(i) ? 4 : 8);
  }

  /** The first `length` octets of response i shall be sent. */
  queue(i: number, length: number): void {
    const from = i * HEADER_WORDS;
    // What is sent must lie side by side: after a packet without an answer the headers move up.
    const header = this.#queued++;
    const to = header * HEADER_WORDS;
    if (this.#holds[header] !== i) this.#hold(header, i);
    this.#out[to + NAME_LENGTH] = this.#in[from + NAME_LENGTH]!;
    this.#outVectors[i * IOVEC_WORDS + 2] = length;
    if (!this.#controlled) return;
    this.#out[to + CONTROL_LENGTH] = this.#in[from + CONTROL_LENGTH]!;
    this.#forgetInterface(i);
  }

  /** Gives a header for sending the pointers of packet i. */
  #hold(header: number, i: number): void {
    this.#holds[header] = i;
    const to = header * HEADER_WORDS;
    const from = i * HEADER_WORDS;
    this.#out[to + NAME] = this.#in[from + NAME]!;
    this.#out[to + NAME + 1] = this.#in[from + NAME + 1]!;
    this.#out[to + VECTOR] = this.#vectorOf[i]!;
    this.#out[to + VECTOR + 1] = this.#vectorOf[this.size + i]!;
    this.#out[to + CONTROL] = this.#in[from + CONTROL]!;
    this.#out[to + CONTROL + 1] = this.#in[from + CONTROL + 1]!;
  }

  /** The local address shall be kept, the way out is the routing table's to choose. */
  #forgetInterface(i: number): void {
    const at = i * CONTROL_MAX + CONTROL_DATA;
    if (this.isIPv4(i)) this.#control.fill(0, at, at + 4);
    else if (this.#control[at] !== LINK_LOCAL) this.#control.fill(0, at + 16, at + 20);
  }

  /**
   * Sends what is queued and never waits: what the kernel does not take at once is lost, as any UDP
   * packet may be, rather than hold up the next. Returns the number of responses lost.
   */
  flush(): number {
    let sent = 0;
    let lost = 0;
    while (sent + lost < this.#queued) {
      const done = sent + lost;
      const from = this.#outAddress + done * HEADER_BYTES;
      const result = this.#libc.sendmmsg(this.#fd, from, this.#queued - done, MSG_DONTWAIT);
      if (result > 0) sent += result;
      else lost++;
    }
    this.#queued = 0;
    return lost;
  }
}

/**
 * Octets from one buffer to the next: an odd number of cache lines. Were it even, or a power of two,
 * the first lines of all buffers would fall on few sets of the processor's cache.
 */
const strideOf = (bytes: number): number => (Math.ceil(bytes / 64) | 1) * 64;

const signedWords = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

function put64(words: Uint32Array, at: number, value: number): void {
  words[at] = value % 0x100000000;
  words[at + 1] = Math.floor(value / 0x100000000);
}
