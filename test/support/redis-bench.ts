/**
 * A bench of the store contract over Redis of any kind: each site is a user of its own, with no more
 * rights than docs/operations.md says; a site is cut off by taking its user away.
 */
import type { RedisServerConfig } from '../../src/model/config.ts';
import type { RedisSecrets } from '../../src/share/redis-connector.ts';
import type { StoreBench } from '../contract/store.ts';
import type { RedisServer } from './redis.ts';
import { redisStore } from './redis-store.ts';

/** Commands that docs/operations.md lists for a user of isobar. */
export const ACL_COMMANDS =
  '+hello +select +subscribe +eval +publish +get +set +getrange +strlen +hget +hset +hdel +hkeys ' +
  '+hlen +hstrlen +type +del +time +cluster|slots +cluster|keyslot';

const SITES = ['fra', 'iad', 'sin'];
const PASSWORD = 'open-sesame';
let deployments = 0;

export interface BenchPlace {
  /** All servers of the group or Cluster. */
  readonly nodes: readonly RedisServer[];
  readonly server: RedisServerConfig;
  readonly secrets?: Partial<RedisSecrets>;
}

/** Gives rights to `user`; what it may touch is the deployment's. */
export function aclOf(deployment: string, user: string): string[] {
  const rights = `>${PASSWORD} ~isobar:{${deployment}}:* &isobar:{${deployment}}:* -@all`;
  return ['ACL', 'SETUSER', user, 'reset', 'on', ...rights.split(' '), ...ACL_COMMANDS.split(' ')];
}

export async function redisBench({ nodes, server, secrets }: BenchPlace): Promise<StoreBench> {
  const deployment = `bench${++deployments}`;
  const userOf = (site: string): string => `${deployment}-${site}`;
  const each = async (...[name, ...args]: string[]): Promise<void> => {
    for (const node of nodes) await node.command(name!, ...args);
  };
  for (const site of SITES) await each(...aclOf(deployment, userOf(site)));
  return {
    open: (site) =>
      redisStore([{ ...server, username: userOf(site) }], {
        deployment,
        secrets: { ...secrets, password: PASSWORD },
      }),
    cut: async (site) => {
      await each('ACL', 'SETUSER', userOf(site), 'off');
      await each('CLIENT', 'KILL', 'USER', userOf(site));
    },
    heal: (site) => each('ACL', 'SETUSER', userOf(site), 'on'),
    inject: async (value) => {
      const json = typeof value === 'string' ? value : JSON.stringify(value);
      const text = `1.1 sin/sin\n${json}`;
      // Of a Cluster or a group only one takes it, and that one tells the others.
      const key = `isobar:{${deployment}}:report:sin/sin`;
      for (const node of nodes) await node.command('SET', key, text).catch(() => {});
      await nodes[0]!.command('PUBLISH', `isobar:{${deployment}}:news`, text);
    },
    end: async () => {
      for (const site of SITES) await each('ACL', 'DELUSER', userOf(site));
    },
  };
}
