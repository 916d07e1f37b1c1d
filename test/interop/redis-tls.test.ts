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
import { TestAuthority } from '../support/redis-fleet.ts';
import { redisServer, redisStore } from '../support/redis-store.ts';

const skip = need('redis-server', 'openssl');
const NO_FILES = { ca_file: null, certificate: null, key: null, server_name: null };

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
  const secrets = () => ({
    ca: authority.text('ca', 'pem'),
    certificate: authority.text('client', 'pem'),
    key: authority.text('client', 'key'),
  });

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
