/**
 * Two session FSMs joined by a network on one virtual clock, which keeps the order of a connection as
 * TCP does, and can cut connections, lose all that is on them, or be away for a while.
 */
import assert from 'node:assert/strict';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Prng, prng } from '../../src/base/prng.ts';
import { cease } from '../../src/bgp/fsm-draft.ts';
import type { Action, FsmSettings, Slot } from '../../src/bgp/fsm-model.ts';
import { Bench } from './fsm-bench.ts';

interface Wire {
  /** Nothing comes through any more, and nobody is told. */
  lost: boolean;
}

type Ends = Record<Slot, Wire | null>;

const across: Record<Slot, Slot> = { out: 'in', in: 'out' };

export class FsmNetwork {
  readonly clock = new VirtualClock();
  readonly a: Bench;
  readonly b: Bench;
  readonly #delay_ms: number;
  readonly #random: Prng;
  readonly #ends = new Map<Bench, Ends>();
  readonly #dials = new Map<Bench, Wire | null>();
  /** The connection that a bench is just being offered. */
  #offered: Wire | null = null;
  #refused = false;
  #down = false;

  constructor(a: FsmSettings, b: FsmSettings, seed: number, delay_ms: number) {
    this.#delay_ms = delay_ms;
    this.#random = prng(seed);
    this.a = new Bench(a, this.clock);
    this.b = new Bench(b, this.clock);
    for (const [bench, peer] of [
      [this.a, this.b],
      [this.b, this.a],
    ] as const) {
      this.#ends.set(bench, { out: null, in: null });
      bench.onAction = (action) => this.#perform(bench, peer, action);
    }
  }

  /** Both Established, with each other, over one connection. */
  assertOneSession(): void {
    const { a, b } = this;
    assert.deepEqual([a.session, b.session], ['Established', 'Established']);
    assert.equal(a.state.out?.state, b.state.in?.state);
    assert.equal(a.state.in?.state, b.state.out?.state);
    assert.ok(!(a.state.out && a.state.in));
  }

  strike(what: string, at: Bench): void {
    switch (what) {
      case 'cut':
      case 'lose':
        for (const slot of ['out', 'in'] as const) this.#break(at, slot, what === 'cut');
        break;
      case 'down':
        this.#down = !this.#down;
        if (!this.#down) break;
        for (const slot of ['out', 'in'] as const) this.#break(at, slot, false);
        break;
      case 'stop':
        at.on({ on: 'stop', subcode: 2, text: '' });
        assert.equal(at.timers.size, 0);
        this.clock.timer(1_000, () => at.on({ on: 'start' }));
        break;
      case 'reset':
        at.on({ on: 'end', wrong: cease(4, ''), wait_ms: 250 });
        break;
      case 'bfd':
        at.on({ on: 'bfd', state: 'down', text: '' });
        this.clock.timer(1_500, () => at.on({ on: 'bfd', state: 'up', text: '' }));
        break;
      case 'full':
        for (const slot of ['out', 'in'] as const) {
          at.on({ on: 'tcp-waits', slot, waiting: true });
        }
        break;
    }
  }

  calm(): void {
    this.#down = false;
    for (const bench of [this.a, this.b]) {
      for (const slot of ['out', 'in'] as const) {
        bench.on({ on: 'tcp-waits', slot, waiting: false });
      }
    }
  }

  #of(bench: Bench): Ends {
    return this.#ends.get(bench)!;
  }

  #later(run: () => void): void {
    this.clock.timer(this.#delay_ms, run);
  }

  #break(bench: Bench, slot: Slot, told: boolean): void {
    const wire = this.#of(bench)[slot];
    if (!wire) return;
    wire.lost = true;
    if (!told) return;
    const peer = bench === this.a ? this.b : this.a;
    this.#closed(peer, across[slot], wire);
    this.#closed(bench, slot, wire);
  }

  /** Tells one end that its connection is gone, if it still has it. */
  #closed(bench: Bench, slot: Slot, wire: Wire): void {
    this.#later(() => {
      if (this.#of(bench)[slot] !== wire) return;
      this.#of(bench)[slot] = null;
      bench.on({ on: 'tcp-closed', slot, text: 'closed' });
    });
  }

  #perform(bench: Bench, peer: Bench, action: Action): void {
    bench.chance = this.#random.next();
    const ends = this.#of(bench);
    switch (action.do) {
      case 'dial':
        this.#dial(bench, peer);
        break;
      case 'stop-dial':
        this.#dials.set(bench, null);
        break;
      case 'adopt':
        ends.in = this.#offered;
        break;
      case 'refuse':
        this.#refused = true;
        break;
      case 'send': {
        const { slot, message } = action;
        const wire = ends[slot];
        this.#later(() => {
          const there = wire && !wire.lost && this.#of(peer)[across[slot]] === wire;
          if (there) peer.message(across[slot], message);
        });
        break;
      }
      case 'close': {
        const wire = ends[action.slot];
        ends[action.slot] = null;
        if (wire && !wire.lost) this.#closed(peer, across[action.slot], wire);
        break;
      }
      case 'established': {
        const { out, in: incoming } = bench.state;
        assert.ok(!(out?.state === 'established' && incoming?.state === 'established'));
        break;
      }
    }
  }

  #dial(bench: Bench, peer: Bench): void {
    const wire: Wire = { lost: false };
    this.#dials.set(bench, wire);
    this.#later(() => {
      if (this.#down) return;
      let refused = false;
      // The handshake comes before all that the peer says.
      this.#later(() => {
        if (this.#dials.get(bench) !== wire) {
          this.#closed(peer, 'in', wire);
          return;
        }
        this.#dials.set(bench, null);
        this.#of(bench).out = wire;
        bench.on({ on: 'tcp-connected' });
        if (refused || this.#of(peer).in !== wire) this.#closed(bench, 'out', wire);
      });
      this.#offered = wire;
      this.#refused = false;
      peer.on({ on: 'tcp-accepted' });
      refused = this.#refused;
    });
  }
}
