/** The store as `isobar run` makes it, for what the bench runs in processes of its own. */
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemPrng } from '../../src/base/prng.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { readRedisSecrets } from '../../src/config/redis-secrets.ts';
import type { Config } from '../../src/model/config.ts';
import { writerOf } from '../../src/model/report.ts';
import { RedisStore } from '../../src/share/redis-store.ts';

export async function configIn(dir: string): Promise<Config> {
  const loaded = await loadConfig(dir);
  if (loaded.ok) return loaded.value;
  throw new Error(loaded.error.map(formatProblem).join('\n'));
}

/** `reads`: false for one that only writes. */
export function storeFor({ share, sites, deployment, policy }: Config, clock: Clock, reads = true) {
  if (share.kind !== 'redis') throw new Error('the scene has no Redis');
  const writers = sites.map(({ name, agents }) => writerOf({ site: name, agent: agents[0]! }));
  return new RedisStore({
    servers: share.servers,
    secrets: readRedisSecrets,
    deployment,
    writers: () => (reads ? writers : []),
    ttl_ms: 2 * policy.report_stale_ms,
    clock,
    prng: systemPrng(),
    log: silentLog,
  });
}
