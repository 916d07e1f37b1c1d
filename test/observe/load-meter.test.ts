import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { LoadMeterConfig } from '../../src/model/load.ts';
import { LoadMeter } from '../../src/observe/load-meter.ts';
import { eventually } from '../support/eventually.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

function start(meter: LoadMeterConfig, clock: VirtualClock): LoadMeter {
  const started = new LoadMeter({ meter, clock, log: silentLog });
  undo.push(() => started.stop());
  started.start();
  return started;
}

/** A load balancer's status page; `answer` may be changed as the test goes. */
async function page(): Promise<{ url: string; answer: string; asked: number }> {
  const state = { url: '', answer: '', asked: 0 };
  const server = createServer((_, response) => {
    state.asked++;
    if (state.answer !== 'silence') response.end(state.answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => server.close());
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/status`;
  return state;
}

const json = (url: string): LoadMeterConfig => ({
  kind: 'json',
  url,
  field: 'load.requests',
  interval_ms: 1_000,
  capacity: 100,
  smoothing_ms: 5_000,
  timeout_ms: 500,
});

describe('load meter over HTTP', () => {
  test('reads at once and then on the interval, smoothing', async () => {
    const clock = new VirtualClock();
    const status = await page();
    status.answer = '{"load":{"requests":100}}';
    const meter = start(json(status.url), clock);
    assert.equal(meter.value(clock.now()), null);
    await eventually('the first value', () => meter.value(clock.now()) === 100);
    await eventually('the next timer', () => clock.pending === 1);
    status.answer = '{"load":{"requests":200}}';
    clock.advance(1_000);
    await eventually('the second value', () => meter.value(clock.now()) !== 100);
    const value = meter.value(clock.now())!;
    assert.ok(value > 100 && value < 130, `${value}`);
    assert.equal(status.asked, 2);
  });

  test('a page that falls silent: the value stands for three intervals, then is unknown', async () => {
    const clock = new VirtualClock();
    const status = await page();
    status.answer = '{"load":{"requests":0}}';
    const meter = start(json(status.url), clock);
    await eventually('zero is a value', () => meter.value(clock.now()) === 0);
    status.answer = 'silence';
    clock.advance(1_000);
    await eventually('it asked again', () => status.asked === 2);
    clock.advance(500);
    await eventually(
      'the failure',
      () => meter.sight(clock.now()).detail === 'no answer within 500 ms',
    );
    assert.equal(meter.value(2_999), 0);
    assert.equal(meter.value(3_000), null);
  });

  test('what is not a load is an error, and said', async () => {
    const clock = new VirtualClock();
    const status = await page();
    status.answer = `{"load":{"requests":-5}}`;
    const meter = start(json(status.url), clock);
    await eventually(
      'the error',
      () => meter.sight(clock.now()).detail === 'load.requests is negative',
    );
    status.answer = `{"load":${' '.repeat(70_000)}{"requests":5}}`;
    clock.advance(1_000);
    await eventually('the error', () =>
      /longer than 65536 bytes/.test(meter.sight(clock.now()).detail),
    );
    assert.equal(meter.value(clock.now()), null);
  });

  test('a stopped meter reads no more', async () => {
    const clock = new VirtualClock();
    const status = await page();
    status.answer = '{"load":{"requests":1}}';
    const meter = start(json(status.url), clock);
    await eventually('a value', () => meter.value(clock.now()) === 1);
    meter.stop();
    clock.advance(10_000);
    assert.deepEqual([clock.pending, status.asked], [0, 1]);
  });
});

describe('load meter from a file', () => {
  async function file(text: string, age_s: number): Promise<[LoadMeter, VirtualClock, string]> {
    const folder = await mkdtemp(join(tmpdir(), 'isobar-meter-'));
    undo.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'load');
    const clock = new VirtualClock();
    await writeFile(path, text);
    const written = clock.wall() / 1000 - age_s;
    await utimes(path, written, written);
    const config = {
      kind: 'file',
      path,
      interval_ms: 1_000,
      capacity: 100,
      smoothing_ms: 5_000,
      stale_ms: 10_000,
    } as const;
    return [start(config, clock), clock, path];
  }

  test('one number, with or without white space around it', async () => {
    const [meter, clock] = await file(' 42.5\n', 1);
    await eventually('the value', () => meter.value(clock.now()) === 42.5);
  });

  test('a file older than stale_ms is unknown', async () => {
    const [meter, clock] = await file('42', 11);
    await eventually('the reason', () => /11 s old/.test(meter.sight(clock.now()).detail));
    assert.equal(meter.value(clock.now()), null);
  });

  test('a file from the future, as after the clock was set back, ages like any other', async () => {
    const [meter, clock] = await file('42', -3_600);
    await eventually('the value', () => meter.value(clock.now()) === 42);
    await eventually('the reason', () => {
      clock.advance(1_000);
      return /1[0-9] s old/.test(meter.sight(clock.now()).detail);
    });
    assert.equal(meter.value(clock.now()), null);
  });

  for (const text of ['', 'NaN', '-1', '1 2', 'Infinity', '7'.repeat(400)]) {
    test(`${JSON.stringify(text.slice(0, 10))} is not a load`, async () => {
      const [meter, clock] = await file(text, 0);
      await eventually('it was read', () =>
        /not a number|negative|long/.test(meter.sight(clock.now()).detail),
      );
      assert.equal(meter.value(clock.now()), null);
    });
  }

  test('a file that goes away', async () => {
    const [meter, clock, path] = await file('5', 0);
    await eventually('the value', () => meter.value(clock.now()) === 5);
    await rm(path);
    clock.advance(1_000);
    await eventually('the reason', () => /no such file/.test(meter.sight(clock.now()).detail));
    assert.equal(meter.value(3_000), null);
  });
});
