/** The command lines of `isobar status` and `isobar reset-penalty`; see status.ts, endpoint.ts. */
import type { Command } from 'commander';
import type { EndpointsAnswer } from '../agent/endpoint-status.ts';
import type { Status } from '../agent/status.ts';
import type { ReachOptions } from './api-client.ts';
import { type CommandTools, EACH_AGENT } from './bgp-commands.ts';

/** An id's slashes stay: the API takes them as they are. */
const pathOf = (name: string): string =>
  `/v1/endpoints/${name.split('/').map(encodeURIComponent).join('/')}`;

export function addEndpointCommands(program: Command, tools: CommandTools): void {
  const { reachOptions, ask, operator, print } = tools;
  reachOptions(
    program
      .command('status')
      .description('show a running agent’s sites, endpoints, routes, load and spill')
      .argument('[endpoint]', 'everything about one: LOADBALANCER/CHECK, or all of a LOADBALANCER')
      .option('--json', 'print JSON'),
  ).action(async (name: string | undefined, options: ReachOptions & { json?: true }) => {
    const json = (answer: object): void => print(JSON.stringify(answer, null, 2));
    if (name === undefined) {
      const status = await ask<Status>(options, '/v1/status');
      if (options.json) return json(status);
      const { statusText } = await import('./status.ts');
      return print(statusText(status));
    }
    const answer = await ask<EndpointsAnswer>(options, pathOf(name));
    if (options.json) return json(answer);
    const { endpointText } = await import('./endpoint.ts');
    print(answer.endpoints.map(endpointText).join('\n\n'));
  });

  reachOptions(
    program
      .command('reset-penalty')
      .description('forget that an endpoint has failed: it is used as soon as it is up')
      .argument('[endpoint]', 'LOADBALANCER/CHECK or LOADBALANCER; all of the site’s without it'),
    EACH_AGENT,
  ).action(async (name: string | undefined, options: ReachOptions) => {
    const path = name === undefined ? '/v1/endpoints' : pathOf(name);
    const { resetPenalty } = await import('./reset-penalty.ts');
    await resetPenalty(options, `${path}/reset-penalty`, { by: operator() }, print);
  });
}
