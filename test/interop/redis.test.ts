/**
 * The Redis store against real redis-server processes: the store contract, and servers that are
 * killed, stopped in their tracks, restarted empty, or ask for a password.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { RedisStore } from '../../src/share/redis-store.ts';
import { storeContract } from '../contract/store.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { Gate, RedisServer } from '../support/redis.ts';
import { redisServer, redisStore, sequencesOf as sequences } from '../support/redis-store.ts';
import { testReport } from '../support/report.ts';

const skip = need('redis-server');
const sites = ['fra', 'iad', 'sin'];
let deployments = 0;

const open = (urls: readonly string[], deployment: string, log: Log = silentLog): RedisStore =>
  redisStore(urls, { deployment, log });

const key = (site: string): string => `isobar:{failing}:report:${site}/${site}`;
/** As it lies in Redis. */
const text = (site: string, sequence: number): string =>
  `1.${sequence} ${site}/${site}\n${JSON.stringify(testReport(site, sequence))}`;

describe('contract over Redis', { skip }, () => {
  let server: RedisServer;
  before(async () => {
    server = await RedisServer.start();
  });
  after(() => server.kill());

  storeContract('Redis', { skip }, async () => {
    const deployment = `contract${++deployments}`;
    const raw = new Redis(server.url, { protocol: 3 });
    const gates = new Map<string, Gate>();
    for (const site of sites) gates.set(site, await Gate.open(server.port));
    return {
      open: (site) => open([gates.get(site)!.url], deployment),
      cut: (site) => gates.get(site)!.shut(true),
      heal: (site) => gates.get(site)!.shut(false),
      inject: async (value) => {
        const json = typeof value === 'string' ? value : JSON.stringify(value);
        const text = `1.1 sin/sin\n${json}`;
        await raw.set(`isobar:{${deployment}}:report:sin/sin`, text);
        await raw.publish(`isobar:{${deployment}}:news`, text);
      },
      end: async () => {
        await Promise.all([...gates.values()].map((gate) => gate.close()));
        raw.disconnect();
      },
    };
  });
});

