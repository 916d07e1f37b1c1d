/** Coming back after failures: hold-down, damping, and the last site that waits for neither. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  dampingOf,
  decayed,
  penalized,
  siteFactor,
  siteFactors,
  suppressedFor_ms,
} from '../../src/decide/damping.ts';
import type { Damping } from '../../src/model/bgp.ts';
import { routePolicy } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';
import { Anycast } from './anycast.ts';

const damping: Damping = {
  penalty: 1_000,
  suppress: 2_500,
  reuse: 750,
  half_life_ms: 60_000,
  suppress_max_ms: 300_000,
};

/** One failure of `site` that lasts a second, and a second of health after it. */
function flap(sites: Anycast, site: string, times = 1): void {
  for (let i = 0; i < times; i++) {
    sites.set(site, false);
    sites.run(1_000);
    sites.set(site, true);
    sites.run(1_000);
  }
}

describe('hold-down', () => {
  const held = (): Anycast => {
    const sites = new Anycast({ routes: { hold_down_ms: 10_000 } });
    sites.run(1_000);
    return sites;
  };
  const wait_ms = 10_000 * siteFactor(testConfig().sites, 'fra');

  test('keeps a VIP back until the site has been fit for long enough', () => {
    const sites = held();
    flap(sites, 'fra');
    assert.deepEqual(
      [sites.route('fra').announce, sites.route('fra').reason.code],
      [false, 'hold-down'],
    );
    assert.match(
      sites.route('fra').reason.text,
      /^fit again; announced in [\d.]+ s if it stays so; iad/,
    );
    sites.run(wait_ms - 1_100);
    assert.equal(sites.route('fra').announce, false);
    sites.run(200);
    assert.equal(sites.route('fra').announce, true);
  });

  test('begins anew with each failure', () => {
    const sites = held();
    flap(sites, 'fra');
    sites.run(8_000);
    flap(sites, 'fra');
    sites.run(8_000);
    assert.equal(sites.route('fra').announce, false);
    sites.run(wait_ms);
    assert.equal(sites.route('fra').announce, true);
  });

  test('is for failures: neither the first announcement nor the end of a drain waits', () => {
    const sites = new Anycast({ routes: { hold_down_ms: 10_000 }, policy: { drain_ms: 0 } });
    sites.run(100);
    assert.equal(sites.route('fra').announce, true);
    sites.station('fra').drainedAt = sites.now;
    sites.run(1_000);
    assert.equal(sites.route('fra').announce, false);
    sites.station('fra').drainedAt = null;
    sites.run(100);
    assert.equal(sites.route('fra').announce, true);
  });

  test('ends at once where no other site announces the VIP', () => {
    const sites = held();
    flap(sites, 'fra');
    sites.set('iad', false);
    sites.run(300);
    const { announce, fitness, reason } = sites.route('fra');
    assert.deepEqual([announce, fitness], [true, 'healthy']);
    assert.equal(sites.route('iad').announce, false, 'it has gone over');
    assert.equal(reason.code, 'healthy');
  });

  test('starts again after a restart, since nobody has watched meanwhile', () => {
    const sites = held();
    flap(sites, 'fra');
    sites.restart('fra', 60_000);
    sites.run(1_000);
    assert.equal(sites.route('fra').reason.code, 'hold-down');
    sites.run(wait_ms);
    assert.equal(sites.route('fra').announce, true);
  });
});

