/** Verdicts on endpoints and sites, and when time alone changes them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../../src/decide/decide.ts';
import type { EndpointSight, Report } from '../../src/model/report.ts';
import type { World } from '../../src/model/world.ts';
import { testConfig } from '../support/config.ts';
import { DOWN, drainOrder, loadOf, reportOf, UP, worldOf } from './world.ts';

const config = testConfig();
const [fra, iad, sin] = config.sites.map(({ name }) => reportOf(config, name));
const { report_stale_ms } = config.policy;
const { hold_down_ms } = config.policy.health;

/** fra's plan at `now`; reports arrived at 0. */
function planned(reports: readonly Report[], now: number, change: Partial<World> = {}) {
  const plan = decide(config, worldOf('fra', reports, 0, change), now);
  const codes = plan.endpoints.map(({ reason }) => reason.code);
  const eligible = plan.endpoints.map((verdict) => verdict.eligible);
  return { ...plan, codes, eligible };
}

function withSight(site: string, id: string, sight: EndpointSight): Report {
  const report = reportOf(config, site);
  return { ...report, endpoints: { ...report.endpoints, [id]: sight } };
}

describe('an endpoint', () => {
  test('that is up at a site that is heard may be answered', () => {
    const plan = planned([fra!, iad!, sin!], 100);
    assert.deepEqual(plan.codes, Array(6).fill('healthy'));
    assert.ok(plan.sites.every(({ state }) => state === 'healthy'));
    assert.equal(plan.wake_ms, report_stale_ms - 100);
  });

  test('that is down may not, and the probe’s words are kept; its site is degraded', () => {
    const plan = planned([withSight('fra', 'fra-lb1/web', DOWN), iad!, sin!], 100);
    assert.deepEqual(plan.eligible, [false, true, true, true, true, true]);
    assert.equal(plan.endpoints[0]!.reason.text, 'down for 0.6 s: refused');
    assert.equal(plan.sites[0]!.state, 'degraded');
  });

  test('without any verdict yet may not, and its site is unknown rather than down', () => {
    const plan = planned([reportOf(config, 'fra', { endpoints: {} }), iad!, sin!], 100);
    assert.deepEqual(plan.codes.slice(0, 2), ['not-probed-yet', 'not-probed-yet']);
    assert.equal(plan.sites[0]!.state, 'unknown');
  });

  test('that came back waits for the hold-down to end, to the millisecond', () => {
    const returned = { ...UP, for_ms: 200, downs: 1 };
    const reports = [withSight('fra', 'fra-lb1/web', returned), iad!, sin!];
    const before = planned(reports, 100);
    assert.equal(before.codes[0], 'hold-down');
    assert.equal(before.wake_ms, hold_down_ms - 300);
    assert.equal(planned(reports, 100 + before.wake_ms - 1).eligible[0], false);
    assert.equal(planned(reports, 100 + before.wake_ms).eligible[0], true);
  });

  test('that has never been down is used as soon as it is up', () => {
    const fresh = { ...UP, for_ms: 0, downs: 0 };
    assert.ok(planned([withSight('fra', 'fra-lb1/web', fresh), iad!, sin!], 0).eligible[0]);
  });

  test('at a draining site may not; one that fails there is still called failing', () => {
    const failing = withSight('iad', 'iad-lb2/web', DOWN);
    const plan = planned([fra!, failing, sin!], 100, { overrides: [drainOrder('iad')] });
    assert.deepEqual(plan.codes.slice(2, 4), ['draining', 'probe-failed']);
    assert.equal(plan.sites[1]!.state, 'draining');
    assert.match(plan.sites[1]!.reason.text, /ada.*kernel/);
  });
});

describe('another site', () => {
  test('never heard of has nobody eligible', () => {
    const plan = planned([fra!, sin!], 100);
    assert.deepEqual(plan.codes.slice(2, 4), ['site-unheard', 'site-unheard']);
    assert.equal(plan.sites[1]!.state, 'unknown');
  });

  test('silent for too long is lost; our own old report is not', () => {
    assert.ok(planned([fra!, iad!], report_stale_ms - 1).eligible[2]);
    const plan = planned([fra!, iad!], report_stale_ms);
    assert.deepEqual(plan.codes.slice(0, 3), ['healthy', 'healthy', 'site-lost']);
    assert.equal(plan.sites[1]!.state, 'lost');
  });

  test('counts as last heard while we are on our own, however long', () => {
    const cut = { connected: false, cut_at: 1_000 };
    const reports = [fra!, withSight('iad', 'iad-lb1/web', DOWN), sin!];
    const plan = planned(reports, 3_600_000, cut);
    assert.deepEqual(plan.eligible, [true, true, false, true, true, true]);
    assert.equal(plan.codes[3], 'on-its-own');
    assert.equal(plan.sites[2]!.reason.code, 'on-its-own');
  });

  test('cannot be heard: our own verdict says that we are on our own, and shows no old load', () => {
    const cut = { connected: false, cut_at: 1_000 };
    const load = loadOf(0.5);
    const reports = [
      { ...fra!, load },
      { ...iad!, load },
    ];
    const [own, other] = planned(reports, 3_000, cut).sites;
    assert.deepEqual([own!.state, own!.reason.code, own!.load], ['healthy', 'on-its-own', 0.5]);
    assert.match(own!.reason.text, /no store reached for 2\.0 s/);
    assert.equal(other!.load, null);
    const down = planned([reportOf(config, 'fra', {}, DOWN)], 3_000, cut).sites[0]!;
    assert.deepEqual([down.state, down.reason.code], ['down', 'no-healthy-endpoint']);
  });

  test('lost before the store was cut off stays lost', () => {
    const cut = { connected: false, cut_at: report_stale_ms };
    assert.deepEqual(planned([fra!, iad!, sin!], 60_000, cut).codes.slice(2, 3), ['site-lost']);
  });
});
