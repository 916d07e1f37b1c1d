/** `isobar run`: one site's daemon as in production, until SIGTERM or SIGINT. */
import { isDeepStrictEqual } from 'node:util';
import { type Clock, SystemClock } from '../base/clock.ts';
import { type Log, type LogLevel, pinoLog } from '../base/log.ts';
import { type Prng, systemPrng } from '../base/prng.ts';
import { formatProblem } from '../config/problem.ts';
import { configVersion } from '../config/version.ts';
import { watchConfig } from '../config/watch.ts';
import type { Config } from '../model/config.ts';
import { MemoryHub } from '../share/memory-store.ts';
import { RedisStore } from '../share/redis-store.ts';
import type { Store } from '../share/store.ts';
import { spillDrivers } from '../spill/drivers.ts';
import { systemHost } from '../spill/host.ts';
import { CommandError } from './command-error.ts';
import { configOf, geoOf, redisPasswordOf, siteOf, tokenOf } from './config-dir.ts';
import { Daemon } from './daemon.ts';

/** A report stays in Redis for this many times the age at which it counts as stale. */
const REPORT_TTLS = 2;
/** A stop that takes longer is ended by force, in milliseconds. */
const STOP_MAX_MS = 5_000;

export interface RunOptions {
  readonly config: string;
  readonly site: string;
  readonly logLevel: LogLevel;
}

/** Resolves to the process's exit code once the daemon has stopped. */
export async function run(options: RunOptions): Promise<number> {
  const config = await configOf(options.config, { site: options.site });
  const site = siteOf(config, options.site);
  const clock = new SystemClock();
  const prng = systemPrng();
  const log = pinoLog(options.logLevel, { site: site.name });
  const geo = await geoOf(config);
  let daemon: Daemon | null = null;
  const current = (): Config => daemon?.agent.config ?? config;
  const password = await redisPasswordOf(config);
  const store = storeOf(config, site.name, { current, clock, prng, log, password });
  const token = await tokenOf(site);
  const notice = (sentence: string): void => log.info({}, sentence);
  const drivers = (now: Config) => spillDrivers(now, site.name, systemHost, notice);
  const signalled = new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve);
  });
  let stopFollowing = async (): Promise<void> => {};
  try {
    const parts = { config, site: site.name, geo, store, drivers, clock, prng, log, token };
    daemon = new Daemon(parts);
    // A signal ends a start that still waits for the first probes, too.
    const started = daemon.start().then(() => true);
    if (await Promise.race([started, signalled.then(() => false)])) {
      stopFollowing = follow(daemon, options, clock, log);
      await tellCommit(options, log);
    }
  } catch (error) {
    await store.close();
    throw new CommandError((error as Error).message);
  }
  log.info({ signal: await signalled }, 'stopping');
  const force = clock.timer(STOP_MAX_MS, () => {
    log.error({}, 'stop took too long');
    process.exit(1);
  });
  await stopFollowing();
  await daemon.stop('isobar is stopping');
  force.cancel();
  return 0;
}

/** Takes over each new configuration, one after the other. Returns what ends that. */
function follow(daemon: Daemon, options: RunOptions, clock: Clock, log: Log): () => Promise<void> {
  let last = Promise.resolve();
  const watch = watchConfig(options.config, {
    clock,
    current: daemon.agent.config,
    load: { site: options.site },
    onConfig: (next) => {
      last = last.then(() => takeOver(daemon, next, options, log));
    },
    onProblems: (problems) => refuse(log, problems.map(formatProblem)),
  });
  return async () => {
    await watch.stop();
    await last;
  };
}

async function takeOver(
  daemon: Daemon,
  config: Config,
  options: RunOptions,
  log: Log,
): Promise<void> {
  const { agent } = daemon;
  try {
    const waiting = fixedAtStart(agent.config, config, agent.site);
    await agent.reload(config, await geoOf(config));
    await tellCommit(options, log);
    if (waiting.length > 0) log.warn({ keys: waiting }, 'changed, but in use only after a restart');
  } catch (error) {
    refuse(log, [(error as Error).message]);
  }
}

/** Where the configuration is a Git work tree, which commit an operator will find it at. */
async function tellCommit({ config }: RunOptions, log: Log): Promise<void> {
  log.info({ commit: await configVersion(config) }, 'configuration in use');
}

function refuse(log: Log, problems: readonly string[]): void {
  log.error({ problems }, 'new configuration refused; the old one stays');
}

/** What differs between the two that an agent takes only when it starts. */
function fixedAtStart(before: Config, after: Config, site: string): string[] {
  const parts = (config: Config): Record<string, unknown> => {
    const { dns, api } = siteOf(config, site);
    return { store: config.share, dns, api };
  };
  const now = parts(after);
  return Object.entries(parts(before)).flatMap(([key, was]) =>
    isDeepStrictEqual(was, now[key]) ? [] : [key],
  );
}

interface StoreParts {
  readonly current: () => Config;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** For the Redis servers. */
  readonly password: string | null;
}

function storeOf(config: Config, site: string, parts: StoreParts): Store {
  const { current, clock, prng, log, password } = parts;
  if (config.share.kind === 'memory') {
    if (config.sites.length > 1) {
      log.warn(
        {},
        'store: memory reaches only this process, so the other sites will never be heard; use redis',
      );
    }
    return new MemoryHub().store(site);
  }
  return new RedisStore({
    urls: config.share.urls,
    username: config.share.username,
    password,
    deployment: config.deployment,
    sites: () => current().sites.map((one) => one.name),
    ttl_ms: REPORT_TTLS * config.policy.report_stale_ms,
    clock,
    prng,
    log,
  });
}
