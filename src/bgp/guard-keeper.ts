/**
 * The watch thread's part of the guard: when the lease is not renewed in time it fires every slot,
 * once, without any word from main. The lease is a number that main counts up, so that the two
 * threads need no clock in common.
 */
import type { Libc } from '../net/libc.ts';
import { GuardSlot, SLOT } from './guard-slot.ts';

/** Looks for each dead-man time: how much later than that it may fire, as a part of it. */
const LOOKS = 16;
/** A look takes microseconds, but not for nothing. */
const LOOK_MIN_MS = 2;
const LOOK_MAX_MS = 50;
/**
 * When this thread, which goes before all others, has not run for so long, the whole machine or
 * process stood still. That time does not count: main can only renew when it runs as well.
 */
const STANDSTILL_MS = 250;

export interface Fired {
  readonly withdrawn: number;
  readonly cut: number;
}

export class GuardKeeper {
  readonly #libc: Libc;
  #slots: GuardSlot[] = [];
  #lease: number;
  #renewed_at: number;
  #looked_at: number;
  #next = 0;

  /** A lease begins now. */
  constructor(libc: Libc, lease: number, now: number) {
    this.#libc = libc;
    this.#lease = lease;
    this.#renewed_at = now;
    this.#looked_at = now;
  }

  add(buffer: SharedArrayBuffer): void {
    this.#slots.push(new GuardSlot(buffer));
  }

  /** When to look again; never, where nothing is guarded. */
  next(): number {
    return this.#slots.length === 0 ? Infinity : this.#next;
  }

  /** `lease` and `dead_man_ms` as main has them now. Null: nothing was done. */
  look(lease: number, dead_man_ms: number, now: number): Fired | null {
    const gap_ms = now - this.#looked_at;
    this.#looked_at = now;
    if (gap_ms > STANDSTILL_MS) this.#renewed_at += gap_ms;
    if (lease !== this.#lease) {
      this.#lease = lease;
      this.#renewed_at = now;
    }
    const look_ms = Math.min(LOOK_MAX_MS, Math.max(LOOK_MIN_MS, dead_man_ms / LOOKS));
    this.#next = dead_man_ms === 0 ? Infinity : now + look_ms;
    if (this.#slots.some(({ state }) => state === SLOT.RELEASED)) {
      this.#slots = this.#slots.filter(({ state }) => state !== SLOT.RELEASED);
    }
    if (dead_man_ms === 0 || now - this.#renewed_at < dead_man_ms) return null;
    let withdrawn = 0;
    let cut = 0;
    for (const slot of this.#slots) {
      const done = slot.fire(this.#libc);
      if (done === 'withdrawn') withdrawn++;
      else if (done === 'cut') cut++;
    }
    return withdrawn + cut > 0 ? { withdrawn, cut } : null;
  }
}
