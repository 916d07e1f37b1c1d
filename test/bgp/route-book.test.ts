import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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
