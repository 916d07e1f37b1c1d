/**
 * The guard of capacity: health may not take more than a part of a service's capacity out of use, nor
 * its last sites, unless most of those who are to look at an endpoint say that it is down. So an outage
 * of ours, when agents, reports or the way to them are lost, does not become one of the services. Pure.
 *
 * Must hold: what is agreed to be down always goes, and what operators take out is no matter of health;
 * nobody else goes beyond the limits of any service; the same input keeps the same endpoints, and asked
 * again with what it has decided, the guard decides the same.
 */
import type { Config } from '../model/config.ts';
import { percent } from './view.ts';

/** An endpoint that would be out of use for its health. */
export interface OutOfUse {
  /** Index into Config.endpoints. */
  readonly endpoint: number;
  /** Most of those who are to look at it say that it is down. */
  readonly agreed: boolean;
  /** Nobody says so: its site is silent. A silent site's endpoints go together, or stay. */
  readonly silent: boolean;
  /** It is up, and only waits for its return: the last to be taken out. */
  readonly held: boolean;
  /** Since when it fails, or how long it still waits; in milliseconds. */
  readonly ms: number;
}

interface Pool {
  readonly service: string;
  /** What one endpoint stands for, by site: the site's capacity, divided by its endpoints here. */
  readonly shares: Float64Array;
  /** Endpoints, by site. */
  readonly counts: Int32Array;
}

interface Layout {
  /** Services with one pool are one. */
  readonly pools: readonly Pool[];
  /** Parallel to Config.endpoints: indices into `pools`. */
  readonly poolsOf: readonly (readonly number[])[];
  /** Parallel to Config.endpoints: equal for endpoints of one site in the same pools. */
  readonly kinds: readonly number[];
}

/** A configuration never changes, so what follows from one is worked out once. */
const layouts = new WeakMap<Config, Layout>();

