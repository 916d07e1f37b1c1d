/** The registers of overrides: the same for all in the end, no order lost silently, none come back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import {
  laterStamp,
  nextStamp,
  type Override,
  type OverrideSight,
  REPLACES_MAX,
  sameStamp,
} from '../../src/model/override.ts';
import { KEEP_MS, OVERRIDES_MAX, OverrideBook } from '../../src/share/override-book.ts';
import { orderOf } from '../decide/world.ts';

const SITES = ['fra', 'iad', 'sin'];
const HOUR_MS = 3_600_000;

const log: Log = {
  ...silentLog,
  error: (fields) => assert.fail(JSON.stringify(fields)),
};

function sight(change: Partial<Override> & { for_ms?: number; left_ms?: number | null } = {}) {
  const { for_ms = 0, left_ms = null, ...rest } = change;
  const scope = { site: 'fra', service: null, endpoint: null, label: null };
  return { override: orderOf({ scope, ...rest }).override, for_ms, left_ms };
}

const at = (clock: number, agent = 'fra/fra') => ({ clock, agent });

/** What the book holds, in an order of its own. */
const held = (book: OverrideBook): Override[] =>
  book
    .all()
    .map(({ override }) => override)
    .sort((a, b) => (a.id < b.id ? -1 : 1));

/** An agent with a wall clock that may be wrong, as the desk gives orders. */
class Agent {
  readonly book: OverrideBook;
  readonly name: string;
  readonly lost: Override[] = [];
  readonly #wallError_ms: number;

  constructor(name: string, wallError_ms: number, clock: VirtualClock) {
    this.name = name;
    this.#wallError_ms = wallError_ms;
    this.book = new OverrideBook(clock, log);
    this.book.onLoss(({ lost }) => this.lost.push(lost));
  }

  order(site: string, action: Override['action'], wall: number): Override {
    const scope = { site, service: null, endpoint: null, label: null };
    const { id } = orderOf({ scope }).override;
    const known = this.book.get(id)?.override;
    const stamp = nextStamp(known?.stamp ?? null, wall + this.#wallError_ms, this.name);
    const replaces = known ? [known.stamp, ...known.replaces].slice(0, REPLACES_MAX) : [];
    const given = sight({ scope, action, by: this.name, stamp, replaces });
    assert.ok(this.book.offer(given), 'an own order always wins');
    return given.override;
  }
}

const action = fc.constantFrom('drain' as const, 'up' as const, 'down' as const, null);
const anySight = fc
  .record({
    site: fc.constantFrom(...SITES),
    clock: fc.nat(4),
    agent: fc.constantFrom('a/a', 'b/b', 'c/c'),
  })
  .map(({ site, clock, agent }): OverrideSight => {
    const scope = { site, service: null, endpoint: null, label: null };
    // One agent gives each stamp once, so a stamp tells what was ordered.
    return sight({ scope, action: clock % 2 ? 'drain' : null, by: agent, stamp: at(clock, agent) });
  });

function bookOf(sights: readonly OverrideSight[]): OverrideBook {
  const book = new OverrideBook(new VirtualClock(), log);
  for (const one of sights) book.offer(one);
  return book;
}

describe('books that have got the same overrides hold the same', () => {
  const some = fc.array(anySight, { maxLength: 20 });

  test('in whatever order, and however often', () => {
    fc.assert(
      fc.property(some, fc.infiniteStream(fc.nat()), (sights, dice) => {
        const shuffled = [...sights, ...sights]
          .map((one) => ({ one, rank: dice.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ one }) => one);
        assert.deepEqual(held(bookOf(shuffled)), held(bookOf(sights)));
      }),
    );
  });

  test('merged in any grouping, and with itself', () => {
    const merged = (a: OverrideBook, b: OverrideBook): OverrideBook =>
      bookOf([...a.all(), ...b.all()]);
    fc.assert(
      fc.property(some, some, some, (one, two, three) => {
        const [a, b, c] = [bookOf(one), bookOf(two), bookOf(three)];
        assert.deepEqual(held(merged(merged(a, b), c)), held(merged(a, merged(b, c))));
        assert.deepEqual(held(merged(a, b)), held(merged(b, a)));
        assert.deepEqual(held(merged(a, a)), held(a));
      }),
    );
  });
});

test('with clocks that are hours wrong, all agree, and no order vanishes without a word', () => {
  const errors = fc.array(fc.constantFrom(0, HOUR_MS, -HOUR_MS, 1e15, -1e15), {
    minLength: 3,
    maxLength: 3,
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('order' as const), who: fc.nat(2), action }),
    fc.record({ kind: fc.constant('sync' as const), who: fc.nat(2), whom: fc.nat(2) }),
  );
  fc.assert(
    fc.property(errors, fc.array(step, { maxLength: REPLACES_MAX }), (wrong, steps) => {
      const clock = new VirtualClock(0);
      const agents = SITES.map((name, i) => new Agent(`${name}/${name}`, wrong[i]!, clock));
      const orders: Override[] = [];
      const sync = (from: Agent, to: Agent): void => {
        for (const one of from.book.all()) to.book.offer(one);
      };
      for (const one of steps) {
        clock.advance(1_000);
        const agent = agents[one.who]!;
        if (one.kind === 'order') orders.push(agent.order('fra', one.action, clock.wall()));
        else sync(agent, agents[one.whom]!);
      }
      for (const from of [...agents, ...agents]) for (const to of agents) sync(from, to);
      const [final, ...others] = agents.map(({ book }) => held(book));
      for (const other of others) assert.deepEqual(other, final);
      const told = agents.flatMap(({ lost }) => lost);
      for (const { stamp } of orders) {
        const stands = final!.some((last) => sameStamp(last.stamp, stamp));
        const isKnown = orders.some(({ replaces }) => replaces.some((s) => sameStamp(s, stamp)));
        const isTold = told.some((lost) => sameStamp(lost.stamp, stamp));
        assert.ok(stands || isKnown || isTold, JSON.stringify(stamp));
      }
      // And nothing is called lost that somebody replaced knowingly with nobody else at it.
      if (new Set(orders.map(({ by }) => by)).size <= 1) assert.deepEqual(told, []);
    }),
    { numRuns: 500 },
  );
});

