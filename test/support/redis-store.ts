/** Redis stores for tests: what the configuration says of a server, and a store of some of them. */
import { SystemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { ok } from '../../src/base/result.ts';
import type { RedisServerConfig } from '../../src/model/config.ts';
import type { Override, OverrideSight } from '../../src/model/override.ts';
import { idOf, siteScope } from '../../src/model/override.ts';
import type { RedisSecrets } from '../../src/share/redis-connector.ts';
import { RedisStore, type RedisStoreOptions } from '../../src/share/redis-store.ts';
import type { Store } from '../../src/share/store.ts';

export const TEST_WRITERS = ['fra/fra', 'fra/fra2', 'iad/iad', 'sin/sin'];

export const NO_SECRETS: RedisSecrets = {
  password: null,
  sentinel_password: null,
  ca: null,
  certificate: null,
  key: null,
};

export function redisServer(url: string, more: Partial<RedisServerConfig> = {}): RedisServerConfig {
  const { host, hostname, port } = new URL(url);
  return {
    kind: 'standalone',
    name: host,
    nodes: [{ host: hostname, port: Number(port) }],
    group: null,
    database: 0,
    tls: null,
    username: null,
    password_file: null,
    sentinel_username: null,
    sentinel_password_file: null,
    ...more,
  };
}

export interface TestStoreOptions {
  readonly deployment?: string;
  readonly log?: Log;
  /** Those that are not null, or how they are read. */
  readonly secrets?: Partial<RedisSecrets> | RedisStoreOptions['secrets'];
  readonly writers?: readonly string[];
  readonly ttl_ms?: number;
}

export function redisStore(
  servers: readonly (string | RedisServerConfig)[],
  options: TestStoreOptions = {},
): RedisStore {
  const { deployment = 'test', log = silentLog, writers = TEST_WRITERS, ttl_ms = 5_000 } = options;
  const { secrets = {} } = options;
  return new RedisStore({
    servers: servers.map((one) => (typeof one === 'string' ? redisServer(one) : one)),
    secrets:
      typeof secrets === 'function' ? secrets : async () => ok({ ...NO_SECRETS, ...secrets }),
    deployment,
    writers: () => writers,
    ttl_ms,
    clock: new SystemClock(),
    prng: prng(1),
    log,
  });
}

/** The sequence numbers of the reports of `site` that the store delivers. */
export function sequencesOf(store: Store, site: string): number[] {
  const seen: number[] = [];
  store.subscribe((report) => {
    if (report.site === site) seen.push(report.sequence);
  });
  return seen;
}

/** The drain of a site, ordered by its agent. */
export function testOverride(
  site: string,
  clock: number,
  more: Partial<Override> = {},
  left_ms: number | null = 60_000,
): OverrideSight {
  const scope = siteScope(site);
  const stamp = { clock, agent: `${site}/${site}` };
  const said = { action: 'drain', by: 'ops', reason: 'härte "1"', replaces: [] } as const;
  const override = { id: idOf(scope), scope, ...said, stamp, ...more };
  return { override, for_ms: 0, left_ms };
}

/** What a store delivers of overrides, as "ID CLOCK ACTION". */
export function ordersOf(store: Store): string[] {
  const seen: string[] = [];
  store.subscribeOverrides(({ override }) => {
    seen.push(`${override.id} ${override.stamp.clock} ${override.action}`);
  });
  return seen;
}
