/** What differs between two configurations, in words for an operator. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Config, Endpoint, Region, Service } from '../model/config.ts';

/** Lines about one reload: more are counted, not listed. */
export const CHANGES_MAX = 200;

/** What each name stands for. Indices, which move when something is added, become names. */
class Described {
  readonly all = new Map<string, unknown>();
  readonly #config: Config;
  /** Pools by identity: many services may share a large one. */
  readonly #pools = new Map<Service['pool'], readonly unknown[]>();

  constructor(config: Config) {
    this.#config = config;
    for (const zone of config.zones) this.all.set(`zone ${zone.origin}`, zone);
    for (const one of config.services) this.all.set(`service ${one.name}`, this.#service(one));
    for (const one of config.endpoints) this.all.set(`endpoint ${one.id}`, this.#endpoint(one));
    for (const site of config.sites) this.all.set(`site ${site.name}`, site);
    for (const one of config.regions) this.all.set(`region ${one.name}`, this.#region(one));
    for (const vip of config.vips) this.all.set(`VIP ${vip.name}`, vip);
    for (const key of config.tsig_keys) this.all.set(`TSIG key ${key.name}`, key);
    this.all.set('placement of clients', config.geo);
    this.all.set('policy', config.policy);
    this.all.set('store', config.share);
  }

  #sites(order: readonly number[]): readonly string[] {
    return order.map((index) => this.#config.sites[index]!.name);
  }

  #service(service: Service): unknown {
    let pool = this.#pools.get(service.pool);
    if (!pool) {
      const { endpoints } = this.#config;
      pool = service.pool.map(({ endpoint, weight }) => [endpoints[endpoint]!.id, weight]);
      this.#pools.set(service.pool, pool);
    }
    return { ...service, pool, order: this.#sites(service.order) };
  }

  #endpoint(endpoint: Endpoint): unknown {
    return { ...endpoint, site: this.#config.sites[endpoint.site]!.name };
  }

  #region(region: Region): unknown {
    return { ...region, order: this.#sites(region.order) };
  }
}

/** One line for each thing that was added, removed or changed. */
export function configChanges(before: Config, after: Config): string[] {
  const was = new Described(before).all;
  const is = new Described(after).all;
  const lines = [...is].flatMap(([name, value]) => {
    if (!was.has(name)) return [`${name}: added`];
    return isDeepStrictEqual(was.get(name), value) ? [] : [`${name}: changed`];
  });
  for (const name of was.keys()) if (!is.has(name)) lines.push(`${name}: removed`);
  if (lines.length <= CHANGES_MAX) return lines;
  return [...lines.slice(0, CHANGES_MAX), `… and ${lines.length - CHANGES_MAX} more`];
}

/** Keys of a site's `dns` that its server takes only when it starts: buffers have their size then. */
const FIXED_DNS_KEYS = ['udp_payload_max'] as const;

/** Keys, as the files write them, that a site's daemon takes only when it starts, and that differ. */
export function restartKeys(started: Config, now: Config, name: string): string[] {
  const parts = ({ share, sites }: Config): Map<string, unknown> => {
    const site = sites.find((one) => one.name === name);
    return new Map<string, unknown>([
      ...FIXED_DNS_KEYS.map((key) => [`dns.${key}`, site?.dns[key]] as const),
      ['api', site?.api],
      ['store', share],
    ]);
  };
  const is = parts(now);
  return [...parts(started)].flatMap(([key, was]) =>
    isDeepStrictEqual(was, is.get(key)) ? [] : [key],
  );
}
