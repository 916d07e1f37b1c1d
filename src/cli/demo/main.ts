/** `isobar demo`: the demo with real agents, from a configuration directory. */
import process from 'node:process';
import { pinoLog } from '../../base/log.ts';
import { systemPrng } from '../../base/prng.ts';
import { formatHostPort } from '../../net/ip.ts';
import { configOf, siteOf, tokenOf } from '../config-dir.ts';
import { Daemon } from '../daemon.ts';
import { readMachineFiles } from '../machine-files.ts';
import { runDemo } from './demo.ts';
import type { StartSite } from './ports.ts';

/** Resolves to the process's exit code once everything has stopped. */
export async function demo(directory: string, exercise: boolean): Promise<number> {
  const config = await configOf(directory);
  const startSite: StartSite = async (_, name, { clock, store, tunnel, steering }) => {
    const site = siteOf(config, name);
    const files = await readMachineFiles(config, name);
    const daemon = new Daemon({
      clock,
      store,
      drivers: () => ({ tunnel, steering }),
      config,
      site: name,
      geo: files.geo.value,
      cookieSecrets: files.cookies.value,
      tsigKeys: files.keys.value,
      prng: systemPrng(),
      // Events are on the screen; what is logged here is what should not happen.
      log: pinoLog('error', { site: name }, process.stderr),
      token: await tokenOf(site),
      control: null,
      predecessor: null,
    });
    await daemon.start();
    return {
      name,
      events: daemon.agent.events,
      api_url: `http://${formatHostPort(site.api.listen)}`,
      dns: site.dns.listen[0]!,
      stop: () => daemon.stop('the demo ends'),
    };
  };
  return runDemo({ config, startSite, exercise, out: process.stdout });
}
