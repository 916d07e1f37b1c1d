/**
 * Which sites look at an endpoint besides its home: those whose name and the endpoint's id hash
 * highest together (rendezvous hashing, Thaler and Ravishankar 1998). Every site works out the same
 * without asking, and the work is spread evenly. Pure.
 *
 * Must hold: never the home; a site that comes or goes changes only the lists that it is in.
 */
import { hashOf, hashTogether } from '../base/hash.ts';
import type { Config } from '../model/config.ts';

interface Lists {
  /** Parallel to Config.sites. */
  readonly names: readonly number[];
  /** Parallel to Config.endpoints; made when they are first asked for. */
  readonly lists: (readonly number[] | undefined)[];
}

const NOBODY: readonly number[] = [];
/** A configuration never changes, so what follows from one is worked out once. */
const known = new WeakMap<Config, Lists>();

/**
 * The observers of the endpoint with this index, as indices into Config.sites, the first choice first:
 * `vantage.observers` of them, or all other sites if there are not so many.
 */
export function observersOf(config: Config, endpoint: number): readonly number[] {
  if (config.endpoints[endpoint]!.vantage.observers === 0) return NOBODY;
  let of = known.get(config);
  if (of === undefined) {
    of = { names: config.sites.map(({ name }) => hashOf(name)), lists: [] };
    known.set(config, of);
  }
  of.lists[endpoint] ??= chosen(config, endpoint, of.names);
  return of.lists[endpoint];
}

function chosen(config: Config, endpoint: number, names: readonly number[]): readonly number[] {
  const { id, site: home, vantage } = config.endpoints[endpoint]!;
  const own = hashOf(id);
  const weights = names.map((name) => hashTogether(own, name));
  const best: number[] = [];
  for (const [site, weight] of weights.entries()) {
    if (site === home) continue;
    // Sites are sorted by name, so that even equal weights are ranked alike everywhere.
    const rank = best.findIndex((other) => weight > weights[other]!);
    if (rank >= 0) best.splice(rank, 0, site);
    else if (best.length < vantage.observers) best.push(site);
    if (best.length > vantage.observers) best.pop();
  }
  return best;
}
