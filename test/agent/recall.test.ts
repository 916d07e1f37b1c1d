/** What an agent had ruled on endpoints outlives it: a restart forgives nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reporter } from '../../src/agent/reporter.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { newer } from '../../src/model/report.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import { testReport } from '../support/report.ts';

test('rulings, their age and what was evicted are in the first report after a restart', () => {
  const clock = new VirtualClock(50_000);
  const store = new MemoryHub(silentLog, clock).store('fra');
  const reporter = new Reporter({ site: 'fra', agent: 'fra-a', store, clock, log: silentLog });
  const rulings = {
    'fra-lb1/web': { up: true, for_ms: 7, downs: 3, penalty: 900, suppressed: true },
  };
  const life = { agent: 'fra-a', incarnation: 1e13 };
  const last = testReport('fra', 9, { ...life, rulings, ruled_ms: 200, evicted: ['x/web'] });
  reporter.recall(last, clock.now() - 30_000);
  clock.advance(1_000);
  const seen = { endpoints: {}, observed: {}, suspect: null, uplink: null };
  const report = reporter.report(seen, clock.now());
  assert.deepEqual(report.rulings, rulings);
  assert.equal(report.ruled_ms, 31_200);
  assert.deepEqual(report.evicted, ['x/web']);
  assert.equal(report.agent, 'fra-a');
  assert.ok(newer(reporter.next(seen, clock.now()), last), 'also with a clock that was set back');
  reporter.close();
});
