/**
 * The store contract over TLS: the server shows a certificate of an authority of its own and asks for
 * one, and each site logs in as a user that may do no more than the documentation says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RedisServerConfig } from '../../src/model/config.ts';
import { storeContract } from '../contract/store.ts';
import { projectRoot } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { freePort, HOST, RedisServer } from '../support/redis.ts';
import { ACL_COMMANDS, redisBench } from '../support/redis-bench.ts';
import { clusterNode, Fleet, TestAuthority } from '../support/redis-fleet.ts';
import { redisServer, redisStore } from '../support/redis-store.ts';

const skip = need('redis-server', 'openssl');
const NO_FILES = { ca_file: null, certificate: null, key: null, server_name: null };

const secretsOf = (authority: TestAuthority) => ({
  ca: authority.text('ca', 'pem'),
  certificate: authority.text('client', 'pem'),
  key: authority.text('client', 'key'),
});

describe('Redis over TLS', { skip }, () => {
  let authority: TestAuthority;
  let server: RedisServer;
  let port: number;

  before(async () => {
    authority = new TestAuthority();
    port = await freePort();
    server = await RedisServer.start(...authority.serverOptions(port));
  });
  after(async () => {
    await server.kill();
    authority.remove();
  });

  const config = (server_name: string | null = null): RedisServerConfig =>
    redisServer(`rediss://${HOST}:${port}`, { tls: { ...NO_FILES, server_name } });
  const secrets = () => secretsOf(authority);

  storeContract('Redis by TLS and ACL', { skip }, () =>
    redisBench({ nodes: [server], server: config(), secrets: secrets() }),
  );

  /** What a store says of the server once it is up, or cannot be used. */
  async function outcome(server_: RedisServerConfig, given: object): Promise<string> {
    const store = redisStore([server_], { secrets: given });
    try {
      const health = () => store.servers()[0]!;
      await eventually('it is tried', () => health().state === 'up' || health().error !== null);
      return health().error ?? health().state;
    } finally {
      await store.close();
    }
  }

  test('the rights that are enough are those of the documentation', () => {
    const documented = readFileSync(join(projectRoot, 'docs/operations.md'), 'utf8');
    const missing = ACL_COMMANDS.split(' ').filter((right) => !documented.includes(`${right}`));
    assert.deepEqual(missing, []);
  });

  test('the certificate must be of the authority, and name the server', async () => {
    assert.equal(await outcome(config('redis.test'), secrets()), 'up');
    const stranger = await outcome(config('other.test'), secrets());
    assert.match(stranger, /redis\.test/);
    assert.match(await outcome(config(), { ...secrets(), ca: null }), /certificate/);
  });

  test('a server that asks for a certificate turns away who has none', async () => {
    const { ca } = secrets();
    assert.match(await outcome(config(), { ca }), /certificate|closed/);
  });

  test('a server that does not speak TLS is down, with a reason', async () => {
    const plain = redisServer(server.url, { tls: NO_FILES });
    assert.notEqual(await outcome(plain, secrets()), 'up');
  });
});

/** Of one server each, and every word of it by TLS; the failures are tested without. */
describe('Redis over TLS that must be found', { skip }, () => {
  let authority: TestAuthority;
  let fleet: Fleet;
  let master: RedisServer;
  let node: RedisServer;
  let group: RedisServerConfig;
  let cluster: RedisServerConfig;

  before(async () => {
    authority = new TestAuthority();
    fleet = new Fleet();
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    const byTls = (port: number, more: string): string[] => [
      ...authority.serverOptions(port),
      ...more.split(' '),
    ];
    master = await fleet.server(...byTls(ports[0], '--tls-replication yes'));
    await fleet.sentinel([
      ...authority.serverLines(ports[1]),
      'tls-replication yes',
      `sentinel monitor isobar ${HOST} ${ports[0]} 1`,
    ]);
    node = await clusterNode(fleet, 0, byTls(ports[2], '--tls-cluster yes'));
    await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually('the Cluster is whole', async () =>
      /cluster_state:ok/.test(String(await node.command('CLUSTER', 'INFO'))),
    );
    const at = (port: number, more: Partial<RedisServerConfig>): RedisServerConfig =>
      redisServer(`rediss://${HOST}:${port}`, { tls: NO_FILES, ...more });
    group = at(ports[1], { kind: 'sentinel', group: 'isobar' });
    cluster = at(ports[2], { kind: 'cluster' });
  });
  after(async () => {
    await fleet.end();
    authority.remove();
  });

  storeContract('Redis under Sentinel by TLS', { skip }, () =>
    redisBench({ nodes: [master], server: group, secrets: secretsOf(authority) }),
  );
  storeContract('Redis Cluster by TLS', { skip }, () =>
    redisBench({ nodes: [node], server: cluster, secrets: secretsOf(authority) }),
  );
});
