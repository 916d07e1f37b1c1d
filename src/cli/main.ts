#!/usr/bin/env node
/**
 * The `isobar` command. Exit codes: 0 done, 1 it failed (the reason is on standard error), 2 the
 * command line is wrong. Modules are loaded by the command that needs them, so `--help` is quick.
 */
import { userInfo } from 'node:os';
import { Command, Option } from 'commander';
import type { ConfigInUse, ReloadReport } from '../api/control.ts';
import { SystemClock } from '../base/clock.ts';
import { keepNewSpaceSmall, keepOldSpaceSmall } from '../base/memory.ts';
import type { Explanation } from '../decide/explain.ts';
import type { ReachOptions } from './api-client.ts';
import { addBgpCommands } from './bgp-commands.ts';
import type { CheckOptions } from './check.ts';
import { CommandError } from './command-error.ts';
import { addEndpointCommands } from './endpoint-commands.ts';
import { addOverrideCommands } from './override-commands.ts';
import type { RunOptions } from './run.ts';
import { VERSION } from './version.ts';

const program = new Command('isobar')
  .description(
    'A global server load balancer: authoritative DNS, anycast BGP and inter-site spill, decided in one place.',
  )
  .version(VERSION)
  .showHelpAfterError('(isobar --help lists the commands and options)')
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  });

/** A large zone takes its time to be read and built, in milliseconds. */
const RELOAD_TIMEOUT_MS = 120_000;

/** How long a command that is done may take to end, in milliseconds. */
const LINGER_MS = 2_000;

// Whoever reads our output may stop reading, as in `isobar schema | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

program.addHelpText(
  'after',
  `
isobar help COMMAND tells the options of one. Commands that ask a running agent find it, and the token
of its API, in the configuration (--config, --site); or by --api, with the token in ISOBAR_TOKEN.
Exit codes: 0 done, 1 it failed (the reason is on standard error), 2 the command line is wrong.
SIGHUP has a daemon read its files again, SIGTERM ends it.`,
);

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** The options of a command that asks a running agent. */
function reachOptions(command: Command, noAgent = 'the only one there is'): Command {
  return command
    .option('--site <name>', 'the site to ask for; without it, the only one there is')
    .option('--agent <name>', `which of the site’s agents; without it, ${noAgent}`)
    .option('--config <dir>', 'the configuration that says where its agent is', '.')
    .option('--api <url>', 'the agent’s API instead, e.g. http://127.0.0.1:8301');
}

async function ask<Answer>(
  options: ReachOptions,
  path: string,
  body?: object,
  timeout_ms?: number,
): Promise<Answer> {
  const { askAgent } = await import('./api-client.ts');
  return askAgent<Answer>(options, path, body, timeout_ms);
}

/** Who gives an order, for the others to read; behind sudo that is not root. */
function operator(): string {
  try {
    return process.env.SUDO_USER || userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`; // in a container the user may have no name
  }
}

program
  .command('run')
  .description('run one site’s daemon until SIGTERM')
  .requiredOption('--site <name>', 'the site to run')
  .option('--agent <name>', 'which of the site’s agents; without it, the only one there is')
  .option('--config <dir>', 'the folder that holds deployment.yaml, sites/ and zones/', '.')
  .addOption(
    new Option('--log-level <level>', 'least severe lines to log')
      .choices(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info'),
  )
  .option('--take-over', 'start beside the site’s running daemon, and end it once DNS answers')
  .action(async (options: RunOptions) => {
    keepNewSpaceSmall();
    keepOldSpaceSmall();
    const { run } = await import('./run.ts');
    process.exitCode = await run(options);
  });

program
  .command('check')
  .description('validate a configuration; print each problem as file:line:column')
  .option('--config <dir>', 'the folder that holds deployment.yaml, sites/ and zones/', '.')
  .option('--site <name>', 'of the files outside, look only for those of this site’s machine')
  .option('--no-machine-files', 'look for no secrets, certificates and mmdb at all, as in CI')
  .action(async (options: CheckOptions) => {
    const { check } = await import('./check.ts');
    print(await check(options));
  });

reachOptions(
  program
    .command('explain')
    .description('show who would be answered what, and each step that leads there')
    .argument('<name>', 'a health-aware name, e.g. www.example.com')
    .requiredOption('--client <address>', 'the client’s IPv4 or IPv6 address')
    .option('--live', 'ask the running agent; otherwise every endpoint counts as healthy')
    .option('--json', 'print JSON'),
).action(
  async (name: string, options: ReachOptions & { client: string; live?: true; json?: true }) => {
    const { explainOffline, explanationText } = await import('./explain.ts');
    const live = options.live === true || options.api !== undefined;
    const query = `/v1/explain?${new URLSearchParams({ name, client: options.client })}`;
    const explanation = live
      ? await ask<Explanation>(options, query)
      : await explainOffline(options.config, options.site, name, options.client);
    const premise = live
      ? `${name} for ${options.client}, now:`
      : `${name} for ${options.client}, if every endpoint is healthy (--live asks the running agent):`;
    print(
      options.json ? JSON.stringify(explanation, null, 2) : explanationText(explanation, premise),
    );
  },
);

reachOptions(
  program
    .command('reload')
    .description('have a running agent read its files again; show what has changed, or is wrong')
    .option(
      '--dry-run',
      'apply nothing: tell what the files of --config would change, and which BGP sessions would end',
    ),
).action(async (options: ReachOptions & { dryRun?: true }) => {
  if (options.dryRun) {
    const inUse = await ask<ConfigInUse>(options, '/v1/config');
    const { dryRun } = await import('./dry-run.ts');
    print(await dryRun(inUse, options.config));
    return;
  }
  const report = await ask<ReloadReport>(options, '/v1/reload', {}, RELOAD_TIMEOUT_MS);
  const [{ reloadText }, { problemLines }] = await Promise.all([
    import('./reload.ts'),
    import('./config-dir.ts'),
  ]);
  const text = reloadText(report);
  if (text) print(text);
  if (report.problems.length > 0) throw new CommandError(problemLines(report.problems));
});

addOverrideCommands(program, { operator, print });
addEndpointCommands(program, { reachOptions, ask, operator, print });
addBgpCommands(program, { reachOptions, ask, operator, print });

program
  .command('schema')
  .description('print the JSON Schema of the configuration files, for editors')
  .argument('[file]', 'deployment, site or zone; all three without it')
  .action(async (file?: string) => {
    const { jsonSchema } = await import('../config/json-schema.ts');
    const all: Record<string, object> = { ...jsonSchema() };
    if (file !== undefined && !all[file]) {
      throw new CommandError(`no schema "${file}"; there are ${Object.keys(all).join(', ')}`, 2);
    }
    print(JSON.stringify(file === undefined ? all : all[file], null, 2));
  });

program
  .command('demo')
  .description('run the whole deployment on this machine: sites, load balancers, clients, a router')
  .option('--config <dir>', 'the folder that holds deployment.yaml, sites/ and zones/', '.')
  .option('--exercise', 'break and mend it by a script, judge what is seen, exit 0 or 1')
  .action(async (options: { config: string; exercise?: true }) => {
    const { demo } = await import('./demo/main.ts');
    process.exitCode = await demo(options.config, options.exercise === true);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.code;
}
// The command is done; a socket that somebody forgot must not hold the process for ever.
new SystemClock(false).timer(LINGER_MS, () => process.exit());
