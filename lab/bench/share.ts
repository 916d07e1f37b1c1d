/**
 * `bench -- share`: what one agent of many sites costs while all of them report every second over real
 * Redis servers, and how long a changed verdict takes to the plans of the other agents.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Agent } from '../../src/agent/agent.ts';
import { Turns } from '../../src/agent/turns.ts';
import { type Clock, SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemPrng } from '../../src/base/prng.ts';
import { decide } from '../../src/decide/decide.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { Config } from '../../src/model/config.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { RedisStore } from '../../src/share/redis-store.ts';
import { WorldView } from '../../src/share/world-view.ts';
import { noSteering, noTunnel } from '../../src/spill/drivers.ts';
import { RedisServer } from '../../test/support/redis.ts';
import { monotonic_ms, pause, until } from '../wait.ts';
import { MeasuredProcess } from './measured-process.ts';
import { type Row, summary, table } from './report.ts';
import { balancerAddress, type ShareScene, siteName, writeShareScene } from './share-scene.ts';
import { configIn, storeFor } from './share-store.ts';

export interface ShareOptions {
  readonly sites: number;
  readonly endpoints: number;
  /** Numbers of Redis servers, each measured by itself. */
  readonly servers: readonly number[];
  readonly agents: number;
  readonly flips: number;
  readonly seconds: number;
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const WRITERS = fileURLToPath(new URL('./share-writers.js', import.meta.url));
const ALL_CORES = '0-63';
/** Until all have been heard and what the start took is given back. */
const SETTLE_MS = 10_000;
const HEARD_MS = 60_000;
/** Hold-down, and some time for what is on its way. */
const PAUSE_MS = 400;
const MIB = 1_048_576;

export async function benchShare(options: ShareOptions): Promise<void> {
  const rows: Record<string, Row> = {};
  for (const servers of options.servers) {
    const dir = mkdtempSync(join(tmpdir(), 'isobar-bench-share-'));
    const redis = await Promise.all(Array.from({ length: servers }, () => RedisServer.start()));
    const balancers = await LoadBalancers.start();
    try {
      const scene = {
        sites: options.sites,
        endpoints: options.endpoints,
        redis: redis.map(({ url }) => url),
        checkPort: balancers.port,
      };
      const cost = await costOfOne({ ...scene, checkInterval: '5s' }, options, join(dir, 'one'));
      const news = await timeOfNews(
        { ...scene, checkInterval: '1s' },
        options,
        join(dir, 'many'),
        balancers,
      );
      rows[`${servers} Redis`] = { ...cost, ...news };
    } finally {
      await balancers.stop();
      await Promise.all(redis.map((server) => server.kill()));
      rmSync(dir, { recursive: true });
    }
  }
  const { servers: _, ...settings } = options;
  process.stdout.write(`${table(rows, 'cpu_percent')}\n`);
  process.stdout.write(`${summary('share', settings, { share: rows }, 'cpu_percent')}\n`);
}

