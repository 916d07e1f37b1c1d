import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../src/base/clock.ts';
import { StopStack } from '../../../src/cli/demo/stop-stack.ts';

test('what was started last is stopped first, each after the one before has ended', async () => {
  const stack = new StopStack(new VirtualClock(), 5_000);
  const seen: string[] = [];
  stack.push(() => void seen.push('first'));
  stack.push(async () => {
    await Promise.resolve();
    seen.push('second');
  });
  assert.deepEqual(await stack.stop(), []);
  assert.deepEqual(seen, ['second', 'first']);
});

test('a part that fails does not keep the others from being stopped, and is told', async () => {
  const stack = new StopStack(new VirtualClock(), 5_000);
  let stopped = false;
  stack.push(() => {
    stopped = true;
  });
  stack.push(() => Promise.reject(new Error('will not')));
  const errors = await stack.stop();
  assert.deepEqual(
    errors.map(({ message }) => message),
    ['will not'],
  );
  assert.ok(stopped);
});

test('a part that hangs is left behind in time', async () => {
  const clock = new VirtualClock();
  const stack = new StopStack(clock, 5_000);
  stack.push(() => new Promise(() => {}));
  const stopping = stack.stop();
  clock.advance(5_000);
  assert.match((await stopping)[0]!.message, /not stopped within 5000 ms/);
});