describe('damping', () => {
  const damped = (): Anycast => {
    const sites = new Anycast({ routes: { damping } });
    sites.run(1_000);
    return sites;
  };

  test('lets a few failures pass and then holds the VIP back, saying for how long', () => {
    const sites = damped();
    flap(sites, 'fra', 2);
    assert.equal(sites.route('fra').announce, true);
    flap(sites, 'fra');
    const { announce, reason } = sites.route('fra');
    assert.deepEqual([announce, reason.code], [false, 'damped']);
    const [, left, penalty] = /^suppressed (\d+) s more, penalty (\d+); iad/.exec(reason.text)!;
    assert.ok(Number(penalty) > 2_500 && Number(penalty) < 3_000);
    sites.run((Number(left) - 1) * 1_000);
    assert.equal(sites.route('fra').announce, false);
    sites.run(2_000);
    assert.equal(sites.route('fra').announce, true);
  });

  test('goes on over a restart, with the time that has passed', () => {
    const sites = damped();
    flap(sites, 'fra', 3);
    sites.restart('fra', 30_000);
    sites.run(100);
    assert.equal(sites.route('fra').reason.code, 'damped');
    sites.restart('fra', 300_000);
    sites.run(100);
    assert.equal(sites.route('fra').announce, true);
  });

  test('never keeps the last site back, and does not withdraw it again when another is back', () => {
    const sites = damped();
    flap(sites, 'fra', 3);
    sites.set('iad', false);
    sites.run(300);
    assert.equal(sites.route('fra').announce, true);
    sites.set('iad', true);
    const told = sites.follow('fra');
    sites.run(10_000);
    assert.deepEqual(told(), []);
  });

  test('of all sites at once lets one of them announce', () => {
    const sites = damped();
    for (let i = 0; i < 6; i++) {
      flap(sites, 'fra');
      flap(sites, 'iad');
    }
    sites.run(500);
    const announced = ['fra', 'iad'].filter((name) => sites.route(name).announce);
    assert.ok(announced.length > 0);
  });
});

describe('a penalty', () => {
  test('halves with each half-life', () => {
    const one = penalized(damping, { penalty: 1_000, suppressed: false });
    assert.equal(decayed(damping, one, 60_000).penalty, 1_000);
  });

  test('suppresses above one threshold and until the other, no longer than the longest time', () => {
    fc.assert(
      fc.property(
        fc.record({
          penalty: fc.integer({ min: 1, max: 10_000 }),
          reuse: fc.integer({ min: 1, max: 1_000 }),
          suppress: fc.integer({ min: 1_001, max: 5_000 }),
          half_life_ms: fc.integer({ min: 1_000, max: 1_000_000 }),
          suppress_max_ms: fc.integer({ min: 0, max: 3_600_000 }),
        }),
        fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 50 }),
        (settings, pauses) => {
          let now = { penalty: 0, suppressed: false };
          for (const pause of pauses) {
            now = penalized(settings, decayed(settings, now, pause));
            const left_ms = suppressedFor_ms(settings, now);
            assert.ok(left_ms <= settings.suppress_max_ms + 1);
            assert.equal(left_ms > 0, now.suppressed);
            if (left_ms < 10) continue;
            assert.ok(decayed(settings, now, left_ms - 1).suppressed);
            assert.ok(!decayed(settings, now, left_ms + 1e-3).suppressed);
            assert.ok(!decayed(settings, now, left_ms).suppressed, 'at the very instant');
          }
        },
      ),
    );
  });

  test('decays alike however often it is looked at', () => {
    const start = { penalty: 9_000, suppressed: true };
    let often = start;
    for (let i = 0; i < 1_000; i++) often = decayed(damping, often, 100);
    const once = decayed(damping, start, 100_000);
    assert.ok(Math.abs(often.penalty - once.penalty) < 1e-6);
  });
});

test('sites wait a little longer, each its own time, evenly apart, and always the same', () => {
  const [site] = testConfig().sites;
  for (let count = 1; count <= 50; count++) {
    const sites = Array.from({ length: count }, (_, i) => ({ ...site!, name: `site${i}` }));
    const sorted = siteFactors(sites).toSorted((a, b) => a - b);
    sorted.forEach((factor, i) => {
      assert.ok(Math.abs(factor - (1 + (0.25 * i) / count)) < 1e-9, `${i} of ${count}: ${factor}`);
    });
    assert.deepEqual(siteFactors([...sites]), siteFactors(sites));
  }
  const own = dampingOf(routePolicy({ damping }), 1.2)!;
  assert.equal(own.half_life_ms, 72_000);
});
