/**
 * What the responder calls repeatable, the answer cache gives to everybody until the next snapshot:
 * it must not depend on who asks, on health, on a serial that rises, or on what was asked before.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { HealthWriter } from '../../src/dns/health-table.ts';
import { dnsCounters, Responder, TRANSPORT } from '../../src/dns/respond.ts';
import { SerialWriter } from '../../src/dns/serials.ts';
import { makeSnapshot, type Snapshot } from '../../src/dns/snapshot.ts';
import { makeTransfers } from '../../src/dns/transfer/access.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import type { Config } from '../../src/model/config.ts';
import { parseAddress } from '../../src/net/ip.ts';
import { testConfig } from '../support/config.ts';
import { buildQuery } from '../support/dns-query.ts';
import { configOf, zoneOf } from '../support/dns-text.ts';
import { geoOf, planOf, policyOf } from '../support/dns-zone.ts';

const UDP_BYTES = 1232;
const service = testConfig().services[0]!;
const services = [
  { ...service, name: 'app.live.test', zone: 'live.test' },
  { ...service, name: 'live.test', zone: 'live.test' },
  { ...service, name: '*.any.live.test', zone: 'live.test' },
  { ...service, name: 'none.live.test', zone: 'live.test', pool: [] },
  { ...service, name: 'picked.live.test', zone: 'live.test', policy: 'weighted' as const },
  { ...service, name: 'ns.cut.live.test', zone: 'live.test' },
];
const MANY = Array.from({ length: 90 }, (_, i) => `many A 192.0.2.${i + 1}`);
const config = configOf(
  [
    zoneOf('live.test', [
      '@ MX 5 @',
      'mx MX 5 app',
      'mx MX 10 x.any',
      'mxnone MX 5 none',
      'srv SRV 0 0 1 picked',
      'svc HTTPS 1 app',
      'svc0 HTTPS 0 own',
      'own HTTPS 1 .',
      'own A 192.0.2.1',
      'none TXT static',
      'to CNAME app',
      'tonone CNAME none',
      'd DNAME any',
      'cut NS ns.cut',
      'plain A 192.0.2.1',
    ]),
    zoneOf('still.test', [
      'one A 192.0.2.1',
      'three A 192.0.2.1',
      'three A 192.0.2.2',
      'three A 192.0.2.4',
      ...MANY,
      'mx MX 5 one',
      'mxthree MX 5 three',
      'to CNAME app.live.test.',
      'tostill CNAME one',
      'gone CNAME gone.live.test.',
      'd DNAME live.test.',
      'cut NS ns.cut',
      'ns.cut A 192.0.2.3',
      'cuts NS a.cuts',
      'cuts NS b.cuts',
      'away DNAME example.',
      '*.w TXT wild',
    ]),
  ],
  { services },
);
const ENDPOINTS = ['fra', 'iad', 'sin'];
const CLIENTS = ['192.0.2.7', '198.51.100.7', '203.0.113.7', '2001:db8::1'];
const TYPES = [TYPE.A, TYPE.AAAA, TYPE.ANY, TYPE.NS, TYPE.SOA, TYPE.CNAME, TYPE.DNAME, TYPE.MX];
const OTHER_TYPES = [TYPE.SRV, TYPE.HTTPS, TYPE.TXT, TYPE.DS];

function namesOf({ zones }: Config): string[] {
  const own = ['', 'app', 'none', 'picked', 'mx', 'mxnone', 'mxthree', 'srv', 'svc', 'svc0', 'own'];
  const more = ['to', 'tonone', 'tostill', 'gone', 'd', 'x.d', 'app.d', 'none.d', 'cut', 'x.cut'];
  const last = [
    'cuts',
    'x.cuts',
    'one',
    'three',
    'many',
    'plain',
    'x.any',
    'x.away',
    'x.w',
    'nowhere',
  ];
  return zones.flatMap(({ origin }) =>
    [...own, ...more, ...last].map((name) => (name === '' ? origin : `${name}.${origin}`)),
  );
}

test('an answer called repeatable is the same for everybody, whatever happens meanwhile', () => {
  const health = new HealthWriter(config.endpoints);
  const transfer = { notify: [], allow: [] };
  const copied: Config = { ...config, zones: config.zones.map((zone) => ({ ...zone, transfer })) };
  const serials = new SerialWriter(copied, Date.UTC(2026, 10, 20));
  const snapshot: Snapshot = makeSnapshot(
    copied,
    geoOf(copied),
    health.buffer,
    UDP_BYTES,
    policyOf(copied),
    makeTransfers(copied, [], serials.shared),
  );
  const responder = new Responder(snapshot, 1, dnsCounters(), new VirtualClock());
  const out = new Uint8Array(UDP_BYTES);
  const ask = (query: Uint8Array, client: string): string => {
    const address = parseAddress(client)!;
    const family = address.length === 4 ? 4 : 6;
    const length = responder.respond(query, query.length, address, 0, family, out, TRANSPORT.UDP);
    return Buffer.from(out.subarray(0, length)).toString('hex');
  };
  const queries = namesOf(config).flatMap((name) =>
    [...TYPES, ...OTHER_TYPES].flatMap((type) => [
      buildQuery({ name, type }),
      buildQuery({ name, type, edns: {} }),
    ]),
  );
  const first = queries.map((query) => [ask(query, CLIENTS[0]!), responder.repeatable] as const);
  const changed = new Set<number>();
  for (const [round, client] of CLIENTS.entries()) {
    health.apply(planOf(config, (id) => id.startsWith(ENDPOINTS[round] ?? '-')));
    serials.rise(0, Date.UTC(2026, 10, 21 + round));
    for (const [i, query] of queries.entries()) {
      const [answer, repeatable] = first[i]!;
      const again = ask(query, client);
      if (again === answer) continue;
      assert.ok(!repeatable, `repeated, but changed:\n${answer}\n${again}`);
      changed.add(i);
    }
  }
  const repeated = first.filter(([, repeatable]) => repeatable).length;
  assert.ok(repeated > queries.length / 3, `${repeated} of ${queries.length} are repeated`);
  assert.ok(changed.size > queries.length / 4, `${changed.size} of ${queries.length} change`);
});
