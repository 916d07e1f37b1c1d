/** References between the files: each must lead to something, and each name be given once. */

import { formatHostPort } from '../net/ip.ts';
import { neighborsOf, rangesOf } from './bgp-sessions.ts';
import type { Path } from './document.ts';
import { nameOfFile } from './files.ts';
import { PROBLEMS_MAX } from './limits.ts';
import { listensOf } from './listens.ts';
import { type NameKind, type Names, type SourceFiles, serviceName } from './names.ts';
import { suggest } from './nearest.ts';
import { mentions, type YamlFile } from './parse.ts';
import type { Problem } from './problem.ts';
import { type BgpFile, USUAL_VALUES } from './schema-bgp.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import type { ServicesFile } from './schema-services.ts';
import type { SiteFile } from './schema-site.ts';
import { serverEntry, urlsOf } from './schema-store.ts';
import { type SiteSeen, seenByAgents } from './site-agents.ts';

type AnyFile = Pick<YamlFile<unknown>, 'file' | 'source'>;

/** What places a client in a region, and may therefore be in one region only. */
const CLIENT_CLASSES = [
  ['continents', 'the continent'],
  ['countries', 'the country'],
  ['prefixes', 'the prefix'],
] as const;

class Checker {
  readonly problems: Problem[] = [];
  readonly #names: Names;
  readonly #first = new Map<string, Problem>();

  constructor(names: Names) {
    this.#names = names;
  }

