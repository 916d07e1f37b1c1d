/** Self-fencing: who sees neither another site nor its uplink announces nothing, if it is asked to. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Anycast, type AnycastOptions } from './anycast.ts';

/** Reports are stale after 5 s; all sites announce and all are asked to fence. */
function fencing(options: AnycastOptions = {}, fence = true): Anycast {
  const config: AnycastOptions['config'] = (it) => ({
    ...it,
    sites: it.sites.map((site) => ({ ...site, fence })),
  });
  const sites = new Anycast({ sites: 3, config, ...options });
  sites.run(1_000);
  return sites;
}

function isolate(sites: Anycast, name: string): void {
  sites.cutAt = sites.now;
  sites.station(name).uplink = false;
}

describe('an isolated site', () => {
  test('withdraws when the others have been silent for as long as makes them lost', () => {
    const sites = fencing();
    const told = sites.follow('fra');
    isolate(sites, 'fra');
    sites.run(10_000);
    assert.deepEqual(told(), ['5.9 off']);
    const { reason, announce } = sites.route('fra');
    assert.deepEqual([announce, reason.code], [false, 'fenced']);
    assert.match(reason.text, /uplink fails, and no other site is heard for 10 s/);
    for (const name of ['iad', 'sin']) assert.equal(sites.route(name).announce, true);
  });

  test('does so also when it fails, drains or is the last: that is what was asked for', () => {
    const sites = fencing({ sites: 1, policy: { drain_ms: 60_000 } });
    sites.set('fra', false);
    isolate(sites, 'fra');
    sites.run(10_000);
    assert.equal(sites.route('fra').reason.code, 'fenced');
    sites.set('fra', true);
    sites.station('fra').drainedAt = sites.now;
    sites.run(1_000);
    assert.equal(sites.route('fra').reason.code, 'fenced');
  });

  test('comes back as after a failure: held down while others announce, its penalty counted', () => {
    const damping = { penalty: 1000, suppress: 2500, reuse: 750, half_life_ms: 60_000 };
    const routes = { hold_down_ms: 4_000, damping: { ...damping, suppress_max_ms: 300_000 } };
    const sites = fencing({ routes });
    isolate(sites, 'fra');
    sites.run(10_000);
    const told = sites.follow('fra');
    sites.cutAt = null;
    sites.station('fra').uplink = true;
    const healed = sites.now;
    sites.run(1_000);
    assert.equal(sites.route('fra').reason.code, 'hold-down');
    assert.ok(sites.station('fra').memory.routes.web!.penalty > 900);
    sites.run(9_000);
    const [back, ...more] = told();
    assert.deepEqual(more, []);
    const after_s = Number(back!.split(' ')[0]) - healed / 1000;
    assert.ok(after_s >= 4 && after_s <= 5.1, back);
  });

  test('that was never heard nor has heard anybody announces nothing from the start', () => {
    const sites = new Anycast({
      config: (it) => ({ ...it, sites: it.sites.map((site) => ({ ...site, fence: true })) }),
    });
    isolate(sites, 'fra');
    sites.run(1_000);
    assert.equal(sites.route('fra').reason.code, 'fenced');
  });
});

describe('nobody is fenced', () => {
  const stays = (sites: Anycast): void => {
    const told = sites.follow('fra');
    sites.run(30_000);
    assert.deepEqual(told(), []);
    assert.equal(sites.route('fra').fitness, 'healthy');
  };

  test('who was not asked to be', () => {
    const sites = fencing({}, false);
    isolate(sites, 'fra');
    stays(sites);
  });

  test('whose uplink works, or of whose uplink nothing is known', () => {
    for (const uplink of [true, null]) {
      const sites = fencing();
      isolate(sites, 'fra');
      sites.station('fra').uplink = uplink;
      stays(sites);
    }
  });

  test('who still hears another site', () => {
    const sites = fencing();
    sites.station('fra').uplink = false;
    sites.station('sin').isRunning = false;
    stays(sites);
  });

  test('by a store that is away for a moment', () => {
    const sites = fencing();
    const told = sites.follow('fra');
    isolate(sites, 'fra');
    sites.run(4_000);
    sites.cutAt = null;
    sites.run(4_000);
    assert.deepEqual(told(), []);
  });
});
