/** `store` in deployment.yaml: the servers that come of it, and what is no store. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { readRedisSecrets } from '../../src/config/redis-secrets.ts';
import type { RedisServerConfig } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';
import { NO_SECRETS, redisServer } from '../support/redis-store.ts';

const NO_TLS_FILES = { ca_file: null, certificate: null, key: null, server_name: null };

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
});
afterEach(() => demo.destroy());

async function load(store: unknown) {
  await demo.edit('deployment.yaml', 'store: memory', `store: ${JSON.stringify(store)}`);
  return loadConfig(demo.dir);
}

async function servers(store: unknown): Promise<readonly RedisServerConfig[]> {
  const loaded = await load(store);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.error.map(formatProblem).join('\n'));
  assert.ok(loaded.value.share.kind === 'redis');
  return loaded.value.share.servers;
}

describe('the servers of a store', () => {
  test('URLs have the ports and the database that they are known for', async () => {
    const found = await servers({
      redis: [
        'redis://redis.example.com',
        'rediss://[2001:db8::6]:6380/3',
        { url: 'redis://192.0.2.1' },
      ],
    });
    assert.deepEqual(found, [
      redisServer('redis://redis.example.com:6379', { name: 'redis.example.com' }),
      redisServer('rediss://[2001:db8::6]:6380', {
        nodes: [{ host: '2001:db8::6', port: 6380 }],
        database: 3,
        tls: NO_TLS_FILES,
      }),
      redisServer('redis://192.0.2.1:6379', { name: '192.0.2.1' }),
    ]);
  });

  test('a Sentinel group and a Cluster are one server each', async () => {
    const [group, cluster] = await servers({
      redis: [
        { group: 'isobar', sentinels: ['redis://192.0.2.1', 'redis://192.0.2.2:5000'] },
        { cluster: ['rediss://192.0.2.3', 'rediss://192.0.2.4'] },
      ],
    });
    assert.equal(group!.kind, 'sentinel');
    assert.equal(group!.name, 'isobar (192.0.2.1, 192.0.2.2:5000)');
    assert.deepEqual(
      group!.nodes.map(({ port }) => port),
      [26_379, 5_000],
    );
    assert.equal(group!.group, 'isobar');
    assert.equal(group!.tls, null);
    assert.equal(cluster!.kind, 'cluster');
    assert.deepEqual(cluster!.tls, NO_TLS_FILES);
  });

  test('what is said of one server wins over what is said of all', async () => {
    await Promise.all(['ca', 'pw', 'own', 'cert', 'key'].map((name) => demo.write(name, 'x\n')));
    const [first, second] = await servers({
      redis: [
        'rediss://192.0.2.1',
        {
          url: 'rediss://192.0.2.2',
          username: 'own',
          password_file: 'own',
          tls: { certificate: 'cert', key: 'key', server_name: 'redis.example.com' },
        },
      ],
      username: 'isobar',
      password_file: 'pw',
      tls: { ca_file: 'ca' },
    });
    const at = (name: string): string => join(demo.dir, name);
    assert.deepEqual([first!.username, first!.password_file], ['isobar', at('pw')]);
    assert.deepEqual(first!.tls, { ...NO_TLS_FILES, ca_file: at('ca') });
    assert.deepEqual([second!.username, second!.password_file], ['own', at('own')]);
    const own = { ca_file: null, certificate: at('cert'), key: at('key') };
    assert.deepEqual(second!.tls, { ...own, server_name: 'redis.example.com' });
  });

  test('secrets are read from their files, and anew each time', async () => {
    await Promise.all([demo.write('ca', 'CA\n'), demo.write('pw', 'open-sesame\n')]);
    const [server] = await servers({
      redis: ['rediss://192.0.2.1'],
      password_file: 'pw',
      tls: { ca_file: 'ca' },
    });
    const read = await readRedisSecrets(server!);
    assert.deepEqual(read, {
      ok: true,
      value: { ...NO_SECRETS, password: 'open-sesame', ca: 'CA\n' },
    });
    await demo.write('pw', '\n');
    const failed = await readRedisSecrets(server!);
    assert.ok(
      !failed.ok && failed.error === `${join(demo.dir, 'pw')}: empty: write the secret into it`,
    );
  });
});

describe('what is no store', () => {
  const url = 'redis://192.0.2.1';
  const mistakes: readonly (readonly [string, object, RegExp])[] = [
    ['an entry of two kinds', { url, cluster: [url] }, /one of `url`, `cluster`/],
    ['an entry of no kind', { username: 'x' }, /one of `url`, `cluster`/],
    ['a group without Sentinels', { url, group: 'x' }, /a group needs its Sentinels/],
    ['Sentinels without a group', { sentinels: [url] }, /a group needs its Sentinels/],
    [
      'a group with a strange name',
      { sentinels: [url], group: 'a b' },
      /"a b" is no name of a group/,
    ],
    ['half of a Cluster by TLS', { cluster: [url, 'rediss://192.0.2.2'] }, /some of these URLs/],
    ['a database of a Cluster', { cluster: [`${url}/2`] }, /no numbered databases/],
    ['a database without a number', { url: `${url}/two` }, /is not a Redis URL/],
    ['a certificate without its key', { url, tls: { certificate: 'x' } }, /needs its key/],
    [
      'a file that is not there',
      { url, tls: { ca_file: 'nowhere' } },
      /"nowhere": there is no such file/,
    ],
    ['an unknown key', { url, pasword_file: 'x' }, /pasword_file.*password_file/],
  ];
  for (const [what, entry, expected] of mistakes) {
    test(what, async () => {
      const loaded = await load({ redis: [entry] });
      assert.ok(!loaded.ok);
      const lines = loaded.error.map(formatProblem);
      assert.ok(
        lines.some((line) => expected.test(line)),
        lines.join('\n'),
      );
    });
  }

  test('one server twice', async () => {
    const loaded = await load({ redis: [url, { cluster: [url] }] });
    assert.ok(!loaded.ok);
    assert.match(loaded.error.map(formatProblem).join('\n'), /already in line 4/);
  });
});
