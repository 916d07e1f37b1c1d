/** Endpoints, from files that have no problems. */
import type { HealthExpression } from '../model/check.ts';
import type { Endpoint, PoolMember, Vantage } from '../model/config.ts';
import type { GoodFiles } from './build.ts';
import { type Family, familiesOf, type Place, type TargetTable } from './build-targets.ts';
import type { AnyCheckEntry } from './schema-check.ts';
import type { ServiceEntry } from './schema-services.ts';
import type { SiteFile } from './schema-site.ts';

type LoadBalancer = SiteFile['load_balancers'][number];

/** The endpoints in use, in order of site, load balancer and check, whatever the services' order. */
export class EndpointTable {
  readonly endpoints: readonly Endpoint[];
  /** "LOADBALANCER/CHECK" → the indices of its endpoints. */
  readonly #index = new Map<string, readonly number[]>();
  readonly #loadBalancers: readonly string[];
  /** The pool `all` by check: the same for every service that has it, and possibly large. */
  readonly #everything = new Map<string, readonly PoolMember[]>();

  constructor(files: GoodFiles, targets: TargetTable) {
    this.#loadBalancers = files.sites.flatMap((s) => s.load_balancers.map(({ name }) => name));
    const wanted = new Set<string>();
    for (const service of files.services.flatMap(({ services }) => services)) {
      for (const { pair } of this.#members(service)) wanted.add(pair);
    }
    const { checks, policy } = files.deployment;
    const endpoints: Endpoint[] = [];
    for (const [site, file] of files.sites.entries()) {
      for (const each of file.load_balancers) {
        const place = placeOf(each, site);
        const labels = labelsOf(file.labels, each.labels);
        for (const [name, check] of Object.entries(checks)) {
          const pair = `${each.name}/${name}`;
          if (!wanted.has(pair)) continue;
          const vantage: Vantage = {
            observers: check.observers ?? policy.health.observers,
            rule: check.verdict ?? policy.health.verdict,
          };
          const made = served(each, place, check).map(
            ({ suffix, address4, address6, family }): Endpoint => {
              const health = targets.health(name, place, family);
              const id = `${pair}${suffix}`;
              const load_balancer = each.name;
              return { id, load_balancer, site, address4, address6, labels, health, vantage };
            },
          );
          this.#index.set(
            pair,
            made.map((_, i) => endpoints.length + i),
          );
          endpoints.push(...made);
        }
      }
    }
    this.endpoints = endpoints;
  }

  #members(service: ServiceEntry): { readonly pair: string; readonly weight: number }[] {
    const members =
      service.pool === 'all'
        ? this.#loadBalancers.map((load_balancer) => ({ load_balancer, weight: 1 }))
        : service.pool;
    return members.map(({ load_balancer, weight }) => ({
      pair: `${load_balancer}/${service.check}`,
      weight,
    }));
  }

  /** A load balancer is in it with all its endpoints. */
  pool(service: ServiceEntry): readonly PoolMember[] {
    const known = service.pool === 'all' ? this.#everything.get(service.check) : undefined;
    if (known) return known;
    const pool = this.#members(service).flatMap(({ pair, weight }) =>
      this.#index.get(pair)!.map((endpoint) => ({ endpoint, weight })),
    );
    if (service.pool === 'all') this.#everything.set(service.check, pool);
    return pool;
  }
}

/** What is probed of a load balancer: where it says nothing else, what is answered. */
export function probedAt({ address, address6, probe_address, probe_address6 }: LoadBalancer) {
  return {
    ipv4: probe_address ?? address ?? null,
    ipv6: probe_address6 ?? address6 ?? null,
  } satisfies Record<Family, string | null>;
}

function placeOf(each: LoadBalancer, site: number): Place {
  const { name, probe_ports: ports } = each;
  return { id: name, load_balancer: name, site, ...probedAt(each), ports };
}

/** One endpoint, or with `each` one for each address. `family`: of the address that it is about. */
function served(each: LoadBalancer, place: Place, { family }: AnyCheckEntry) {
  const [address4, address6] = [each.address ?? null, each.address6 ?? null];
  const first = familiesOf(place)[0]!;
  if (family !== 'each') return [{ suffix: '', address4, address6, family: first }];
  const each4 = { address4, address6: null, family: 'ipv4' as const };
  const each6 = { address4: null, address6, family: 'ipv6' as const };
  if (address4 === null) return [{ suffix: '', ...each6 }];
  if (address6 === null) return [{ suffix: '', ...each4 }];
  return [
    { suffix: '/ipv4', ...each4 },
    { suffix: '/ipv6', ...each6 },
  ];
}

/** "key=value" by key; a load balancer's own win over its site's. */
function labelsOf(...all: readonly Readonly<Record<string, string>>[]): string[] {
  const labels: Record<string, string> = Object.assign({}, ...all);
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`);
}

/** What must answer for the uplink of a site to work; null: nothing is looked at. */
export function buildUplink(
  { site: name, uplink }: SiteFile,
  site: number,
  targets: TargetTable,
): HealthExpression | null {
  if (!uplink) return null;
  const of = uplink.addresses.map((address) => {
    const family: Family = address.includes(':') ? 'ipv6' : 'ipv4';
    const addresses = { ipv4: null, ipv6: null, [family]: address };
    const id = `${name}/uplink/${address}`;
    return targets.health(
      uplink.check,
      { id, load_balancer: '', site, ...addresses, ports: {} },
      family,
    );
  });
  return { kind: 'at-least', count: uplink.at_least, of };
}
