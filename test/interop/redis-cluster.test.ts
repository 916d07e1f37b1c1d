/** The store over a Redis Cluster: the contract, a fail-over, and a slot that moves. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RedisServerConfig } from '../../src/model/config.ts';
import { storeContract } from '../contract/store.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { HOST } from '../support/redis.ts';
import { redisBench } from '../support/redis-bench.ts';
import { RedisCluster } from '../support/redis-fleet.ts';
import { redisServer, redisStore, sequencesOf } from '../support/redis-store.ts';
import { testReport } from '../support/report.ts';

const skip = need('redis-server');

describe('Redis Cluster', { skip }, () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await RedisCluster.start();
  });
  after(() => cluster?.end());

  /** All nodes, or the first only, are named in the configuration. */
  function config(nodes = cluster.nodes): RedisServerConfig {
    const all = nodes.map(({ port }) => ({ host: HOST, port }));
    return redisServer(`redis://${HOST}:1`, { kind: 'cluster', nodes: all });
  }

  storeContract('Redis Cluster', { skip }, async () =>
    redisBench({ nodes: cluster.nodes, server: config(cluster.nodes.slice(0, 1)) }),
  );

  async function pair(
    deployment: string,
    body: (seen: number[], publish: (n: number) => void, connected: () => boolean) => Promise<void>,
  ) {
    const stores = [redisStore([config()], { deployment }), redisStore([config()], { deployment })];
    const [a, b] = stores;
    const connected = (): boolean => stores.every((one) => one.connected);
    try {
      await eventually('both are connected', connected);
      await body(sequencesOf(b!, 'fra'), (n) => a!.publish(testReport('fra', n)), connected);
    } finally {
      await Promise.all(stores.map((one) => one.close()));
    }
  }

  test('a slot that moves to another node is followed', async () => {
    await pair('moving', async (seen, publish, connected) => {
      publish(1);
      await eventually('the first report', () => seen.includes(1));
      const from = await cluster.ownerOf('moving');
      const to = cluster.nodes.find((node) => node !== from && node !== cluster.nodes[3])!;
      await cluster.moveSlot('moving', from, to);
      publish(2);
      await eventually('the report after the move', () => seen.includes(2));
      await eventually('both are connected', connected);
      const key = 'isobar:{moving}:report:fra/fra';
      await eventually('it lies at the new place', async () =>
        /^1\.2 /.test(String(await to.command('GET', key))),
      );
    });
  });

  test('when the node with the keys dies its replica takes over', async () => {
    await pair('dying', async (seen, publish, connected) => {
      publish(1);
      await eventually('the first report', () => seen.includes(1));
      const owner = await cluster.ownerOf('dying');
      await cluster.replicate(owner);
      await owner.kill();
      await eventually('both are on their own', () => !connected());
      publish(2);
      await eventually('both are back', connected, 30_000);
      await eventually('the report of the meantime', () => seen.includes(2));
      const stored = await cluster.nodes[3]!.command('GET', 'isobar:{dying}:report:fra/fra');
      assert.match(String(stored), /^1\.2 fra\/fra\n/);
    });
  });
});
