/** What differs between two configurations, in words for an operator. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { sessionResets } from '../bgp/neighbor-settings.ts';
import type { HealthExpression } from '../model/check.ts';
import type { Config, Endpoint, Region, Service, Site, Zone } from '../model/config.ts';

/** Lines about one reload: more are counted, not listed. */
export const CHANGES_MAX = 200;

/** A Config that can be told to others as JSON: for the image of a zone its digest speaks. */
export interface ConfigFacts extends Omit<Config, 'zones'> {
  readonly zones: readonly ZoneFacts[];
}

type ZoneFacts = Omit<Zone, 'image'>;

function zoneFacts(zone: ZoneFacts & { readonly image?: unknown }): ZoneFacts {
  const { image: _, ...facts } = zone;
  return facts;
}

export function configFacts(config: ConfigFacts): ConfigFacts {
  return { ...config, zones: config.zones.map(zoneFacts) };
}

/** What each name stands for. Indices, which move when something is added, become names. */
class Described {
  readonly all = new Map<string, unknown>();
  readonly #config: ConfigFacts;
  /** Pools by identity: many services may share a large one. */
  readonly #pools = new Map<Service['pool'], readonly unknown[]>();

  constructor(config: ConfigFacts) {
    this.#config = config;
    for (const zone of config.zones) this.all.set(`zone ${zone.origin}`, zoneFacts(zone));
    for (const one of config.services) this.all.set(`service ${one.name}`, this.#service(one));
    for (const one of config.endpoints) this.all.set(`endpoint ${one.id}`, this.#endpoint(one));
    for (const site of config.sites) this.#site(site);
    for (const one of config.regions) this.all.set(`region ${one.name}`, this.#region(one));
    for (const vip of config.vips) this.all.set(`VIP ${vip.name}`, vip);
    for (const key of config.tsig_keys) this.all.set(`TSIG key ${key.name}`, key);
    this.all.set('placement of clients', config.geo);
    this.all.set('policy', config.policy);
    this.all.set('store', config.share);
  }

  /** Neighbours one by one: there may be many at a site. */
  #site(site: Site): void {
    const { bgp } = site;
    const bare = bgp && { ...bgp, neighbors: null, ranges: null };
    const uplink = site.uplink && this.#health(site.uplink);
    this.all.set(`site ${site.name}`, { ...site, bgp: bare, uplink });
    for (const one of [...(bgp?.neighbors ?? []), ...(bgp?.ranges ?? [])]) {
      this.all.set(`neighbor ${one.name} of ${site.name}`, one);
    }
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
    const site = this.#config.sites[endpoint.site]!.name;
    return { ...endpoint, site, health: this.#health(endpoint.health) };
  }

  /** With what is probed in the place of indices, so that a check that changes changes its endpoints. */
  #health(health: HealthExpression): unknown {
    if (health.kind !== 'target')
      return { ...health, of: health.of.map((one) => this.#health(one)) };
    return { ...this.#config.targets[health.target]!, site: null };
  }

  #region(region: Region): unknown {
    return { ...region, order: this.#sites(region.order) };
  }
}

/** One line for each thing that was added, removed or changed. */
export function configChanges(before: ConfigFacts, after: ConfigFacts): string[] {
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
export function restartKeys(started: ConfigFacts, now: ConfigFacts, name: string): string[] {
  const parts = ({ share, sites }: ConfigFacts): Map<string, unknown> => {
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

/** The BGP sessions of a site that end when one configuration takes the place of another, and why. */
export function endingSessions(before: ConfigFacts, after: ConfigFacts, name: string): string[] {
  const [was, is] = [before, after].map(({ sites }) => sites.find((one) => one.name === name)?.bgp);
  if (!was) return [];
  const ending = sessionResets(was, is ?? { ...was, neighbors: [], ranges: [] });
  return ending.map(({ neighbor, text }) => `${neighbor}: ${text}`);
}
