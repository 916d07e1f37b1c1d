/** When each target is probed: on time, never twice at once, within the caps, and fairly. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Config } from '../../src/model/config.ts';
import { testConfig, withEndpoints } from '../support/config.ts';
import { Farm, many } from './farm.ts';

const ids = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `lb${from + i}/web`);

function atOneAddress(config: Config): Config {
  const targets = config.targets.map((target) => ({ ...target, address: '127.0.0.1' }));
  return { ...config, targets };
}

describe('probes in flight', () => {
  test('every target is probed on time, whatever the others do, if the caps allow it', async () => {
    const timing = { interval_ms: 400, interval_failing_ms: 400, timeout_ms: 300, jitter: 0.2 };
    const fate = fc.constantFrom('well', 'down', 'hangs');
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { minLength: 1, maxLength: 25 }), async (fates) => {
        const farm = new Farm();
        fates.forEach((each, i) => {
          if (each === 'down') farm.down.add(`lb${i}/web`);
          if (each === 'hangs') farm.hanging.add(`lb${i}/web`);
        });
        // Half of the slots are for those that hang.
        const observer = farm.observer(many(fates.length, timing), 2 * fates.length);
        observer.start();
        await farm.clock.advanceAsync(3_000);
        observer.stop();
        for (const id of ids(0, fates.length)) {
          assert.ok(farm.longestGap(id, 0) <= 400 * 1.2 + 10, `${id}: ${farm.longestGap(id, 0)}`);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('the caps hold whatever hangs, and nobody is left out', async () => {
    const timing = { interval_ms: 200, interval_failing_ms: 100, timeout_ms: 150 };
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 2, max: 4 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 6 }),
        async (in_flight_max, per_address_max, hanging, addresses) => {
          const farm = new Farm();
          const config = many(hanging.length, timing);
          const targets = config.targets.map((target, i) => {
            if (hanging[i]) farm.hanging.add(`lb${i}/web`);
            return { ...target, address: `127.0.0.${i % addresses}` };
          });
          const observer = farm.observer({ ...config, targets }, in_flight_max, {
            per_address_max,
          });
          observer.start();
          await farm.clock.advanceAsync(15_000, 50);
          assert.equal(Object.keys(observer.sights(0)).length, hanging.length);
          observer.stop();
          await farm.clock.advanceAsync(200);
          assert.ok(farm.peak <= in_flight_max, `${farm.peak} in flight`);
          assert.ok(farm.addressPeak <= per_address_max, `${farm.addressPeak} to one address`);
          assert.deepEqual([farm.total, farm.clock.pending], [0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('targets that come, go, move, hang and heal: all are probed again when it is over', async () => {
    const count = 12;
    const timing = { interval_ms: 200, interval_failing_ms: 100, timeout_ms: 150 };
    const base = many(count, timing);
    const step = fc.record({
      wait_ms: fc.integer({ min: 1, max: 300 }),
      hangs: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      stays: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      network: fc.nat(1),
    });
    const caps = fc.record({
      in_flight_max: fc.integer({ min: 2, max: 6 }),
      per_address_max: fc.integer({ min: 2, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        caps,
        fc.array(step, { minLength: 1, maxLength: 8 }),
        async (most, steps) => {
          const farm = new Farm();
          const observer = farm.observer(base, most.in_flight_max, most);
          observer.start();
          for (const { wait_ms, hangs, stays, network } of steps) {
            farm.hanging.clear();
            for (const id of ids(0, count).filter((_, i) => hangs[i])) farm.hanging.add(id);
            const targets = base.targets.map((target, i) => {
              return { ...target, address: `127.0.${network}.${i % 3}` };
            });
            const endpoints = base.endpoints.filter((_, i) => stays[i]);
            observer.reconfigure({ ...base, targets, endpoints });
            await farm.clock.advanceAsync(wait_ms, 25);
          }
          await farm.clock.advanceAsync(6_000, 50);
          const { hangs, stays } = steps.at(-1)!;
          const found = observer.sights(0);
          for (const [i, id] of ids(0, count).entries()) {
            assert.equal(found[id]?.up, stays[i] ? !hangs[i] : undefined, id);
            const since = farm.times(id).filter((time) => time > farm.clock.now() - 5_000);
            assert.equal(since.length > 0, stays[i], id);
          }
          observer.stop();
          await farm.clock.advanceAsync(200);
          assert.ok(farm.peak <= most.in_flight_max && farm.addressPeak <= most.per_address_max);
          assert.deepEqual([farm.total, farm.clock.pending], [0, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a target that is gone leaves the queue, and those behind it at its address go on', async () => {
    const farm = new Farm();
    farm.delay_ms = 100;
    const config = atOneAddress(many(6));
    const observer = farm.observer(config, 8, { per_address_max: 2 });
    observer.start();
    await farm.clock.advanceAsync(50);
    const kept = config.endpoints.filter(({ id }) =>
      ['lb0/web', 'lb1/web', 'lb5/web'].includes(id),
    );
    observer.reconfigure({ ...config, endpoints: kept });
    await farm.clock.advanceAsync(200);
    assert.deepEqual(farm.begun.slice(0, 3), ['lb0/web@0', 'lb1/web@0', 'lb5/web@100']);
    await observer.ready;
  });
});

test('whatever endpoints come and go, no probe outlives its own, and no timer does', async () => {
  const all = many(12, { interval_ms: 100, interval_failing_ms: 100, timeout_ms: 90 });
  const present = fc.subarray(all.endpoints.map(({ id }) => id));
  const wait_ms = fc.integer({ min: 0, max: 150 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(present, wait_ms), { maxLength: 12 }), async (steps) => {
      const farm = new Farm();
      for (const id of ids(0, 8)) farm.hanging.add(id);
      const observer = farm.observer(all, 6, { per_address_max: 1 });
      observer.start();
      for (const [ids, ms] of steps) {
        const endpoints = all.endpoints.filter(({ id }) => ids.includes(id));
        observer.reconfigure({ ...all, endpoints });
        const probed = [...farm.inFlight].flatMap(([id, count]) => (count > 0 ? [id] : []));
        assert.deepEqual(
          probed.filter((id) => !ids.includes(id)),
          [],
        );
        await farm.clock.advanceAsync(ms);
      }
      observer.reconfigure({ ...all, endpoints: [] });
      assert.equal(farm.total, 0);
      await farm.clock.advanceAsync(200);
      assert.equal(farm.clock.pending, 0);
    }),
    { numRuns: 50 },
  );
});

describe('targets that hang', () => {
  const timing = {
    interval_ms: 1_000,
    interval_failing_ms: 1_000,
    timeout_ms: 800,
    jitter: 0.1,
    rise: 1,
    fall: 1,
  };
  /** 300 that hang would keep 240 slots busy; there are 24. */
  async function crowd(): Promise<Farm> {
    const farm = new Farm();
    farm.delay_ms = 5;
    for (const id of ids(100, 400)) farm.hanging.add(id);
    const observer = farm.observer(many(400, timing), 24);
    observer.start();
    await farm.clock.advanceAsync(10_000, 25);
    return farm;
  }

  test('keep nobody waiting who answers', async () => {
    const farm = await crowd();
    await farm.clock.advanceAsync(20_000, 25);
    const gaps = ids(0, 100).map((id) => farm.longestGap(id, 10_000));
    assert.ok(Math.max(...gaps) <= 1_100 + 100, `${Math.max(...gaps)} ms`);
    assert.ok(farm.peak <= 24);
    const probed = ids(100, 400).filter((id) => farm.longestGap(id, 5_000) < 25_000);
    assert.equal(probed.length, 300, 'those that hang get their turns, too');
  });

  test('leave half of the slots at their address to the others there', async () => {
    const farm = new Farm();
    farm.delay_ms = 50;
    for (const id of ids(0, 40)) farm.hanging.add(id);
    // Globally there is room for 10 that hang, who are always waiting for it.
    const observer = farm.observer(atOneAddress(many(48, timing)), 20, { per_address_max: 4 });
    observer.start();
    await farm.clock.advanceAsync(60_000, 25);
    const gaps = ids(40, 48).map((id) => farm.longestGap(id, 20_000));
    assert.ok(Math.max(...gaps) <= 1_100 + 300, `${Math.max(...gaps)} ms`);
    const probed = ids(0, 40).filter((id) => farm.longestGap(id, 20_000) < 25_000);
    assert.equal(probed.length, 40, 'those that hang get their turns, too');
  });

  test('at the moment when many begin to hang the others are late once, and not by much', async () => {
    const farm = await crowd();
    for (const id of ids(40, 100)) farm.hanging.add(id);
    await farm.clock.advanceAsync(10_000, 25);
    const gaps = ids(0, 40).map((id) => farm.longestGap(id, 10_000));
    assert.ok(Math.max(...gaps) <= 1_100 + 700, `${Math.max(...gaps)} ms`);
  });

  test('a slow target that answers is not given up for them: it has shown how long it takes', async () => {
    const farm = new Farm();
    farm.delay_ms = 250;
    for (const id of ids(8, 20)) farm.hanging.add(id);
    const observer = farm.observer(many(20, timing), 8);
    observer.start();
    await farm.clock.advanceAsync(30_000, 25);
    const sights = observer.sights(0);
    assert.deepEqual(
      ids(0, 8).filter((id) => !sights[id]?.up),
      [],
    );
    assert.ok(Math.max(...ids(0, 8).map((id) => farm.longestGap(id, 15_000))) < 3_000);
  });
});

