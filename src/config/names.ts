/**
 * Every name that the files of a deployment give to something, taken from the raw trees: a thing
 * with a mistake in it still exists, so a reference to it is not a second mistake.
 */
import { nameOfFile } from './files.ts';
import type { YamlFile } from './parse.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import type { ServicesFile } from './schema-services.ts';
import type { SiteFile } from './schema-site.ts';

export type NameKind =
  | 'site'
  | 'load balancer'
  | 'check'
  | 'VIP'
  | 'service'
  | 'region'
  | 'TSIG key'
  /** The name of a VIP where a site announces it. */
  | 'announcement';

/** The files that could be read as YAML, and the zone files' origins. */
export interface SourceFiles {
  readonly deployment: YamlFile<DeploymentFile> | null;
  readonly sites: readonly YamlFile<SiteFile>[];
  readonly services: readonly YamlFile<ServicesFile>[];
  /** Files that are there but could not be read or are not YAML. */
  readonly unread: readonly string[];
}

export class Names {
  readonly #known = new Map<NameKind, Set<string>>();
  readonly #uncertain = new Set<NameKind>();

  add(kind: NameKind, name: unknown): void {
    if (typeof name === 'string') this.of(kind).add(name);
    else this.doubt(kind);
  }

  of(kind: NameKind): Set<string> {
    const names = this.#known.get(kind) ?? new Set<string>();
    this.#known.set(kind, names);
    return names;
  }

  /** Marks a kind of which not every name is known, because a file could not be read. */
  doubt(...kinds: readonly NameKind[]): void {
    for (const kind of kinds) this.#uncertain.add(kind);
  }

  /** False only if certainly nothing of the kind exists. */
  mayAny(kind: NameKind): boolean {
    return this.#uncertain.has(kind) || this.of(kind).size > 0;
  }

  /** False only if certainly nothing of the kind has the name. */
  mayExist(kind: NameKind, name: string): boolean {
    return this.#uncertain.has(kind) || this.of(kind).has(name);
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function field(value: unknown, key: string): unknown {
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** What is in a list of things of some kind; something else in its place hides their names. */
function list(names: Names, value: unknown, ...kinds: readonly NameKind[]): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value !== undefined) names.doubt(...kinds);
  return [];
}

function keys(names: Names, value: unknown, kind: NameKind): readonly string[] {
  if (isMapping(value)) return Object.keys(value);
  if (value !== undefined) names.doubt(kind);
  return [];
}

/** The full name of a service from its owner name in a zone; both as the files write them. */
export function serviceName(owner: string, zone: string): string {
  if (owner === '@') return zone;
  return owner.endsWith('.') ? owner.slice(0, -1) : `${owner}.${zone}`;
}

/** Both in the form of a Config. */
export function isInZone(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

function collectDeployment(names: Names, raw: unknown): void {
  if (!isMapping(raw)) names.doubt('check', 'VIP', 'region', 'TSIG key');
  for (const name of keys(names, field(raw, 'checks'), 'check')) names.add('check', name);
  for (const name of keys(names, field(raw, 'regions'), 'region')) names.add('region', name);
  for (const name of keys(names, field(raw, 'tsig_keys'), 'TSIG key')) names.add('TSIG key', name);
  for (const vip of list(names, field(raw, 'vips'), 'VIP')) names.add('VIP', field(vip, 'name'));
}

function collectSite(names: Names, file: string, raw: unknown): void {
  names.add('site', nameOfFile(file));
  const named = field(raw, 'site');
  if (named !== undefined) names.add('site', named);
  if (!isMapping(raw)) names.doubt('load balancer', 'announcement');
  for (const each of list(names, field(raw, 'load_balancers'), 'load balancer')) {
    names.add('load balancer', field(each, 'name'));
  }
  for (const vip of list(names, field(raw, 'announce'), 'announcement')) {
    names.add('announcement', vip);
  }
}

function collectServices(names: Names, file: string, raw: unknown): void {
  if (!isMapping(raw)) names.doubt('service');
  for (const service of list(names, field(raw, 'services'), 'service')) {
    const owner = field(service, 'name');
    if (typeof owner !== 'string') {
      names.doubt('service');
      continue;
    }
    const name = owner.toLowerCase();
    const zone = nameOfFile(file);
    names.add('service', serviceName(name, zone));
    // Meant to be full, but without its final dot: told where the service is, and only there.
    if (isInZone(name, zone)) names.add('service', name);
  }
}

export function collectNames(files: SourceFiles): Names {
  const names = new Names();
  collectDeployment(names, files.deployment?.raw);
  for (const { file, raw } of files.sites) collectSite(names, file, raw);
  for (const { file, raw } of files.services) collectServices(names, file, raw);
  if (files.sites.length === 0) names.doubt('site', 'load balancer', 'announcement');
  for (const file of files.unread) {
    if (file.startsWith('sites/')) {
      names.add('site', nameOfFile(file));
      names.doubt('load balancer', 'announcement');
    } else if (!file.endsWith('.zone')) {
      names.doubt('service');
    }
  }
  return names;
}
