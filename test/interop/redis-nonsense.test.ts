/**
 * A store whose server answers nonsense: it goes on, the process lives, memory is bounded, and another
 * server is as good as ever. The servers are fakes; nothing here needs Redis.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ok } from '../../src/base/result.ts';
import { eventually } from '../support/eventually.ts';
import { type Answer, FakeRedis, SUBSCRIBED } from '../support/redis-fake.ts';
import {
  NO_SECRETS,
  ordersOf,
  redisStore,
  sequencesOf,
  testOverride,
} from '../support/redis-store.ts';
import { testReport } from '../support/report.ts';

const CHANNEL = 'isobar:{test}:news';
/** What the reading script gives where there is nothing to read. */
const EMPTY = '*5\r\n$0\r\n\r\n$0\r\n\r\n*0\r\n*0\r\n:0\r\n';

/** Answers well, but for `broken`. */
function but(broken: Partial<Record<string, string | Buffer>>): Answer {
  return (command) => {
    const wrong = broken[command];
    if (wrong !== undefined) return wrong;
    if (command === 'subscribe') return SUBSCRIBED(CHANNEL);
    return command === 'eval' ? EMPTY : '+OK\r\n';
  };
}

const message = (text: string): string =>
  `>3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** Opens a store at such a server, and waits until the server has been left `times` times. */
async function suffer(answer: Answer, times = 2): Promise<string | null> {
  const fake = await FakeRedis.start(answer);
  const store = redisStore([fake.url]);
  try {
    const own = sequencesOf(store, 'fra');
    store.publish(testReport('fra', 1));
    store.putOverride(testOverride('fra', 1));
    await eventually('the own report is seen', () => own.includes(1));
    await eventually('it is tried again', () => fake.connections > times);
    assert.equal(store.connected, false);
    return store.servers()[0]!.error;
  } finally {
    await store.close();
    await fake.close();
  }
}

describe('a Redis server that answers nonsense', () => {
  test('one that answers well is used (the fake is good for something)', async () => {
    const fake = await FakeRedis.start(but({}));
    const store = redisStore([fake.url]);
    await eventually('it is used', () => store.connected);
    assert.equal(store.servers()[0]!.state, 'up');
    await store.close();
    await fake.close();
  });

  const evil: Readonly<Record<string, Partial<Record<string, string | Buffer>>>> = {
    'another protocol': { subscribe: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
    'random octets': { eval: Buffer.from('0001fffe8000ab', 'hex') },
    'a number for a subscription': { subscribe: ':1\r\n' },
    'a push of nothing': { eval: '>1\r\n_\r\n' },
    'answers that nobody asked for': { eval: `${EMPTY}_\r\n$-1\r\n` },
    'a number for what was read': { eval: ':7\r\n' },
    'an array of other things': { eval: '*5\r\n:1\r\n_\r\n*1\r\n_\r\n+x\r\n:0\r\n' },
    'reports that are numbers': { eval: '*5\r\n$0\r\n\r\n$0\r\n\r\n*0\r\n*1\r\n:3\r\n:0\r\n' },
    'an array of a thousand million': { eval: '*1000000000\r\n' },
    'arrays without end': { eval: '*1\r\n'.repeat(10_000) },
    'a text longer than all memory': { eval: '$999999999\r\nx' },
  };
  for (const [what, broken] of Object.entries(evil)) {
    test(`${what}: the server is down, and tried again`, async () => {
      assert.ok(await suffer(but(broken)));
    });
  }

  test('octets without end are not kept', async () => {
    const chunk = Buffer.alloc(4_194_304, 120);
    const before = process.memoryUsage().rss;
    await suffer((command, socket) => {
      if (command !== 'eval') return but({})(command, socket);
      socket.write('*16000\r\n$4000000000\r\n');
      const pour = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', pour);
      pour();
      return null;
    });
    const grown_MB = (process.memoryUsage().rss - before) / 1e6;
    assert.ok(grown_MB < 200, `${grown_MB} MB more`);
  });

  test('one that never answers is left after a second, again and again', async () => {
    assert.match(
      (await suffer((command) => (command === 'eval' ? null : but({})(command, null!))))!,
      /timed out/,
    );
  });

  test('messages that are no reports are counted, and the good ones after them arrive', async () => {
    const good = `1.4 iad/iad\n${JSON.stringify(testReport('iad', 4))}`;
    const lies = `9.9 sin/sin\n${JSON.stringify(testReport('sin', 1))}`;
    const bad = ['', 'x', '1.1 sin/sin', '1.1 sin/sin\n{', `1.1 sin/sin\n${'['.repeat(100_000)}`];
    const texts = [
      ...bad,
      lies,
      'override\n{}',
      'override\nnull',
      `${'9'.repeat(30)}.1 sin/sin\n{}`,
    ];
    const all = [...texts, good].map(message).join('');
    const fake = await FakeRedis.start(but({ subscribe: SUBSCRIBED(CHANNEL) + all }));
    const store = redisStore([fake.url]);
    const [iad, sin, orders] = [
      sequencesOf(store, 'iad'),
      sequencesOf(store, 'sin'),
      ordersOf(store),
    ];
    await eventually('the good one arrives', () => iad.includes(4));
    assert.deepEqual([sin, orders], [[], []]);
    assert.equal(store.malformed, 5);
    await store.close();
    await fake.close();
  });

  test('of two servers the good one is used, whatever the other one says', async () => {
    const fakes = [await FakeRedis.start(but({ eval: '*-7\r\n' })), await FakeRedis.start(but({}))];
    const store = redisStore(fakes.map(({ url }) => url));
    await eventually('it is connected', () => store.connected);
    await eventually('the bad one was tried', () => fakes[0]!.connections > 2);
    assert.deepEqual(
      store.servers().map(({ state }) => state),
      ['down', 'up'],
    );
    await store.close();
    await Promise.all(fakes.map((fake) => fake.close()));
  });

  test('no connection begins after the end, though the secrets come late', async () => {
    const fake = await FakeRedis.start(but({}));
    let give = (): void => {};
    const given = new Promise<void>((resolve) => {
      give = resolve;
    });
    const secrets = async () => {
      await given;
      return ok(NO_SECRETS);
    };
    const store = redisStore([fake.url], { secrets });
    await store.close();
    give();
    const other = redisStore([fake.url]);
    await eventually('another one is connected', () => other.connected);
    assert.equal(fake.connections, 1);
    await other.close();
    await fake.close();
  });
});
