/**
 * The addresses of a pool: each belongs to one load balancer of it. Two that share one would be
 * answered as one, and its health would be that of whichever was asked last.
 */
import type { Path } from './document.ts';
import type { SourceFiles } from './names.ts';
import type { YamlFile } from './parse.ts';
import type { Problem } from './problem.ts';
import type { SiteFile } from './schema-site.ts';

interface Addressed {
  readonly name: string;
  readonly file: YamlFile<SiteFile>;
  readonly path: Path;
  readonly addresses: readonly string[];
}

function loadBalancers(sites: SourceFiles['sites']): Addressed[] {
  return sites.flatMap((file) =>
    (file.value?.load_balancers ?? []).map(({ name, address, address6 }, i) => ({
      name,
      file,
      path: ['load_balancers', i],
      addresses: [address, address6].filter((each) => each !== undefined),
    })),
  );
}

/** The addresses of which several load balancers have one each, by address. */
function shared(all: readonly Addressed[]): Map<string, readonly Addressed[]> {
  const owners = new Map<string, Addressed[]>();
  for (const each of all) {
    for (const address of each.addresses) {
      const others = owners.get(address);
      if (others) others.push(each);
      else owners.set(address, [each]);
    }
  }
  return new Map([...owners].filter(([, { length }]) => length > 1));
}

export function checkPools(files: SourceFiles): Problem[] {
  const problems = new Map<string, Problem>();
  const addresses = shared(loadBalancers(files.sites));
  const services = files.services.flatMap(({ value }) => value?.services ?? []);
  for (const { name: service, pool } of addresses.size > 0 ? services : []) {
    const members = pool === 'all' ? null : new Set(pool.map((each) => each.load_balancer));
    for (const [address, owners] of addresses) {
      const [first, ...rest] = owners.filter(({ name }) => members?.has(name) ?? true);
      for (const { name, file, path } of rest) {
        if (!first || name === first.name || problems.has(`${name} ${address}`)) continue;
        const key = address.includes(':') ? 'address6' : 'address';
        const { line } = first.file.source.problem([...first.path, key], '');
        const where = `${first.name} (${first.file.file}:${line})`;
        const message = `${address} is also the address of ${where}, and both are in the pool of "${service}"`;
        const problem = file.source.problem([...path, key], `${message}: write another`);
        problems.set(`${name} ${address}`, problem);
      }
    }
  }
  return [...problems.values()];
}
