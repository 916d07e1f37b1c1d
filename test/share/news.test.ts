/** What others must act on at once, and what can wait for the next plan. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Report } from '../../src/model/report.ts';
import { saysNews } from '../../src/share/news.ts';
import { testReport } from '../support/report.ts';

const ID = 'fra-lb1/web';
const ruling = { up: true, for_ms: 1, downs: 0, penalty: 0, suppressed: false };
const before = testReport('fra', 1, {
  rulings: { [ID]: ruling },
  observed: { x: { up: true, for_ms: 1, detail: '' } },
});
const sight = before.endpoints[ID]!;
const route = before.routes.web!;

test('durations, words for people and loads are no news', () => {
  const later: Partial<Report>[] = [
    { sequence: 2 },
    { endpoints: { [ID]: { ...sight, for_ms: 2_000, detail: 'HTTP 204' } } },
    { rulings: { [ID]: { ...ruling, for_ms: 2_000, penalty: 1 } }, ruled_ms: 5 },
    { load: { ...before.load!, used: 91 } },
    { routes: { web: { ...route, for_ms: 9, age_ms: 9, penalty: 3 } } },
    { spill: { ...before.spill, for_ms: 700 } },
  ];
  for (const changes of later) {
    assert.equal(saysNews(before, { ...before, ...changes }), false, JSON.stringify(changes));
  }
});

test('whatever changes a decision is', () => {
  const news: Partial<Report>[] = [
    { endpoints: { [ID]: { ...sight, up: false } } },
    { endpoints: {} },
    { endpoints: { ...before.endpoints, other: sight } },
    { endpoints: { other: sight } },
    { rulings: { [ID]: { ...ruling, up: false } } },
    { rulings: { [ID]: { ...ruling, suppressed: true } } },
    { observed: { x: { up: false, for_ms: 0, detail: '' } } },
    { suspect: 'all down' },
    { uplink: false },
    { evicted: [ID] },
    { load: null },
    { routes: { web: { ...route, heard: false } } },
    { routes: { web: { ...route, fitness: 'draining' } } },
    { routes: { web: { ...route, phase: 'going' } } },
    { overload: { ...before.overload, overloaded: true } },
    { spill: { ...before.spill, grants: { iad: 5 } } },
    { spill: { ...before.spill, wanted: 5 } },
  ];
  for (const changes of news) {
    assert.equal(saysNews(before, { ...before, ...changes }), true, JSON.stringify(changes));
  }
});