  get #full(): boolean {
    return this.problems.length >= PROBLEMS_MAX;
  }

  /** `name`, written at `path`, must be the name of something. */
  refer(file: AnyFile, path: Path, kind: NameKind, name: string): void {
    if (this.#names.mayExist(kind, name) || this.#full) return;
    const message = `no ${kind} is named "${name}": ${suggest(name, this.#names.of(kind))}`;
    this.problems.push(file.source.problem(path, message));
  }

  /** Within `scope`, `key` may be written once; `what` says what it is. */
  once(file: AnyFile, path: Path, scope: string, key: string, what: string): void {
    const id = `${scope}\n${key}`;
    const problem = file.source.problem(path, '');
    const earlier = this.#first.get(id);
    if (!earlier) this.#first.set(id, problem);
    if (!earlier || this.#full) return;
    const [isFile, isLine] = [earlier.file === problem.file, earlier.line === problem.line];
    if (isFile && isLine && earlier.column === problem.column) {
      this.#shared(problem, `${what} "${key}"`);
      return;
    }
    const where = isFile ? `line ${earlier.line}` : `${earlier.file}:${earlier.line}`;
    const message = `${what} "${key}" is already in ${where}: write another, or remove one`;
    this.problems.push({ ...problem, message });
  }

  /** Only the agents of a site see one place several times; told once, however many they are. */
  #shared(problem: Problem, what: string): void {
    const message = `several agents would have ${what}: give each its own in \`agents\``;
    if (this.problems.some((one) => one.message === message)) return;
    this.problems.push({ ...problem, message });
  }

  deployment(file: YamlFile<DeploymentFile>): void {
    const value = file.value;
    if (!value) return;
    for (const [name, region] of Object.entries(value.regions)) this.#region(file, name, region);
    if (value.default_region !== undefined) {
      this.refer(file, ['default_region'], 'region', value.default_region);
    }
    if (value.store !== 'memory') {
      value.store.redis.forEach((entry, i) => {
        for (const url of urlsOf(serverEntry(entry))) {
          this.once(file, ['store', 'redis', i], 'store', url, 'the URL');
        }
      });
    }
    for (const [name, check] of Object.entries(value.checks)) {
      if (!('of' in check)) continue;
      check.of.forEach((part, i) => {
        this.refer(file, ['checks', name, 'of', i], 'check', part);
      });
    }
    value.vips.forEach((vip, i) => {
      this.once(file, ['vips', i, 'name'], 'VIP', vip.name, 'the VIP');
      vip.prefixes.forEach((prefix, j) => {
        this.once(file, ['vips', i, 'prefixes', j], 'VIP prefix', prefix, 'the VIP prefix');
      });
      vip.services.forEach((service, j) => {
        this.refer(file, ['vips', i, 'services', j], 'service', service);
        this.once(file, ['vips', i, 'services', j], `VIP ${i}`, service, 'the service');
      });
      vip.communities.forEach((community, j) => {
        const path = ['vips', i, 'communities', j];
        this.once(file, path, `communities ${i}`, community, 'the community');
      });
      vip.spill_ports.forEach(({ protocol, port }, j) => {
        const path = ['vips', i, 'spill_ports', j];
        this.once(file, path, `spill ports ${i}`, `${protocol}/${port}`, 'the port');
      });
      if (!this.#names.mayExist('announcement', vip.name)) {
        const advice = 'add it to `announce` of a site, or remove it';
        const message = `no site announces the VIP "${vip.name}": ${advice}`;
        this.problems.push(file.source.problem(['vips', i, 'name'], message));
      }
    });
  }

  #region(
    file: YamlFile<DeploymentFile>,
    name: string,
    region: DeploymentFile['regions'][string],
  ): void {
    const at = ['regions', name];
    region.sites.forEach((site, i) => {
      this.refer(file, [...at, 'sites', i], 'site', site);
      this.once(file, [...at, 'sites', i], `region ${name}`, site, 'the site');
    });
    for (const [key, what] of CLIENT_CLASSES) {
      region[key].forEach((item, i) => {
        this.once(file, [...at, key, i], key, item, what);
      });
    }
  }

  site(file: YamlFile<SiteFile>): void {
    const value = file.value;
    if (!value) return;
    value.load_balancers.forEach(({ name, probe_ports }, i) => {
      this.once(file, ['load_balancers', i, 'name'], 'lb', name, 'the load balancer');
      for (const check of Object.keys(probe_ports)) {
        this.refer(file, ['load_balancers', i, 'probe_ports', check], 'check', check);
      }
    });
    if (value.uplink) this.refer(file, ['uplink', 'check'], 'check', value.uplink.check);
    value.announce.forEach((vip, i) => {
      this.refer(file, ['announce', i], 'VIP', vip);
      this.once(file, ['announce', i], `announce ${file.file}`, vip, 'the VIP');
    });
    for (const seen of seenByAgents(value)) this.#agent(file, seen);
    if (value.spill) {
      this.once(file, ['spill', 'address'], 'spill', value.spill.address, 'the tunnel end');
    }
    if (value.bgp) this.#sessions(file, value.bgp);
    for (const [agent, { bgp, dns }] of Object.entries(value.agents ?? {})) {
      const at = ['agents', agent];
      const report = (path: Path, message: string): void => {
        this.problems.push(file.source.problem([...at, ...path], message));
      };
      if (bgp && !mentions(file, 'bgp')) {
        report(
          ['bgp'],
          'the site has no `bgp` that this could differ from: add it, or remove this',
        );
      }
      if ((dns?.tls_listen ?? dns?.https_listen) && !mentions(file, 'dns', 'tls')) {
        report(['dns'], 'the site has no `dns.tls`: add it, or remove these addresses');
      }
      const known = value.bgp?.neighbors.map(({ name }) => name) ?? [];
      bgp?.neighbors?.forEach((name, i) => {
        if (known.includes(name) || !value.bgp) return;
        const message = `the site has no neighbour "${name}": ${suggest(name, new Set(known))}`;
        report(['bgp', 'neighbors', i], message);
      });
    }
  }

  /** What each agent of a site has for itself, even where all run on machines of their own. */
  #agent(file: YamlFile<SiteFile>, { agent, site, at }: SiteSeen): void {
    for (const { path, listen } of listensOf(site)) {
      const scope = `listen ${file.file} ${agent}`;
      this.once(file, at(path), scope, formatHostPort(listen), 'the address');
    }
    // By its address a command, and a process that takes over, tell one agent from another.
    const api = formatHostPort(site.api.listen);
    this.once(file, at(['api', 'listen']), `API ${file.file}`, api, 'the API’s address');
    if (!site.bgp) return;
    // RFC 6286 §2.1: the identifier is unique within an AS.
    const { as, router_id } = site.bgp;
    const path = at(['bgp', 'router_id']);
    this.once(file, path, `router id AS ${as}`, router_id, 'the router id');
  }

  #sessions(file: YamlFile<SiteFile>, bgp: BgpFile): void {
    const scope = `neighbors ${file.file}`;
    for (const { own, keys, path } of neighborsOf(bgp)) {
      this.once(file, [...path, 'name'], scope, own.name, 'the neighbour');
      const { interface: link, port = USUAL_VALUES.session.port } = keys;
      const place = formatHostPort({ address: own.address, port });
      // Link-local addresses repeat themselves on every link (RFC 4291 §2.5.6).
      const where = link === undefined ? scope : `${scope} ${link}`;
      this.once(file, [...path, 'address'], where, place, 'the neighbour at');
    }
    for (const { own, path } of rangesOf(bgp)) {
      this.once(file, [...path, 'name'], scope, own.name, 'the neighbour');
    }
  }

  /** A secondary may be listed twice: once for each key, while keys are changed. */
  transfer(file: YamlFile<ServicesFile>): void {
    for (const part of ['notify', 'allow'] as const) {
      file.value?.transfer?.[part].forEach(({ key }, i) => {
        if (key !== undefined) this.refer(file, ['transfer', part, i, 'key'], 'TSIG key', key);
      });
    }
  }

  services(file: YamlFile<ServicesFile>): void {
    file.value?.services.forEach((service, i) => {
      const at: Path = ['services', i];
      this.refer(file, [...at, 'check'], 'check', service.check);
      const full = serviceName(service.name, nameOfFile(file.file));
      this.once(file, [...at, 'name'], 'service', full, 'the service');
      service.order?.forEach((site, j) => {
        this.refer(file, [...at, 'order', j], 'site', site);
        this.once(file, [...at, 'order', j], `order ${full}`, site, 'the site');
      });
      if (service.pool === 'all') {
        this.#anyLoadBalancer(file, [...at, 'pool']);
        return;
      }
      service.pool.forEach(({ load_balancer }, j) => {
        const path = [...at, 'pool', j];
        this.refer(file, path, 'load balancer', load_balancer);
        this.once(file, path, `pool ${full}`, load_balancer, 'the load balancer');
      });
    });
  }

  #anyLoadBalancer(file: AnyFile, path: Path): void {
    if (this.#names.mayAny('load balancer')) return;
    const message = 'no site has a load balancer: add load_balancers to a site';
    this.problems.push(file.source.problem(path, message));
  }

  /** The name inside a file and the file's own: one must follow from the other. */
  fileName(file: AnyFile, key: 'site' | 'zone', name: string, all: readonly AnyFile[]): void {
    const wanted = nameOfFile(file.file);
    if (name === wanted) return;
    const twin = all.find((other) => nameOfFile(other.file) === name);
    const message = twin
      ? `two ${key}s are named "${name}": write ${wanted} here, ${twin.file} has that name`
      : `the file is named ${wanted}.yaml but the ${key} "${name}": make them the same`;
    this.problems.push(file.source.problem([key], message));
  }
}

export function checkReferences(files: SourceFiles, names: Names): Problem[] {
  const checker = new Checker(names);
  if (files.deployment) checker.deployment(files.deployment);
  for (const file of files.sites) {
    if (file.value) checker.fileName(file, 'site', file.value.site, files.sites);
    checker.site(file);
  }
  for (const file of files.services) {
    if (file.value) checker.fileName(file, 'zone', file.value.zone, files.services);
    checker.services(file);
    checker.transfer(file);
  }
  return checker.problems;
}
