import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  DETAIL_CHARS_MAX,
  judge,
  sight,
  UNKNOWN,
  type VerdictState,
} from '../../src/observe/verdict.ts';

const timing = { rise: 2, fall: 3 };

/** Feeds one result per character ("+" success, "-" failure), one a second; "u", "d" or "?" each. */
function verdicts(results: string, start: VerdictState = UNKNOWN): [string, VerdictState] {
  let state = start;
  let out = '';
  [...results].forEach((mark, second) => {
    [state] = judge(state, { ok: mark === '+', detail: mark }, second * 1000, timing);
    out += state.up === null ? '?' : state.up ? 'u' : 'd';
  });
  return [out, state];
}

describe('verdict', () => {
  test('the first result settles it, whichever it is', () => {
    assert.equal(verdicts('+')[0], 'u');
    assert.equal(verdicts('-')[0], 'd');
    assert.equal(sight(UNKNOWN, 0), null);
  });

  test('a detail is kept short: a status list of 500 codes made the whole report too long', () => {
    const [state] = judge(UNKNOWN, { ok: false, detail: '200 or '.repeat(500) }, 0, timing);
    assert.equal(sight(state, 0)!.detail.length, DETAIL_CHARS_MAX);
  });

  test('up goes down after `fall` failures in a row, down comes up after `rise` successes', () => {
    assert.equal(verdicts('+---')[0], 'uuud');
    assert.equal(verdicts('-++')[0], 'ddu');
  });

  test('one result that agrees starts the count again', () => {
    assert.equal(verdicts('+--+--+--')[0], 'uuuuuuuuu');
    assert.equal(verdicts('-+-+-+-')[0], 'ddddddd');
  });

  test('the sight tells since when, how often it went down, and the last outcome', () => {
    const [, state] = verdicts('+---++---');
    assert.deepEqual(sight(state, 10_500), { up: false, for_ms: 2_500, downs: 2, detail: '-' });
    const [, down] = verdicts('-');
    assert.equal(sight(down, 0)!.downs, 0, 'found down is not gone down');
  });

  test('a change is told exactly when the verdict changes', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), fc.nat(5), fc.nat(5), (results, rise, fall) => {
        let state = UNKNOWN;
        results.forEach((ok, now) => {
          const before = state.up;
          const limits = { rise: rise + 1, fall: fall + 1 };
          const [next, changed] = judge(state, { ok, detail: '' }, now, limits);
          assert.equal(changed, next.up !== before);
          if (changed) assert.equal(next.up, ok);
          state = next;
        });
      }),
    );
  });
});
