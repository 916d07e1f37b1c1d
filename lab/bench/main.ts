/**
 * `npm run bench -- NAME`: measures isobar beside the servers it is to be compared with, in one run on
 * one machine. Every benchmark prints a table and ends with one line of JSON that holds its figures.
 */
import process from 'node:process';
import { Command, InvalidArgumentError } from 'commander';
import { type BgpOptions, benchBgp } from './bgp.ts';
import { ANNOUNCERS } from './bgp-announcers.ts';
import { benchBgpMemory } from './bgp-memory.ts';
import { benchDns } from './dns.ts';
import { MIXES } from './dns-mixes.ts';
import { PEERS } from './dns-servers.ts';
import { benchLatency } from './latency.ts';
import { benchProbes } from './probes.ts';
import { benchReload } from './reload.ts';
import { benchShare } from './share.ts';
import { benchZones } from './zone-size.ts';

const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number from 1');
  return value;
};

const numbers = (text: string): number[] => text.split(',').map(positive);

const oneOf =
  (known: readonly string[]) =>
  (text: string): string[] => {
    const words = text.split(',');
    const unknown = words.find((word) => !known.includes(word));
    if (unknown === undefined) return words;
    throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(', ')}`);
  };

const program = new Command('npm run bench --').description(
  'Measures isobar side by side with its peers. Needs lab/setup --bench, and two cores to itself.',
);

const names = PEERS.map(({ name }) => name);

/** A benchmark that runs several servers, each in every round. */
function compares(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--server <names>', 'servers, of all that are installed', oneOf(names), names)
    .option('--rounds <n>', 'rounds, each with every server once', positive, 3)
    .option('--seconds <n>', 'seconds of load in each round', positive, 4);
}

compares('dns', 'answers per second, CPU time per answer, losses and memory of DNS servers')
  .option('--mix <names>', 'kinds of load, of all', oneOf(Object.keys(MIXES)), Object.keys(MIXES))
  .option('--workers <n>', 'threads (or processes) that answer UDP, each on a core', positive, 1)
  .action(benchDns);

compares('zones', 'time to load, memory and cost of an answer by the size of the zone').action(
  benchZones,
);

compares('latency', 'time to an answer while all servers are under the same load').action(
  benchLatency,
);

program
  .command('reload')
  .description('what clients of isobar feel while a large zone is read anew')
  .option('--records <n>', 'records of the zone', positive, 1_000_000)
  .option('--rounds <n>', 'reloads', positive, 3)
  .option('--rate <n>', 'queries per second meanwhile', positive, 30_000)
  .action(benchReload);

const speakers = ANNOUNCERS.map(({ name }) => name);
const MANY = { neighbors: 100, routes: 1_000 };

program
  .command('bgp')
  .description('how fast routes come to and go, with isobar and its peers; and then bgp-memory')
  .option('--speaker <names>', 'speakers, of all that are installed', oneOf(speakers), speakers)
  .option('--rounds <n>', 'rounds, each with every speaker once', positive, 3)
  .option('--flips <n>', 'times that a VIP comes and goes in a round', positive, 20)
  .action(async (options: BgpOptions) => {
    await benchBgp(options);
    if (options.speaker.includes('isobar')) await benchBgpMemory(MANY);
  });

program
  .command('bgp-memory')
  .description('memory of isobar while many neighbours have sent it many routes')
  .option('--neighbors <n>', 'sessions', positive, MANY.neighbors)
  .option('--routes <n>', 'routes of each', positive, MANY.routes)
  .action(benchBgpMemory);

program
  .command('probes')
  .description('what many HTTP probes cost, and what clients of the DNS server notice of them')
  .option('--targets <n>', 'what is probed', positive, 20_000)
  .option('--interval <seconds>', 'between two probes of one', positive, 10)
  .option('--rounds <n>', 'rounds', positive, 3)
  .option('--seconds <n>', 'seconds that are measured in each', positive, 20)
  .action(benchProbes);

program
  .command('share')
  .description('what one of many sites costs that all report every second, and how fast news are')
  .option('--sites <n>', 'sites of the deployment', positive, 50)
  .option('--endpoints <n>', 'endpoints of each', positive, 40)
  .option('--servers <list>', 'numbers of Redis servers, each measured by itself', numbers, [1, 3])
  .option('--agents <n>', 'agents that the news go round', positive, 10)
  .option('--flips <n>', 'verdicts that change', positive, 20)
  .option('--seconds <n>', 'seconds in which the cost is measured', positive, 20)
  .action(benchShare);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
