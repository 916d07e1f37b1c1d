/**
 * The command lines of `isobar overrides`, `isobar override …`, `isobar drain` and `isobar undrain`;
 * what they print is in overrides.ts. All sites know all overrides, so any agent that answers will do.
 */
import type { Command } from 'commander';
import type {
  DrainAnswer,
  OverrideAnswer,
  OverridesInUse,
  OverridesRemoved,
} from '../api/overrides.ts';
import type { About, Question, SomeOptions } from './api-client.ts';
import type { CommandTools } from './bgp-commands.ts';
import { CommandError } from './command-error.ts';

type Tools = Pick<CommandTools, 'operator' | 'print'>;

interface ScopeOptions {
  readonly site?: string;
  readonly service?: string;
  readonly endpoint?: string;
  readonly label?: string;
}

interface OrderOptions extends SomeOptions {
  readonly reason: string;
  readonly by?: string;
  readonly for?: string;
}

interface OverrideOptions extends ScopeOptions, OrderOptions {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly force?: true;
  readonly json?: true;
}

export function addOverrideCommands(program: Command, tools: Tools): void {
  drainCommands(program, tools);
  listCommand(program, tools);
  const override = program
    .command('override')
    .description(
      'drain, or force up or down, what fits all of --site, --service, --endpoint, --label',
    );
  giveCommand(override, tools, 'drain', 'answer with it no longer, whatever its health');
  giveCommand(override, tools, 'up', 'use it as if its probes succeeded; --for says how long');
  giveCommand(override, tools, 'down', 'use it as if its probes failed');
  removeCommand(override, tools);
}

function drainCommands(program: Command, { operator, print }: Tools): void {
  const site = (command: Command): Command =>
    reachOptions(
      command.option('--site <name>', 'the site; without it, that of the agent that is asked'),
    ).option('--by <name>', 'who orders it; without it, the user of this shell');

  site(
    program
      .command('drain')
      .description('take a site out of use: answers leave at once, its routes last')
      .option('--reason <text>', 'why, for the others to read', 'no reason given')
      .option('--for <time>', 'end by itself after that, e.g. 30m, 2h or 3d'),
  ).action(async (options: OrderOptions & ScopeOptions) => {
    const body = { site: await siteFor(options), ...(await orderBody(options, operator)) };
    const answer = await askAny<DrainAnswer>(options, options, '/v1/drain', body);
    const { drainText } = await import('./overrides.ts');
    print(drainText(answer));
  });

  site(program.command('undrain').description('bring a drained site back')).action(
    async (options: SomeOptions & ScopeOptions & { by?: string }) => {
      const body = { site: await siteFor(options), by: options.by ?? operator() };
      const answer = await askAny<DrainAnswer>(options, options, '/v1/undrain', body);
      const { undrainText } = await import('./overrides.ts');
      print(undrainText(answer));
    },
  );
}

function listCommand(program: Command, { print }: Tools): void {
  reachOptions(
    program
      .command('overrides')
      .description(
        'list what operators have ordered at any site: drains, and what is forced up or down',
      )
      .option('--json', 'print JSON'),
  ).action(async (options: SomeOptions & { json?: true }) => {
    const answer = await askAny<OverridesInUse>(options, {}, '/v1/overrides');
    const { overridesText } = await import('./overrides.ts');
    print(options.json ? JSON.stringify(answer, null, 2) : overridesText(answer));
  });
}

