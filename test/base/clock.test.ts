import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';

test('virtual timers fire in order of time, then of creation, each at its own instant', () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.now()}`);
  clock.timer(20, note('b'));
  clock.timer(10, note('a'));
  clock.timer(20, note('c'));
  const cancelled = clock.timer(15, note('never'));
  cancelled.cancel();
  clock.timer(5, () => clock.timer(1, note('nested')));
  clock.advance(30);
  assert.deepEqual(seen, ['nested@6', 'a@10', 'b@20', 'c@20']);
  assert.equal(clock.now(), 30);
  assert.equal(clock.pending, 0);
});
