/** `isobar check`: a configuration as the daemons would read it, and what it names outside its files. */
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

/** The sentence that all is good. Throws a CommandError with a line for each problem. */
export async function check({ config: dir, site, machineFiles }: CheckOptions): Promise<string> {
  const config = await configOf(dir, { machineFiles, ...(site !== undefined && { site }) });
  const sites = site === undefined ? config.sites : [siteOf(config, site)];
  if (machineFiles) await checkMachines(config, sites);
  const counts = [
    counted(config.sites, 'site'),
    counted(config.services, 'service'),
    counted(config.endpoints, 'endpoint'),
    counted(config.vips, 'VIP'),
    counted(config.zones, 'zone'),
  ];
  return `${dir}: good: ${counts.join(', ')}`;
}

/** What is in the files that were found. */
async function checkMachines(config: Config, sites: readonly Site[]): Promise<void> {
  const looks = sites.flatMap((site) => [
    readMachineFiles(config, site.name),
    tokenOf(site),
    ...(site.dns.tls ? [readCertificate(site.dns.tls)] : []),
  ]);
  const problems = (await Promise.allSettled(looks)).flatMap((look) =>
    look.status === 'rejected' ? (look.reason as Error).message.split('\n') : [],
  );
  // Each site names the deployment's own files anew.
  if (problems.length > 0) throw new CommandError(problemLines([...new Set(problems)]));
}

function counted({ length }: readonly unknown[], what: string): string {
  return `${length} ${what}${length === 1 ? '' : 's'}`;
}
