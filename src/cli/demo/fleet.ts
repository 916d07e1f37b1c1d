/**
 * The demo's machines as the configuration names them: for every load balancer one small HTTP
 * server, and for every site one forwarding driver that its load balancers ask.
 */
import type { Clock } from '../../base/clock.ts';
import type { Config } from '../../model/config.ts';
import type { HostPort } from '../../net/ip.ts';
import { ForwardingDriver } from './forwarding.ts';
import { LoadBalancer } from './load-balancer.ts';

export class Fleet {
  readonly load_balancers: readonly LoadBalancer[];
  readonly forwarding: ReadonlyMap<string, ForwardingDriver>;

  constructor(config: Config, clock: Clock) {
    const machines = machinesOf(config);
    const at = (site: string): HostPort[] =>
      machines
        .filter((machine) => machine.site === site)
        .map(({ address, port }) => ({ address, port }));
    const names = config.sites.map((site) => site.name);
    this.forwarding = new Map(
      names.map((site) => {
        const others = names.filter((other) => other !== site);
        const peers = new Map(others.map((other) => [other, at(other)]));
        return [site, new ForwardingDriver({ site, peers, clock })];
      }),
    );
    this.load_balancers = machines.map(
      (machine) =>
        new LoadBalancer({
          ...machine,
          capacity: capacityOf(config, machine.site) / at(machine.site).length,
          forwarding: this.forwarding.get(machine.site)!,
          clock,
        }),
    );
  }

  names(): string[] {
    return this.load_balancers.map((balancer) => balancer.name);
  }

  of(target: string): LoadBalancer[] {
    return this.load_balancers.filter(({ name, site }) => name === target || site === target);
  }

  /** `target` is a load balancer or a site; so for `break`. */
  async repair(target: string): Promise<void> {
    await Promise.all(this.of(target).map((balancer) => balancer.repair()));
  }

  async break(target: string): Promise<void> {
    await Promise.all(this.of(target).map((balancer) => balancer.break()));
  }

  requestsPerSecond(site: string): number {
    return this.of(site).reduce((sum, balancer) => sum + balancer.requestsPerSecond(), 0);
  }

  async start(): Promise<void> {
    await Promise.all(this.load_balancers.map((balancer) => balancer.repair()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.load_balancers.map((balancer) => balancer.break()));
    await Promise.all([...this.forwarding.values()].map((driver) => driver.close()));
  }
}

function capacityOf(config: Config, site: string): number {
  return config.sites.find(({ name }) => name === site)!.capacity;
}

interface Machine {
  readonly name: string;
  readonly site: string;
  readonly address: string;
  readonly port: number;
}

/** Each load balancer once, at the address and port of its first target. */
function machinesOf(config: Config): Machine[] {
  const machines = new Map<string, Machine>();
  for (const { load_balancer: name, site, address, port } of config.targets) {
    if (machines.has(name)) continue;
    machines.set(name, { name, site: config.sites[site]!.name, address, port });
  }
  return [...machines.values()];
}
