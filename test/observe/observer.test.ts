import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Config, Endpoint } from '../../src/model/config.ts';
import type { Observer } from '../../src/observe/observer.ts';
import { testConfig, withEndpoints } from '../support/config.ts';
import { Farm, many } from './farm.ts';

const [LB1, LB2] = ['fra-lb1/web', 'fra-lb2/web'];

function changed(change: (endpoint: Endpoint) => Endpoint | null): Config {
  const config = testConfig();
  return withEndpoints(
    config,
    config.endpoints.flatMap((one) => change(one) ?? []),
  );
}

describe('observer', () => {
  test('probes its own endpoints at once, others never, and is ready after the first round', async () => {
    const farm = new Farm();
    const observer = farm.observer(testConfig());
    let ready = false;
    void observer.ready.then(() => {
      ready = true;
    });
    farm.down.add(LB2);
    observer.start();
    assert.deepEqual(farm.begun, [`${LB1}@0`, `${LB2}@0`]);
    assert.deepEqual(observer.sights(0), {});
    await farm.clock.advanceAsync(10);
    assert.equal(ready, false);
    await farm.clock.advanceAsync(20);
    assert.equal(ready, true);
    assert.deepEqual(observer.sights(120), {
      [LB1]: { up: true, for_ms: 100, downs: 0, detail: 'HTTP 200' },
      [LB2]: { up: false, for_ms: 100, downs: 0, detail: 'connection refused' },
    });
    await farm.clock.advanceAsync(5_000);
    assert.ok(farm.begun.every((entry) => entry.startsWith('fra-')));
  });

  test('a site without endpoints is ready at once', async () => {
    const observer = new Farm().observer(changed(() => null));
    observer.start();
    await observer.ready;
  });

  test('tells each change once, after `fall` failures and `rise` successes', async () => {
    const farm = new Farm();
    const observer = farm.observer(testConfig());
    const told: string[] = [];
    observer.onVerdict((id, sight) =>
      told.push(`${id} ${sight.up ? 'up' : 'down'} ${sight.downs}`),
    );
    observer.start();
    await farm.clock.advanceAsync(2_000);
    farm.down.add(LB1);
    await farm.clock.advanceAsync(3_000);
    farm.down.delete(LB1);
    await farm.clock.advanceAsync(3_000);
    assert.deepEqual(told, [`${LB1} up 0`, `${LB2} up 0`, `${LB1} down 1`, `${LB1} up 1`]);
  });

  test('intervals run from beginning to beginning, moved by the jitter and no more', async () => {
    const farm = new Farm();
    const observer = farm.observer(testConfig());
    observer.start();
    await farm.clock.advanceAsync(30_000);
    const times = farm.times(LB1);
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    assert.ok(gaps[0]! <= 510, `the second comes within the first interval`);
    const rest = gaps.slice(1);
    assert.ok(rest.length > 50);
    for (const gap of rest) assert.ok(gap >= 449 && gap <= 561, `gap of ${gap} ms`);
    assert.ok(new Set(rest.map(Math.round)).size > 5, 'the gaps differ');
    assert.notDeepEqual(farm.times(LB2), times);
  });

  test('a probe that takes longer than its interval is never doubled', async () => {
    const farm = new Farm();
    farm.delay_ms = 1_200;
    const observer = farm.observer(testConfig());
    observer.start();
    await farm.clock.advanceAsync(10_000);
    assert.ok(farm.times(LB1).length >= 7);
  });

  test('never more probes at once than allowed, and all get their turn', async () => {
    const farm = new Farm();
    const observer = farm.observer(many(50), 8);
    observer.start();
    await farm.clock.advanceAsync(300);
    await observer.ready;
    assert.equal(farm.peak, 8);
    assert.equal(Object.keys(observer.sights(0)).length, 50);
  });

  test('stop ends every probe and timer, tells nothing more, and settles ready', async () => {
    const farm = new Farm();
    const observer = farm.observer(many(20), 8);
    let told = 0;
    observer.onVerdict(() => told++);
    observer.start();
    observer.stop();
    await observer.ready;
    await farm.clock.advanceAsync(5_000);
    assert.deepEqual([told, farm.total, farm.aborted, farm.begun.length], [0, 0, 8, 8]);
    assert.equal(farm.clock.pending, 0);
  });

  test('a listener that throws does not keep the others from being told', async () => {
    const farm = new Farm();
    const observer = farm.observer(testConfig());
    let told = 0;
    observer.onVerdict(() => {
      throw new Error('a bad listener');
    });
    observer.onVerdict(() => told++);
    observer.start();
    await farm.clock.advanceAsync(100);
    assert.equal(told, 2);
  });
});

describe('observer, reconfigured', () => {
  async function running(): Promise<[Farm, Observer]> {
    const farm = new Farm();
    const observer = farm.observer(testConfig());
    observer.start();
    await farm.clock.advanceAsync(1_000);
    return [farm, observer];
  }

  test('an endpoint whose target stays keeps its verdict, with a new interval at once', async () => {
    const [farm, observer] = await running();
    const config = testConfig();
    const slow = withEndpoints(config, config.endpoints, { interval_ms: 60_000 });
    observer.reconfigure(slow);
    const { for_ms } = observer.sights(1_000)[LB1]!;
    assert.ok(for_ms > 900, 'the verdict goes on');
    const before = farm.begun.length;
    await farm.clock.advanceAsync(20_000);
    assert.equal(farm.begun.length, before);
    observer.reconfigure(testConfig());
    await farm.clock.advanceAsync(100);
    assert.ok(farm.begun.length > before, 'it does not wait for the long interval to end');
  });

  test('an endpoint with another address starts anew, one that is gone is probed no more', async () => {
    const [farm, observer] = await running();
    const other = changed((one) => (one.id === LB2 ? null : { ...one, address4: '127.9.9.9' }));
    farm.down.add(LB1);
    observer.reconfigure(other);
    assert.deepEqual(observer.sights(1_000), {});
    const before = farm.times(LB2).length;
    await farm.clock.advanceAsync(30);
    assert.equal(observer.sights(1_030)[LB1]!.up, false, 'the first result settles it again');
    await farm.clock.advanceAsync(5_000);
    assert.equal(farm.times(LB2).length, before);
    assert.equal(LB2 in observer.sights(0), false);
  });

  test('the late result of a probe that was given up is not believed', async () => {
    const farm = new Farm();
    const observer = farm.observer(testConfig());
    const told: string[] = [];
    observer.onVerdict((id) => told.push(id));
    observer.start();
    observer.reconfigure(changed((one) => (one.id === LB2 ? null : one)));
    await farm.clock.advanceAsync(2_000);
    assert.deepEqual(told, [LB1]);
    assert.equal(farm.times(LB1)[1]! > 0, true, 'the one that stayed was not begun twice');
  });

  test('a new endpoint is probed at once', async () => {
    const [farm, observer] = await running();
    const config = testConfig();
    const added = { ...config.endpoints[0]!, id: 'fra-lb3/web' };
    observer.reconfigure(withEndpoints(config, [...config.endpoints, added]));
    assert.deepEqual(farm.times('fra-lb3/web'), [1_000]);
  });
});
