/**
 * The demo: every site of a configuration in one process, with what they need around them to be
 * real: load balancers, clients, a BGP collector, levers to break things with.
 *
 * Must hold: what is started is stopped, in the reverse order and also when a start fails; between
 * SIGINT or SIGTERM and the end there are at most 5 s.
 */
import process from 'node:process';
import { type Clock, SystemClock } from '../../base/clock.ts';
import { Listeners } from '../../base/listeners.ts';
import type { Config } from '../../model/config.ts';
import type { SiteEvent } from '../../model/event.ts';
import type { HostPort } from '../../net/ip.ts';
import { MemoryHub } from '../../share/memory-store.ts';
import { COLLECTOR, startCollector } from './collector.ts';
import { CALM_RATIO, type Levers, serveControl } from './control.ts';
import { DnsClient } from './dns-client.ts';
import { runExercise } from './exercise.ts';
import { Fleet } from './fleet.ts';
import { LoopbackTunnel } from './forwarding.ts';
import { LoadGenerator, type RegionLoad } from './load-generator.ts';
import { prefixesOf, type Scene, Stopped, until, WAITING_MS } from './outside.ts';
import type { DemoSite, StartSite } from './ports.ts';
import { eventLine, routeLine, screen, subnetOf, wantsColour } from './screen.ts';
import { StopStack } from './stop-stack.ts';

const CONTROL: HostPort = { address: '127.0.0.1', port: 8300 };
const STOP_WITHIN_MS = 5_000;
/** The screen waits this long for the routes, so that it shows a full table. */
const ROUTES_WITHIN_MS = 1_000;
/** Exit code of a program that SIGINT ended. */
const INTERRUPTED = 130;

export interface DemoOptions {
  readonly config: Config;
  readonly startSite: StartSite;
  /** Play the exercise and end, instead of waiting for Ctrl-C. */
  readonly exercise: boolean;
  readonly out: NodeJS.WriteStream;
}

/** Runs until Ctrl-C or the end of the exercise, and stops everything; the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const print = (text: string): void => void options.out.write(`${text}\n`);
  const complain = (text: string): void => void process.stderr.write(`${text}\n`);
  const problem = unfit(options.config);
  if (problem !== null) {
    complain(`the demo cannot run this configuration: ${problem}`);
    return 1;
  }
  const abort = new AbortController();
  const interrupt = (): void => {
    if (abort.signal.aborted) process.exit(INTERRUPTED); // asked twice: at once
    abort.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const clock = new SystemClock();
  const stack = new StopStack(clock, STOP_WITHIN_MS);
  let code = 0;
  try {
    const scene = await setUp(options, clock, stack, abort.signal);
    if (options.exercise) code = (await runExercise(scene, print)) ? 0 : 1;
    else await watch(options, scene, print);
  } catch (error) {
    complain((error as Error).message);
    code = error instanceof Stopped ? INTERRUPTED : 1;
  }
  const errors = await stack.stop();
  for (const error of errors) complain(`while stopping: ${error.message}`);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  return errors.length > 0 ? 1 : code;
}

/** Why the demo's clients could not be made for `config`; null if they can. */
function unfit(config: Config): string | null {
  if (config.services.length === 0) return 'it has no service that clients could ask for';
  const homes = new Set(config.regions.map((region) => region.order[0]));
  if (homes.size < config.regions.length) return 'two regions have the same first site';
  const index = config.regions.findIndex((_, region) => subnetOf(config, region) === null);
  if (index >= 0) return `region ${config.regions[index]!.name} has no IPv4 prefix`;
  return null;
}

