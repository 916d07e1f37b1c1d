import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LoadWatch } from '../../src/agent/load-watch.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { eventually } from '../support/eventually.ts';

describe('the load of the agent’s site', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'isobar-load-'));
    await writeFile(join(folder, 'one'), '1\n');
    await writeFile(join(folder, 'two'), '2\n');
  });
  after(() => rm(folder, { recursive: true }));

  const file = (name: string, capacity = 10) => {
    const timing = { interval_ms: 1_000, smoothing_ms: 60_000, stale_ms: 1e15 };
    return { kind: 'file', path: join(folder, name), capacity, ...timing } as const;
  };

  test('goes on with the same meter, and begins anew with another', async () => {
    const clock = new VirtualClock();
    const watch = new LoadWatch(clock, silentLog);
    const ratio = () => watch.ratio(clock.now());
    assert.deepEqual([ratio(), watch.sights(0)], [null, []]);
    watch.use([file('one')]);
    await eventually('a value', () => ratio() === 0.1);
    watch.use([file('one')]);
    assert.equal(ratio(), 0.1, 'a reload that changes nothing forgets nothing');
    watch.use([file('two')]);
    assert.equal(ratio(), null, 'what another meter said is not its word');
    await eventually('its value', () => ratio() === 0.2);
    await eventually('one timer for its next reading', () => clock.pending === 1);
    watch.stop();
    assert.deepEqual([ratio(), clock.pending], [null, 0]);
  });

  test('a reload leaves those meters alone of which the same is asked', async () => {
    const clock = new VirtualClock();
    const watch = new LoadWatch(clock, silentLog);
    const known = () => watch.sights(clock.now()).map(({ value, capacity }) => [value, capacity]);
    watch.use([file('one')]);
    await eventually('a value', () => watch.ratio(clock.now()) === 0.1);
    watch.use([file('two'), { ...file('one', 20), smoothing_ms: 0 }]);
    assert.deepEqual(known(), [
      [null, 10],
      [1, 20],
    ]);
    await eventually('all values', () => watch.ratio(clock.now()) === 0.2);
    await eventually('one timer each', () => clock.pending === 2);
    watch.use([file('one')]);
    assert.deepEqual(known(), [[1, 10]]);
    await eventually('one timer', () => clock.pending === 1);
    watch.stop();
  });

  test('of several meters the highest by its own capacity counts', async () => {
    const clock = new VirtualClock();
    const watch = new LoadWatch(clock, silentLog);
    watch.use([file('one', 4), file('two', 100)]);
    await eventually('a value', () => watch.ratio(clock.now()) === 0.25);
    const sights = watch.sights(clock.now()).map(({ value, capacity }) => [value, capacity]);
    assert.deepEqual(sights, [
      [1, 4],
      [2, 100],
    ]);
    watch.stop();
  });

  test('while one of several is unknown, so is the load: that one could be the highest', async () => {
    const clock = new VirtualClock();
    const watch = new LoadWatch(clock, silentLog);
    watch.use([file('one'), file('gone')]);
    await eventually('the first has a value', () => watch.sights(clock.now())[0]!.value === 1);
    assert.equal(watch.ratio(clock.now()), null);
    watch.stop();
  });
});
