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
  const view = new WorldView({
    self: 'fra',
    sites: () => sites,
    stale_ms: () => testConfig().policy.report_stale_ms,
    store: fra,
    clock,
    log,
  });
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
    assert.deepEqual(news, ['iad'], 'its own, and what only repeats itself, is no news');
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
    assert.deepEqual(news, ['iad']);
  });
});

describe('the view of a site with several agents', () => {
  const STALE_MS = testConfig().policy.report_stale_ms;
  const ID = 'iad-lb1/web';
  const said = (agent: string, sequence: number, up = true) => {
    const endpoints = { [ID]: { up, for_ms: 0, downs: 0, detail: agent } };
    return testReport('iad', sequence, { agent, endpoints });
  };
  const up = (view: WorldView): boolean | undefined =>
    view.world().sightings.get('iad')?.report.endpoints[ID]?.up;

  test('one that falls silent has no say while another is heard', async () => {
    const { clock, iad, view } = scene();
    iad.publish(said('a', 1, false));
    await settled();
    clock.advance(STALE_MS - 1);
    const other = said('b', 1);
    iad.publish({ ...other, incarnation: 2 });
    await settled();
    assert.equal(up(view), true, 'who changed last');
    clock.advance(1);
    assert.deepEqual(
      view.agents('iad').map(({ agent, fresh }) => [agent, fresh]),
      [
        ['a', false],
        ['b', true],
      ],
    );
    clock.advance(STALE_MS);
    const config = testConfig();
    assert.equal(decide(config, view.world(), clock.now()).sites[1]!.state, 'lost');
  });

  test('remembers no more agents of a site than there can be', async () => {
    const { hub, clock, view } = scene();
    for (let i = 0; i < 20; i++) {
      clock.advance(1);
      hub.store('iad').publish(said(`agent${i}`, 1));
      await settled();
    }
    const names = view.agents('iad').map(({ agent }) => agent);
    assert.deepEqual([names.length, names.includes('agent19')], [8, true]);
  });

  test('what is decided by here is the own report with those of fresh siblings', async () => {
    const { clock, hub, view } = scene();
    const own = testReport('fra', 7);
    assert.equal(view.world(own).sightings.get('fra')!.report, own);
    const endpoints = { other: { up: true, for_ms: 5, downs: 0, detail: '' } };
    hub.store('fra').publish(testReport('fra', 1, { agent: 'sibling', endpoints }));
    await settled();
    const known = () => Object.keys(view.world(own).sightings.get('fra')!.report.endpoints);
    assert.deepEqual(known().sort(), ['fra-lb1/web', 'other']);
    clock.advance(STALE_MS);
    assert.deepEqual(known(), ['fra-lb1/web']);
  });
});

describe('a silence', () => {
  const silenceOf = (view: WorldView) => view.world().sightings.get('iad')!.silence;

  test('that makes a site lost is noted, by whatever cause, until there is another', async () => {
    const { iad, view, clock, hub } = scene();
    const { report_stale_ms } = testConfig().policy;
    iad.publish(testReport('iad', 1));
    await settled();
    clock.advance(report_stale_ms - 1);
    iad.publish(testReport('iad', 2));
    await settled();
    assert.equal(silenceOf(view), undefined);
    const from = clock.now();
    hub.cut('fra');
    clock.advance(report_stale_ms);
    hub.heal('fra');
    iad.publish(testReport('iad', 3));
    await settled();
    const silence = { from, to: from + report_stale_ms };
    assert.deepEqual(silenceOf(view), silence);
    clock.advance(1_000);
    iad.publish(testReport('iad', 4));
    await settled();
    assert.deepEqual(silenceOf(view), silence);
  });
});

describe('a view that is restored', () => {
  const sight = { up: true, for_ms: 5_000, downs: 0, detail: '' };
  const endpoints = { 'iad-lb1/web': sight, 'iad-lb2/web': sight };

  test('knows everybody as after a cut, no younger than they were', async () => {
    const { clock, iad, view } = scene();
    const config = testConfig();
    const { report_stale_ms } = config.policy;
    iad.publish(testReport('iad', 1, { endpoints }));
    await settled();
    clock.advance(report_stale_ms - 100);
    const kept = view.kept();
    assert.deepEqual([kept[0]!.age_ms, kept[0]!.cut_ms], [report_stale_ms - 100, 0]);

    const next = scene();
    next.hub.cut('fra');
    const state = () => decide(config, next.view.world(), next.clock.now()).sites[1]!;
    assert.equal(state().state, 'unknown');
    next.view.restore(kept, 60_000);
    assert.equal(state().reason.code, 'on-its-own');
    assert.match(state().reason.text, /as last heard 65 s ago/);
    const again = next.view.kept()[0]!;
    assert.equal(again.cut_ms, 60_000, 'a second restart does not grow it younger either');
    next.hub.heal('fra');
    assert.equal(state().reason.code, 'on-its-own');
    next.clock.advance(100);
    assert.equal(state().state, 'lost', 'nobody has heard it since');
    next.iad.publish(testReport('iad', 1, { endpoints }));
    await settled();
    assert.equal(state().reason.code, 'healthy', 'any report of its own is better');
  });

  test('who was lost stays lost, and what was heard since is kept', async () => {
    const { iad, view, sites, clock } = scene();
    const config = testConfig();
    iad.publish(testReport('iad', 5));
    await settled();
    const old = { report: testReport('iad', 9), age_ms: 10, cut_ms: 0 };
    view.restore([old, { ...old, report: testReport('gone', 1) }], 0);
    assert.equal(view.world().sightings.get('iad')!.report.sequence, 5);
    sites.push('gone', 'sin');
    assert.equal(view.world().sightings.has('gone'), false);
    const lost = { ...old, report: testReport('sin', 1), age_ms: 3_600_000, cut_ms: 0 };
    view.restore([lost], 1_000);
    assert.equal(decide(config, view.world(), clock.now()).sites[2]!.state, 'lost');
  });
});