async function setUp(
  { config, startSite }: DemoOptions,
  clock: Clock,
  stack: StopStack,
  stop: AbortSignal,
): Promise<Scene> {
  const fleet = new Fleet(config, clock);
  const hub = new MemoryHub();
  const dns = new DnsClient(clock);
  const generator = new LoadGenerator({
    regions: config.regions.map((_, region) => regionLoad(config, region)),
    name: config.services[0]!.name,
    port: config.targets[0]!.port,
    dns,
    clock,
  });
  const levers = makeLevers(config, fleet, generator, hub);
  // First, so that a second demo on the machine ends before it has touched anything.
  stack.push(
    await serveControl(levers, CONTROL).catch(({ message }: Error) => {
      throw new Error(`${message}; is another demo running?`);
    }),
  );
  stack.push(() => fleet.stop());
  await fleet.start();
  const collector = await startCollector(config, clock);
  stack.push(() => collector.stop());
  const sites: DemoSite[] = [];
  stack.push(async () => {
    await Promise.all(sites.map((site) => site.stop()));
  });
  const started = await Promise.allSettled(
    config.sites.map(async ({ name }) => {
      const steering = fleet.forwarding.get(name)!;
      const seams = { clock, store: hub.store(name), tunnel: new LoopbackTunnel(), steering };
      sites.push(await startSite(config, name, seams));
    }),
  );
  for (const one of started) if (one.status === 'rejected') throw one.reason;
  sites.sort((a, b) => (a.name < b.name ? -1 : 1));
  const events = new Listeners<SiteEvent>();
  for (const site of sites) site.events.add((event) => events.emit(event));
  generator.start();
  stack.push(() => {
    generator.stop();
    dns.close();
  });
  return {
    levers,
    config,
    clock,
    sites,
    dns,
    generator,
    router: collector.table,
    events,
    stop,
    load: (site) => fleet.requestsPerSecond(site) / capacityOf(config, site),
    share: (site) => fleet.forwarding.get(site)!.share,
  };
}

const capacityOf = (config: Config, site: string): number =>
  config.sites.find(({ name }) => name === site)!.capacity;

function regionLoad(config: Config, index: number): RegionLoad {
  const region = config.regions[index]!;
  return {
    region: region.name,
    servers: region.order.map((site) => config.sites[site]!.dns.listen[0]!),
    subnet: subnetOf(config, index)!,
    capacity: config.sites[region.order[0]!]!.capacity,
    ratio: CALM_RATIO,
  };
}

function makeLevers(
  config: Config,
  fleet: Fleet,
  generator: LoadGenerator,
  hub: MemoryHub,
): Levers {
  const regionOf = (site: string): string | undefined =>
    config.regions.find(({ order }) => config.sites[order[0]!]!.name === site)?.name;
  return {
    sites: config.sites.map(({ name }) => name),
    load_balancers: fleet.names(),
    break: (target) => fleet.break(target),
    repair: (target) => fleet.repair(target),
    setLoad: (site, ratio) => {
      const region = regionOf(site);
      if (region === undefined) throw new RangeError(`${site} is no region’s own site`);
      generator.setRatio(region, ratio);
    },
    cut: (site) => hub.cut(site),
    heal: (site) => hub.heal(site),
    requestsPerSecond: (site) => fleet.requestsPerSecond(site),
  };
}

/** Prints the screen, then a line per event, until the user wants an end. */
async function watch(
  { config, out }: DemoOptions,
  scene: Scene,
  print: (text: string) => void,
): Promise<void> {
  const { router, clock, stop } = scene;
  const wanted = config.sites.flatMap(({ name }) =>
    prefixesOf(config, name).map((prefix) => ({ name, prefix })),
  );
  await until(scene, WAITING_MS, ROUTES_WITHIN_MS, () =>
    wanted.every(({ name, prefix }) => router.announcers(prefix).includes(name)) ? true : null,
  );
  // The process began at 0 on its monotonic clock.
  const ready_ms = clock.now();
  const parts = { config, control: CONTROL, collector: COLLECTOR, router, ready_ms };
  print(screen(parts).join('\n'));
  const colour = wantsColour(out, process.env);
  scene.events.add((event) => print(eventLine(event, ready_ms, colour)));
  router.changes.add((change) =>
    print(routeLine(change, router.announcers(change.prefix), ready_ms, colour)),
  );
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener('abort', () => resolve(), { once: true });
  });
  print('stopping');
}
