/**
 * What every Store promises, as one suite that each implementation runs. A bench is a place,
 * fresh for each test, where the stores of several sites meet and where a site can be cut off.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OverrideSight } from '../../src/model/override.ts';
import type { Report } from '../../src/model/report.ts';
import type { Store } from '../../src/share/store.ts';
import { eventually } from '../support/eventually.ts';
import { ordersOf, testOverride } from '../support/redis-store.ts';
import { testReport } from '../support/report.ts';

export interface StoreBench {
  /** A new store for the agent of `site`: "fra", "iad" or "sin". */
  open(site: string): Store;
  /** Nothing reaches `site`'s stores any more, and nothing comes from them. */
  cut(site: string): void | Promise<void>;
  heal(site: string): void | Promise<void>;
  /** Puts `value` where the report of site "sin" belongs, as a broken writer would. */
  inject(value: unknown): Promise<void>;
  end(): Promise<void>;
}

/** Collects what a store delivers, as "site incarnation.sequence". */
function collect(store: Store): string[] {
  const seen: string[] = [];
  store.subscribe((report) => {
    seen.push(`${report.site} ${report.incarnation}.${report.sequence}`);
  });
  return seen;
}

export function storeContract(
  name: string,
  options: { skip: string | false },
  make: () => Promise<StoreBench>,
): void {
  describe(`store contract: ${name}`, options, () => {
    let bench: StoreBench;
    const opened: Store[] = [];

    async function open(site: string): Promise<Store> {
      const store = bench.open(site);
      opened.push(store);
      await eventually(`${site} is connected`, () => store.connected);
      return store;
    }

    function contract(title: string, body: () => Promise<void>): void {
      test(title, async () => {
        bench = await make();
        try {
          await body();
        } finally {
          await Promise.all(opened.splice(0).map((store) => store.close()));
          await bench.end();
        }
      });
    }

    contract('a report reaches every site, its own included, whole', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const own = collect(a);
      const received: Report[] = [];
      b.subscribe((report) => received.push(report));
      const report = testReport('fra', 1, { suspect: 'härte "1"' });
      a.publish(report);
      await eventually('the report arrives', () => received.length > 0 && own.length > 0);
      assert.deepEqual(received, [report]);
      assert.deepEqual(own, ['fra 1.1']);
    });

    contract('newest wins: older and repeated reports are never delivered', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = collect(b);
      a.publish(testReport('fra', 2));
      await eventually('the second', () => seen.length === 1);
      a.publish(testReport('fra', 1));
      a.publish(testReport('fra', 2));
      a.publish(testReport('fra', 1, { incarnation: 2 }));
      await eventually('the next incarnation', () => seen.includes('fra 2.1'));
      a.publish(testReport('fra', 9));
      a.publish(testReport('fra', 2, { incarnation: 2 }));
      await eventually('its second', () => seen.includes('fra 2.2'));
      assert.deepEqual(seen, ['fra 1.2', 'fra 2.1', 'fra 2.2']);
    });

    contract(
      'a second writer with older reports does not win, not even for latecomers',
      async () => {
        const [a, old] = [await open('fra'), await open('fra')];
        const seen = collect(old);
        a.publish(testReport('fra', 5));
        await eventually('the newest', () => seen.length === 1);
        old.publish(testReport('fra', 3));
        old.publish(testReport('fra', 4));
        const mark = testReport('iad', 1);
        old.publish({ ...mark, incarnation: 2 });
        await eventually('what was published last', () => seen.includes('iad 2.1'));
        const late = collect(await open('iad'));
        await eventually('the latecomer knows', () => late.length === 2);
        assert.ok(late.includes('fra 1.5'), late.join());
      },
    );

    contract('a late subscriber is given what is known before subscribe returns', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = collect(b);
      a.publish(testReport('fra', 7));
      await eventually('the report', () => seen.length === 1);
      assert.deepEqual(collect(b), ['fra 1.7']);
    });

    contract('a subscriber that has left is not called; one that throws harms nobody', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      let calls = 0;
      const leave = b.subscribe(() => calls++);
      b.subscribe(() => {
        throw new Error('a bad listener');
      });
      const seen = collect(b);
      a.publish(testReport('fra', 1));
      await eventually('the first', () => seen.length === 1);
      leave();
      a.publish(testReport('fra', 2));
      await eventually('the second', () => seen.length === 2);
      assert.equal(calls, 1);
    });

    contract(
      'publish returns before anything is delivered, and may be called by a listener',
      async () => {
        const [a, b] = [await open('fra'), await open('iad')];
        const seen = collect(a);
        let inside = false;
        b.subscribe((report) => {
          assert.equal(inside, false);
          if (report.site !== 'fra') return;
          inside = true;
          b.publish(testReport('iad', report.sequence));
          inside = false;
        });
        a.publish(testReport('fra', 1));
        assert.equal(seen.length, 0);
        await eventually('the reply', () => seen.includes('iad 1.1'));
      },
    );

    contract('a published report is as it was, whatever becomes of the object', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const loads: Report['load'][] = [];
      b.subscribe((report) => loads.push(report.load));
      const report = testReport('fra', 1, { load: { used: 1, demand: 2, own: 3, capacity: 4 } });
      a.publish(report);
      (report.load as { used: number }).used = 99;
      await eventually('the report', () => loads.length > 0);
      assert.deepEqual(loads[0], { used: 1, demand: 2, own: 3, capacity: 4 });
    });

    contract('malformed reports are dropped, the good ones after them arrive', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = collect(b);
      const good = testReport('sin', 1);
      await bench.inject('not a report');
      await bench.inject({ ...good, sequence: -1 });
      await bench.inject({ ...good, load: { used: 'much' } });
      await bench.inject({ ...good, spill: undefined });
      await bench.inject({ ...good, site: 'x'.repeat(300) });
      a.publish(testReport('fra', 1));
      await eventually('the good one', () => seen.includes('fra 1.1'));
      assert.deepEqual(
        seen.filter((entry) => !entry.startsWith('fra')),
        [],
      );
    });

    contract('a site that is cut off says so, and the others do not', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const changes: boolean[] = [];
      a.onConnection((connected) => changes.push(connected));
      await bench.cut('fra');
      await eventually('fra is on its own', () => !a.connected);
      assert.equal(b.connected, true);
      await bench.heal('fra');
      await eventually('fra is back', () => a.connected);
      assert.deepEqual(changes, [false, true]);
    });

    contract(
      'while cut off: own reports are seen, others are not, publish never throws',
      async () => {
        const [a, b] = [await open('fra'), await open('iad')];
        const [atA, atB] = [collect(a), collect(b)];
        await bench.cut('fra');
        await eventually('fra is on its own', () => !a.connected);
        a.publish(testReport('fra', 1));
        b.publish(testReport('iad', 1));
        await eventually('both see their own', () => atA.length > 0 && atB.length > 0);
        assert.deepEqual([atA, atB], [['fra 1.1'], ['iad 1.1']]);
        await bench.heal('fra');
        await eventually('both see both', () => atA.length === 2 && atB.length === 2);
      },
    );

    contract('of a thousand reports published while cut off only the newest is kept', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = collect(b);
      a.publish(testReport('fra', 1));
      await eventually('the first', () => seen.length === 1);
      await bench.cut('fra');
      await eventually('fra is on its own', () => !a.connected);
      for (let sequence = 2; sequence <= 1001; sequence++) a.publish(testReport('fra', sequence));
      await bench.heal('fra');
      await eventually('the newest', () => seen.includes('fra 1.1001'));
      assert.deepEqual(seen, ['fra 1.1', 'fra 1.1001']);
    });

    contract(
      'what the others published meanwhile is known after the cut, newest only',
      async () => {
        const [a, b] = [await open('fra'), await open('iad')];
        const [atA, atB] = [collect(a), collect(b)];
        await bench.cut('fra');
        await eventually('fra is on its own', () => !a.connected);
        for (let sequence = 1; sequence <= 20; sequence++) b.publish(testReport('iad', sequence));
        await eventually('iad has published', () => atB.includes('iad 1.20'));
        // What iad's own listener has seen may still be on its way to the store; a second reader knows.
        const other = collect(await open('iad'));
        await eventually('the store has it', () => other.includes('iad 1.20'));
        await bench.heal('fra');
        await eventually('fra knows', () => atA.length > 0);
        assert.deepEqual(atA, ['iad 1.20']);
      },
    );

    contract('two agents of a site are heard beside each other', async () => {
      const [a, pair, b] = [await open('fra'), await open('fra'), await open('iad')];
      const seen: string[] = [];
      b.subscribe(({ agent, sequence }) => seen.push(`${agent} ${sequence}`));
      a.publish(testReport('fra', 7));
      await eventually('the first agent', () => seen.length === 1);
      pair.publish(testReport('fra', 3, { agent: 'fra2' }));
      await eventually('the second agent, though its numbers are lower', () => seen.length === 2);
      a.publish(testReport('fra', 8));
      await eventually('the first again', () => seen.length === 3);
      assert.deepEqual(seen, ['fra 7', 'fra2 3', 'fra 8']);
      const late: string[] = [];
      (await open('iad')).subscribe(({ agent, sequence }) => late.push(`${agent} ${sequence}`));
      await eventually('a latecomer hears both', () => late.length === 2);
      assert.deepEqual(late.sort(), ['fra 8', 'fra2 3']);
    });

    contract('an override reaches every agent, the own included, whole', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const own = ordersOf(a);
      const received: OverrideSight[] = [];
      b.subscribeOverrides((sight) => received.push(sight));
      const replaces = [{ clock: 3, agent: 'iad/iad' }];
      const put = testOverride('fra', 5, { replaces });
      a.putOverride(put);
      assert.equal(own.length, 0, 'not inside of the call');
      await eventually('the override arrives', () => received.length > 0 && own.length > 0);
      assert.deepEqual(own, ['site=fra 5 drain']);
      assert.deepEqual(received[0]!.override, put.override);
      const { for_ms, left_ms } = received[0]!;
      assert.ok(for_ms < 5_000 && left_ms! > 55_000 && left_ms! <= 60_000, `${for_ms} ${left_ms}`);
    });

    contract('of an override the later stamp wins, by clock and then by name', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = ordersOf(b);
      a.putOverride(testOverride('fra', 5));
      await eventually('the first', () => seen.length === 1);
      b.putOverride(testOverride('fra', 4, { action: 'down' }));
      b.putOverride(testOverride('fra', 5, { stamp: { clock: 5, agent: 'a/a' }, action: 'up' }));
      a.putOverride(testOverride('fra', 5, { stamp: { clock: 5, agent: 'z/z' }, action: 'up' }));
      await eventually('the one of the later name', () => seen.length === 2);
      a.putOverride(testOverride('fra', 6, { action: null }));
      await eventually('the removal', () => seen.length === 3);
      assert.deepEqual(seen, ['site=fra 5 drain', 'site=fra 5 up', 'site=fra 6 null']);
    });

    contract('a latecomer is given the overrides, removed ones too, with their times', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const known = ordersOf(b);
      a.putOverride({ ...testOverride('fra', 5, {}, 60_000), for_ms: 9_000 });
      a.putOverride(testOverride('iad', 6, { action: null }, null));
      a.putOverride(testOverride('sin', 7, { action: 'up' }, null));
      await eventually('they are there', () => known.length === 3);
      const late: OverrideSight[] = [];
      (await open('sin')).subscribeOverrides((sight) => late.push(sight));
      await eventually('the latecomer knows', () => late.length === 3);
      late.sort((x, y) => x.override.stamp.clock - y.override.stamp.clock);
      const [first, ...others] = late;
      assert.ok(first!.for_ms >= 9_000 && first!.for_ms < 30_000, `${first!.for_ms}`);
      assert.ok(first!.left_ms! > 30_000 && first!.left_ms! <= 60_000, `${first!.left_ms}`);
      assert.deepEqual(
        others.map(({ override, left_ms }) => [override.action, left_ms]),
        [
          [null, null],
          ['up', null],
        ],
      );
    });

    contract('orders on both sides of a cut meet after it, and all agree', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const [atA, atB] = [ordersOf(a), ordersOf(b)];
      await bench.cut('fra');
      await eventually('fra is on its own', () => !a.connected);
      a.putOverride(testOverride('sin', 5, { action: 'up' }));
      a.putOverride(testOverride('fra', 1));
      b.putOverride(testOverride('sin', 6, { action: 'down' }));
      await eventually('each sees its own', () => atA.length === 2 && atB.length === 1);
      await bench.heal('fra');
      const agreed = (): boolean => {
        return atA.includes('site=sin 6 down') && atB.includes('site=fra 1 drain');
      };
      await eventually('both know both', agreed);
      assert.ok(!atB.includes('site=sin 5 up'), 'the earlier one is not delivered');
      const late = ordersOf(await open('sin'));
      await eventually('a latecomer knows', () => late.length === 2);
      assert.deepEqual(late.sort(), ['site=fra 1 drain', 'site=sin 6 down']);
    });

    contract('a malformed override is not taken in', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = ordersOf(b);
      a.putOverride(testOverride('fra', 1, { id: 'site=iad' }));
      a.putOverride(testOverride('fra', -1));
      a.putOverride(testOverride('fra', 2));
      await eventually('the good one', () => seen.length > 0);
      assert.deepEqual(seen, ['site=fra 2 drain']);
    });

    contract('after close nothing is delivered, and nothing is published', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const [atA, atB] = [collect(a), collect(b)];
      await a.close();
      assert.equal(a.connected, false);
      a.publish(testReport('fra', 1));
      b.publish(testReport('iad', 1));
      const other = collect(await open('iad'));
      await eventually('the others go on', () => other.includes('iad 1.1') && atB.length > 0);
      assert.deepEqual([atA, atB], [[], ['iad 1.1']]);
    });

    contract('the last report published before close still goes out', async () => {
      const [a, b] = [await open('fra'), await open('iad')];
      const seen = collect(b);
      for (let sequence = 1; sequence <= 50; sequence++) a.publish(testReport('fra', sequence));
      await a.close();
      await eventually('the last one', () => seen.includes('fra 1.50'));
    });
  });
}
