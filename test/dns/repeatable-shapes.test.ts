/**
 * What the responder calls repeatable is given to whoever asks the same: so it must hold for every
 * client, at any time, whatever was asked before, and count as nothing but its response code.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { DNS_COUNTERS } from '../../src/dns/respond.ts';
import { buildQuery, optRecord, subnetOption } from '../support/dns-query.ts';
import { openDoor, planOf, zoneConfig } from '../support/dns-zone.ts';

const NAMES = [
  'www.example.com',
  'weighted.example.com',
  'none.example.com',
  'alias.example.com',
  'svc.example.com',
  'example.com',
  'ns1.example.com',
  'mail.example.com',
  'big.example.com',
  'a.b.wild.example.com',
  'x.down.example.com',
  'one.example.com',
  'ping.example.com',
  'away.example.com',
  'www.moved.example.com',
  '_sip._tcp.example.com',
  'gone.sub.example.com',
  'www.example.org',
];
const TYPES = [1, 2, 5, 6, 15, 16, 28, 33, 43, 65, 250, 252, 254, 255];
const cookie = [10, [1, 2, 3, 4, 5, 6, 7, 8]] as const;
const EXTRAS = [
  {},
  { edns: {} },
  { edns: { payload: 4096, dnssecOk: true } },
  { edns: { version: 1 } },
  { edns: { options: [[3, []] as const, [11, []] as const, [12, [0]] as const] } },
  { edns: { options: [cookie] } },
  { edns: { options: [subnetOption(1, 24, [203, 0, 113])] } },
  { class: 3 },
  { class: 255 },
  { flags: 0x2000 },
  { tail: [0] },
  { counts: [1, 0, 0, 2] as const, edns: {}, tail: optRecord({}) },
];

test('a repeatable answer is the same for everyone, always, and counts once', () => {
  const dns = { identity: 'fra-1' };
  const here = openDoor(undefined, { dns });
  const clock = new VirtualClock();
  const there = openDoor(undefined, { dns, clock });
  const config = zoneConfig();
  let repeatable = 0;
  for (const [i, name] of NAMES.entries()) {
    for (const type of TYPES) {
      for (const extra of EXTRAS) {
        const query = buildQuery({ name, type, ...extra });
        const before = here.counters.entries();
        const answer = here.raw(query, { client: '192.0.2.1' })!;
        const { rcodeSlot } = here.responder;
        if (!here.responder.repeatable) continue;
        repeatable++;
        const counted = DNS_COUNTERS.filter(
          (one, slot) => here.counters.get(one) > before[slot]![1],
        );
        assert.deepEqual(counted.sort(), ['queries', DNS_COUNTERS[rcodeSlot]].sort());
        clock.advance(10_000_000);
        there.health.apply(planOf(config, () => i % 2 === 0));
        const other = there.raw(query, { client: '2001:db8:9::1' });
        assert.deepEqual(other, answer, `${name} type ${type} ${JSON.stringify(extra)}`);
        assert.ok(there.responder.repeatable);
      }
    }
  }
  assert.ok(repeatable > 1000, `${repeatable} repeatable`);
});

test('what depends on client, health or turn, or is limited, is not repeatable', () => {
  const { ask, responder } = openDoor();
  const isRepeatable = (name: string, type: number, more = {}): boolean => {
    ask(name, type, more);
    return responder.repeatable;
  };
  assert.ok(isRepeatable('ns1.example.com', 1));
  assert.ok(isRepeatable('nowhere.example.com', 1));
  assert.ok(isRepeatable('www.example.com', 16));
  assert.ok(!isRepeatable('www.example.com', 1), 'steered');
  assert.ok(!isRepeatable('none.example.com', 1), 'steered, of none that is healthy');
  assert.ok(!isRepeatable('alias.example.com', 1), 'an alias of what is steered');
  assert.ok(!isRepeatable('example.com', 15), 'steered in the additional section');
  assert.ok(!isRepeatable('example.com', 2), 'records take turns');
  assert.ok(!isRepeatable('example.com', 252), 'a transfer');
  assert.ok(!isRepeatable('big.example.com', 1), 'truncated');
  assert.ok(!isRepeatable('ns1.example.com', 1, { edns: { options: [cookie] } }), 'a cookie');
  const rate_limit = { responses_per_s: 100, slip: 2, prefix4: 24, prefix6: 56 };
  const limited = openDoor(undefined, { dns: { rate_limit } });
  limited.ask('ns1.example.com', 1);
  assert.ok(!limited.responder.repeatable);
});