describe('an order', () => {
  test('wins over what its agent knew, however far in the future that was stamped', () => {
    for (const clock of [0, 1e12, 1e15, 2 ** 52, 2 ** 52 + 1_000_000]) {
      const next = nextStamp(at(clock, 'z/z'), 1_000, 'a/a');
      assert.ok(laterStamp(next, at(clock, 'z/z')), String(clock));
      assert.ok(Number.isSafeInteger(next.clock));
    }
  });

  test('of a clock that is absurdly wrong leaves room for all that come after it', () => {
    let stamp = nextStamp(null, Number.MAX_VALUE, 'a/a');
    for (let i = 0; i < 1_000; i++) {
      const next = nextStamp(stamp, 1_000, 'b/b');
      assert.ok(laterStamp(next, stamp));
      stamp = next;
    }
  });

  test('is told as lost once if another overwrites it unseen, and listed until one sees it', () => {
    const book = new OverrideBook(new VirtualClock(), log);
    const told: string[] = [];
    book.onLoss(({ lost, won }) => told.push(`${lost.by} by ${won.by}`));
    const ann = sight({ by: 'ann', stamp: at(1) });
    const bob = sight({ by: 'bob', stamp: at(2), action: null });
    for (const one of [ann, bob, ann, bob]) book.offer(one);
    assert.deepEqual(told, ['ann by bob']);
    assert.deepEqual(
      book.list().map(({ override, lost }) => [override.by, lost.map(({ by }) => by)]),
      [['bob', ['ann']]],
    );
    book.offer(sight({ by: 'eve', stamp: at(3), replaces: [at(2)] }));
    assert.deepEqual(book.list()[0]!.lost, []);
    assert.deepEqual(told, ['ann by bob']);
  });

  test('that arrives after the one that has overwritten it is told as lost, too', () => {
    const book = new OverrideBook(new VirtualClock(), log);
    const told: string[] = [];
    book.onLoss(({ lost }) => told.push(lost.by));
    book.offer(sight({ by: 'eve', stamp: at(5), replaces: [at(4), at(2)] }));
    book.offer(sight({ by: 'bob', stamp: at(2) }));
    book.offer(sight({ by: 'old', stamp: at(1), for_ms: 10, left_ms: -1 }));
    assert.deepEqual(told, [], 'the one was known, the other has ended');
    for (let i = 0; i < 3; i++) book.offer(sight({ by: 'ann', stamp: at(3) }));
    assert.deepEqual(told, ['ann']);
  });
});

