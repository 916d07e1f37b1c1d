/**
 * `npm run lab -- NAME`: builds the lab, runs one scenario, prints its figures, and tears all of it
 * down. Exit status: 0 every figure is good, 1 one is not, 2 the lab cannot run here.
 */
import process from 'node:process';
import { Judge } from './judge.ts';
import { Interrupted, withNetLab } from './netns.ts';
import { CAPACITY, overload } from './scenario-overload.ts';
import { siteLoss } from './scenario-site-loss.ts';
import { whyNoLab } from './tools.ts';
import { buildWorld, type World } from './topology.ts';

interface Scenario {
  readonly about: string;
  readonly run: (world: World, judge: Judge) => Promise<void>;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'site-loss': {
    about: 'a load balancer dies and returns, then a whole site dies',
    run: siteLoss,
  },
  overload: {
    about: 'a site is brought to 1.4 of its capacity and spills to quiet ones',
    run: overload,
  },
};

const HELP = `usage: npm run lab -- NAME

Builds three sites, their routers (BIRD), clients and a backbone with Redis in network
namespaces, runs one agent per site and the scenario, and removes everything again.
Needs root and what lab/setup installs. LAB_LOG=1 shows the agents' logs.

scenarios:
${Object.entries(SCENARIOS)
  .map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`)
  .join('\n')}
`;

async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  const scenario = words.length === 1 ? SCENARIOS[words[0]!] : undefined;
  if (!scenario) {
    const names = Object.keys(SCENARIOS).join(', ');
    process.stderr.write(`the lab needs the name of one scenario (${names}); see --help\n`);
    return 2;
  }
  const obstacle = whyNoLab();
  if (obstacle !== null) {
    process.stderr.write(`${obstacle}\n`);
    return 2;
  }
  return run(words[0]!, scenario);
}

async function run(name: string, scenario: Scenario): Promise<number> {
  const judge = new Judge();
  try {
    await withNetLab('lab', async (lab) => {
      await scenario.run(await buildWorld(lab, CAPACITY), judge);
    });
  } catch (error) {
    process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof Interrupted ? 130 : 1;
  }
  process.stdout.write(`${name}\n${judge}\n`);
  return judge.good ? 0 : 1;
}

// Whoever reads along may go away; the lab is torn down all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
// An interrupted scenario may still be waiting for something that will never come.
process.exit(await main(process.argv.slice(2)));
