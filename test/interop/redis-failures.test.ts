/**
 * Redis servers that live but do not serve: full, read-only, without a disk, empty all of a sudden,
 * stalled, or closed to us. Real processes, each test a few seconds.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ok } from '../../src/base/result.ts';
import { OVERRIDES_MAX } from '../../src/share/override-book.ts';
import type { RedisStore } from '../../src/share/redis-store.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { Gate, RedisServer } from '../support/redis.ts';
import { aclOf } from '../support/redis-bench.ts';
import {
  NO_SECRETS,
  ordersOf,
  redisServer,
  redisStore,
  sequencesOf,
  type TestStoreOptions,
  testOverride,
} from '../support/redis-store.ts';
import { testReport } from '../support/report.ts';

const OVERRIDES = 'isobar:{test}:overrides';

describe('Redis servers that live but do not serve', { skip: need('redis-server') }, () => {
  const servers: RedisServer[] = [];
  const stores: RedisStore[] = [];

  async function start(...more: string[]): Promise<RedisServer> {
    servers.push(await RedisServer.start(...more));
    return servers.at(-1)!;
  }

  /** A store of all servers that were started, or of some. */
  function open(
    some: readonly RedisServer[] = servers,
    options: TestStoreOptions = {},
  ): RedisStore {
    stores.push(
      redisStore(
        some.map(({ url }) => url),
        options,
      ),
    );
    return stores.at(-1)!;
  }

  const connected = (...all: RedisStore[]): Promise<void> =>
    eventually('all are connected', () => all.every((one) => one.connected));
  const stateOf = (store: RedisStore): string =>
    store
      .servers()
      .map(({ state }) => state)
      .join(' ');

  test.afterEach(async () => {
    await Promise.all(stores.splice(0).map((one) => one.close()));
    await Promise.all(servers.splice(0).map((one) => one.kill()));
  });

  /** Takes no writes while `broken`; by `error` it says so. */
  async function readsOnly(
    server: RedisServer,
    set: (broken: boolean) => Promise<void>,
    error: RegExp,
  ): Promise<void> {
    const [a, b] = [open([server]), open([server])];
    await connected(a, b);
    a.publish(testReport('fra', 1));
    const before = sequencesOf(open([server]), 'fra');
    await eventually('it is written', () => before.includes(1));
    await set(true);
    await eventually('it counts as read-only', () => stateOf(a) === 'read-only');
    await eventually(
      'also for the one that has published nothing',
      () => stateOf(b) === 'read-only',
    );
    assert.match(a.servers()[0]!.error!, error);
    assert.equal(a.connected, false, 'nobody can hear us');
    const late = sequencesOf(open([server]), 'fra');
    await eventually('it is still read', () => late.includes(1));
    a.publish(testReport('fra', 2));
    a.putOverride(testOverride('fra', 1));
    await sleep(50);
    await set(false);
    await connected(a, b);
    const [reports, orders] = [sequencesOf(b, 'fra'), ordersOf(b)];
    await eventually('what was kept is written', () => reports.includes(2) && orders.length === 1);
  }

  test('one without memory is read but not written', async () => {
    const server = await start();
    await readsOnly(server, (broken) => server.full(broken), /OOM/);
  });

  test('one that became a replica is read but not written', async () => {
    const server = await start();
    await readsOnly(server, (broken) => server.readOnly(broken), /READONLY/);
  });

  test('one that cannot write its disk is read but not written', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'isobar-disk-'));
    const server = await start('--dir', dir, '--save', '3600 1');
    await readsOnly(
      server,
      async (broken) => {
        if (!broken) {
          await server.command('CONFIG', 'SET', 'save', '');
          return;
        }
        rmSync(dir, { recursive: true });
        await server.command('BGSAVE');
        await eventually('the save has failed', async () =>
          /rdb_last_bgsave_status:err/.test(String(await server.command('INFO', 'persistence'))),
        );
      },
      /MISCONF/,
    );
  });

  test('of three servers one is full, one read-only: the third is enough', async () => {
    const [one, two] = [await start(), await start(), await start()];
    const [a, b] = [open(), open()];
    const changes: boolean[] = [];
    await connected(a, b);
    await eventually('all are up', () => stateOf(a) === 'up up up');
    a.onConnection((state) => changes.push(state));
    const seen = sequencesOf(b, 'fra');
    await one!.full(true);
    await two!.readOnly(true);
    await eventually('it is seen', () => stateOf(a) === 'read-only read-only up');
    a.publish(testReport('fra', 1));
    await eventually('reports arrive', () => seen.includes(1));
    assert.deepEqual(changes, []);
  });

  describe('one that is slow', () => {
    const gates: Gate[] = [];
    const slow = async (late_ms: number): Promise<string> => {
      const { port } = await start();
      gates.push(await Gate.open(port, late_ms));
      return gates.at(-1)!.url;
    };
    const openOf = (...urls: string[]): RedisStore => {
      stores.push(redisStore(urls));
      return stores.at(-1)!;
    };
    test.afterEach(async () => {
      await Promise.all(stores.splice(0).map((one) => one.close()));
      await Promise.all(gates.splice(0).map((one) => one.close()));
    });

    test('is used, and gets the newest of the reports that it cannot keep up with', async () => {
      const url = await slow(250);
      const [a, b] = [openOf(url), open()];
      await connected(a, b);
      const seen = sequencesOf(b, 'fra');
      for (let n = 1; n <= 50; n++) {
        a.publish(testReport('fra', n));
        await sleep(20);
      }
      await eventually('the newest arrives', () => seen.includes(50));
      assert.ok(seen.length < 40, `${seen.length} of 50 were written, one after the other`);
      a.putOverride(testOverride('fra', 1));
      const orders = ordersOf(b);
      await eventually('so does an override', () => orders.length === 1);
      assert.equal(stateOf(a), 'up');
    });

    test('keeps nobody waiting who shares another server, too', async () => {
      const late_ms = 900;
      const urls = [await slow(late_ms), (await start()).url];
      const [a, b] = [openOf(...urls), openOf(...urls)];
      await connected(a, b);
      const seen = sequencesOf(b, 'fra');
      for (let n = 1; n <= 5; n++) {
        a.publish(testReport('fra', n));
        await eventually('it arrives by the other', () => seen.includes(n), late_ms);
      }
    });
  });

  test('one that loses everything is filled again, with reports and overrides', async () => {
    const server = await start();
    const [a, b] = [open(), open()];
    await connected(a, b);
    const orders = ordersOf(b);
    a.publish(testReport('fra', 1));
    b.publish(testReport('iad', 1));
    a.putOverride(testOverride('fra', 5));
    b.putOverride(testOverride('iad', 6, { action: null }, null));
    await eventually('they are there', () => orders.length === 2);
    await server.flush();
    const late = open();
    const [fra, iad, all] = [sequencesOf(late, 'fra'), sequencesOf(late, 'iad'), ordersOf(late)];
    await eventually(
      'a newcomer finds all',
      () => fra.length + iad.length + all.length === 4,
      3_000,
    );
    assert.deepEqual(all.sort(), ['site=fra 5 drain', 'site=iad 6 null']);
  });

  test('one that comes back empty gets the overrides from the agents', async () => {
    const server = await start();
    const a = open();
    await connected(a);
    for (let n = 1; n <= 100; n++) a.putOverride(testOverride(`site${n}`, n));
    await eventually(
      'all are written',
      async () => Number(await server.command('HLEN', OVERRIDES)) === 101,
    );
    await server.kill();
    await eventually('it is on its own', () => !a.connected);
    await server.restart();
    await eventually(
      'all are back',
      async () => Number(await server.command('HLEN', OVERRIDES)) === 101,
      4_000,
    );
  });

  test('an override that only one of two servers has reaches the other', async () => {
    const [one, two] = [await start(), await start()];
    const [left, both] = [open([one]), open([one, two])];
    await connected(left, both);
    await eventually('both are up', () => stateOf(both) === 'up up');
    left.putOverride(testOverride('fra', 5));
    const right = ordersOf(open([two]));
    await eventually('it has passed over', () => right.length === 1, 4_000);
  });

  test('all stall for two seconds, and the world is whole two seconds later', async () => {
    const all = [await start(), await start(), await start()];
    const [a, b] = [open(), open()];
    await eventually('all are up', () => stateOf(a) + stateOf(b) === 'up up upup up up');
    const seen = sequencesOf(b, 'fra');
    const stalled = Promise.all(all.map((server) => server.stall(2_000)));
    await eventually('they are on their own', () => !a.connected && !b.connected, 4_000);
    a.publish(testReport('fra', 2));
    await stalled;
    await eventually('the world is whole', () => seen.includes(2), 4_000);
    await eventually(
      'all are up again',
      () => stateOf(a) + stateOf(b) === 'up up upup up up',
      4_000,
    );
  });

  test('rights that are taken away, and a password that changes, need no restart', async () => {
    const server = await start();
    await server.command(...(aclOf('test', 'isobar') as [string, ...string[]]));
    let password = 'open-sesame';
    const config = redisServer(server.url, { username: 'isobar' });
    const secrets = async () => ok({ ...NO_SECRETS, password });
    const store = redisStore([config], { secrets });
    stores.push(store);
    await connected(store);
    await server.command('ACL', 'SETUSER', 'isobar', '-eval');
    await eventually('it is down', () => stateOf(store) === 'down');
    assert.match(store.servers()[0]!.error!, /NOPERM/);
    await server.command('ACL', 'SETUSER', 'isobar', '+eval', 'resetpass', '>other-sesame');
    await eventually('the password is wrong', () =>
      /WRONGPASS/.test(store.servers()[0]!.error ?? ''),
    );
    password = 'other-sesame';
    await connected(store);
  });

  test('what is known is not sent again by each read', async () => {
    const server = await start();
    const writers = Array.from({ length: 40 }, (_, n) => `s${n}/s${n}`);
    const padding = { suspect: 'x'.repeat(900) };
    const count = await server.command('ECHO', 'ready');
    assert.equal(count, 'ready');
    for (const writer of writers) {
      const report = { ...testReport(writer.split('/')[0]!, 1), ...padding };
      const text = `1.1 ${writer}\n${JSON.stringify(report)}`;
      await server.command('SET', `isobar:{test}:report:${writer}`, text);
    }
    const store = open(servers, { writers });
    let heard = 0;
    store.subscribe(() => heard++);
    await connected(store);
    await eventually('all are read', () => heard === 40);
    const sent = async (): Promise<number> => {
      const info = String(await server.command('INFO', 'stats'));
      return Number(/total_net_output_bytes:(\d+)/.exec(info)![1]);
    };
    const before = await sent();
    await sleep(2_500);
    const bytes = (await sent()) - before;
    assert.ok(bytes < 20_000, `${bytes} bytes for at least two reads of ${40 * 1_500}`);
  });

  test('more than fits into one answer is read in several', async () => {
    const server = await start();
    const writers = Array.from({ length: 6 }, (_, n) => `s${n}/s${n}`);
    for (const writer of writers) {
      const report = { ...testReport(writer.split('/')[0]!, 1), padding: 'x'.repeat(4_000_000) };
      await server.command(
        'SET',
        `isobar:{test}:report:${writer}`,
        `1.1 ${writer}\n${JSON.stringify(report)}`,
      );
    }
    const store = open(servers, { writers });
    let heard = 0;
    store.subscribe(() => heard++);
    await eventually('all are read', () => heard === 6);
  });

  test('what somebody else put where the overrides are is in nobody’s way', async () => {
    const server = await start();
    await server.command('SET', OVERRIDES, 'no hash');
    const a = open();
    await connected(a);
    a.putOverride(testOverride('fra', 1));
    await eventually(
      'it makes room',
      async () => (await server.command('TYPE', OVERRIDES)) === 'hash',
    );
    await server.command(
      'HSET',
      OVERRIDES,
      'version',
      'x',
      'a',
      'junk',
      'b',
      '9 9 - 9 c\n{}',
      'c',
      'x'.repeat(100_000),
    );
    const late = ordersOf(open());
    await eventually('the override is read', () => late.length === 1);
    a.putOverride(testOverride('fra', 2));
    await eventually('and written', () => late.length === 2);
  });

  test('a server full of overrides that are over has room for new ones', async () => {
    const server = await start();
    const junk = Array.from({ length: 1_100 }, (_, n) => [
      `site=x${n}`,
      `5 1 - 1 fra/fra\n{}`,
    ]).flat();
    await server.command('HSET', OVERRIDES, ...junk);
    const a = open();
    await connected(a);
    a.putOverride(testOverride('fra', 1));
    await eventually(
      'it is written',
      async () => Number(await server.command('HLEN', OVERRIDES)) === 2,
    );
  });

  test('a server full of overrides that were removed has room for new ones', async () => {
    const server = await start();
    const [a, b] = [open(), open()];
    await connected(a, b);
    const orders = ordersOf(b);
    const all = Array.from({ length: OVERRIDES_MAX }, (_, n) => testOverride(`site${n}`, 1));
    for (const [n, { override }] of all.entries()) {
      a.putOverride({ override: { ...override, action: null }, for_ms: 1e6 - n, left_ms: null });
    }
    await eventually('it is full', () => orders.length === OVERRIDES_MAX);
    a.putOverride(testOverride('fra', 1));
    await eventually('the new one reaches the others', () => orders.includes('site=fra 1 drain'));
    const held = async (id: string): Promise<number> =>
      Number(await server.command('HEXISTS', OVERRIDES, `site=${id}`));
    assert.deepEqual([await held('fra'), await held('site0'), await held('site1')], [1, 0, 1]);
    assert.equal(Number(await server.command('HLEN', OVERRIDES)), OVERRIDES_MAX + 1);
  });

  test('an override is kept no longer than its agents would keep it', async () => {
    const server = await start();
    const a = open();
    await connected(a);
    a.putOverride(testOverride('fra', 1, {}, 60_000));
    const held = async (): Promise<string> =>
      String((await server.command('HGET', OVERRIDES, 'site=fra')) ?? '');
    await eventually('it is written', async () => (await held()) !== '');
    const [kept, since, ends] = (await held()).split(' ').map(Number);
    assert.equal(ends! - since!, 60_000);
    assert.ok(kept! > ends! && kept! - ends! <= 31 * 86_400_000, `${kept} ${ends}`);
  });
});
