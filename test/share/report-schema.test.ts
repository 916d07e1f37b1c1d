import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkReport, parseReport, REPORT_CHARS_MAX } from '../../src/share/report-schema.ts';
import { testReport } from '../support/report.ts';

const good = testReport('fra', 3, {
  drain: { for_ms: 1, by: 'ops', reason: 'maintenance' },
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

  const sight = good.endpoints['fra-lb1/web'];
  const mistakes: [string, string, unknown, RegExp][] = [
    ['a missing field', 'routes', undefined, /^routes: /],
    ['an empty site name', 'site', '', /^site: /],
    ['a negative sequence', 'sequence', -1, /^sequence: /],
    ['an incarnation after which none fits', 'incarnation', Number.MAX_SAFE_INTEGER, /^incarn/],
    ['half a sequence', 'sequence', 1.5, /^sequence: /],
    ['a load that is not finite', 'load.used', Number.POSITIVE_INFINITY, /^load.used: /],
    ['a load that is not a number', 'load.demand', Number.NaN, /^load.demand: /],
    ['no capacity', 'load.capacity', 0, /^load.capacity: /],
    ['a share above one', 'spill.shares.sin', 1.1, /^spill.shares.sin: /],
    ['a negative grant', 'spill.grants.iad', -1, /^spill.grants.iad: /],
    ['an unknown route state', 'routes.web', 'maybe', /^routes.web: /],
    ['a duration as text', 'drain.for_ms', '5', /^drain.for_ms: /],
    ['too many endpoints', 'endpoints', crowd(2001, sight), /^endpoints: .*2000/],
    ['too many grants', 'spill.grants', crowd(1001, 1), /^spill.grants: .*1000/],
    ['a very long detail', 'endpoints.fra-lb1/web.detail', 'x'.repeat(1001), /detail: /],
  ];
  for (const [what, path, value, message] of mistakes) {
    test(`${what} is refused, and said where`, () => {
      const result = checkReport(altered(path, value));
      assert.match(result.ok ? 'accepted' : result.error, message);
    });
  }

  test('of a full site fits, even when every endpoint fails with a long detail', () => {
    const ill = { up: false, for_ms: 123_456.789012345, downs: 1, detail: '"'.repeat(200) };
    const ids = Array.from({ length: 2000 }, (_, i) => `${'x'.repeat(120)}${1000 + i}/web`);
    const endpoints = Object.fromEntries(ids.map((id) => [id, ill]));
    const parsed = parseReport(JSON.stringify(testReport('fra', 1, { endpoints })));
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
