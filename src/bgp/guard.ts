/**
 * Main's part of the guard: keeps for each protected session a slot (guard-slot.ts) with what would
 * withdraw its routes, and tells the session when that has happened. Nothing is told while the
 * verdicts are still not renewed: the session would announce what nobody has decided.
 */
import type { Socket } from 'node:net';
import type { Libc } from '../net/libc.ts';
import { descriptorOf } from '../net/tcp-socket.ts';
import { GuardSlot } from './guard-slot.ts';
import type { Guard, GuardedSession } from './ports.ts';

/** Octets for withdrawals to begin with; a slot that is outgrown is replaced by a larger one. */
const CAPACITY_MIN = 4096;

interface Protected {
  slot: GuardSlot;
  /** The thread fired, and the session has not been told. */
  untold: boolean;
  readonly fired: () => void;
}

export class GuardSlots implements Guard {
  readonly #libc: Libc | null;
  readonly #added: (slot: SharedArrayBuffer) => void;
  readonly #all = new Set<Protected>();

  /** `added` hears of each slot that the thread has to know. */
  constructor(libc: Libc | null, added: (slot: SharedArrayBuffer) => void) {
    this.#libc = libc;
    this.#added = added;
  }

  get size(): number {
    return this.#all.size;
  }

  /** For a thread that has just begun. */
  slots(): SharedArrayBuffer[] {
    return [...this.#all].map(({ slot }) => slot.buffer);
  }

  protect(socket: Socket, fired: () => void): GuardedSession | null {
    const libc = this.#libc;
    const descriptor = descriptorOf(socket);
    if (!libc || descriptor === null) return null;
    const own = libc.duplicate(descriptor);
    if (own < 0) return null;
    const it: Protected = { slot: GuardSlot.make(own, CAPACITY_MIN), untold: false, fired };
    this.#all.add(it);
    this.#added(it.slot.buffer);
    return {
      update: (withdrawals, clean) => {
        if (withdrawals.length > it.slot.capacity && !this.#grow(it, withdrawals.length)) return;
        if (it.slot.set(withdrawals, clean)) it.untold = true;
      },
      mark: (clean) => void it.slot.set(null, clean),
      release: () => {
        if (this.#all.delete(it)) it.slot.release(libc);
      },
    };
  }

  /** The verdicts are renewed: sessions whose routes were withdrawn meanwhile may announce again. */
  resume(): void {
    for (const it of [...this.#all]) {
      const fired = it.slot.rearm() || it.untold;
      it.untold = false;
      if (fired) it.fired();
    }
  }

  /** A larger slot with the same descriptor; false: the connection has been ended. */
  #grow(it: Protected, needed: number): boolean {
    const was = it.slot.retire();
    if (was === null) return false;
    if (was === 'fired') it.untold = true;
    it.slot = GuardSlot.make(it.slot.descriptor, needed * 2);
    this.#added(it.slot.buffer);
    return true;
  }
}
