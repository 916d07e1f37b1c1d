import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Listeners } from '../../../src/base/listeners.ts';
import {
  eventLine,
  routeLine,
  screen,
  subnetOf,
  wantsColour,
} from '../../../src/cli/demo/screen.ts';
import { testConfig } from '../../support/config.ts';

const lines = screen({
  config: testConfig(),
  control: { address: '127.0.0.1', port: 8300 },
  collector: { address: '127.0.0.1', port: 1790 },
  router: {
    changes: new Listeners(),
    announcers: (prefix) => (prefix === '198.18.80.80/32' ? ['fra', 'sin'] : []),
  },
  ready_ms: 1234.5,
});

test('the screen fits 40 lines of 100 columns', () => {
  assert.ok(lines.length <= 40, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length <= 100, line);
});

test('it shows how to ask as a client of each region, and over TCP', () => {
  const text = lines.join('\n');
  for (const subnet of ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24']) {
    assert.ok(text.includes(`dig @127.0.0.1 -p 5301 www.example.com +short +subnet=${subnet}`));
  }
  assert.match(text, /dig @127.0.0.1 -p 5301 www.example.com \+short \+tcp/);
});

test('it shows how to break a load balancer and a site, drain, override, and overload', () => {
  const text = lines.join('\n');
  for (const line of [
    'curl -X POST 127.0.0.1:8300/break/fra-lb1',
    'curl -X POST 127.0.0.1:8300/break/fra ',
    'npx isobar drain --site fra',
    'npx isobar override down --endpoint fra-lb1 --for 1m',
    'curl -X POST 127.0.0.1:8300/overload/fra',
  ]) {
    assert.ok(text.includes(line), line);
  }
});

test('an event is one line: when, where, what, and why', () => {
  const event = {
    site: 'fra',
    kind: 'health',
    at_ms: 13_345.6,
    subject: 'fra-lb1/web',
    text: 'down',
    reason: { code: 'probe-failed', text: 'connection refused' },
  } as const;
  assert.equal(
    eventLine(event, 1_000, false),
    '   12.346 s  fra   health    fra-lb1/web           down (connection refused)',
  );
});

test('the collector’s table is shown, and what each change left in it', () => {
  assert.match(lines.join('\n'), /198\.18\.80\.80\/32 +from fra, sin\n/);
  const change = { at_ms: 2_000, site: 'iad', prefix: '198.18.80.80/32', announced: false };
  assert.equal(
    routeLine(change, ['fra', 'sin'], 0, false),
    '    2.000 s  iad   bgp       198.18.80.80/32       withdrawn from the collector (now from fra, sin)',
  );
});

test('colour is for terminals whose user does not object', () => {
  assert.equal(wantsColour({ isTTY: true }, {}), true);
  assert.equal(wantsColour({ isTTY: true }, { NO_COLOR: '1' }), false);
  assert.equal(wantsColour({}, {}), false);
});

test('a region without an IPv4 prefix has no subnet to ask with', () => {
  const config = testConfig();
  const geo = { ...config.geo, prefixes: [{ prefix: '2001:db8::/32', region: 0 }] };
  assert.equal(subnetOf({ ...config, geo }, 0), null);
  assert.equal(subnetOf(config, 2), '203.0.113.0/24');
});
