import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CounterBook } from '../../src/observe/meter-rates.ts';

const counters = (of: Record<string, number>) => new Map(Object.entries(of));

function rates(book: CounterBook, of: Record<string, number>, now: number): unknown {
  const read = book.rates(counters(of), now);
  return read.kind === 'rates' ? Object.fromEntries(read.of) : read.detail;
}

describe('counters as rates', () => {
  test('the growth per second between two readings, however far apart', () => {
    const book = new CounterBook(10_000);
    assert.equal(rates(book, { a: 100, b: 5 }, 0), 'a rate needs a second reading');
    assert.deepEqual(rates(book, { a: 150, b: 5 }, 500), { a: 100, b: 0 });
    assert.deepEqual(rates(book, { a: 200, b: 25 }, 2_500), { a: 25, b: 10 });
  });

  test('a counter that went back was started anew: no rate, and a new beginning', () => {
    const book = new CounterBook(10_000);
    rates(book, { a: 1_000_000 }, 0);
    assert.match(String(rates(book, { a: 10 }, 1_000)), /went back/);
    assert.deepEqual(rates(book, { a: 30 }, 2_000), { a: 20 });
  });

  test('a counter that is new has no rate yet; one that is gone has none any more', () => {
    const book = new CounterBook(10_000);
    rates(book, { a: 0 }, 0);
    assert.deepEqual(rates(book, { a: 7, b: 900 }, 1_000), { a: 7 });
    assert.deepEqual(rates(book, { b: 901 }, 2_000), { b: 1 });
    assert.equal(rates(book, { c: 0 }, 3_000), 'all counters are new');
  });

  test('after a silence the growth in it is no rate of now', () => {
    const book = new CounterBook(3_000);
    rates(book, { a: 0 }, 0);
    assert.match(String(rates(book, { a: 1e9 }, 3_001)), /after the silence/);
    assert.deepEqual(rates(book, { a: 1e9 + 5 }, 4_001), { a: 5 });
  });

  test('two readings at one instant do not divide by zero', () => {
    const book = new CounterBook(3_000);
    rates(book, { a: 0 }, 5);
    assert.match(String(rates(book, { a: 9 }, 5)), /same instant/);
  });

  test('no rate is ever negative', () => {
    const readings = fc.array(fc.tuple(fc.nat(1_000), fc.nat(), fc.nat()));
    fc.assert(
      fc.property(readings, (steps) => {
        const book = new CounterBook(500);
        let now = 0;
        for (const [wait, a, b] of steps) {
          now += wait;
          const read = book.rates(counters({ a, b }), now);
          if (read.kind === 'rates') for (const rate of read.of.values()) assert.ok(rate >= 0);
        }
      }),
    );
  });
});
