/** Whom a store believes about where the master is, and when it leaves a node; all servers are fakes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type Answer, FakeRedis, SUBSCRIBED } from '../support/redis-fake.ts';
import { redisServer, redisStore } from '../support/redis-store.ts';

const CHANNEL = 'isobar:{test}:news';
const EMPTY = '*5\r\n$0\r\n\r\n$0\r\n\r\n*0\r\n*0\r\n:0\r\n';

/** A server that takes everything, unless `evals`, one after the other, say otherwise. */
function server(...evals: string[]): Answer {
  return (command) => {
    if (command === 'subscribe') return SUBSCRIBED(CHANNEL);
    return command === 'eval' ? (evals.shift() ?? EMPTY) : '+OK\r\n';
  };
}

const portOf = (fake: FakeRedis): number => Number(new URL(fake.url).port);
const text = (value: string): string => `$${value.length}\r\n${value}\r\n`;
/** A Sentinel that names what `master` gives; null: it hangs. */
const sentinel = (master: () => FakeRedis | null): Answer => {
  return () => {
    const named = master();
    return named && `*2\r\n${text('127.0.0.1')}${text(String(portOf(named)))}`;
  };
};

/** Runs `body` with a store of one group under the Sentinels; ends all of them. */
async function group(
  sentinels: readonly Answer[],
  masters: readonly FakeRedis[],
  body: (store: ReturnType<typeof redisStore>) => Promise<void>,
): Promise<void> {
  const fakes = await Promise.all(sentinels.map((answer) => FakeRedis.start(answer)));
  const nodes = fakes.map((fake) => ({ host: '127.0.0.1', port: portOf(fake) }));
  const store = redisStore([redisServer('redis://x:1', { kind: 'sentinel', group: 'g', nodes })]);
  try {
    await body(store);
  } finally {
    await store.close();
    await Promise.all([...fakes, ...masters].map((fake) => fake.close()));
  }
}

describe('where the master is', () => {
  test('is what most Sentinels say; one lives in the past', async () => {
    const [old, master] = [await FakeRedis.start(server()), await FakeRedis.start(server())];
    const says = [sentinel(() => old), sentinel(() => master), sentinel(() => master)];
    await group(says, [old, master], async (store) => {
      await eventually('it is connected', () => store.connected);
      assert.deepEqual([old.connections, master.connections], [0, 1]);
    });
  });

  test('is told by one Sentinel, when the others hang', async () => {
    const master = await FakeRedis.start(server());
    const says = [sentinel(() => null), sentinel(() => null), sentinel(() => master)];
    await group(says, [master], async (store) => {
      await eventually('it is connected', () => store.connected);
    });
  });

  test('is asked again, and an old master that still answers is left', async () => {
    const [old, next] = [await FakeRedis.start(server()), await FakeRedis.start(server())];
    let master = old;
    await group([sentinel(() => master)], [old, next], async (store) => {
      await eventually('it is connected', () => store.connected);
      master = next;
      await eventually('it has moved', () => next.connections === 1, 12_000);
      await eventually('it is connected again', () => store.connected);
    });
  });

  test('of Sentinels that talk nonsense is unknown', async () => {
    const nonsense = ['_\r\n', '*2\r\n:1\r\n:2\r\n', `*1\r\n${text('x')}`, '*2\r\n_\r\n_\r\n'];
    await group(
      nonsense.map((answer) => () => answer),
      [],
      async (store) => {
        await eventually('it is tried', () => store.servers()[0]!.error !== null);
        assert.match(store.servers()[0]!.error!, /does not know a group "g"/);
      },
    );
  });
});

describe('a node is left, and looked for again', () => {
  const words = [
    'LOADING Redis is loading',
    'MOVED 7 127.0.0.1:1',
    'ASK 7 127.0.0.1:1',
    'CLUSTERDOWN x',
  ];
  for (const word of words) {
    test(`when it says ${word}`, async () => {
      // First at the first read; then, with the next connection, in the second round.
      const fake = await FakeRedis.start(server(`-${word}\r\n`, EMPTY, `-${word}\r\n`));
      const store = redisStore([fake.url]);
      await eventually('it has come back twice', () => fake.connections === 3);
      await eventually('it is connected', () => store.connected);
      await store.close();
      await fake.close();
    });
  }
});
