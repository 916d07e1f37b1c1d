import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Report } from '../../src/model/report.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import { NewestReports, WRITERS_MAX } from '../../src/share/newest.ts';
import { Numbering } from '../../src/share/numbering.ts';
import { INCARNATION_MAX } from '../../src/share/report-schema.ts';
import { testReport } from '../support/report.ts';

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const numbers = ({ incarnation, sequence }: Report): string => `${incarnation}.${sequence}`;

describe('newest reports', () => {
  test('a site that was silent for long may come back with an older incarnation', () => {
    const clock = new VirtualClock();
    const newest = new NewestReports(() => {}, { clock, after_ms: 30_000 });
    const seen: string[] = [];
    newest.subscribe((report) => seen.push(numbers(report)));
    newest.offer(testReport('fra', 9, { incarnation: 2_000 }));
    clock.advance(30_000);
    newest.offer(testReport('fra', 1, { incarnation: 70 }));
    assert.deepEqual(seen, ['2000.9'], 'not yet');
    clock.advance(1);
    newest.offer(testReport('fra', 9, { incarnation: 2_000 }));
    assert.deepEqual(seen, ['2000.9'], 'the same report is never news');
    newest.offer(testReport('fra', 2, { incarnation: 70 }));
    newest.offer(testReport('fra', 1, { incarnation: 70 }));
    assert.deepEqual(seen, ['2000.9', '70.2']);
  });

  test('whether numbers would be news is known before the report is', () => {
    const clock = new VirtualClock();
    const newest = new NewestReports(() => {}, { clock, after_ms: 30_000 });
    const isNews = (incarnation: number, sequence: number): boolean =>
      newest.isNews('fra/fra', { incarnation, sequence });
    assert.equal(isNews(1, 1), true);
    newest.offer(testReport('fra', 9, { incarnation: 2_000 }));
    assert.deepEqual([isNews(2_000, 9), isNews(2_000, 10), isNews(70, 99)], [false, true, false]);
    assert.equal(newest.isNews('fra/fra2', { incarnation: 1, sequence: 1 }), true);
    clock.advance(30_001);
    assert.deepEqual([isNews(2_000, 9), isNews(70, 99)], [false, true]);
  });

  test('a subscriber that throws at one of the known reports is still given the others', () => {
    const errors: unknown[] = [];
    const newest = new NewestReports((error) => errors.push(error), null);
    for (const site of ['fra', 'iad', 'sin']) newest.offer(testReport(site, 1));
    const seen: string[] = [];
    newest.subscribe(({ site }) => {
      if (site === 'iad') throw new Error('bad');
      seen.push(site);
    });
    assert.deepEqual([seen, errors.length], [['fra', 'sin'], 1]);
  });

  test('the number of sites is limited, and those known are still renewed', () => {
    const newest = new NewestReports(() => {}, null);
    let calls = 0;
    newest.subscribe(() => calls++);
    for (let i = 0; i < WRITERS_MAX + 50; i++) newest.offer(testReport(`site${i}`, 1));
    assert.equal(calls, WRITERS_MAX);
    newest.offer(testReport('site0', 2));
    assert.equal(calls, WRITERS_MAX + 1);
  });
});

/** Of the agent of fra, which has a store of its own. */
function numberingAt(incarnation: number, hub = new MemoryHub()) {
  const store = hub.store('fra');
  const of = { site: 'fra', agent: 'fra', incarnation };
  return { hub, store, numbering: new Numbering({ ...of, store, log: silentLog }) };
}

describe('numbering of own reports', () => {
  test('counts up within its incarnation, and its own echo changes nothing', async () => {
    const { numbering, store } = numberingAt(5);
    for (const sequence of [1, 2, 3]) {
      assert.deepEqual(numbering.next(), { incarnation: 5, sequence });
      store.publish(testReport('fra', sequence, { incarnation: 5 }));
      await settled();
    }
  });

  test('after a start with the clock set back it goes beyond its former life', async () => {
    const hub = new MemoryHub();
    hub.store('fra').publish(testReport('fra', 40, { incarnation: 900 }));
    await settled();
    const { numbering, store } = numberingAt(100, hub);
    const seen: string[] = [];
    hub.store('iad').subscribe((report) => seen.push(numbers(report)));
    await settled();
    store.publish({ ...testReport('fra', 0), ...numbering.next() });
    await settled();
    assert.deepEqual(seen, ['900.40', '901.1']);
  });

  test('what a file tells of its former life counts as well as what the store tells', () => {
    const { numbering } = numberingAt(100);
    numbering.goBeyond({ incarnation: 900, sequence: 40 });
    assert.deepEqual(numbering.next(), { incarnation: 901, sequence: 1 });
    numbering.goBeyond({ incarnation: 900, sequence: 41 });
    assert.deepEqual(numbering.next(), { incarnation: 901, sequence: 2 });
  });

  test('somebody’s report of the last incarnation does not silence it', async () => {
    const { numbering, hub, store } = numberingAt(100);
    hub.store('fra').publish(testReport('fra', 7, { incarnation: INCARNATION_MAX }));
    await settled();
    const seen: string[] = [];
    hub.store('iad').subscribe((report) => seen.push(numbers(report)));
    store.publish({ ...testReport('fra', 0), ...numbering.next() });
    await settled();
    assert.deepEqual(seen, [`${INCARNATION_MAX}.7`, `${INCARNATION_MAX}.8`]);
  });
});
