/** `isobar explain`: one client's answer, step by step. */

import { explainFor } from '../api/explain.ts';
import { SystemClock } from '../base/clock.ts';
import { decide } from '../decide/decide.ts';
import { type Explanation, healthyWorld } from '../decide/explain.ts';
import { CommandError } from './command-error.ts';
import { configOf, geoOf, siteOf } from './config-dir.ts';

/** Without a running agent: as if every endpoint of every site were healthy. */
export async function explainOffline(
  dir: string,
  site: string | undefined,
  name: string,
  client: string,
): Promise<Explanation> {
  const config = await configOf(dir, { machineFiles: false });
  const self = site ? siteOf(config, site).name : config.sites[0]!.name;
  const now = new SystemClock().now();
  const world = healthyWorld(config, self, now);
  const decision = { plan: decide(config, world, now), world };
  const explained = explainFor(config, await geoOf(config), decision, name, client);
  if (!explained.ok) throw new CommandError(explained.error);
  return explained.value;
}

export function explanationText(explanation: Explanation, premise: string): string {
  const width = Math.max(...explanation.steps.map((step) => step.title.length));
  const answer = explanation.answer.map((one) => `${one.address} (${one.endpoint})`);
  return [
    premise,
    ...explanation.steps.map((step) => `  ${step.title.padEnd(width)}  ${step.text}`),
    `  ${'answer'.padEnd(width)}  ${answer.join(', ') || 'none: NODATA'}`,
  ].join('\n');
}
