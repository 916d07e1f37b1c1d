/** Endpoints and their targets, from files that have no problems. */
import type { Check, ProbeTarget } from '../model/check.ts';
import type { Endpoint, PoolMember, Vantage } from '../model/config.ts';
import type { GoodFiles } from './build.ts';
import { buildCheck, portOf } from './build-check.ts';
import type { ServiceEntry } from './schema-services.ts';
import type { SiteFile } from './schema-site.ts';

const HOME_ALONE: Vantage = { observers: 0, rule: 'home' };

type LoadBalancer = SiteFile['load_balancers'][number];

/** The endpoints in use, in order of site, load balancer and check, whatever the services' order. */
export class EndpointTable {
  readonly endpoints: readonly Endpoint[];
  readonly targets: readonly ProbeTarget[];
  readonly #index = new Map<string, number>();
  readonly #loadBalancers: readonly string[];
  /** The pool `all` by check: the same for every service that has it, and possibly large. */
  readonly #everything = new Map<string, readonly PoolMember[]>();

  constructor(files: GoodFiles) {
    this.#loadBalancers = files.sites.flatMap((s) => s.load_balancers.map(({ name }) => name));
    const wanted = new Set<string>();
    for (const service of files.services.flatMap(({ services }) => services)) {
      for (const { id } of this.#members(service)) wanted.add(id);
    }
    const checks = Object.entries(files.deployment.checks).map(([name, check]) => ({
      name,
      check: buildCheck(name, check, files.dir),
      port: portOf(check),
    }));
    const endpoints: Endpoint[] = [];
    const targets: ProbeTarget[] = [];
    for (const [site, { load_balancers }] of files.sites.entries()) {
      for (const each of load_balancers) {
        for (const { name, check, port } of checks) {
          const id = `${each.name}/${name}`;
          if (!wanted.has(id)) continue;
          const target = buildTarget(id, each, site, check, port);
          targets.push(target);
          endpoints.push(buildEndpoint(id, each, site, targets.length - 1));
        }
      }
    }
    this.endpoints = endpoints;
    this.targets = targets;
    for (const [index, { id }] of endpoints.entries()) this.#index.set(id, index);
  }

  #members(service: ServiceEntry): { readonly id: string; readonly weight: number }[] {
    const members =
      service.pool === 'all'
        ? this.#loadBalancers.map((load_balancer) => ({ load_balancer, weight: 1 }))
        : service.pool;
    return members.map(({ load_balancer, weight }) => ({
      id: `${load_balancer}/${service.check}`,
      weight,
    }));
  }

  pool(service: ServiceEntry): readonly PoolMember[] {
    const known = service.pool === 'all' ? this.#everything.get(service.check) : undefined;
    if (known) return known;
    const pool = this.#members(service).map(({ id, weight }) => ({
      endpoint: this.#index.get(id)!,
      weight,
    }));
    if (service.pool === 'all') this.#everything.set(service.check, pool);
    return pool;
  }
}

function buildTarget(
  id: string,
  { name, address, address6 }: LoadBalancer,
  site: number,
  check: Check,
  port: number,
): ProbeTarget {
  const family = address === undefined ? 'ipv6' : 'ipv4';
  return {
    id: `${id}/${family}`,
    load_balancer: name,
    site,
    address: (address ?? address6)!,
    port,
    check,
  };
}

function buildEndpoint(
  id: string,
  { name, address, address6 }: LoadBalancer,
  site: number,
  target: number,
): Endpoint {
  return {
    id,
    load_balancer: name,
    site,
    address4: address ?? null,
    address6: address6 ?? null,
    labels: [],
    health: { kind: 'target', target },
    vantage: HOME_ALONE,
  };
}
