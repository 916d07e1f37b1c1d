/** Loading a configuration for a command, with its problems on standard error. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type LoadOptions, loadConfig, type readSecret, readToken } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { readRedisSecrets } from '../config/redis-secrets.ts';
import { agentOf, configFor } from '../config/site-agents.ts';
import { loadGeoMap } from '../geo/load.ts';
import type { GeoMap } from '../geo/map.ts';
import type { Config, Site } from '../model/config.ts';
import { CommandError } from './command-error.ts';

/** What makes a folder the configuration of a deployment. */
const DEPLOYMENT_FILE = 'deployment.yaml';

/** Throws a CommandError that lists every problem as file:line:column. */
export async function configOf(dir: string, options?: LoadOptions): Promise<Config> {
  const loaded = await loadConfig(dir, options);
  if (loaded.ok) return loaded.value;
  if (!(await exists(join(dir, DEPLOYMENT_FILE)))) {
    throw new CommandError(`${dir} holds no ${DEPLOYMENT_FILE}: say by --config which folder does`);
  }
  throw new CommandError(problemLines(loaded.error.map(formatProblem)));
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );

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

/** Throws a CommandError unless what it takes to log in at the Redis servers can be read. */
export async function checkRedisSecrets({ share }: Config): Promise<void> {
  for (const server of share.kind === 'redis' ? share.servers : []) {
    const secrets = await readRedisSecrets(server);
    if (!secrets.ok) throw new CommandError(secrets.error);
  }
}

async function secretOf(file: string, read: typeof readSecret): Promise<string> {
  const secret = await read(file);
  if (secret.ok) return secret.value;
  throw new CommandError(`${file}: ${secret.error}`);
}

/**
 * The configuration as one agent of the site sees it, and its name; with several in the site,
 * `agent` must say which.
 */
export function configSeen(
  config: Config,
  site: string,
  agent: string | undefined,
): { readonly config: Config; readonly agent: string } {
  const found = agentOf(siteOf(config, site), agent ?? null);
  if (!found.ok) throw new CommandError(found.error, 2);
  return { config: configFor(config, site, found.value), agent: found.value };
}

export function siteOf(config: Pick<Config, 'sites'>, name: string): Site {
  const site = config.sites.find((candidate) => candidate.name === name);
  if (site) return site;
  const known = config.sites.map((candidate) => candidate.name).join(', ');
  throw new CommandError(`there is no site "${name}"; the configuration has ${known}`);
}
