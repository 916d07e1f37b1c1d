/**
 * Which overrides are in force, and on what. `up` and `down` take the place of the probes' word: of
 * those that fit an endpoint the most specific counts, and of equals `down`. A drain counts whatever
 * they say: an endpoint that was forced up must not stay in a site that is emptied.
 *
 * Must hold: pure, and the same for all who know the same overrides; without any it costs nothing.
 */
import type { Config } from '../model/config.ts';
import type { DrainSight, HeldOverride, OverrideScope } from '../model/override.ts';
import { laterStamp } from '../model/override.ts';
import type { Reason } from '../model/plan.ts';

/** What is ordered for one endpoint; at least one of the two. */
export interface EndpointOrders {
  /** `up` or `down`, in place of what the probes say. */
  readonly health: HeldOverride | null;
  readonly drain: HeldOverride | null;
}

export class OverridesInForce {
  /** Milliseconds until the first of them ends; Infinity: none does. */
  readonly next_ms: number;
  readonly #now: number;
  /** By site. */
  readonly #drains = new Map<string, HeldOverride>();
  readonly #orders = new Map<number, EndpointOrders>();

  /** `now` is on the clock of `held`, in milliseconds. */
  constructor(config: Config, held: readonly HeldOverride[], now: number) {
    this.#now = now;
    const inForce = held
      .filter(({ override, until }) => override.action !== null && (until === null || until > now))
      .sort(byRank);
    this.next_ms = Math.min(
      ...inForce.map(({ until }) => (until ?? Number.POSITIVE_INFINITY) - now),
    );
    for (const one of inForce) {
      const { action, scope } = one.override;
      if (action === 'drain' && isWholeSite(scope)) this.#drains.set(scope.site!, one);
      for (const index of endpointsIn(config, scope)) this.#order(index, one);
    }
  }

  /** Of a whole site. */
  drainOf(site: string): DrainSight | null {
    const drain = this.#drains.get(site);
    if (drain === undefined) return null;
    const { by, reason } = drain.override;
    return { for_ms: this.#now - drain.since, left_ms: leftOf(drain, this.#now), by, reason };
  }

  /** Of the endpoint with this index in Config.endpoints; null: nothing is ordered for it. */
  ordersOf(endpoint: number): EndpointOrders | null {
    return this.#orders.get(endpoint) ?? null;
  }

  /** The best come first: what is there stays. */
  #order(endpoint: number, one: HeldOverride): void {
    const orders = this.#orders.get(endpoint) ?? { health: null, drain: null };
    const key = one.override.action === 'drain' ? 'drain' : 'health';
    if (orders[key] === null) this.#orders.set(endpoint, { ...orders, [key]: one });
  }
}

/** Where endpoints are found; lists hold indices into Config.endpoints, in order. */
interface Directory {
  readonly sites: ReadonlyMap<string, readonly number[]>;
  readonly services: ReadonlyMap<string, ReadonlySet<number>>;
  readonly loadBalancers: ReadonlyMap<string, readonly number[]>;
  readonly labels: ReadonlyMap<string, readonly number[]>;
}

/** A configuration never changes, so what follows from one is worked out once. */
const directories = new WeakMap<Config, Directory>();

function directoryOf(config: Config): Directory {
  const known = directories.get(config);
  if (known !== undefined) return known;
  const [sites, loadBalancers, labels] = [0, 1, 2].map(() => new Map<string, number[]>());
  const note = (map: Map<string, number[]>, key: string, index: number): void => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [index]);
    else list.push(index);
  };
  for (const [index, endpoint] of config.endpoints.entries()) {
    note(sites!, config.sites[endpoint.site]!.name, index);
    note(loadBalancers!, endpoint.load_balancer, index);
    for (const label of new Set(endpoint.labels)) note(labels!, label, index);
  }
  const services = new Map(
    config.services.map(({ name, pool }) => [
      name,
      new Set(pool.map(({ endpoint }) => endpoint).sort((x, y) => x - y)),
    ]),
  );
  const made = { sites: sites!, services, loadBalancers: loadBalancers!, labels: labels! };
  directories.set(config, made);
  return made;
}

/** Indices of the endpoints that fit the scope, in their order. */
export function endpointsIn(config: Config, scope: OverrideScope): number[] {
  const { site, service, endpoint, label } = scope;
  const { sites, services, loadBalancers, labels } = directoryOf(config);
  const pool = service === null ? null : (services.get(service) ?? NOBODY);
  const lists: Iterable<number>[] = [];
  // The part that names the fewest comes first; the others are only looked at for those.
  if (endpoint !== null) lists.push(loadBalancers.get(endpoint.split('/')[0]!) ?? NOBODY);
  if (label !== null) lists.push(labels.get(label) ?? NOBODY);
  if (site !== null) lists.push(sites.get(site) ?? NOBODY);
  if (pool !== null) lists.push(pool);
  return [...(lists[0] ?? NOBODY)].filter((index) => {
    const one = config.endpoints[index]!;
    return (
      (site === null || config.sites[one.site]!.name === site) &&
      (pool === null || pool.has(index)) &&
      (endpoint === null || isNamed(one.id, endpoint)) &&
      (label === null || one.labels.includes(label))
    );
  });
}

const NOBODY: ReadonlySet<number> = new Set();

function isWholeSite({ site, service, endpoint, label }: OverrideScope): boolean {
  return site !== null && service === null && endpoint === null && label === null;
}

function isNamed(id: string, name: string): boolean {
  return id === name || id.startsWith(`${name}/`);
}

/** "forced up by ann, 12 s left: the check is wrong" */
export function orderReason({ override, until }: HeldOverride, now: number): Reason {
  const { action, by, reason, id } = override;
  const [code, word] = WORDS[action!];
  const left = until === null ? '' : `, ${spell(until - now)} left`;
  return { code, text: `${word} by ${by} (${id}${left}): ${reason}` };
}

const WORDS = {
  up: ['forced-up', 'forced up'],
  down: ['forced-down', 'forced down'],
  drain: ['draining', 'drained'],
} as const;

/** "90 s", "45 min", "1.5 h", "12 days": a time that may be long, for a sentence. */
export function spell(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

/** Milliseconds until it ends by itself; null: it does not. */
export function leftOf({ until }: HeldOverride, now: number): number | null {
  return until === null ? null : until - now;
}

const ACTIONS = ['down', 'drain', 'up'] as const;

/** The more specific first, then `down`, then the later. */
function byRank(a: HeldOverride, b: HeldOverride): number {
  const [one, other] = [a.override, b.override];
  const weight = weightOf(other.scope) - weightOf(one.scope);
  if (weight !== 0) return weight;
  const length = (other.scope.endpoint?.length ?? 0) - (one.scope.endpoint?.length ?? 0);
  if (length !== 0) return length;
  const action = ACTIONS.indexOf(one.action!) - ACTIONS.indexOf(other.action!);
  return action !== 0 ? action : laterStamp(one.stamp, other.stamp) ? -1 : 1;
}

/** An endpoint tells more than a label, that more than a service, that more than a site. */
function weightOf({ site, service, endpoint, label }: OverrideScope): number {
  const bits = [endpoint, label, service, site].map((part) => (part === null ? 0 : 1));
  return bits.reduce<number>((sum, bit) => 2 * sum + bit, 0);
}
