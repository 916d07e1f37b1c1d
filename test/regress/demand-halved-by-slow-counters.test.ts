/**
 * The flow counters of the kernel are read less often than the load. Samples between two readings
 * then show load without news of flows; they were left out of a flow's cost, which came out at half,
 * so a spilling site under-estimated its demand and stayed overloaded.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DemandState, measureDemand } from '../../src/decide/demand.ts';

test('demand is the same whether counters are read at each sample of the load or at each second one', () => {
  const timing = { rate_ms: 1_000, cost_ms: 5_000 };
  const demandWhenReadEvery = (read_ms: number): number => {
    let state: DemandState | null = null;
    let demand = 0;
    for (let now = 0; now <= 60_000; now += 250) {
      const read = Math.floor(now / read_ms) * read_ms;
      // 50 flows a second stay and 20 go; what stays is a load of 60.
      const flows = { kept: read * 0.05, sent: { sin: read * 0.02 }, guests: {} };
      const sample = { used: 60, capacity: 60, ...flows };
      const [next, sight] = measureDemand(state, sample, now, timing);
      state = next;
      demand = sight.demand;
    }
    return demand;
  };
  const wanted = (60 * 70) / 50;
  for (const read_ms of [250, 500]) {
    const demand = demandWhenReadEvery(read_ms);
    assert.ok(Math.abs(demand - wanted) < wanted * 0.1, `${demand} at ${read_ms} ms`);
  }
});
