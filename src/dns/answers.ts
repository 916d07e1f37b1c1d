/**
 * The answers of health-aware names. A set is compiled by `steer` at its first use for one (service,
 * address family, region class) and thrown away when the health version moves; until then an answer
 * is read from it without allocation.
 */
import { steer } from '../decide/steering.ts';
import { parseAddress } from '../net/ip.ts';
import { HealthTable } from './health-table.ts';
import type { Snapshot } from './snapshot.ts';

/** Sets kept at once, a power of two; beyond it two that fall on one slot displace each other. */
const ANSWER_SETS_MAX = 65_536;

export interface AnswerSet {
  readonly key: number;
  readonly version: number;
  readonly count: number;
  /** `count` addresses of 4 or 16 octets, one after the other. */
  readonly addresses: Uint8Array;
  readonly rotate: boolean;
  /** Running sum of the weights when each answer holds one address picked by weight; else null. */
  readonly sums: Int32Array | null;
  /** Index of the address that comes first in the next answer. */
  next: number;
}

export class Answers {
  readonly #snapshot: Snapshot;
  readonly #health: HealthTable;
  /** By key, modulo its length. */
  readonly #sets: (AnswerSet | null)[];
  readonly #eligible: (endpoint: number) => boolean;
  #random: number;

  /** `seed` starts the generator that picks by weight. */
  constructor(snapshot: Snapshot, seed: number) {
    this.#snapshot = snapshot;
    this.#sets = new Array<AnswerSet | null>(slotsFor(snapshot)).fill(null);
    this.#health = new HealthTable(snapshot.health);
    this.#eligible = (endpoint) => this.#health.eligible(endpoint);
    this.#random = seed | 1; // xorshift never leaves zero
  }

  find(service: number, family: 4 | 6, region: number): AnswerSet {
    const version = this.#health.version();
    const classes = this.#snapshot.regions.length;
    const key = (service * 2 + (family === 4 ? 0 : 1)) * classes + region;
    const slot = key & (this.#sets.length - 1);
    const known = this.#sets[slot];
    if (known && known.key === key && known.version === version) return known;
    const made = this.#compile(key, version, service, family, region);
    // To begin anew each time would favour the first address of a name that is seldom asked for.
    if (known && made.count > 0) {
      made.next = (known.key === key ? known.next : this.#draw()) % made.count;
    }
    this.#sets[slot] = made;
    return made;
  }

  /** The index of an address, each as likely as its weight says. */
  pick(sums: Int32Array): number {
    const point = this.#draw() % sums[sums.length - 1]!;
    let index = 0;
    while (sums[index]! <= point) index++;
    return index;
  }

  /** 31 random bits: a number that is a small integer to V8 as well, so it is not allocated. */
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 1;
  }

  #compile(
    key: number,
    version: number,
    service: number,
    family: 4 | 6,
    region: number,
  ): AnswerSet {
    const { services, endpoints, regions } = this.#snapshot;
    const order = regions[region]!.order;
    const steered = steer(services[service]!, endpoints, order, this.#eligible, family);
    const size = family === 4 ? 4 : 16;
    const addresses = new Uint8Array(steered.members.length * size);
    const sums = new Int32Array(steered.members.length);
    let count = 0;
    let sum = 0;
    for (const { endpoint, weight } of steered.members) {
      const { address4, address6 } = endpoints[endpoint]!;
      const address = parseAddress((family === 4 ? address4 : address6) ?? '');
      if (address?.length !== size) continue;
      addresses.set(address, count * size);
      sum += weight;
      sums[count++] = sum;
    }
    return {
      key,
      version,
      count,
      addresses,
      rotate: steered.rotate,
      sums: steered.weighted && sum > 0 ? sums.subarray(0, count) : null,
      next: 0,
    };
  }
}

function slotsFor({ services, regions }: Snapshot): number {
  const wanted = services.length * 2 * regions.length;
  let slots = 1;
  while (slots < wanted && slots < ANSWER_SETS_MAX) slots *= 2;
  return slots;
}
