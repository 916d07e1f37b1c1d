/** Two BFD engines on one link, in virtual time, with loss, delay and a wire that can be read. */
import { type Prng, prng } from '../../../src/base/prng.ts';
import type { AuthKey } from '../../../src/bgp/bfd/auth.ts';
import { BfdEngine, type Path } from '../../../src/bgp/bfd/engine.ts';
import { type DecodedPacket, decodePacket } from '../../../src/bgp/bfd/packet.ts';
import type { Intervals } from '../../../src/bgp/bfd/session.ts';
import type { BfdState, BfdStatus } from '../../../src/bgp/ports.ts';

/** The id of the session at either end. */
export const ID = 7;
export const FAST: Intervals = { transmit_ms: 100, receive_ms: 100, multiplier: 3 };

interface Flying {
  readonly at: number;
  readonly to: End;
  readonly bytes: Uint8Array;
}

export interface End {
  readonly engine: BfdEngine;
  readonly address: Uint8Array;
  readonly peer: Uint8Array;
  readonly changes: { at: number; state: BfdState; text: string }[];
  closed: boolean;
  /** Share of its packets that are lost on the way. */
  loss: number;
  ttl: number;
}

export class Network {
  now = 0;
  readonly random: Prng;
  readonly a: End;
  readonly b: End;
  readonly wire: { at: number; from: End; packet: DecodedPacket }[] = [];
  readonly delay_ms: number;
  #flying: Flying[] = [];

  constructor(seed = 1, delay_ms = 1) {
    this.random = prng(seed);
    this.delay_ms = delay_ms;
    this.a = this.#end(1, 2, () => this.b);
    this.b = this.#end(2, 1, () => this.a);
  }

  #end(own: number, peer: number, other: () => End): End {
    const end: End = {
      engine: new BfdEngine({
        send: (_, bytes) => {
          const copy = Uint8Array.from(bytes);
          const decoded = decodePacket(copy);
          if (decoded.ok) this.wire.push({ at: this.now, from: end, packet: decoded.packet });
          if (this.random.next() < end.loss) return null;
          this.#flying.push({ at: this.now + this.delay_ms, to: other(), bytes: copy });
          return null;
        },
        closed: () => {
          end.closed = true;
        },
        changed: (_, state, text) => void end.changes.push({ at: this.now, state, text }),
        chance: () => this.random.next(),
        secret: () => this.random.int(0x100000000),
      }),
      address: Uint8Array.of(10, 0, 0, own),
      peer: Uint8Array.of(10, 0, 0, peer),
      changes: [],
      closed: false,
      loss: 0,
      ttl: 255,
    };
    return end;
  }

  open(end: End, intervals = FAST, auth: AuthKey | null = null, path: Partial<Path> = {}): void {
    const whole = { multihop: false, address: end.peer, source: null, interface_index: null };
    end.engine.open(ID, { ...whole, ...path }, intervals, auth, this.now);
  }

  /** Delivers a datagram to `end` as if its peer had sent it. */
  deliver(end: End, bytes: Uint8Array, multihop = false): void {
    const { peer: from, address: to, ttl } = end;
    end.engine.receive({ bytes, multihop, from, to, interface_index: 1, ttl }, this.now);
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const arrival = Math.min(Infinity, ...this.#flying.map(({ at }) => at));
      const next = Math.min(arrival, this.a.engine.next(), this.b.engine.next());
      if (next > until) break;
      this.now = Math.max(this.now, next);
      const due = this.#flying.filter(({ at }) => at <= this.now);
      this.#flying = this.#flying.filter(({ at }) => at > this.now);
      for (const { to, bytes } of due) this.deliver(to, bytes);
      this.a.engine.tick(this.now);
      this.b.engine.tick(this.now);
    }
    this.now = until;
  }

  status(end: End): BfdStatus {
    return end.engine.status(ID, this.now)!;
  }

  get states(): [BfdState, BfdState] {
    return [this.status(this.a).state, this.status(this.b).state];
  }
}

/** A network whose two ends are up with each other. */
export function upNetwork(auth: AuthKey | null = null): Network {
  const net = new Network();
  net.open(net.a, FAST, auth);
  net.open(net.b, FAST, auth);
  net.advance(5_000);
  return net;
}
