/** `isobar run`: one site's daemon as in production, until a signal, or another process takes over. */
import { resolve } from 'node:path';
import type { Control, ReloadReport } from '../api/control.ts';
import { type Clock, SystemClock } from '../base/clock.ts';
import { type Log, type LogLevel, pinoLog } from '../base/log.ts';
import { type Prng, systemPrng } from '../base/prng.ts';
import { readRedisSecrets } from '../config/redis-secrets.ts';
import { configVersion } from '../config/version.ts';
import { ZoneCache } from '../config/zone/cache.ts';
import type { Config } from '../model/config.ts';
import { writerOf } from '../model/report.ts';
import { systemHost } from '../net/host.ts';
import { returnFreedMemory } from '../net/malloc.ts';
import { MemoryHub } from '../share/memory-store.ts';
import type { Store } from '../share/store.ts';
import { spillDrivers } from '../spill/drivers.ts';
import { CommandError } from './command-error.ts';
import { checkRedisSecrets, configOf, configSeen, siteOf, tokenOf } from './config-dir.ts';
import { Daemon } from './daemon.ts';
import { Follower } from './follow.ts';
import { readMachineFiles } from './machine-files.ts';
import { findPredecessor } from './take-over.ts';

/** A report stays in Redis for this many times the age at which it counts as stale. */
const REPORT_TTLS = 2;
/** A stop that takes longer is ended by force, in milliseconds. */
const STOP_MAX_MS = 5_000;

/** The order of a process that goes on with this one's work. */
const SUCCEEDED = 'another process takes over';

export interface RunOptions {
  readonly config: string;
  readonly site: string;
  readonly agent?: string;
  readonly logLevel: LogLevel;
  readonly takeOver?: true;
}

const STARTING: ReloadReport = {
  changes: [],
  earlier: null,
  sessions: [],
  restart: [],
  problems: ['the daemon is starting'],
};

/** Resolves to the process's exit code once the daemon has stopped. */
export async function run(options: RunOptions): Promise<number> {
  // Before all else: a signal that nobody listens for would end the process, SIGHUP as well.
  const orders = new Orders();
  returnFreedMemory();
  // One cache for the start and all that follows: what has not changed is not read again.
  const first = { site: options.site, zones: new ZoneCache() };
  const whole = await configOf(options.config, first);
  const { config, agent: name } = configSeen(whole, options.site, options.agent);
  const load = { ...first, agent: name };
  const site = siteOf(config, options.site);
  const clock = new SystemClock();
  const prng = systemPrng();
  const log = pinoLog(options.logLevel, {
    site: site.name,
    ...(name !== site.name && { agent: name }),
  });
  const files = await readMachineFiles(config, site.name);
  const token = await tokenOf(site);
  await checkRedisSecrets(config);
  const predecessor = options.takeOver
    ? await findPredecessor(config, site, name, token, log)
    : null;
  let daemon: Daemon | null = null;
  let follower: Follower | null = null;
  const current = (): Config => daemon?.agent.config ?? config;
  const store = await storeOf(config, site.name, { current, clock, prng, log });
  const notice = (sentence: string): void => log.info({}, sentence);
  const drivers = (now: Config) => spillDrivers(now, site.name, systemHost, notice);
  const control: Control = {
    dir: resolve(options.config),
    reload: async () => follower?.reload() ?? STARTING,
    leave: () => orders.end(SUCCEEDED),
  };
  try {
    const room = { store, drivers, clock, prng, log, token, control, predecessor };
    for (const line of files.bgp.value.warnings) log.warn({}, line);
    const secrets = {
      cookieSecrets: files.cookies.value,
      tsigKeys: files.keys.value,
      bgpKeys: files.bgp.value.keys,
    };
    const geo = files.geo.value;
    daemon = new Daemon({ config, site: site.name, agent: name, geo, ...secrets, ...room });
    // An order ends a start that still waits for the first probes, too.
    const started = daemon.start().then(() => true);
    if (await Promise.race([started, orders.ended.then(() => false)])) {
      const { agent } = daemon;
      follower = new Follower({ dir: options.config, load, agent, files, clock, log });
      orders.onReload(control.reload);
      log.info({ commit: await configVersion(options.config) }, 'configuration in use');
    }
  } catch (error) {
    await store.close();
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    const taken = cause?.code === 'EADDRINUSE' && !options.takeOver;
    throw new CommandError(taken ? `${message}; --take-over succeeds an isobar there` : message);
  }
  const order = await orders.ended;
  log.info({ order }, 'stopping');
  const force = clock.timer(STOP_MAX_MS, () => {
    log.error({}, 'stop took too long');
    process.exit(1);
  });
  await follower?.stop();
  await daemon.stop('isobar is stopping', order === SUCCEEDED);
  force.cancel();
  return 0;
}

/** What the process is told from outside, by signals and by its API. */
class Orders {
  /** Resolves to what ends the process. */
  readonly ended: Promise<string>;
  #end: (order: string) => void = () => {};
  #reload: () => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    process.once('SIGTERM', this.#end).once('SIGINT', this.#end);
    process.on('SIGHUP', () => this.#reload());
  }

  end(order: string): void {
    this.#end(order);
  }

  onReload(reload: () => unknown): void {
    this.#reload = reload;
  }
}

interface StoreParts {
  readonly current: () => Config;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

async function storeOf(config: Config, site: string, parts: StoreParts): Promise<Store> {
  const { current, clock, prng, log } = parts;
  if (config.share.kind === 'memory') {
    if (config.sites.length > 1 || config.sites[0]!.agents.length > 1) {
      log.warn(
        {},
        'store: memory reaches only this process, so the others will never be heard; use redis',
      );
    }
    return new MemoryHub().store(site);
  }
  const { RedisStore } = await import('../share/redis-store.ts');
  return new RedisStore({
    servers: config.share.servers,
    secrets: readRedisSecrets,
    deployment: config.deployment,
    writers: () =>
      current().sites.flatMap(({ name, agents }) =>
        agents.map((agent) => writerOf({ site: name, agent })),
      ),
    ttl_ms: REPORT_TTLS * config.policy.report_stale_ms,
    clock,
    prng,
    log,
  });
}
