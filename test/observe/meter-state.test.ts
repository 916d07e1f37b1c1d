import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { err, ok } from '../../src/base/result.ts';
import { loadFromJson } from '../../src/observe/meter-json.ts';
import { currentLoad, takeReading, UNREAD } from '../../src/observe/meter-state.ts';

const validity = { stale_ms: 60_000, silent_ms: 6_000, smoothing_ms: 2_000 };
const read = (value: number, age_ms = 0) => ok({ value, age_ms });

describe('load meter state', () => {
  test('unread is unknown, the first value is taken as it is', () => {
    assert.equal(currentLoad(UNREAD, 0), null);
    assert.equal(currentLoad(takeReading(UNREAD, read(80), 0, validity), 1), 80);
  });

  test('a step is followed by 63 % in one time constant, however often it is read', () => {
    const followed = 100 + 100 * (1 - 1 / Math.E);
    const start = takeReading(UNREAD, read(100), 0, validity);
    const slow = takeReading(start, read(200), 2_000, validity);
    assert.ok(Math.abs(currentLoad(slow, 2_000)! - followed) < 1e-9);
    let fast = start;
    for (let now = 100; now <= 2_000; now += 100)
      fast = takeReading(fast, read(200), now, validity);
    assert.ok(Math.abs(currentLoad(fast, 2_000)! - followed) < 1e-9);
  });

  test('errors leave the last value standing until it has been silent too long', () => {
    let state = takeReading(UNREAD, read(50), 0, validity);
    state = takeReading(state, err('connection refused'), 2_000, validity);
    assert.equal(currentLoad(state, 5_999), 50);
    assert.equal(state.detail, 'connection refused');
    assert.equal(currentLoad(state, 6_000), null);
  });

  test('a rate that waits for another reading leaves the last one standing, not for ever', () => {
    const waiting = ok({ value: null, detail: 'a counter went back' });
    assert.equal(currentLoad(takeReading(UNREAD, waiting, 0, validity), 0), null);
    let state = takeReading(UNREAD, read(50), 0, validity);
    for (let now = 1_000; now <= 6_000; now += 1_000) {
      assert.equal(currentLoad(state, now - 1), 50);
      state = takeReading(state, waiting, now, validity);
    }
    assert.equal(state.detail, 'a counter went back');
    assert.equal(currentLoad(state, 6_000), null);
  });

  test('after silence the first value is taken as it is', () => {
    const old = takeReading(UNREAD, read(50), 0, validity);
    assert.equal(currentLoad(takeReading(old, read(10), 20_000, validity), 20_000), 10);
  });

  test('a value that was old when read is unknown, and one that grows old becomes so', () => {
    const fresh = takeReading(UNREAD, read(50, 58_000), 0, validity);
    assert.equal(currentLoad(fresh, 1_999), 50);
    assert.equal(currentLoad(fresh, 2_000), null);
    const stale = takeReading(fresh, read(50, 60_000), 1_000, validity);
    assert.equal(currentLoad(stale, 1_000), null);
    assert.match(stale.detail, /60 s old/);
  });
});

describe('the number in a JSON document', () => {
  const cases: [string, string, number | RegExp][] = [
    ['{"load":{"requests":12.5}}', 'load.requests', 12.5],
    ['{"load":0}', 'load', 0],
    ['{"nodes":[{"cpu":3}]}', 'nodes.0.cpu', 3],
    ['{"load":-1}', 'load', /negative/],
    ['{"load":"12"}', 'load', /not a number/],
    ['{"load":null}', 'load', /not a number/],
    ['{"load":1e999}', 'load', /not a number/],
    ['{"load":{}}', 'load.requests', /has no load.requests/],
    ['{}', 'constructor', /has no constructor/],
    ['{"load":1}', 'load.deeper', /has no/],
    ['null', 'load', /has no/],
    ['<html>', 'load', /not JSON/],
  ];
  for (const [text, field, expected] of cases) {
    test(`${text} at ${field}`, () => {
      const result = loadFromJson(text, field);
      if (typeof expected === 'number') assert.deepEqual(result, read(expected));
      else assert.match(result.ok ? '' : result.error, expected);
    });
  }
});
