import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { decide } from '../../src/decide/decide.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import type { Store } from '../../src/share/store.ts';
import { WorldView } from '../../src/share/world-view.ts';
import { testConfig } from '../support/config.ts';
import { testReport } from '../support/report.ts';

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Scene {
  hub: MemoryHub;
  clock: VirtualClock;
  fra: Store;
  iad: Store;
  view: WorldView;
  news: string[];
  sites: string[];
}

function scene(): Scene {
  const hub = new MemoryHub();
  const clock = new VirtualClock(100);
  const [fra, iad] = [hub.store('fra'), hub.store('iad')];
  const sites = ['fra', 'iad'];
  const log = silentLog;
  const view = new WorldView({ self: 'fra', sites: () => sites, store: fra, clock, log });
  const news: string[] = [];
  view.onNews((site) => news.push(site));
  return { hub, clock, fra, iad, view, news, sites };
}

describe('world view', () => {
  test('holds the newest report of each site, its own included, with its arrival', async () => {
    const { clock, fra, iad, view, news } = scene();
    fra.publish(testReport('fra', 1));
    await settled();
    clock.advance(50);
    iad.publish(testReport('iad', 1));
    iad.publish(testReport('iad', 2));
    await settled();
    const world = view.world();
    assert.equal(world.self, 'fra');
    assert.equal(world.connected, true);
    assert.deepEqual(
      [...world.sightings].map(([site, { report, received_at }]) => [
        site,
        report.sequence,
        received_at,
      ]),
      [
        ['fra', 1, 100],
        ['iad', 2, 150],
      ],
    );
    assert.deepEqual(news, ['fra', 'iad', 'iad']);
  });

  test('a report that comes again does not become younger', async () => {
    const { clock, hub, iad, view, news } = scene();
    iad.publish(testReport('iad', 1));
    await settled();
    clock.advance(5_000);
    hub.cut('fra');
    hub.heal('fra');
    await settled();
    assert.equal(view.world().sightings.get('iad')!.received_at, 100);
    assert.deepEqual(news, ['iad']);
  });

  test('cut off, it keeps the last reports of the others and says that it is on its own', async () => {
    const { hub, fra, iad, view } = scene();
    iad.publish(testReport('iad', 1));
    await settled();
    hub.cut('fra');
    iad.publish(testReport('iad', 2));
    fra.publish(testReport('fra', 8));
    await settled();
    const world = view.world();
    assert.equal(world.connected, false);
    assert.equal(world.sightings.get('iad')!.report.sequence, 1);
    assert.equal(world.sightings.get('fra')!.report.sequence, 8, 'its own eyes stay open');
  });

  test('after a cut, only the time with a store counts as silence', async () => {
    const { hub, clock, iad, view } = scene();
    const config = testConfig();
    const { report_stale_ms } = config.policy;
    const iadIs = () => decide(config, view.world(), clock.now()).sites[1]!.state;
    iad.publish(testReport('iad', 1, { endpoints: {} }));
    await settled();
    clock.advance(report_stale_ms - 2);
    for (let flaps = 0; flaps < 3; flaps++) {
      hub.cut('fra');
      clock.advance(10 * report_stale_ms);
      hub.heal('fra');
      assert.notEqual(iadIs(), 'lost', 'it had no way to be heard');
    }
    clock.advance(2);
    assert.equal(iadIs(), 'lost', 'a store that flaps does not hide a loss');
    hub.cut('fra');
    clock.advance(1_000);
    assert.equal(iadIs(), 'lost', 'nor does a cut bring anybody back');
    hub.heal('fra');
    assert.equal(iadIs(), 'lost');
  });

  test('sites that are not configured are counted and left out', async () => {
    const { hub, view, news, sites } = scene();
    hub.store('old').publish(testReport('old', 1));
    await settled();
    assert.deepEqual([view.world().sightings.size, view.strangers, news], [0, 1, []]);
    sites.push('old');
    hub.store('old').publish(testReport('old', 2));
    await settled();
    assert.equal(view.world().sightings.has('old'), true);
    sites.pop();
    assert.equal(view.world().sightings.has('old'), false);
  });

  test('a world that was given out does not change; a closed view takes nothing in', async () => {
    const { fra, iad, view, news } = scene();
    fra.publish(testReport('fra', 1));
    await settled();
    const before = view.world();
    iad.publish(testReport('iad', 1));
    await settled();
    assert.equal(before.sightings.size, 1);
    view.close();
    iad.publish(testReport('iad', 2));
    await settled();
    assert.equal(view.world().sightings.get('iad')!.report.sequence, 1);
    assert.deepEqual(news, ['fra', 'iad']);
  });
});