describe('intervals', () => {
  test('a target that fails, or is on its way back, is asked at the failing interval', async () => {
    const farm = new Farm();
    farm.delay_ms = 1;
    const timing = { interval_ms: 1_000, interval_failing_ms: 100, jitter: 0, rise: 3, fall: 3 };
    const observer = farm.observer(many(1, timing));
    observer.start();
    await farm.clock.advanceAsync(3_000, 5);
    const gapsSince = (since: number): number[] => {
      const times = farm.times('lb0/web').filter((time) => time > since);
      return times.slice(1).map((time, i) => Math.round(time - times[i]!));
    };
    assert.ok(gapsSince(1_100).every((gap) => gap >= 995));
    farm.down.add('lb0/web');
    await farm.clock.advanceAsync(2_000, 5);
    const failing = gapsSince(4_005);
    assert.ok(failing.length >= 8 && failing.every((gap) => gap <= 105), failing.join());
    farm.down.delete('lb0/web');
    await farm.clock.advanceAsync(3_000, 5);
    assert.equal(observer.sights(0)['lb0/web']!.up, true);
    assert.ok(gapsSince(5_500).every((gap) => gap >= 995));
  });

  test('the second round is spread over the whole interval', async () => {
    const farm = new Farm();
    farm.delay_ms = 1;
    const observer = farm.observer(many(200, { interval_ms: 1_000, jitter: 0 }));
    observer.start();
    await farm.clock.advanceAsync(1_100, 5);
    const tenths = new Array<number>(10).fill(0);
    for (const entry of farm.begun.slice(200)) {
      tenths[Math.min(9, Math.floor(Number(entry.split('@')[1]) / 100))]!++;
    }
    assert.ok(
      tenths.every((count) => count > 5),
      tenths.join(),
    );
  });

  test('a reload does not bring the probes together that are spread', async () => {
    const farm = new Farm();
    farm.delay_ms = 1;
    const config = many(200, { interval_ms: 1_000, jitter: 0 });
    const observer = farm.observer(config, 256);
    observer.start();
    await farm.clock.advanceAsync(10, 5);
    observer.reconfigure(structuredClone(config));
    observer.reconfigure(many(200, { interval_ms: 2_000, jitter: 0 }));
    await farm.clock.advanceAsync(2_100, 5);
    const second = farm.begun.slice(200, 400).map((entry) => Number(entry.split('@')[1]));
    const early = second.filter((time) => time < 1_000).length;
    assert.ok(early > 60 && early < 140, `${early} of 200 in the first half`);
  });

  test('a probe that breaks is a failure and not the end of the agent', async () => {
    const farm = new Farm();
    const observer = farm.observer(testConfig(), 8, {
      probe: () => {
        throw new Error('no such kind');
      },
    });
    observer.start();
    await observer.ready;
    const { up, detail } = observer.sights(0)['fra-lb1/web']!;
    assert.deepEqual([up, detail], [false, 'the probe itself failed: Error: no such kind']);
    observer.stop();
  });

  test('a check that comes to be asked less often keeps its verdict', async () => {
    const farm = new Farm();
    const config = testConfig();
    const observer = farm.observer(config);
    observer.start();
    await farm.clock.advanceAsync(1_000);
    observer.reconfigure(withEndpoints(config, config.endpoints, { rise: 9, jitter: 0 }));
    assert.equal(observer.sights(1_000)['fra-lb1/web']!.for_ms > 900, true);
  });
});
