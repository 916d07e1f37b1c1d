/**
 * The only source of randomness: a seeded generator, so that a simulation or a failing property
 * test can be run again. Not for secrets (cookies and message ids that must not be guessed come
 * from node:crypto).
 */

export interface Prng {
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, below). `below` is at least 1. */
  int(below: number): number;
}

/** xoshiro128** (Blackman and Vigna), its state filled from `seed` by splitmix32. */
export function prng(seed: number): Prng {
  let mix = seed >>> 0;
  const split = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = split();
  let b = split();
  let c = split();
  let d = split();
  const next32 = (): number => {
    const five = Math.imul(b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  return {
    next: () => next32() / 0x100000000,
    int: (below) => Math.floor((next32() / 0x100000000) * below),
  };
}

/** A generator seeded from the machine, for the daemon; simulations pass their own seed. */
export function systemPrng(): Prng {
  return prng(Math.floor(Math.random() * 0x100000000));
}