describe('an override', () => {
  test('ends by itself on the reader’s own clock, and no old copy brings it back', () => {
    const clock = new VirtualClock(5_000);
    const book = new OverrideBook(clock, log);
    const drain = sight({ for_ms: 1_000, left_ms: 2_000 });
    book.offer(drain);
    assert.deepEqual(book.held(), [{ override: drain.override, since: 4_000, until: 7_000 }]);
    clock.advance(1_999);
    assert.equal(book.all()[0]!.left_ms, 1);
    clock.advance(1);
    assert.deepEqual([book.held(), book.list()], [[], []]);
    book.offer({ ...drain, left_ms: HOUR_MS });
    assert.deepEqual(book.held(), []);
    assert.equal(book.all()[0]!.left_ms, 0, 'it is still known, as ended');
  });

  test('whose times were a guess goes by the first who knows them better', () => {
    const book = new OverrideBook(new VirtualClock(), log);
    const seen: (number | null)[] = [];
    book.subscribe(({ left_ms }) => seen.push(left_ms));
    book.offer(sight({ left_ms: 5 }), true);
    book.offer(sight({ left_ms: 6 }), true);
    assert.equal(book.offer(sight({ left_ms: 7 })), true);
    assert.equal(book.offer(sight({ left_ms: 8 })), false);
    book.offer(sight({ left_ms: 9 }), true);
    assert.deepEqual(seen, [5, 7]);
    assert.deepEqual(book.list()[0]!.lost, []);
  });

  test('that was removed keeps old copies out until nobody can have one', () => {
    const clock = new VirtualClock();
    const book = new OverrideBook(clock, log);
    const drain = sight({ stamp: at(1) });
    book.offer(drain);
    book.offer(sight({ stamp: at(2), action: null, replaces: [at(1)] }));
    clock.advance(KEEP_MS - 1);
    assert.equal(book.offer(drain), false);
    assert.deepEqual(book.held(), []);
    clock.advance(1);
    assert.deepEqual(book.all(), []);
    assert.equal(book.offer(drain), true);
  });

  test('told by a book that had it for long is as old, and ends as soon', () => {
    const [one, other] = [new VirtualClock(0), new VirtualClock(9_999_999)];
    const [from, to] = [new OverrideBook(one, log), new OverrideBook(other, log)];
    from.offer(sight({ left_ms: HOUR_MS }));
    one.advance(HOUR_MS / 2);
    for (const each of from.all()) to.offer(each);
    assert.deepEqual([to.all()[0]!.for_ms, to.all()[0]!.left_ms], [HOUR_MS / 2, HOUR_MS / 2]);
  });
});

describe('a full book', () => {
  const of = (i: number, change: Parameters<typeof sight>[0] = {}) =>
    sight({ scope: { site: `s${i}`, service: null, endpoint: null, label: null }, ...change });
  const removed = (i: number, for_ms: number) => of(i, { action: null, for_ms });

  test('takes no more, but what only keeps old copies out gives way', () => {
    const book = new OverrideBook(new VirtualClock(), log);
    for (let i = 0; i < OVERRIDES_MAX; i++) assert.ok(book.offer(of(i)));
    assert.equal(book.offer(of(OVERRIDES_MAX)), false);
    assert.ok(book.offer(of(7, { stamp: at(2), action: 'up', replaces: [at(1)] })), 'a known one');
    assert.ok(book.offer(of(9, { stamp: at(2), action: null, for_ms: 5, replaces: [at(1)] })));
    assert.ok(book.offer(of(8, { stamp: at(2), action: null, for_ms: 1, replaces: [at(1)] })));
    assert.ok(book.offer(of(OVERRIDES_MAX)));
    assert.deepEqual([book.get('site=s9'), book.get('site=s8')?.override.action], [null, null]);
    assert.equal(book.all().length, OVERRIDES_MAX);
  });

  test('holds the same in the end as another one, though each had other old ones', () => {
    const clock = new VirtualClock();
    const books = [new OverrideBook(clock, log), new OverrideBook(clock, log)];
    books.forEach((book, n) => {
      for (let i = 0; i < OVERRIDES_MAX; i++) {
        book.offer(removed(n * OVERRIDES_MAX + i, 10 * i + n));
      }
    });
    const [one, other] = books as [OverrideBook, OverrideBook];
    for (const each of one.all()) other.offer(each);
    for (const each of other.all()) one.offer(each);
    assert.deepEqual(held(one), held(other));
    assert.ok(!held(one).some(({ id }) => id === `site=s${OVERRIDES_MAX - 1}`), 'an oldest one');
    assert.deepEqual(
      other.all().map((each) => one.offer(each)),
      other.all().map(() => false),
      'nothing is news any more',
    );
  });

  test('tells once that it has no room, and again after it had some', () => {
    const told: unknown[] = [];
    const warn = (fields: object): void => void told.push(fields);
    const book = new OverrideBook(new VirtualClock(), { ...log, warn });
    for (let i = 0; i < OVERRIDES_MAX; i++) book.offer(of(i));
    book.offer(removed(OVERRIDES_MAX, 1));
    assert.deepEqual(told, [], 'what is in force no more is no loss');
    for (const i of [1, 2, 3]) book.offer(of(OVERRIDES_MAX + i));
    assert.equal(told.length, 1);
    book.offer(of(9, { stamp: at(2), action: null, replaces: [at(1)] }));
    for (const i of [1, 2, 3]) book.offer(of(OVERRIDES_MAX + i));
    assert.equal(told.length, 2);
  });
});

test('a subscriber is given what is known, and then only what is later', () => {
  const book = new OverrideBook(new VirtualClock(), log);
  book.offer(sight({ stamp: at(2) }));
  const seen: number[] = [];
  const leave = book.subscribe(({ override }) => seen.push(override.stamp.clock));
  for (const clock of [1, 2, 3, 3, 2]) book.offer(sight({ stamp: at(clock) }));
  leave();
  book.offer(sight({ stamp: at(4) }));
  assert.deepEqual(seen, [2, 3]);
});
