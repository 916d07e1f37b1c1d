/** The command line of `isobar bgp`; what its commands print is in bgp.ts. */
import type { Command } from 'commander';
import type { BgpWhy } from '../agent/bgp-desk.ts';
import type { BgpNeighbors, BgpReceived, BgpRoutes } from '../api/bgp.ts';
import type { ReachOptions } from './api-client.ts';

/** What main.ts has for every command that asks an agent. */
export interface CommandTools {
  /** `noAgent`: what is meant without the option that names one. */
  readonly reachOptions: (command: Command, noAgent?: string) => Command;
  readonly ask: <Answer>(options: ReachOptions, path: string, body?: object) => Promise<Answer>;
  readonly operator: () => string;
  readonly print: (text: string) => void;
}

/** Of a command that may concern several agents of a site. */
export const EACH_AGENT = 'each of them';

type Options = ReachOptions & { readonly json?: true };

/** Loaded only by the command that prints. */
const texts = () => import('./bgp.ts');

export function addBgpCommands(program: Command, tools: CommandTools): void {
  const bgp = program
    .command('bgp')
    .description('BGP of a running agent: neighbours, routes, and why a session is not up');
  readingCommands(bgp, tools);
  changingCommands(bgp, tools);
}

function readingCommands(bgp: Command, { reachOptions, ask, print }: CommandTools): void {
  const reading = (name: string, text: string): Command =>
    reachOptions(bgp.command(name).description(text).option('--json', 'print JSON'));
  const show = async <Answer>(
    options: Options,
    path: string,
    text: (answer: Answer) => Promise<string>,
  ): Promise<void> => {
    const answer = await ask<Answer>(options, path);
    print(options.json ? JSON.stringify(answer, null, 2) : await text(answer));
  };

  reading('neighbors', 'show all sessions, or everything about one')
    .argument('[name]', 'a neighbour, or a range: all that have connected')
    .action((name: string | undefined, options: Options) =>
      show<BgpNeighbors>(options, `/v1/bgp/neighbors${query(name)}`, async (answer) => {
        const { neighborText, neighborsText } = await texts();
        const one = answer.neighbors.find((each) => each.name === name);
        return one ? neighborText(one, answer.now_ms) : neighborsText(answer);
      }),
    );

  reading('routes', 'show what each neighbour is told of each VIP, and why')
    .option('--neighbor <name>', 'only what this neighbour, or range, is told')
    .action((options: Options & { neighbor?: string }) =>
      show<BgpRoutes>(options, `/v1/bgp/routes${query(options.neighbor)}`, async (answer) =>
        (await texts()).routesText(answer),
      ),
    );

  reading('received', 'show the routes of a neighbour that `receive.accept` keeps')
    .argument('<name>', 'a neighbour')
    .action((name: string, options: Options) =>
      show<BgpReceived>(options, `/v1/bgp/received${query(name)}`, async (answer) =>
        (await texts()).receivedText(answer, name),
      ),
    );

  reading('why', 'look into a session that is not up: the likely mistakes, likeliest first')
    .argument('<name>', 'a neighbour')
    .action((name: string, options: Options) =>
      show<BgpWhy>(options, `/v1/bgp/why/${encodeURIComponent(name)}`, async ({ text }) => text),
    );
}

function changingCommands(bgp: Command, tools: CommandTools): void {
  const { reachOptions, ask, operator, print } = tools;
  reachOptions(
    bgp
      .command('reset')
      .description('end a session and make it anew; the routes are gone in between')
      .argument('<name>', 'a neighbour')
      .requiredOption('--reason <text>', 'why, for the neighbour and the log to read (RFC 9003)'),
  ).action(async (neighbor: string, options: ReachOptions & { reason: string }) => {
    await ask(options, '/v1/bgp/reset', { neighbor, by: operator(), reason: options.reason });
    // RANGE/ADDRESS: one that we never dial.
    const then = neighbor.includes('/')
      ? 'has been ended; it is back when the neighbour connects again'
      : `is made anew; \`isobar bgp neighbors ${neighbor}\` shows how far it is`;
    print(`${neighbor} ${then}`);
  });

  reachOptions(
    bgp
      .command('reset-penalty')
      .description('forget that a VIP has come and gone: it is announced as soon as it is fit')
      .argument('[vip]', 'a VIP; all of the site’s without it'),
    EACH_AGENT,
  ).action(async (vip: string | undefined, options: ReachOptions) => {
    const body = { by: operator(), ...(vip !== undefined && { vip }) };
    const { resetPenalty } = await import('./reset-penalty.ts');
    await resetPenalty(options, '/v1/bgp/reset-penalty', body, print);
  });
}

const query = (neighbor: string | undefined): string =>
  neighbor === undefined ? '' : `?${new URLSearchParams({ neighbor })}`;
