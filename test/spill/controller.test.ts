/** The controller on virtual time, with drivers that are slow, fail, or only remember. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { SpillPlan } from '../../src/model/plan.ts';
import { IDLE_STANCE } from '../../src/model/report.ts';
import { SpillController } from '../../src/spill/controller.ts';
import type { FlowCounts, SteeringDriver, TunnelDriver } from '../../src/spill/port.ts';
import { kernelConfig } from './support.ts';

const LEASE_MS = 10_000;

function plan(shares: Record<string, number>): SpillPlan {
  const reason = { code: 'spilling' as const, text: 'demand 1.40 is above 1.10' };
  return { shares, lease_ms: LEASE_MS, stance: IDLE_STANCE, reason };
}

/** Keeps every share applied, with its time; a call takes `delay_ms`. */
class FakeSteering implements SteeringDriver {
  readonly kind = 'fake';
  readonly applied: [at: number, shares: Readonly<Record<string, number>>][] = [];
  readonly clock: VirtualClock;
  delay_ms = 0;
  failing: string | null = null;
  underWay = 0;
  underWayMax = 0;
  polls = 0;
  closed = 0;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  async apply(shares: Readonly<Record<string, number>>): Promise<void> {
    this.underWay++;
    this.underWayMax = Math.max(this.underWayMax, this.underWay);
    const { delay_ms } = this;
    if (delay_ms > 0) await new Promise<void>((done) => this.clock.timer(delay_ms, done));
    this.underWay--;
    if (this.failing) throw new Error(this.failing);
    this.applied.push([this.clock.now(), shares]);
  }

  async counts(): Promise<FlowCounts> {
    this.polls++;
    return { kept: this.polls, sent: {}, guests: {} };
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

/** Counts how often the tunnels were set up. */
class FakeTunnel implements TunnelDriver {
  readonly kind = 'fake';
  ensured = 0;

  async ensure(): Promise<ReadonlyMap<string, string>> {
    this.ensured++;
    return new Map();
  }

  async remove(): Promise<void> {}
}

function setUp() {
  const clock = new VirtualClock();
  const steering = new FakeSteering(clock);
  const tunnel = new FakeTunnel();
  const events: string[] = [];
  const controller = new SpillController({
    config: kernelConfig(),
    site: 'fra',
    tunnel,
    steering,
    clock,
    log: silentLog,
    onEvent: (event) => events.push(event.text),
    onCounts: () => {},
  });
  return { clock, steering, tunnel, events, controller };
}

test('starts with no share, then applies a plan at once and tells it with its reason', async () => {
  const { clock, steering, events, controller } = setUp();
  await controller.start();
  controller.apply(plan({ iad: 0.125 }));
  await clock.advanceAsync(1, 1);
  assert.deepEqual(
    steering.applied.map(([, shares]) => shares),
    [{}, { iad: 0.125 }],
  );
  assert.deepEqual(events, ['spilling 12.5 % to iad']);
  controller.apply(plan({}));
  await clock.advanceAsync(1, 1);
  assert.deepEqual(events.at(-1), 'spill to iad ended');
});

test('plans that arrive while the driver works are coalesced: the newest wins', async () => {
  const { clock, steering, controller } = setUp();
  await controller.start();
  steering.delay_ms = 50;
  for (const share of [0.1, 0.2, 0.3, 0.4]) {
    controller.apply(plan({ iad: share }));
    await clock.advanceAsync(5, 5);
  }
  await clock.advanceAsync(300, 5);
  assert.deepEqual(
    steering.applied.map(([, shares]) => shares.iad),
    [undefined, 0.1, 0.4],
  );
  assert.equal(steering.underWayMax, 1);
});

test('a share is renewed well within its lease; no share is not', async () => {
  const { clock, steering, controller } = setUp();
  await controller.start();
  controller.apply(plan({ iad: 0.2 }));
  await clock.advanceAsync(60_000, 100);
  const times = steering.applied.map(([at]) => at);
  const gaps = times.slice(2).map((at, index) => at - times[index + 1]!);
  assert.ok(gaps.length >= 10);
  assert.ok(Math.max(...gaps) <= LEASE_MS / 2, `a gap of ${Math.max(...gaps)} ms`);
  controller.apply(plan({}));
  await clock.advanceAsync(100, 100);
  const calls = steering.applied.length;
  await clock.advanceAsync(60_000, 100);
  assert.equal(steering.applied.length, calls);
});

test('counts are read every tick, without a share too', async () => {
  const { clock, steering, controller } = setUp();
  await controller.start();
  const before = steering.polls;
  await clock.advanceAsync(20_000, 100);
  assert.equal(steering.polls - before, 10);
  assert.equal(controller.counts().kept, steering.polls);
});

test('a driver that fails is told once, tried every tick, and told once when it is back', async () => {
  const { clock, steering, events, controller } = setUp();
  steering.failing = 'nft: not permitted';
  await controller.start();
  controller.apply(plan({ iad: 0.2 }));
  await clock.advanceAsync(30_000, 100);
  assert.deepEqual(events, ['cannot spill: nft: not permitted']);
  steering.failing = null;
  await clock.advanceAsync(2_100, 100);
  assert.deepEqual(events.slice(1), ['spilling 20.0 % to iad', 'can spill again']);
});

test('after a failure the tunnels are set up anew: whatever broke it may have taken them', async () => {
  const { clock, steering, tunnel, controller } = setUp();
  await controller.start();
  assert.equal(tunnel.ensured, 1);
  steering.failing = 'nft: no such table';
  controller.apply(plan({ iad: 0.2 }));
  await clock.advanceAsync(1, 1);
  steering.failing = null;
  await clock.advanceAsync(2_100, 100);
  assert.equal(tunnel.ensured, 2);
});

test('a removal that fails is told, and does not reject', async () => {
  const { steering, events, controller } = setUp();
  await controller.start();
  steering.close = () => Promise.reject(new Error('ip: busy'));
  await controller.remove();
  assert.deepEqual(events, ['cannot spill: ip: busy']);
});

test('stop ends the share and leaves the rest standing; remove takes it all away', async () => {
  const { clock, steering, controller } = setUp();
  await controller.start();
  controller.apply(plan({ iad: 0.2 }));
  await clock.advanceAsync(1, 1);
  await controller.stop();
  assert.deepEqual(steering.applied.at(-1)![1], {});
  assert.deepEqual([clock.pending, steering.closed], [0, 0]);
  await controller.remove();
  assert.equal(steering.closed, 1);
});
