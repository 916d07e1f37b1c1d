/**
 * One guarded session in memory that main and the watch thread share. Whoever wants to use or change
 * it first takes it by a compare-and-swap of its state, so that exactly one of them ever does:
 *
 *     armed → updating → armed     main writes what is to be withdrawn, or whether it may be
 *     armed → firing → fired       the thread has withdrawn; main arms it anew
 *     (updating →) firing → cut    the thread has ended the connection instead
 *     armed, fired, cut → released main closes the descriptor, which is a duplicate of the socket's
 *     firing → released            the thread closes it when it has done
 *
 * The descriptor is the slot's own and closed only by whoever made it `released`, so its number can
 * never have become that of another connection while somebody may still write to it.
 */
import type { Libc } from '../net/libc.ts';

export const SLOT = { ARMED: 0, UPDATING: 1, FIRING: 2, FIRED: 3, CUT: 4, RELEASED: 5 } as const;

/** Words of the header, in front of the octets to be written. */
const STATE = 0;
const DESCRIPTOR = 1;
const CLEAN = 2;
const LENGTH = 3;
const HEADER_BYTES = 16;

/** Firing is one call that does not wait; longer than this, the thread must be dead. */
const FIRING_MAX_MS = 100;

/** Views of one slot. Both threads have their own on the same memory. */
export class GuardSlot {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #octets: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#octets = new Uint8Array(buffer, HEADER_BYTES);
  }

  /** An armed slot with room for `capacity` octets and nothing to withdraw. */
  static make(descriptor: number, capacity: number): GuardSlot {
    const slot = new GuardSlot(new SharedArrayBuffer(HEADER_BYTES + capacity));
    slot.#words[DESCRIPTOR] = descriptor;
    return slot;
  }

  get state(): number {
    return Atomics.load(this.#words, STATE);
  }

  get descriptor(): number {
    return this.#words[DESCRIPTOR]!;
  }

  get capacity(): number {
    return this.#octets.length;
  }

  #move(from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, STATE, from, to) === from;
  }

  // What main does.

  /** From armed to `state`, after the thread has done, if it is just firing. */
  #take(state: number): boolean {
    while (!this.#move(SLOT.ARMED, state)) {
      if (this.state === SLOT.ARMED) continue;
      if (this.state !== SLOT.FIRING) return false;
      const waited = Atomics.wait(this.#words, STATE, SLOT.FIRING, FIRING_MAX_MS);
      if (waited === 'timed-out') return false;
    }
    return true;
  }

  /**
   * Sets what is to be written, if given, and whether it may be. Main writes nothing to the socket
   * before this returns, so that it never writes into a withdrawal. True: the thread had fired, and
   * is to fire again for what has been sent since.
   */
  set(withdrawals: Uint8Array | null, clean: boolean): boolean {
    const armed = this.#take(SLOT.UPDATING);
    if (!armed && this.state !== SLOT.FIRED) return false;
    if (withdrawals) {
      this.#octets.set(withdrawals);
      this.#words[LENGTH] = withdrawals.length;
    }
    this.#words[CLEAN] = clean ? 1 : 0;
    // The thread may have lost patience meanwhile, and ended the connection.
    if (armed) this.#move(SLOT.UPDATING, SLOT.ARMED);
    return !armed && withdrawals !== null && this.#move(SLOT.FIRED, SLOT.ARMED);
  }

  /** After a withdrawal: the peer has nothing, and is guarded again. False: it was none. */
  rearm(): boolean {
    if (this.state !== SLOT.FIRED) return false;
    this.#words[LENGTH] = 0;
    return this.#move(SLOT.FIRED, SLOT.ARMED);
  }

  /** Released without closing the descriptor, which another slot takes over; null: cannot be. */
  retire(): 'armed' | 'fired' | null {
    if (this.#take(SLOT.RELEASED)) return 'armed';
    return this.#move(SLOT.FIRED, SLOT.RELEASED) ? 'fired' : null;
  }

  /** Ends the guard for good. */
  release(libc: Libc): void {
    for (const from of [SLOT.ARMED, SLOT.FIRED, SLOT.CUT]) {
      if (!this.#move(from, SLOT.RELEASED)) continue;
      libc.close(this.descriptor);
      return;
    }
    // The thread is just firing. If it has done before this, the slot is in a state from above.
    if (!this.#move(SLOT.FIRING, SLOT.RELEASED) && this.state !== SLOT.RELEASED) {
      this.release(libc);
    }
  }

  // What the thread does.

  /**
   * Withdraws, or where no message may begin, or the kernel does not take all of it, ends the
   * connection, which has the same effect. Null: there was nothing to do.
   */
  fire(libc: Libc): 'withdrawn' | 'cut' | null {
    const inTurn = this.#move(SLOT.ARMED, SLOT.FIRING);
    if (!inTurn && !this.#move(SLOT.UPDATING, SLOT.FIRING)) return null;
    const length = this.#words[LENGTH]!;
    if (inTurn && length === 0) {
      this.#end(libc, SLOT.ARMED);
      return null;
    }
    // A copy, since system calls take no shared memory.
    const withdrawals = this.#octets.slice(0, length);
    const written =
      inTurn && this.#words[CLEAN] === 1 && libc.sendNow(this.descriptor, withdrawals) === length;
    if (!written) libc.shutdown(this.descriptor);
    this.#end(libc, written ? SLOT.FIRED : SLOT.CUT);
    return written ? 'withdrawn' : 'cut';
  }

  #end(libc: Libc, state: number): void {
    if (this.#move(SLOT.FIRING, state)) Atomics.notify(this.#words, STATE);
    else libc.close(this.descriptor); // main released it meanwhile, and left this to us
  }
}
