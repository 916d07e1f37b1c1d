import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { LocalRoute } from '../../src/bgp/route.ts';
import { RouteBook } from '../../src/bgp/route-book.ts';
import type { RouteOffer, RoutePlan } from '../../src/model/plan.ts';
import { plan } from '../support/bgp.ts';

const NAMES = ['east', 'west', 'lab'];

/** A plan that offers one of the neighbours something else. */
function except(base: RoutePlan, name: string, changes: Partial<RouteOffer>): RoutePlan {
  const offers = base.offers.map((offer) =>
    offer.neighbor === name ? { ...offer, ...changes } : offer,
  );
  return { ...base, offers };
}

const med = (book: RouteBook, name: string, key: string): number | null | undefined =>
  book.table(name).routes.get(key)?.bundle.med;

describe('the routes of a plan', () => {
  test('are worked out once for all neighbours that are offered the same', () => {
    const book = new RouteBook();
    const base = plan(['10.0.0.1/32', '2001:db8::1/128'], { med: 5 }, NAMES);
    book.take([except(base, 'lab', { med: 9 })]);
    assert.equal(book.table('east'), book.table('west'));
    assert.deepEqual([med(book, 'east', '10.0.0.1/32'), med(book, 'lab', '10.0.0.1/32')], [5, 9]);
    assert.equal(book.table('nobody').routes.size, 0);
  });

  test('are the same object as long as nothing about them changes', () => {
    const book = new RouteBook();
    const plans = (west: number): RoutePlan[] => [
      except(plan(['10.0.0.1/32'], { med: 5 }, NAMES), 'west', { med: west }),
    ];
    book.take(plans(1));
    const [east, west] = [book.table('east'), book.table('west')];
    const { prefixes } = book;
    book.take(plans(2));
    assert.equal(book.table('east'), east);
    assert.equal(book.prefixes, prefixes);
    assert.deepEqual(
      book.table('west').since?.put.map(({ key }) => key),
      ['10.0.0.1/32'],
    );
    assert.equal(book.table('west').since?.before, west);
    book.take(plans(3));
    assert.equal(book.table('west').since?.before.since, null, 'old tables are let go');
  });

  test('of two VIPs with one prefix are those of the first that announces it', () => {
    const book = new RouteBook();
    const [one, two] = [
      plan(['10.0.0.0/24'], { med: 1 }, NAMES),
      plan(['10.0.0.0/24'], { med: 2 }, NAMES),
    ];
    book.take([except(one, 'lab', { announce: false }), two]);
    assert.deepEqual([med(book, 'east', '10.0.0.0/24'), med(book, 'lab', '10.0.0.0/24')], [1, 2]);
  });

  test('leave out what cannot be announced, with a sentence, and take the rest', () => {
    const book = new RouteBook();
    book.take([plan(['10.0.0.1/32', '10.0.0.2/32'], {}, NAMES)]);
    const problems = book.take([
      plan(['10.0.0.1/32'], { communities: ['65000:80', 'nonsense'] }, NAMES),
      plan(['10.0.0.3/32', '10.0.0.300/32'], {}, NAMES),
      plan(['10.0.0.4/32'], { prepend: 1000 }, NAMES),
    ]);
    assert.equal(problems.length, 3);
    assert.ok(problems.some((text) => /community "nonsense"/.test(text)));
    assert.deepEqual([...book.table('east').routes.keys()], ['10.0.0.3/32']);
  });
});

describe('a book that has taken many plans', () => {
  const prefix = fc.constantFrom('10.0.0.1/32', '10.0.0.2/32', '2001:db8:0::1/128', 'nonsense');
  const offer = fc.record({ announce: fc.boolean(), med: fc.constantFrom(null, 1, 2) });
  const names = fc.shuffledSubarray(NAMES, { minLength: 1 });
  const one = fc
    .tuple(
      fc.array(prefix, { maxLength: 2 }),
      names,
      fc.array(offer, { minLength: 3, maxLength: 3 }),
    )
    .map(([prefixes, neighbors, told]) => {
      const base = plan(prefixes, {}, neighbors);
      return { ...base, offers: base.offers.map((it, i) => ({ ...it, ...told[i] })) };
    });

  const words = (routes: ReadonlyMap<string, LocalRoute>): string[] =>
    [...routes].map(([key, { bundle }]) => `${key} ${bundle.key}`).sort();

  test('says what a new one would say of the last, and what has changed since the one before', () => {
    // Often a plan stays as it was, so that only some of it is worked out again.
    const steps = fc.array(fc.tuple(fc.nat(3), one), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 4 }), steps, (first, changes) => {
        const book = new RouteBook();
        let plans = first;
        for (const [at, changed] of changes) {
          const before = NAMES.map((name) => book.table(name));
          const problems = book.take(structuredClone(plans));
          const fresh = new RouteBook();
          assert.deepEqual(problems.sort(), fresh.take(plans).sort());
          assert.deepEqual([...book.prefixes.keys()].sort(), [...fresh.prefixes.keys()].sort());
          NAMES.forEach((name, i) => {
            const table = book.table(name);
            assert.deepEqual(words(table.routes), words(fresh.table(name).routes));
            const { since } = table;
            if (!since) assert.ok(table === before[i] || table.routes.size === 0);
            if (since?.before !== before[i] || !since) return;
            const told = new Map(since.before.routes);
            for (const { key } of since.gone) told.delete(key);
            for (const route of since.put) told.set(route.key, route);
            assert.deepEqual(words(told), words(table.routes));
          });
          plans = plans.map((it, i) => (i === at ? changed : it));
          if (at === 3) plans = [...plans, changed].slice(-4);
        }
      }),
      { numRuns: 300 },
    );
  });
});
