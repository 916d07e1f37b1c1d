/** What a new configuration does to sessions that stand, over real sockets; and how it is foretold. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { sessionResets } from '../../src/bgp/neighbor-settings.ts';
import type { NeighborEvent } from '../../src/bgp/speaker.ts';
import type { BgpSite, NeighborRange } from '../../src/model/bgp.ts';
import { bgpSite, neighbor, plan, until } from '../support/bgp.ts';
import { Bench, stateOf, tableOf } from '../support/speakers.ts';

const bench = new Bench();
afterEach(() => bench.end());

const NOWHERE = { address: '192.0.2.1', port: 179 };

describe('a reload of the speaker', { timeout: 60_000 }, () => {
  test('with another next hop announces again in the session that there is', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    site.apply([
      plan(['198.18.80.80/32', '2001:db8:80::/64']),
      plan(['198.18.80.81/32'], { next_hop: '192.0.2.81' }),
    ]);
    await site.start();
    await until(() => router.routes().length === 3);
    const hops = (): string[] =>
      router
        .routes()
        .map(({ next_hop }) => next_hop)
        .sort();
    const updates = site.neighbors()[0]!.messages_out.update;
    await site.reload(bgpSite([neighbor(router.address)], { next_hop: '192.0.2.9' }));
    await until(() => hops().join() === '192.0.2.81,192.0.2.9,2001:db8::1');
    const [status] = site.neighbors();
    assert.deepEqual([status!.sessions, status!.messages_out.update], [1, updates + 1]);
  });

  test('with other timers and another receive policy goes on with the session that there is', async () => {
    const source = bench.speaker(
      bgpSite([neighbor(NOWHERE, { address: '127.0.0.1', as: 65001, passive: true })], {
        as: 65000,
        router_id: '10.0.0.9',
        listen: [{ address: '127.0.0.1', port: 0 }],
      }),
    );
    source.apply([plan(['10.1.0.0/24', '10.2.0.0/24'])]);
    await source.start();
    const to = neighbor(source.listening[0]!);
    const site = bench.speaker(bgpSite([to]));
    await site.start();
    await until(() => site.neighbors()[0]!.received.ipv4 === 2);
    assert.deepEqual(site.received('router'), []);
    const receive = { ...to.receive, accept: ['10.2.0.0/16'] };
    await site.reload(bgpSite([{ ...to, connect_retry_ms: 900, receive }]));
    // Route refresh (RFC 2918) brings what was not kept before.
    await until(() => site.received('router')?.[0]?.prefix === '10.2.0.0/24');
    const { kept, filtered } = site.neighbors()[0]!.received;
    assert.deepEqual([kept, filtered, site.neighbors()[0]!.sessions], [1, 1, 1]);
    await site.reload(bgpSite([{ ...to, receive: { ...receive, prefixes_max: 1 } }]));
    await until(() => source.neighbors()[0]?.last_error_in?.subcode === 1);
  });

  test('a neighbour whose key was not read is left alone until it is', async () => {
    const router = await bench.collector();
    const events: NeighborEvent[] = [];
    const bfd = {
      multihop: false,
      transmit_ms: 100,
      receive_ms: 100,
      multiplier: 3,
      auth: { kind: 'sha1', key_id: 1, key_file: '/keys/bfd' },
      strict: false,
    } as const;
    const site = bench.speaker(bgpSite([neighbor(router.address, { bfd })]), { events });
    await site.start();
    assert.equal(stateOf(site), 'Idle');
    assert.match(events[0]!.text, /key was not read/);
    await site.useKeys(new Map([['/keys/bfd', Uint8Array.of(1, 2, 3)]]));
    await until(() => stateOf(site) === 'Established');
  });

  test("an operator's reset reaches the neighbour in words, and the session comes back", async () => {
    const router = await bench.collector();
    const events: NeighborEvent[] = [];
    const site = bench.speaker(bgpSite([neighbor(router.address)]), { events });
    site.apply([plan(['198.18.80.80/32'])]);
    await site.start();
    await until(() => tableOf(router).length === 1);
    assert.equal(site.reset('nobody', ''), false);
    assert.equal(site.reset('router', 'new optics'), true);
    await until(() => site.neighbors()[0]!.sessions === 2 && tableOf(router).length === 1);
    assert.match(site.neighbors()[0]!.last_error_out!.text, /\(6\/4\): new optics/);
    assert.ok(events.some(({ text }) => text === 'session down: new optics'));
  });

  test('what each neighbour is told comes with its attributes and the reason', async () => {
    const router = await bench.collector();
    const site = bench.speaker(
      bgpSite([neighbor(router.address), neighbor(NOWHERE, { name: 'away', passive: true })], {
        next_hop6: null,
      }),
    );
    const reason = { code: 'draining', text: 'drained by hand' } as const;
    const both = ['router', 'away'];
    site.apply([
      plan(['198.18.80.80/32', '2001:db8:80::/64'], { prepend: 1, med: 9, reason }, both),
      plan(['198.18.80.81/32'], { announce: false, reason }, both),
    ]);
    await site.start();
    await until(() => tableOf(router).length === 1);
    const words = site
      .routes()
      .map(
        (it) => `${it.neighbor} ${it.prefix} ${it.state} ${it.next_hop} ${it.as_path} ${it.med}`,
      );
    assert.deepEqual(words, [
      'router 198.18.80.80/32 announced 192.0.2.1 65001 65001 9',
      'router 2001:db8:80::/64 not-carried null null null',
      'router 198.18.80.81/32 not-announced null null null',
      'away 198.18.80.80/32 no-session null null null',
      'away 2001:db8:80::/64 no-session null null null',
      'away 198.18.80.81/32 not-announced null null null',
    ]);
    assert.ok(site.routes('router').every((it) => it.reason.text === 'drained by hand'));
  });
});

describe('sessionResets', () => {
  const one = neighbor(NOWHERE, { name: 'one' });
  const two = neighbor({ ...NOWHERE, address: '192.0.2.2' }, { name: 'two' });
  const { address: _, passive: __, ...session } = one;
  const racks: NeighborRange = {
    ...session,
    name: 'racks',
    prefix: '10.0.0.0/8',
    as: null,
    sessions_max: 9,
  };
  const before = bgpSite([one, two], { ranges: [racks] });
  const foretold = (after: BgpSite): string[] =>
    sessionResets(before, after).map(({ neighbor: name, text }) => `${name}: ${text}`);

  test('names nothing for what can be changed in a session', () => {
    const three = neighbor({ ...NOWHERE, address: '192.0.2.3' }, { name: 'three' });
    const after = bgpSite(
      [
        { ...one, connect_retry_ms: 1, receive: { ...one.receive, accept: ['0.0.0.0/0'] } },
        { ...two, announce: { ...two.announce, vips: [] } },
        three,
      ],
      { ranges: [{ ...racks, sessions_max: 1 }], next_hop: '192.0.2.99', dead_man_ms: 500 },
    );
    assert.deepEqual(foretold(after), []);
  });

  test('names each session that ends, and why', () => {
    const after = bgpSite([{ ...one, role: 'customer', hold_time_ms: 30_000 }], { ranges: [] });
    assert.deepEqual(foretold(after), [
      'one: changed hold time, role: its session is made anew',
      'two: no longer configured: its session ends',
      'racks: no longer configured: its sessions end',
    ]);
    const narrow = bgpSite([one, two], { ranges: [{ ...racks, prefix: '10.0.0.0/16' }] });
    assert.deepEqual(foretold(narrow), ['racks: sessions from outside of 10.0.0.0/16 end']);
    assert.equal(foretold({ ...before, as: 65009 }).length, 3);
  });
});
