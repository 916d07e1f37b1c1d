/**
 * Checks that are put together from others: none leads back to itself, each stays small, and every
 * load balancer that is asked has the addresses that are asked for, and ports only for those that have one.
 */
import { probedAt } from './build-endpoints.ts';
import type { Family } from './build-targets.ts';
import type { Path } from './document.ts';
import { HEALTH_PARTS_MAX } from './limits.ts';
import type { SourceFiles } from './names.ts';
import { mentions } from './parse.ts';
import type { Problem } from './problem.ts';
import type { AnyCheckEntry } from './schema-check.ts';

const ADDRESS_KEYS = ['probe_address', 'address'] as const;
const ADDRESS6_KEYS = ['probe_address6', 'address6'] as const;

type Checks = Readonly<Record<string, AnyCheckEntry>>;
type Report = (path: Path, message: string) => void;

function partsOf(checks: Checks, name: string): readonly string[] {
  const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
  return check && 'of' in check ? check.of : [];
}

/** The way from a check back to itself, both ends included; null: there is none. */
function circle(checks: Checks, start: string): string[] | null {
  const seen = new Set<string>();
  const search = (name: string, way: readonly string[]): string[] | null => {
    for (const part of partsOf(checks, name)) {
      if (part === start) return [...way, part];
      if (seen.has(part)) continue;
      seen.add(part);
      const found = search(part, [...way, part]);
      if (found) return found;
    }
    return null;
  };
  return search(start, [start]);
}

/** Checks that probe in the whole, each as often as it stands there. Only without circles. */
function sizes(checks: Checks): (name: string) => number {
  const known = new Map<string, number>();
  const size = (name: string): number => {
    const parts = partsOf(checks, name);
    if (parts.length === 0) return 1;
    const sum = known.get(name) ?? parts.reduce((total, part) => total + size(part), 0);
    known.set(name, sum);
    return sum;
  };
  return size;
}

/** True if none is endless or huge, so that they can be followed to their ends. */
function checkParts(checks: Checks, report: Report): boolean {
  const told = new Set<string>();
  for (const [name, check] of Object.entries(checks)) {
    if (!('of' in check)) continue;
    check.of.forEach((part, i) => {
      const first = check.of.indexOf(part);
      if (first === i) return;
      report(['checks', name, 'of', i], `"${part}" is in it already: remove one`);
    });
    if (check.kind === 'at-least' && check.count > check.of.length) {
      const message = `only ${check.of.length} are there to be counted`;
      report(['checks', name, 'count'], `${message}: write at most ${check.of.length}`);
    }
    const way = told.has(name) ? null : circle(checks, name);
    if (way === null) continue;
    for (const each of way) told.add(each);
    const message = `the checks lead back to themselves (${way.join(' → ')})`;
    report(['checks', name, 'of'], `${message}: take one of them out`);
  }
  if (told.size > 0) return false;
  const size = sizes(checks);
  const large = Object.keys(checks).filter((name) => size(name) > HEALTH_PARTS_MAX);
  for (const name of large) {
    // Told is where it begins to be too much.
    if (partsOf(checks, name).some((part) => large.includes(part))) continue;
    const message = `it is put together from ${size(name)} checks`;
    report(['checks', name, 'of'], `${message}: write it with at most ${HEALTH_PARTS_MAX}`);
  }
  return large.length === 0;
}

/** Check → family that it insists on, whichever address is asked about; null: that one. */
function insists(checks: Checks, name: string, asked: Family | null): [string, Family][] {
  const check = Object.hasOwn(checks, name) ? checks[name]! : null;
  if (check === null) return [];
  const fixed = check.family === 'ipv4' || check.family === 'ipv6' ? check.family : null;
  const family = fixed ?? (check.family === 'each' ? asked : null);
  if ('of' in check) return check.of.flatMap((part) => insists(checks, part, family));
  return family === null ? [] : [[name, family]];
}

function checkFamilies(files: SourceFiles, checks: Checks): Problem[] {
  const problems = new Map<string, Problem>();
  for (const service of files.services.flatMap(({ value }) => value?.services ?? [])) {
    const needs = insists(checks, service.check, null);
    const pool = service.pool === 'all' ? null : new Set(service.pool.map((m) => m.load_balancer));
    for (const file of needs.length > 0 ? files.sites : []) {
      file.value?.load_balancers.forEach((each, i) => {
        const lacks = needs.find(([, family]) => probedAt(each)[family] === null);
        if (!lacks || (pool && !pool.has(each.name))) return;
        const [check, family] = lacks;
        // Written, but wrongly: that is a problem of its own.
        const keys = family === 'ipv4' ? ADDRESS_KEYS : ADDRESS6_KEYS;
        const homeless = each.address === undefined && each.address6 === undefined;
        if (homeless || keys.some((key) => mentions(file, 'load_balancers', String(i), key)))
          return;
        const kind = family === 'ipv4' ? 'IPv4' : 'IPv6';
        const message = `"${each.name}" has no ${kind} address, but the check "${check}" of "${service.name}" asks for one`;
        const advice = `add ${keys[0]}, or write another \`family\``;
        const problem = file.source.problem(['load_balancers', i], `${message}: ${advice}`);
        problems.set(`${each.name} ${check}`, problem);
      });
    }
  }
  return [...problems.values()];
}

/** A port of its own for a check that has none would be without effect. */
function checkPorts({ sites }: SourceFiles, checks: Checks): Problem[] {
  return sites.flatMap(({ value, source }) =>
    (value?.load_balancers ?? []).flatMap(({ probe_ports }, i) =>
      Object.keys(probe_ports).flatMap((name) => {
        const check = Object.hasOwn(checks, name) ? checks[name]! : null;
        if (check === null || 'port' in check || check.kind === 'command') return [];
        const advice = 'of' in check ? 'write those that it is put together from' : 'remove it';
        const message = `the check "${name}" has no port: ${advice}`;
        return source.problem(['load_balancers', i, 'probe_ports', name], message);
      }),
    ),
  );
}

export function checkComposites(files: SourceFiles): Problem[] {
  const file = files.deployment;
  if (!file?.value) return [];
  const problems: Problem[] = [];
  const { checks } = file.value;
  const sound = checkParts(checks, (path, message) => {
    problems.push(file.source.problem(path, message));
  });
  problems.push(...checkPorts(files, checks));
  return sound ? [...problems, ...checkFamilies(files, checks)] : problems;
}