describe('Redis servers that fail', { skip }, () => {
  const servers: RedisServer[] = [];
  const stores: RedisStore[] = [];

  async function start(...more: string[]): Promise<RedisServer> {
    const server = await RedisServer.start(...more);
    servers.push(server);
    return server;
  }

  async function store(urls: readonly string[], deployment = 'failing', log?: Log) {
    const opened = open(urls, deployment, log);
    stores.push(opened);
    return opened;
  }

  async function connected(...all: RedisStore[]): Promise<void> {
    await eventually('all are connected', () => all.every((one) => one.connected));
  }

  test.afterEach(async () => {
    await Promise.all(stores.splice(0).map((one) => one.close()));
    await Promise.all(servers.splice(0).map((one) => one.kill()));
  });

  test('a server that is killed and comes back empty is filled again by those who live', async () => {
    const server = await start();
    const [a, b] = [await store([server.url]), await store([server.url])];
    await connected(a, b);
    a.publish(testReport('fra', 1));
    await server.kill();
    await eventually('both are on their own', () => !a.connected && !b.connected);
    a.publish(testReport('fra', 2));
    await server.restart();
    const late = sequences(await store([server.url]), 'fra');
    await eventually('a newcomer reads the newest', () => late.includes(2));
    await connected(a, b);
  });

  test('a server that hangs blocks nobody, and counts as gone within about two seconds', async () => {
    const server = await start();
    const a = await store([server.url]);
    await connected(a);
    const seen = sequences(a, 'fra');
    server.signal('SIGSTOP');
    const begun = performance.now();
    for (let sequence = 1; sequence <= 1000; sequence++) a.publish(testReport('fra', sequence));
    assert.ok(performance.now() - begun < 1_000, 'publishing did not wait');
    await eventually('own reports are seen', () => seen.includes(1000));
    await eventually('it counts as gone', () => !a.connected, 3_000);
    server.signal('SIGCONT');
    await connected(a);
    const late = sequences(await store([server.url]), 'fra');
    await eventually('the newest has been written', () => late.includes(1000));
  });

  test('a store closes within a second while its server hangs', async () => {
    const server = await start();
    const [a, fresh] = [await store([server.url]), await store([server.url])];
    await connected(a);
    server.signal('SIGSTOP');
    a.publish(testReport('fra', 1));
    const begun = performance.now();
    await Promise.all([a.close(), fresh.close()]);
    assert.ok(performance.now() - begun < 1_000);
  });

  test('of two servers one may die: reports still arrive, and nobody is on his own', async () => {
    const [one, two] = [await start(), await start()];
    const urls = [one.url, two.url];
    const [a, b] = [await store(urls), await store(urls)];
    const changes: boolean[] = [];
    await connected(a, b);
    a.onConnection((state) => changes.push(state));
    const seen = sequences(b, 'fra');
    a.publish(testReport('fra', 1));
    await eventually('the first', () => seen.includes(1));
    await one.kill();
    a.publish(testReport('fra', 2));
    await eventually('the second', () => seen.includes(2));
    await one.restart();
    // Once the restarted one holds the report, the other may go.
    const reader = sequences(await store([one.url]), 'fra');
    await eventually('it is filled', () => reader.includes(2));
    await two.kill();
    a.publish(testReport('fra', 3));
    await eventually('the third', () => seen.includes(3));
    assert.deepEqual(seen, [1, 2, 3]);
    assert.deepEqual(changes, []);
  });

  test('sites that reach different servers of the set meet in the one they share', async () => {
    const [one, two] = [await start(), await start()];
    const [left, right] = [await store([one.url]), await store([two.url])];
    const both = await store([one.url, two.url]);
    await connected(left, right, both);
    const [fra, iad] = [sequences(both, 'fra'), sequences(both, 'iad')];
    left.publish(testReport('fra', 1));
    right.publish(testReport('iad', 1));
    await eventually('both are seen', () => fra.includes(1) && iad.includes(1));
  });

  test('a report is pushed: it arrives although no read would find it', async () => {
    const server = await start();
    const a = await store([server.url]);
    await connected(a);
    const seen = sequences(a, 'iad');
    const raw = new Redis(server.url, { protocol: 3 });
    await raw.publish('isobar:{failing}:news', text('iad', 4));
    raw.disconnect();
    await eventually('it is delivered', () => seen.includes(4), 3_000);
  });

  test('a push that is lost is made good by the periodic read', async () => {
    const server = await start();
    const a = await store([server.url]);
    await connected(a);
    const seen = sequences(a, 'iad');
    const raw = new Redis(server.url, { protocol: 3 });
    await raw.set(key('iad'), text('iad', 4), 'PX', 5_000);
    raw.disconnect();
    await eventually('it is read', () => seen.includes(4), 3_000);
  });

  test('a key that holds what is no report is neither read nor in anybody’s way', async () => {
    const server = await start();
    const raw = new Redis(server.url, { protocol: 3 });
    const huge = { ...testReport('fra', 9), padding: 'x'.repeat(20_000_000) };
    await raw.set(key('fra'), `0.9 fra/fra\n${JSON.stringify(huge)}`);
    await raw.rpush(key('iad'), 'a list');
    await raw.set(key('sin'), '9999999999999999.1 sin/sin\n{}');
    const a = await store([server.url]);
    const own = sequences(a, 'fra');
    await connected(a);
    assert.deepEqual(own, []);
    for (const site of sites) {
      a.publish(testReport(site, 1, { incarnation: 5 + sites.indexOf(site) }));
      const written = async () =>
        (await raw.getrange(key(site), 0, 20)).startsWith(`${5 + sites.indexOf(site)}.1 `);
      await eventually(`the report of ${site} takes its place`, async () => {
        return (await raw.type(key(site))) === 'string' && (await written());
      });
    }
    raw.disconnect();
  });

  test('a report of an agent that has gone silent leaves Redis after its time to live', async () => {
    const server = await start();
    const a = await store([server.url]);
    await connected(a);
    a.publish(testReport('fra', 1));
    const raw = new Redis(server.url, { protocol: 3 });
    const left_ms = async (): Promise<number> => raw.pttl(key('fra'));
    await eventually('it is written', async () => (await left_ms()) > 0);
    assert.ok((await left_ms()) <= 5_000);
    raw.disconnect();
  });

  test('a user of the ACL logs in with name and password', async () => {
    const acl = ['isobar', 'on', '>open-sesame', '~isobar:*', '&isobar:*', '+@all'];
    const server = await start('--requirepass', 'other', '--user', ...acl);
    const login = (username: string | null, password: string): RedisStore => {
      const secrets = { password };
      stores.push(redisStore([redisServer(server.url, { username })], { secrets }));
      return stores.at(-1)!;
    };
    await connected(login('isobar', 'open-sesame'), login(null, 'other'));
  });

  test('a password is used, and is never logged, right or wrong', async () => {
    const server = await start('--requirepass', 'open-sesame');
    const lines: string[] = [];
    const note = (fields: object, message: string): void => {
      lines.push(message + JSON.stringify(fields));
    };
    const log: Log = {
      debug: note,
      info: note,
      warn: note,
      error: note,
      child: (fields) => {
        lines.push(JSON.stringify(fields));
        return log;
      },
    };
    const login = (password: string): RedisStore => {
      stores.push(redisStore([server.url], { log, secrets: { password } }));
      return stores.at(-1)!;
    };
    const good = login('open-sesame');
    const bad = login('wrong-sesame');
    await connected(good);
    await eventually('the refusal is logged', () => lines.some((line) => /WRONGPASS/.test(line)));
    assert.equal(bad.connected, false);
    assert.deepEqual(
      lines.filter((line) => line.includes('sesame')),
      [],
    );
  });
});