function giveCommand(
  parent: Command,
  { operator, print }: Tools,
  action: 'drain' | 'up' | 'down',
  text: string,
): void {
  reachOptions(scopeOptions(parent.command(action).description(text)))
    .option('--reason <text>', 'why, for the others to read', 'no reason given')
    .option('--by <name>', 'who orders it; without it, the user of this shell')
    .option('--for <time>', 'end by itself after that, e.g. 30m, 2h or 3d')
    .option('--dry-run', 'order nothing: tell what it would change')
    .option('--yes', 'also if a service is left without any usable endpoint')
    .option('--force', 'also if nothing that is configured fits')
    .option('--json', 'print JSON')
    .action(async (options: OverrideOptions) => {
      const { site, service, endpoint, label } = options;
      if ([site, service, endpoint, label].every((name) => name === undefined)) {
        throw new CommandError('say what it is for: --site, --service, --endpoint or --label', 2);
      }
      if (action === 'up' && options.for === undefined) {
        throw new CommandError('what is forced up hides its failures: say by --for how long', 2);
      }
      const body = {
        action,
        ...{ site, service, endpoint, label },
        ...(await orderBody(options, operator)),
        ...{ dry_run: options.dryRun, yes: options.yes, force: options.force },
      };
      const answer = await askAny<OverrideAnswer>(options, options, '/v1/overrides', body);
      const { effectText } = await import('./overrides.ts');
      print(options.json ? JSON.stringify(answer, null, 2) : effectText(answer));
    });
}

function removeCommand(parent: Command, { operator, print }: Tools): void {
  reachOptions(
    scopeOptions(
      parent
        .command('remove')
        .description('end overrides before their time: by id, or by the scope they were given for')
        .argument(
          '[id...]',
          'as `isobar overrides` lists it, e.g. "site=fra service=www.example.com"',
        ),
    ),
  )
    .option('--reason <text>', 'why, for the others to read', 'no reason given')
    .option('--by <name>', 'who orders it; without it, the user of this shell')
    .action(async (ids: string[], options: OrderOptions & ScopeOptions) => {
      const { idOf } = await import('../model/override.ts');
      const { site = null, service = null, endpoint = null, label = null } = options;
      const scoped = idOf({ site, service, endpoint, label });
      const all = [...ids, ...(scoped === '' ? [] : [scoped])];
      if (all.length === 0) throw new CommandError('say which: an id, or --site, --service …', 2);
      const query = new URLSearchParams(all.map((id): [string, string] => ['id', id]));
      query.set('by', options.by ?? operator());
      query.set('reason', options.reason);
      const question: Question = { path: `/v1/overrides?${query}`, method: 'DELETE' };
      const { askSome } = await import('./api-client.ts');
      const answer = await askSome<OverridesRemoved>(options, options, question);
      const { removedText } = await import('./overrides.ts');
      print(removedText(answer));
    });
}

function scopeOptions(command: Command): Command {
  return command
    .option('--site <name>', 'endpoints of this site; alone, the site as a whole')
    .option('--service <name>', 'endpoints of this service, e.g. www.example.com')
    .option('--endpoint <id>', 'a load balancer, or one of its checks as LOADBALANCER/CHECK')
    .option('--label <key=value>', 'endpoints with this label');
}

function reachOptions(command: Command): Command {
  return command
    .option('--at <site>', 'ask the agent of this site, or SITE/AGENT; else the first that answers')
    .option('--config <dir>', 'the configuration that says where the agents are', '.')
    .option('--api <url>', 'an agent’s API instead, e.g. http://127.0.0.1:8301');
}

async function askAny<Answer>(
  options: SomeOptions,
  about: About,
  path: string,
  body?: object,
): Promise<Answer> {
  const { askSome } = await import('./api-client.ts');
  return askSome<Answer>(options, about, body ? { path, method: 'POST', body } : { path });
}

/** Several agents could be asked, so the order has to name its site; with --api that agent's is meant. */
async function siteFor({ site, at, api, config }: SomeOptions & ScopeOptions) {
  if (site !== undefined || api !== undefined) return site;
  if (at !== undefined) return at.split('/')[0];
  const { onlySite } = await import('./api-client.ts');
  return onlySite(config);
}

async function orderBody(options: OrderOptions, operator: () => string): Promise<object> {
  const { timeOf } = await import('./overrides.ts');
  const for_ms = options.for === undefined ? undefined : timeOf(options.for);
  return { by: options.by ?? operator(), reason: options.reason, for_ms };
}
