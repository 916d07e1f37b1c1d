/** Loading a configuration for a command, with its problems on standard error. */
import { type LoadOptions, loadConfig, readSecret, readToken } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { loadGeoMap } from '../geo/load.ts';
import type { GeoMap } from '../geo/map.ts';
import type { Config, Site } from '../model/config.ts';
import { CommandError } from './command-error.ts';

/** Throws a CommandError that lists every problem as file:line:column. */
export async function configOf(dir: string, options?: LoadOptions): Promise<Config> {
  const loaded = await loadConfig(dir, options);
  if (loaded.ok) return loaded.value;
  throw new CommandError(problemLines(loaded.error.map(formatProblem)));
}

/** Each problem in a line, and how many there are. */
export function problemLines(problems: readonly string[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [...problems, count].join('\n');
}

export async function geoOf(config: Config): Promise<GeoMap> {
  const geo = await loadGeoMap(config.geo, config.regions);
  if (!geo.ok) throw new CommandError(geo.error);
  return geo.value;
}

/** The bearer token of a site's API; null where none is asked for. */
export async function tokenOf(site: Site): Promise<string | null> {
  const { token_file } = site.api;
  return token_file === null ? null : secretOf(token_file, readToken);
}

/** The password for the Redis servers; null where none is asked for. */
export async function redisPasswordOf({ share }: Config): Promise<string | null> {
  if (share.kind !== 'redis' || share.password_file === null) return null;
  return secretOf(share.password_file, readSecret);
}

async function secretOf(file: string, read: typeof readSecret): Promise<string> {
  const secret = await read(file);
  if (secret.ok) return secret.value;
  throw new CommandError(`${file}: ${secret.error}`);
}

export function siteOf(config: Config, name: string): Site {
  const site = config.sites.find((candidate) => candidate.name === name);
  if (site) return site;
  const known = config.sites.map((candidate) => candidate.name).join(', ');
  throw new CommandError(`there is no site "${name}"; the configuration has ${known}`);
}
