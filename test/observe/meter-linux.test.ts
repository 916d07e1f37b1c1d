import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import type { Result } from '../../src/base/result.ts';
import { loadFromPressure, loadPerCpu } from '../../src/observe/meter-linux.ts';
import type { MeterReading } from '../../src/observe/meter-reading.ts';
import { openMeter } from '../../src/observe/meter-source.ts';

const pressure = `some avg10=12.81 avg60=1.71 avg300=4.18 total=9659601803
full avg10=3.00 avg60=0.00 avg300=0.00 total=0
`;
const stat = `cpu  1 2 3 4
cpu0 1 2 3 4
cpu1 1 2 3 4
intr 5 6
`;
const said = (read: Result<MeterReading, string>) => (read.ok ? read.value.value : read.error);
const timing = { interval_ms: 1_000, capacity: 100, smoothing_ms: 0 };
const never = new AbortController().signal;

describe('the load of a Linux machine', () => {
  test('pressure of the last 10 s, in which some task waited', () => {
    assert.equal(said(loadFromPressure(pressure)), 12.81);
    assert.equal(
      said(loadFromPressure('full avg10=3.00 avg60=0.00')),
      'the file has no "some avg10="',
    );
  });

  test('load average by CPU', () => {
    assert.equal(said(loadPerCpu('3.00 0.41 0.72 2/95 32316\n', stat)), 1.5);
    assert.equal(said(loadPerCpu('3.00 0.41 0.72 2/95 32316\n', '')), 'stat names no CPU');
    assert.match(String(said(loadPerCpu('', stat))), /does not begin with a load average/);
  });

  test('no text makes them throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        loadFromPressure(one);
        loadPerCpu(one, other);
      }),
    );
  });

  test('this machine has a load average', async () => {
    const meter = { kind: 'linux', measure: 'load_per_cpu', proc: '/proc', ...timing } as const;
    const read = await openMeter(meter, new VirtualClock())(never);
    assert.ok(read.ok && read.value.value !== null && read.value.value >= 0);
  });

  test('a kernel without pressure: unknown, with what to do', async () => {
    const proc = await mkdtemp(join(tmpdir(), 'isobar-proc-'));
    const meter = { kind: 'linux', measure: 'io_pressure', proc, ...timing } as const;
    const read = await openMeter(meter, new VirtualClock())(never);
    await rm(proc, { recursive: true });
    assert.match(String(said(read)), /pressure\/io: no such file \(pressure needs Linux 4.20/);
  });
});