function layoutOf(config: Config): Layout {
  const known = layouts.get(config);
  if (known !== undefined) return known;
  const members = new Map(config.services.map(({ name, pool }) => [pool, name]));
  const poolsOf: number[][] = config.endpoints.map(() => []);
  const pools = [...members].map(([pool, service], number): Pool => {
    const counts = new Int32Array(config.sites.length);
    for (const { endpoint } of pool) {
      counts[config.endpoints[endpoint]!.site]!++;
      poolsOf[endpoint]!.push(number);
    }
    const shares = Float64Array.from(
      config.sites,
      ({ capacity }, site) => capacity / counts[site]!,
    );
    return { service, shares, counts };
  });
  const numbers = new Map<string, number>();
  const kinds = config.endpoints.map(({ site }, index) => {
    const key = `${site}:${poolsOf[index]!.join()}`;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
  const layout = { pools, poolsOf, kinds };
  layouts.set(config, layout);
  return layout;
}

/** How much of a pool is in use, while endpoints are taken out one after the other. */
class Account {
  readonly #pool: Pool;
  /** Endpoints in use, by site. */
  readonly #left: Int32Array;
  #sitesLeft = 0;
  /** What operators have left in use, and what of it is out for health; in the sites' capacities. */
  #total = 0;
  #out = 0;
  /** True once one was taken out that was the last of its site. */
  #emptied = false;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#left = pool.counts.slice();
    for (const [site, count] of pool.counts.entries()) {
      if (count === 0) continue;
      this.#sitesLeft++;
      this.#total += count * pool.shares[site]!;
    }
  }

  /** One that does not count at all, since operators have taken it out or nobody has known it yet. */
  leaveOut(site: number): void {
    this.#total -= this.#pool.shares[site]!;
    this.#remove(site);
  }

  takeOut(site: number): void {
    this.#out += this.#pool.shares[site]!;
    this.#remove(site);
  }

  /** Takes the last one back. */
  putBack(site: number): void {
    this.#out -= this.#pool.shares[site]!;
    if (this.#left[site]!++ === 0) this.#sitesLeft++;
  }

  /** Begins to look at what is taken out from now on. */
  begin(): void {
    this.#emptied = false;
  }

  /** What would be wrong, in words, if all stayed as it is since `begin`; null: nothing. */
  excess(evict_max: number, sites_min: number): string | null {
    const { service } = this.#pool;
    if (this.#emptied && this.#sitesLeft < sites_min) {
      return `${service} would be left with ${this.#sitesLeft} sites (at least ${sites_min})`;
    }
    const part = this.#out / this.#total;
    if (part <= evict_max + ROUNDING) return null;
    return `${service} would miss ${percent(part)} of its capacity (at most ${percent(evict_max)})`;
  }

  #remove(site: number): void {
    if (--this.#left[site]! > 0) return;
    this.#sitesLeft--;
    this.#emptied = true;
  }
}

/** Of a part of the whole; sums of thirds are not exact. */
const ROUNDING = 1e-9;

const NOBODY: ReadonlyMap<number, string> = new Map();

/**
 * Which endpoints of `out` stay in use nevertheless, by index, and why. `apart`: those that are not in
 * question, since they are drained, forced down or not known yet. `before`: ids of those that were
 * out of use last, which go first.
 */
export function keptInUse(
  config: Config,
  out: readonly OutOfUse[],
  apart: readonly number[],
  before: readonly string[],
): ReadonlyMap<number, string> {
  const { evict_max, sites_min } = config.policy.health;
  if (evict_max >= 1 && sites_min === 0) return NOBODY;
  const doubtful = out.filter(({ agreed }) => !agreed);
  if (doubtful.length === 0) return NOBODY;
  const layout = layoutOf(config);
  const siteOf = (endpoint: number): number => config.endpoints[endpoint]!.site;
  const accounts: (Account | undefined)[] = [];
  for (const { endpoint } of doubtful) {
    for (const pool of layout.poolsOf[endpoint]!)
      accounts[pool] ??= new Account(layout.pools[pool]!);
  }
  const accountsOf = (endpoint: number): Account[] =>
    layout.poolsOf[endpoint]!.flatMap((pool) => accounts[pool] ?? []);
  for (const endpoint of apart) {
    for (const account of accountsOf(endpoint)) account.leaveOut(siteOf(endpoint));
  }
  for (const { endpoint, agreed } of out) {
    if (agreed) for (const account of accountsOf(endpoint)) account.takeOut(siteOf(endpoint));
  }
  const kept = new Map<number, string>();
  for (const batch of batchesOf(config, layout, doubtful, new Set(before))) {
    // All of a batch are in the same pools of the same site.
    const of = accountsOf(batch[0]!.endpoint);
    const site = siteOf(batch[0]!.endpoint);
    for (const account of of) {
      account.begin();
      for (const _ of batch) account.takeOut(site);
    }
    const why = of
      .map((account) => account.excess(evict_max, sites_min))
      .find((one) => one !== null);
    if (why === undefined) continue;
    for (const account of of) for (const _ of batch) account.putBack(site);
    for (const { endpoint } of batch) kept.set(endpoint, why!);
  }
  return kept;
}

/**
 * In the order in which they are taken out: those that fail before those that only wait; then those that
 * are out already, so that nobody changes places; then the longest failing, or waiting, first.
 */
function batchesOf(
  { endpoints }: Config,
  { kinds }: Layout,
  doubtful: readonly OutOfUse[],
  before: ReadonlySet<string>,
): OutOfUse[][] {
  const wasOut = ({ endpoint }: OutOfUse): boolean => before.has(endpoints[endpoint]!.id);
  const goTogether = (a: OutOfUse, b: OutOfUse): boolean =>
    a.silent && b.silent && kinds[a.endpoint] === kinds[b.endpoint] && wasOut(a) === wasOut(b);
  const order = doubtful.toSorted(
    (a, b) =>
      Number(a.held) - Number(b.held) ||
      Number(wasOut(b)) - Number(wasOut(a)) ||
      b.ms - a.ms ||
      kinds[a.endpoint]! - kinds[b.endpoint]! ||
      a.endpoint - b.endpoint,
  );
  const batches: OutOfUse[][] = [];
  for (const one of order) {
    const [first] = batches.at(-1) ?? [];
    if (first !== undefined && goTogether(first, one)) batches.at(-1)!.push(one);
    else batches.push([one]);
  }
  return batches;
}
