/** `isobar check`: a configuration as the daemons would read it, and what it names outside its files. */
import { configFor } from '../config/site-agents.ts';
import { readCertificate } from '../dns/stream-certificate.ts';
import type { Config, Site } from '../model/config.ts';
import { CommandError } from './command-error.ts';
import { configOf, problemLines, siteOf, tokenOf } from './config-dir.ts';
import { readMachineFiles } from './machine-files.ts';

export interface CheckOptions {
  readonly config: string;
  /** The site whose machine this is: what only other machines have is not looked for. */
  readonly site?: string;
  /** False: nothing is looked for that only machines have. */
  readonly machineFiles: boolean;
}

/**
 * The sentence that all is good, after a line for each file that should be mended still. Throws a
 * CommandError with a line for each problem.
 */
export async function check({ config: dir, site, machineFiles }: CheckOptions): Promise<string> {
  const config = await configOf(dir, { machineFiles, ...(site !== undefined && { site }) });
  const sites = site === undefined ? config.sites : [siteOf(config, site)];
  const warnings = machineFiles ? await checkMachines(config, sites) : [];
  const counts = [
    counted(config.sites, 'site'),
    counted(config.services, 'service'),
    counted(config.endpoints, 'endpoint'),
    counted(config.vips, 'VIP'),
    counted(config.zones, 'zone'),
  ];
  return [...warnings, `${dir}: good: ${counts.join(', ')}`].join('\n');
}

/** Looks into the files that were found; the warnings are of those that are good all the same. */
async function checkMachines(config: Config, sites: readonly Site[]): Promise<readonly string[]> {
  const files = sites.flatMap(({ name, agents }) =>
    agents.map((agent) => readMachineFiles(configFor(config, name, agent), name)),
  );
  const looks = sites.flatMap((site) => [
    tokenOf(site),
    ...(site.dns.tls ? [readCertificate(site.dns.tls)] : []),
  ]);
  const problems = (await Promise.allSettled([...files, ...looks])).flatMap((look) =>
    look.status === 'rejected' ? (look.reason as Error).message.split('\n') : [],
  );
  // Each site names the deployment's own files anew.
  if (problems.length > 0) throw new CommandError(problemLines([...new Set(problems)]));
  const warnings = (await Promise.all(files)).flatMap(({ bgp }) => bgp.value.warnings);
  return [...new Set(warnings)];
}

function counted({ length }: readonly unknown[], what: string): string {
  return `${length} ${what}${length === 1 ? '' : 's'}`;
}
