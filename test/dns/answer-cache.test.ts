import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerCache } from '../../src/dns/answer-cache.ts';

const BUFFER_BYTES = 256;

/** The memory of a message, with what an earlier one left behind its end. */
function memory(octets: Uint8Array, left: number): Int32Array {
  const bytes = new Uint8Array(BUFFER_BYTES).fill(left);
  bytes.set(octets);
  return new Int32Array(bytes.buffer);
}

const octetsOf = (words: Int32Array, length: number): Uint8Array =>
  new Uint8Array(words.buffer).slice(0, length);

const withId = (id: number, octets: Uint8Array): Uint8Array => {
  const copy = octets.slice();
  copy[0] = id >> 8;
  copy[1] = id;
  return copy;
};

const messages = fc.uint8Array({ minLength: 12, maxLength: 120, size: 'max' });
/** Octets of a query and its answer that are surely kept. */
const KEPT_MAX = 96;
const ids = fc.integer({ min: 0, max: 0xffff });

/** Asks `cache` as a worker does; what it does not know is answered with `answer` and kept. */
function ask(
  cache: AnswerCache,
  query: Uint8Array,
  answer: Uint8Array,
  left = 0,
): Uint8Array | null {
  const asked = memory(query, left);
  const out = memory(new Uint8Array(), 0xee);
  const hash = cache.hash(asked, query.length);
  const length = cache.find(hash, asked, query.length, out);
  if (length > 0) return octetsOf(out, length);
  cache.keep(hash, asked, query.length, memory(answer, 0xdd), answer.length, 7);
  return null;
}

test('a query asked for the third time gets the kept answer with its own id', () => {
  fc.assert(
    fc.property(messages, messages, ids, ids, fc.nat(255), (query, answer, one, two, left) => {
      const cache = new AnswerCache();
      assert.equal(ask(cache, withId(one, query), withId(one, answer), left), null);
      assert.equal(ask(cache, withId(two, query), withId(two, answer), left ^ 255), null);
      const again = ask(cache, withId(one ^ two, query), answer);
      if (again === null) {
        assert.ok(query.length + answer.length > KEPT_MAX); // answered anew each time
        return;
      }
      assert.deepEqual(again, withId(one ^ two, answer));
      assert.equal(cache.tag, 7);
    }),
  );
});

test('no query gets the answer of another', () => {
  const queries = fc.uniqueArray(messages, {
    minLength: 2,
    maxLength: 40,
    selector: (query) => Buffer.from(query.subarray(2)).toString('hex'),
  });
  fc.assert(
    fc.property(queries, fc.array(fc.nat(39), { maxLength: 300 }), (all, order) => {
      const cache = new AnswerCache();
      for (const index of order) {
        const query = all[index % all.length]!;
        const mine = withId((query[0]! << 8) | query[1]!, Uint8Array.from([...query, 1]));
        const answer = ask(cache, query, mine);
        if (answer) assert.deepEqual(answer, mine);
      }
    }),
  );
});

test('a query that differs in one bit behind the id is another', () => {
  fc.assert(
    fc.property(messages, fc.nat(), (query, where) => {
      const cache = new AnswerCache();
      for (let i = 0; i < 2; i++) ask(cache, query, query);
      const bit = 16 + (where % (query.length * 8 - 16));
      const other = query.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(ask(cache, other, other), null);
      assert.equal(ask(cache, query.subarray(0, query.length - 1), query), null);
    }),
  );
});

test('nothing is kept over a clear', () => {
  const cache = new AnswerCache();
  const query = new Uint8Array(30).fill(1);
  for (let i = 0; i < 2; i++) ask(cache, query, query);
  assert.notEqual(ask(cache, query, query), null);
  cache.clear();
  assert.equal(ask(cache, query, query), null);
});

/** Of 30 octets, different for each number. */
function numbered(number: number): Uint8Array {
  const query = new Uint8Array(30);
  new DataView(query.buffer).setUint32(13, number);
  return query;
}

test('what is asked once, of a flood or a scan, displaces nothing', () => {
  const cache = new AnswerCache();
  const own = Array.from({ length: 2000 }, (_, i) => numbered(i));
  for (let i = 0; i < 2; i++) for (const query of own) ask(cache, query, query);
  const kept = own.filter((query) => ask(cache, query, query) !== null);
  assert.ok(kept.length > 1800, `${kept.length} of 2000 kept`);
  for (let i = 0; i < 9000; i++) ask(cache, numbered(1e6 + i), numbered(1e6 + i));
  for (const query of kept) assert.deepEqual(ask(cache, query, query), query);
});

test('a flood of what is asked twice costs others their places, and never gives a wrong answer', () => {
  const cache = new AnswerCache();
  for (let i = 0; i < 60_000; i++) {
    const query = numbered(i >> 1);
    const answer = ask(cache, query, query);
    if (answer) assert.deepEqual(answer, query);
    const known = numbered(1e6 + (i % 100));
    const again = ask(cache, known, known);
    if (again) assert.deepEqual(again, known);
  }
});

test('it rests where hardly anything is asked again, and looks anew after a while', () => {
  const cache = new AnswerCache();
  const often = numbered(1);
  const isKnown = (): boolean => ask(cache, often, often) !== null;
  let next = 1e6;
  const scan = (count: number): void => {
    for (let i = 0; i < count; i++) ask(cache, numbered(next++), often);
  };
  isKnown();
  isKnown();
  assert.ok(isKnown());
  scan(16_384);
  assert.ok(!isKnown(), 'it rests');
  scan(60_000);
  assert.ok(!isKnown(), 'it still rests');
  scan(6_000);
  assert.ok(isKnown(), 'it is back, with what it knew');
});

test('it goes on where one query in four is asked again, beside a scan', () => {
  const cache = new AnswerCache();
  const often = numbered(1);
  for (let i = 0; i < 2; i++) ask(cache, often, often);
  for (let i = 0; i < 100_000; i++) {
    if (i % 4 === 0) assert.notEqual(ask(cache, often, often), null, `query ${i}`);
    else ask(cache, numbered(1e6 + i), often);
  }
});
