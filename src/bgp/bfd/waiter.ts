/** Waiting for descriptors to be readable, or for a time in fractions of a millisecond (ppoll(2)). */
import type { Libc, NativeMemory } from '../../net/libc.ts';

/** struct pollfd: int fd, short events, short revents. */
const POLLFD_BYTES = 8;
const POLLIN = 1;
const DESCRIPTORS_MAX = 8;
const NS_PER_MS = 1_000_000;
const MS_PER_S = 1_000;

export class Waiter {
  readonly #libc: Libc;
  readonly #wake: number;
  readonly #pollfds: NativeMemory;
  readonly #timespec: NativeMemory;
  readonly #time: BigInt64Array;
  /** What is read from the eventfd, and forgotten. */
  readonly #count = new Uint8Array(8);
  #descriptors = 0;

  /** `wake` is an eventfd that ends a wait. */
  constructor(libc: Libc, wake: number) {
    this.#libc = libc;
    this.#wake = wake;
    this.#pollfds = libc.alloc(POLLFD_BYTES * DESCRIPTORS_MAX);
    this.#timespec = libc.alloc(16);
    const { buffer, byteOffset } = this.#timespec.bytes;
    this.#time = new BigInt64Array(buffer, byteOffset, 2);
    this.watch([]);
  }

  /** The descriptors to wait for, beside `wake`. */
  watch(descriptors: readonly number[]): void {
    const all = [this.#wake, ...descriptors];
    const { buffer, byteOffset, byteLength } = this.#pollfds.bytes;
    const view = new DataView(buffer, byteOffset, byteLength);
    all.forEach((fd, i) => {
      view.setInt32(i * POLLFD_BYTES, fd, true);
      view.setInt16(i * POLLFD_BYTES + 4, POLLIN, true);
    });
    this.#descriptors = all.length;
  }

  /** Returns when something is to be read, after `ms` at the latest. */
  wait(ms: number): void {
    this.#poll(ms, this.#descriptors);
  }

  /** Returns after `ms` whatever is to be read, or when it is woken. */
  pause(ms: number): void {
    this.#poll(ms, 1);
  }

  #poll(ms: number, descriptors: number): void {
    if (ms <= 0) return;
    this.#time[0] = BigInt(Math.floor(ms / MS_PER_S));
    this.#time[1] = BigInt(Math.floor((ms % MS_PER_S) * NS_PER_MS));
    this.#libc.poll(this.#pollfds.address, descriptors, this.#timespec.address);
    this.#libc.read(this.#wake, this.#count);
  }
}
