/** The store over a group of Redis servers that Sentinels watch: the contract, and a fail-over. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RedisServerConfig } from '../../src/model/config.ts';
import { storeContract } from '../contract/store.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { HOST } from '../support/redis.ts';
import { redisBench } from '../support/redis-bench.ts';
import { SentinelGroup } from '../support/redis-fleet.ts';
import { redisServer, redisStore, sequencesOf } from '../support/redis-store.ts';
import { testReport } from '../support/report.ts';

const skip = need('redis-server');

describe('Redis under Sentinel', { skip }, () => {
  let group: SentinelGroup;
  before(async () => {
    group = await SentinelGroup.start();
  });
  after(() => group?.end());

  const config = (): RedisServerConfig =>
    redisServer(`redis://${HOST}:1`, {
      kind: 'sentinel',
      group: 'isobar',
      nodes: group.sentinels.map((port) => ({ host: HOST, port })),
    });

  storeContract('Redis under Sentinel', { skip }, async () =>
    redisBench({ nodes: group.servers, server: config() }),
  );

  test('a group that the Sentinels do not know is down, with a reason', async () => {
    const store = redisStore([{ ...config(), group: 'other' }]);
    await eventually('it is tried', () => store.servers()[0]!.error !== null);
    assert.match(store.servers()[0]!.error!, /"other"/);
    await store.close();
  });

  test('when the master dies the new one is filled, and reports go on', async () => {
    const stores = [redisStore([config()]), redisStore([config()])];
    const [a, b] = stores;
    try {
      await eventually('both are connected', () => stores.every((one) => one.connected));
      const seen = sequencesOf(b!, 'fra');
      a!.publish(testReport('fra', 1));
      await eventually('the first report', () => seen.includes(1));
      const [master, replica] = group.servers;
      await master!.kill();
      await eventually('both are on their own', () => stores.every((one) => !one.connected));
      a!.publish(testReport('fra', 2));
      await eventually('both are back', () => stores.every((one) => one.connected), 30_000);
      await eventually('the report of the meantime', () => seen.includes(2));
      const key = 'isobar:{test}:report:fra/fra';
      assert.match(String(await replica!.command('GET', key)), /^1\.2 fra\/fra\n/);
    } finally {
      await Promise.all(stores.map((one) => one.close()));
    }
  });
});
