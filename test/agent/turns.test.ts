/** When the loop turns: at once, together, and never so often that nothing else gets its turn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../src/agent/turns.ts';
import { type Clock, VirtualClock } from '../../src/base/clock.ts';

/** Each turn takes `cost_ms`, in which no timer fires. */
function scene(cost_ms: number) {
  const clock = new VirtualClock();
  let worked_ms = 0;
  const slow: Clock = {
    now: () => clock.now() + worked_ms,
    wall: () => clock.wall(),
    timer: (ms, fire) => clock.timer(ms, fire),
  };
  const turned: [number, boolean][] = [];
  const turns = new Turns(slow, (publish) => {
    turned.push([slow.now(), publish]);
    worked_ms += cost_ms;
  });
  return { clock, turns, turned };
}

test('news that come in a burst cost one turn, and own news are published with it', () => {
  const { clock, turns, turned } = scene(0);
  turns.soon(false);
  turns.soon(true);
  turns.soon(false);
  clock.advance(10);
  assert.deepEqual(turned, [[2, true]]);
  turns.soon(false);
  clock.advance(10);
  assert.deepEqual(turned[1], [12, false]);
});

test('a flood of news leaves two thirds of the time for all else', () => {
  const { clock, turns, turned } = scene(5);
  for (let ms = 0; ms < 300; ms++) {
    turns.soon(false);
    clock.advance(1);
  }
  const [from, to] = [turned[1]![0], turned.at(-1)![0]];
  const share = (5 * (turned.length - 2)) / (to - from);
  assert.ok(share > 0.25 && share < 0.34, `${share} of the time`);
});

test('is busy for as long as news is gathered after a turn, at most 40 ms', () => {
  const { clock, turns } = scene(0);
  assert.equal(turns.busy, false);
  turns.run(() => clock.advance(1_000));
  assert.equal(turns.busy, true);
  clock.advance(39);
  assert.equal(turns.busy, true);
  clock.advance(1);
  assert.equal(turns.busy, false);
});

test('stopped, it leaves no timer', () => {
  const { clock, turns, turned } = scene(0);
  turns.begin(() => 50);
  turns.wakeIn(20);
  turns.soon(true);
  turns.stop();
  turns.soon(true);
  turns.wakeIn(5);
  clock.advance(1_000);
  assert.deepEqual([turned, clock.pending], [[], 0]);
});
