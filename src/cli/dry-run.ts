/**
 * `isobar reload --dry-run`: what a configuration would change at a running agent, above all which
 * BGP sessions it would end. Compared here, with the rights of whoever asks: the agent only tells
 * what it has in use, and nothing is applied.
 */
import type { ConfigInUse } from '../api/control.ts';
import {
  type ConfigFacts,
  configChanges,
  configFacts,
  endingSessions,
  restartKeys,
} from '../config/changes.ts';
import { configOf } from './config-dir.ts';

/** `dir` holds the files that might come into use. Throws a CommandError with their problems. */
export async function dryRun(inUse: ConfigInUse, dir: string): Promise<string> {
  const { site, agent, config: before } = inUse;
  const after = asJson(await configOf(dir, { site, agent, machineFiles: false, home: inUse.dir }));
  const changes = configChanges(before, after);
  if (changes.length === 0) return 'nothing would change';
  const sessions = endingSessions(before, after, site);
  const restart = restartKeys(before, after, site);
  const lines = [
    ...changes,
    ...sessions.map((line) => `BGP session with ${line}`),
    ...(sessions.length === 0 ? ['no BGP session would end'] : []),
    ...(restart.length > 0 ? [`restart needed for: ${restart.join(', ')}`] : []),
  ];
  return [...lines, 'nothing has been applied'].join('\n');
}

/** As the agent tells its own: what JSON does not keep is no difference. */
function asJson(config: ConfigFacts): ConfigFacts {
  return JSON.parse(JSON.stringify(configFacts(config))) as ConfigFacts;
}
