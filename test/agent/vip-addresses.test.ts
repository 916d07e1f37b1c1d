/** A VIP's address and its route on virtual time, from the decision to the interface. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { VipAddresses } from '../../src/agent/vip-addresses.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { VipHolder } from '../../src/bgp/vip-holder.ts';
import { decide } from '../../src/decide/decide.ts';
import { healthyWorld } from '../../src/decide/explain.ts';
import { laterBy, stepRoute } from '../../src/decide/route-phase.ts';
import { ROUTE_OFF, type RouteMemory } from '../../src/model/report.ts';
import { testConfig } from '../support/config.ts';

const SETTLE_MS = 1_000;
const STEP_MS = 50;

describe('the address of a VIP', () => {
  let clock = new VirtualClock();
  let memory: RouteMemory = ROUTE_OFF;
  let standing = new Set<string>();
  let addresses: VipAddresses;
  beforeEach(() => {
    clock = new VirtualClock();
    memory = ROUTE_OFF;
    standing = new Set();
    const driver = {
      list: async () => [...standing].map((address) => ({ address, ours: true })),
      change: async (add: readonly string[], remove: readonly string[]) => {
        for (const address of add) standing.add(address);
        for (const address of remove) standing.delete(address);
      },
    };
    const options = { interface: 'lo', driver, clock, prng: prng(1), log: silentLog };
    addresses = new VipAddresses(
      'lo',
      new VipHolder({ ...options, settle_ms: SETTLE_MS }),
      () => {},
    );
  });

  const config = testConfig();
  const template = decide(config, healthyWorld(config, 'fra', 0), 0);

  /** Decides and acts each 50 ms; what the VIP was then, one word for each time that it changed. */
  async function run(wanted: boolean, ms: number): Promise<string[]> {
    const words: string[] = [];
    for (const end = clock.now() + ms; clock.now() <= end; clock.advance(STEP_MS)) {
      const fitness = wanted ? 'healthy' : null;
      const wish = { fitness, cause: 'policy', isFit: wanted, drained: false } as const;
      memory = stepRoute(memory, wish, SETTLE_MS, null);
      addresses.apply({ ...template, memory: { ...template.memory, routes: { web: memory } } });
      await new Promise(setImmediate);
      const word = `${memory.phase} ${standing.size > 0 ? 'with' : 'without'} its address`;
      if (!words.at(-1)?.endsWith(word)) words.push(`${clock.now()} ${word}`);
      memory = laterBy(memory, STEP_MS, null);
    }
    return words;
  }

  test('stands for one settling time before its route and one after, not two', async () => {
    assert.deepEqual(await run(true, 2_000), [
      '0 coming with its address',
      '1000 on with its address',
    ]);
    const start = clock.now();
    assert.deepEqual(await run(false, 3_000), [
      `${start} going with its address`,
      `${start + SETTLE_MS} off without its address`,
    ]);
    await addresses.close();
  });

  test('that has not left yet needs not settle again', async () => {
    await run(true, 2_000);
    await run(false, 500);
    const start = clock.now();
    assert.deepEqual(await run(true, 2_000), [`${start} on with its address`]);
    await addresses.close();
  });
});