/** All load balancers: up, but for one address. */
class LoadBalancers {
  down: string | null = null;
  readonly #server: Server = createServer((request, response) => {
    const failing = request.socket.localAddress === this.down;
    response.writeHead(failing ? 503 : 200).end();
  });

  static async start(): Promise<LoadBalancers> {
    const all = new LoadBalancers();
    all.#server.listen(0, '0.0.0.0');
    await once(all.#server, 'listening');
    return all;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function startWriters(scene: ShareScene, dir: string, first: number): ChildProcess {
  const args = [WRITERS, dir, JSON.stringify(scene), String(first)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** One real daemon among simulated sites. */
async function costOfOne(scene: ShareScene, options: ShareOptions, dir: string): Promise<Row> {
  mkdirSync(dir);
  writeShareScene(scene, dir);
  const writers = startWriters(scene, dir, 1);
  const run = ['run', '--site', siteName(0), '--config', dir, '--log-level', 'warn'];
  const daemon = new MeasuredProcess(
    [process.execPath, MAIN, ...run],
    ALL_CORES,
    join(dir, 'daemon.log'),
  );
  try {
    await pause(SETTLE_MS);
    const [before, from] = [daemon.cpu(), monotonic_ms()];
    await pause(1000 * options.seconds);
    if (daemon.failure !== null) throw new Error(daemon.failure);
    const [after, until_ms] = [daemon.cpu(), monotonic_ms()];
    const used_s = after.user + after.system - before.user - before.system;
    return {
      cpu_percent: (100 * 1000 * used_s) / (until_ms - from),
      rss_mib: daemon.resident() / MIB,
    };
  } finally {
    await daemon.stop();
    await end(writers);
  }
}

/**
 * A site without probes and servers: what of an agent stands between a report that comes in and the plan
 * that it leads to.
 */
class Watcher {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #store: RedisStore;
  readonly #view: WorldView;
  readonly #turns: Turns;
  #plan: Plan | null = null;

  constructor(config: Config, site: string, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#store = storeFor(config, clock);
    const sites = config.sites.map(({ name }) => name);
    this.#view = new WorldView({
      self: site,
      sites: () => sites,
      stale_ms: () => config.policy.report_stale_ms,
      store: this.#store,
      clock,
      log: silentLog,
    });
    this.#turns = new Turns(clock, () => this.#decide());
    this.#view.onNews(() => this.#turns.soon(false));
    this.#turns.begin(() => config.policy.report_interval_ms);
  }

  serves(endpoint: number): boolean {
    return this.#plan?.endpoints[endpoint]?.eligible ?? false;
  }

  /** Called with the time of each plan. */
  onPlan: (at_ms: number) => void = () => {};

  async stop(): Promise<void> {
    this.#turns.stop();
    this.#view.close();
    await this.#store.close();
  }

  #decide(): void {
    this.#plan = decide(this.#config, this.#view.world(), this.#clock.now());
    this.#turns.wakeIn(this.#plan.wake_ms);
    this.onPlan(this.#clock.now());
  }
}

/** A load balancer of a real agent fails, again and again; the others are watchers in this process. */
async function timeOfNews(
  scene: ShareScene,
  { agents, flips }: ShareOptions,
  dir: string,
  balancers: LoadBalancers,
): Promise<Row> {
  mkdirSync(dir);
  writeShareScene(scene, dir);
  const config = await configIn(dir);
  const clock = new SystemClock();
  const writers = startWriters(scene, dir, 1);
  const first = agentOf(config, siteName(0), clock);
  const watchers = Array.from(
    { length: agents - 1 },
    (_, i) => new Watcher(config, siteName(i + 1), clock),
  );
  try {
    await first.start();
    const all = config.endpoints.map((_, i) => i);
    const whole = (): boolean => watchers.every((one) => all.every((i) => one.serves(i)));
    await until('all sites to be heard by all', HEARD_MS, whole);
    const times: number[] = [];
    for (let i = 0; i < flips; i++) times.push(...(await flip(first, watchers, balancers)));
    times.sort((a, b) => a - b);
    return { news_ms: times[times.length >> 1]!, news_max_ms: times.at(-1)! };
  } finally {
    await first.stop();
    await Promise.all(watchers.map((one) => one.stop()));
    await end(writers);
  }
}

/** From the verdict to the plan of each watcher, in milliseconds. */
async function flip(
  agent: Agent,
  watchers: readonly Watcher[],
  balancers: LoadBalancers,
): Promise<number[]> {
  const address = balancerAddress(0, 0);
  const index = agent.config.endpoints.findIndex(({ address4 }) => address4 === address);
  const { id } = agent.config.endpoints[index]!;
  const serving = (): boolean => {
    const own = agent.decision?.plan.endpoints[index]?.eligible ?? false;
    return own && watchers.every((one) => one.serves(index));
  };
  await until('it to serve everywhere', HEARD_MS, serving);
  await pause(PAUSE_MS);
  let verdict_ms: number | null = null;
  const forget = agent.events.add(({ kind, subject, text, at_ms }) => {
    if (kind === 'health' && subject === id && text === 'down') verdict_ms ??= at_ms;
  });
  const planned: number[] = [];
  for (const one of watchers) {
    one.onPlan = (at_ms) => {
      if (one.serves(index)) return;
      one.onPlan = () => {};
      planned.push(at_ms);
    };
  }
  balancers.down = address;
  await until('all to know of it', HEARD_MS, () => planned.length === watchers.length);
  forget();
  balancers.down = null;
  return planned.map((at_ms) => at_ms - verdict_ms!);
}

function agentOf(config: Config, site: string, clock: Clock): Agent {
  const geo = buildGeoMap(config.geo, config.regions);
  if (!geo.ok) throw new Error(geo.error);
  return new Agent({
    config,
    site,
    geo: geo.value,
    store: storeFor(config, clock),
    drivers: () => ({ tunnel: noTunnel, steering: noSteering }),
    clock,
    prng: systemPrng(),
    log: silentLog,
    version: 'bench',
  });
}
