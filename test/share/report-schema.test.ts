import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SITES_MAX } from '../../src/config/limits.ts';
import { DETAIL_CHARS_MAX } from '../../src/observe/verdict.ts';
import {
  checkReport,
  parseReport,
  REPORT_CHARS_MAX,
  SITE_ENDPOINTS_MAX,
  SITE_ROUTES_MAX,
} from '../../src/share/report-schema.ts';
import { sightOf } from '../decide/world.ts';
import { testReport } from '../support/report.ts';

const good = testReport('fra', 3, {
  spill: {
    for_ms: 10,
    over_for_ms: 0,
    sending: true,
    open: false,
    wanted: 12.5,
    grants: { iad: 3 },
    shares: { sin: 0.25 },
    aims: { sin: 0.5 },
  },
});

/** `good` with the value at a dotted path set, or taken out if it is undefined. */
function altered(path: string, value: unknown): Record<string, unknown> {
  const copy = structuredClone(good) as unknown as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop()!;
  let at = copy;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

function crowd(count: number, value: unknown): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));
}

describe('a report from the network', () => {
  test('comes out as it went in, as an object of its own', () => {
    assert.deepEqual(parseReport(JSON.stringify(good)), { ok: true, value: good });
    const checked = checkReport(good);
    assert.ok(checked.ok && checked.value.endpoints !== good.endpoints);
  });

  test('unknown fields are dropped: a newer agent may send them', () => {
    const newer = altered('spill.mood', 'calm');
    newer.altitude = 7;
    assert.deepEqual(checkReport(newer), { ok: true, value: good });
  });

  test('a name that is no property of its own is no entry', () => {
    const grants = '"grants":{"__proto__":7,"constructor":8}';
    const parsed = parseReport(JSON.stringify(good).replace('"grants":{"iad":3}', grants));
    assert.ok(parsed.ok);
    assert.deepEqual(Object.entries(parsed.value.spill.grants), [['constructor', 8]]);
    assert.equal(Object.getPrototypeOf(parsed.value.spill.grants), Object.prototype);
  });

  const sight = good.endpoints['fra-lb1/web'];
  const mistakes: [string, string, unknown, RegExp][] = [
    ['a missing field', 'routes', undefined, /^routes: /],
    ['an empty site name', 'site', '', /^site: /],
    ['a negative sequence', 'sequence', -1, /^sequence: /],
    ['an incarnation after which none fits', 'incarnation', Number.MAX_SAFE_INTEGER, /^incarn/],
    ['half a sequence', 'sequence', 1.5, /^sequence: /],
    ['a load that is not finite', 'load.used', Number.POSITIVE_INFINITY, /^load.used: /],
    ['a load that is not a number', 'load.demand', Number.NaN, /^load.demand: /],
    ['a duration that sums would make infinite', 'ruled_ms', 1e308, /^ruled_ms: /],
    ['a demand beyond all numbers', 'load.demand', 1e308, /^load.demand: /],
    ['more than are looked at', 'endpoints', crowd(100_000, 1), /^endpoints: more than/],
    ['no capacity', 'load.capacity', 0, /^load.capacity: /],
    ['a share above one', 'spill.shares.sin', 1.1, /^spill.shares.sin: /],
    ['a negative grant', 'spill.grants.iad', -1, /^spill.grants.iad: /],
    ['an unknown route state', 'routes.web', 'maybe', /^routes.web: /],
    ['a duration as text', 'spill.for_ms', '5', /^spill.for_ms: /],
    ['too many endpoints', 'endpoints', crowd(2049, sight), /^endpoints: .*2048/],
    ['too many grants', 'spill.grants', crowd(1001, 1), /^spill.grants: .*1000/],
    ['a very long detail', 'endpoints.fra-lb1/web.detail', 'x'.repeat(1001), /detail: /],
  ];
  for (const [what, path, value, message] of mistakes) {
    test(`${what} is refused, and said where`, () => {
      const result = checkReport(altered(path, value));
      assert.match(result.ok ? 'accepted' : result.error, message);
    });
  }

  test('in the format of another version is refused, and said whose it is', () => {
    const older = altered('routes', { web: 'announce' });
    const result = checkReport(older);
    assert.match(result.ok ? '' : result.error, /^routes\.web: .*expected object.*report of fra/);
    assert.equal(checkReport(null).ok, false);
    assert.equal(checkReport(undefined).ok, false);
  });

  test('of a full site fits, even when all fails with details that are long in JSON', () => {
    const names = (count: number, of: string): string[] =>
      Array.from({ length: count }, (_, i) => `${i}-${of}`.padEnd(63, 'x'));
    const for_ms = 123_456_789.012345;
    const ill = { up: false, for_ms, downs: 123_456, detail: '\0'.repeat(DETAIL_CHARS_MAX) };
    const lbs = names(SITE_ENDPOINTS_MAX, 'lb').map((lb) => `${lb}/${'c'.repeat(63)}`);
    const kept = sightOf({
      for_ms,
      fitness: 'last-site-kept',
      withdrawn_by: 'failure',
      fit_for_ms: for_ms,
      penalty: 12_345.678901234,
      age_ms: 12_345.678901234,
    });
    const shares = Object.fromEntries(names(SITES_MAX, 'site').map((site) => [site, 1 / 3]));
    const full = testReport('fra', 1, {
      endpoints: Object.fromEntries(lbs.map((id) => [id, ill])),
      routes: Object.fromEntries(names(SITE_ROUTES_MAX, 'vip').map((vip) => [vip, kept])),
      spill: { ...good.spill, grants: shares, shares, aims: shares },
    });
    const parsed = parseReport(JSON.stringify(full));
    assert.equal(parsed.ok ? '' : parsed.error, '');
  });

  test('what is too long is not even parsed', () => {
    const long = parseReport(' '.repeat(REPORT_CHARS_MAX) + JSON.stringify(good));
    assert.match(long.ok ? '' : long.error, /longer than/);
  });

  test('no key reaches the prototype', () => {
    const text = JSON.stringify(good).replace('"web":', '"__proto__":{"polluted":true},"web":');
    const result = parseReport(text);
    const routes = result.ok ? result.value.routes : {};
    assert.equal((routes as Record<string, unknown>).polluted, undefined);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  test('whatever comes, it never throws', () => {
    fc.assert(fc.property(fc.json(), (text) => void parseReport(text)));
    fc.assert(fc.property(fc.string(), (text) => assert.equal(parseReport(text).ok, false)));
  });
});
