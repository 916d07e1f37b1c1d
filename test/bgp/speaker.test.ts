import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import type { Collector, CollectorChange } from '../../src/bgp/collector.ts';
import type { NeighborEvent, Speaker } from '../../src/bgp/speaker.ts';
import { COMMUNITIES_MAX } from '../../src/config/limits.ts';
import { PREPEND_MAX } from '../../src/decide/offers.ts';
import { bgpSite, fillSocket, freePort, neighbor, plan, rawPeer, until } from '../support/bgp.ts';
import { Bench, tableOf } from '../support/speakers.ts';

const bench = new Bench();
afterEach(() => bench.end());

/** Resolves with the first change that matches, from now on. */
function change(
  from: Collector,
  wanted: (change: CollectorChange) => boolean,
): Promise<CollectorChange> {
  return new Promise((resolve) => {
    const end = from.onChange((it) => {
      if (!wanted(it)) return;
      end();
      resolve(it);
    });
  });
}

describe('speaker and collector', { timeout: 60_000 }, () => {
  test('routes of both families arrive with their attributes, and leave', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    const arrived = change(router, ({ prefix }) => prefix === '2001:db8:80::/64');
    site.apply([
      plan(['198.18.80.80/32', '2001:db8:80::/64'], { med: 50, communities: ['65000:80'] }),
    ]);
    await site.start();
    await arrived;
    const routes = router.routes();
    assert.deepEqual(
      routes.map(({ at_ms: _, from, ...route }) => ({ ...route, from: from.as })),
      [
        {
          prefix: '198.18.80.80/32',
          next_hop: '192.0.2.1',
          as_path: '65001',
          communities: ['65000:80'],
          med: 50,
          from: 65001,
        },
        {
          prefix: '2001:db8:80::/64',
          next_hop: '2001:db8::1',
          as_path: '65001',
          communities: ['65000:80'],
          med: 50,
          from: 65001,
        },
      ],
    );
    const gone = change(router, ({ kind, prefix }) => kind === 'withdraw' && prefix!.includes(':'));
    site.apply([plan(['198.18.80.80/32', '2001:db8:80::/64'], { announce: false })]);
    await gone;
    assert.deepEqual(tableOf(router), []);
    await until(() => site.neighbors()[0]?.ends_of_rib_in === 2);
    const [status] = site.neighbors();
    assert.equal(status?.state, 'Established');
    assert.equal(status?.hold_time_ms, 9_000);
    assert.equal(status?.router_id, '10.0.0.254');
    assert.ok(!status?.capabilities.some((text) => text.includes('64')), 'no graceful restart');
  });

  test('a route with all communities and hops that config allows is carried', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    const arrived = change(router, ({ prefix }) => prefix === '2001:db8:80::/64');
    // Of the VIP, the neighbour, the VIP there, and the fitness; the large ones are the longest.
    const communities = Array.from({ length: 4 * COMMUNITIES_MAX }, (_, i) => `65001:1:${i}`);
    site.apply([plan(['2001:db8:80::/64'], { communities, prepend: PREPEND_MAX, med: 1 })]);
    await site.start();
    await arrived;
    assert.equal(router.routes()[0]?.as_path.split(' ').length, 1 + PREPEND_MAX);
  });

  test('a VIP is heard once each of its prefixes has a neighbour, whoever else is there', async () => {
    const [four, six] = [await bench.collector(), await bench.collector()];
    const site = bench.speaker(
      bgpSite([
        neighbor(four.address, { name: 'four', ipv6: false }),
        neighbor(six.address, { name: 'six', ipv4: false }),
      ]),
    );
    const both = ['four', 'six'];
    site.apply([
      { ...plan(['198.18.80.80/32'], {}, both), vip: 'old' },
      { ...plan(['2001:db8:80::/64'], {}, both), vip: 'new' },
      { ...plan(['198.18.80.81/32', '2001:db8:81::/64'], {}, both), vip: 'dual' },
    ]);
    assert.deepEqual([...site.heard()], []);
    await site.start();
    await until(() => site.heard().size === 3);
    await four.stop();
    await until(() => site.heard().size < 3);
    assert.deepEqual([...site.heard()], ['new']);
  });

  test('a collector takes many sessions from one address and drops what each had', async () => {
    const router = await bench.collector();
    const sites: Speaker[] = [];
    for (const number of [1, 2, 3]) {
      const as = 65000 + number;
      const made = bench.speaker(
        bgpSite([neighbor(router.address)], { as, router_id: `10.0.0.${number}` }),
      );
      const arrived = change(router, ({ kind, peer }) => kind === 'announce' && peer.as === as);
      made.apply([plan(['198.18.80.80/32'])]);
      await made.start();
      await arrived;
      sites.push(made);
    }
    assert.deepEqual(tableOf(router), [
      '198.18.80.80/32 AS65001',
      '198.18.80.80/32 AS65002',
      '198.18.80.80/32 AS65003',
    ]);
    const seen: string[] = [];
    router.onChange(({ kind, prefix, peer }) => seen.push(`${kind} ${prefix ?? ''} ${peer.name}`));
    await sites[1]!.stop('replacing a fan');
    assert.deepEqual(seen, ['withdraw 198.18.80.80/32 AS65002', 'down  AS65002']);
    assert.deepEqual(tableOf(router), ['198.18.80.80/32 AS65001', '198.18.80.80/32 AS65003']);
  });

  test('within one AS the path is empty and the AS numbers may need four octets', async () => {
    const router = await bench.collector({ as: 4_200_000_000 });
    const to = neighbor(router.address, { as: 4_200_000_000 });
    const site = bench.speaker(bgpSite([to], { as: 4_200_000_000 }));
    const arrived = change(router, ({ kind }) => kind === 'announce');
    site.apply([plan(['198.18.80.80/32'])]);
    await site.start();
    await arrived;
    assert.equal(router.routes()[0]?.as_path, '');
    assert.equal(router.routes()[0]?.from.as, 4_200_000_000);
  });

  test('a passive speaker is reached by its neighbour; a stranger is turned away', async () => {
    const listening = { address: '127.0.0.1', port: 0 };
    const waits = bench.speaker(
      bgpSite([neighbor(listening, { name: 'dialler', as: 65002, passive: true })], {
        listen: [listening],
      }),
    );
    await waits.start();
    const events: NeighborEvent[] = [];
    const dials = bench.speaker(
      bgpSite([neighbor(waits.listening[0]!, { as: 65001 })], { as: 65002, router_id: '10.0.0.2' }),
      { events },
    );
    const stranger = bench.speaker(
      bgpSite([neighbor(waits.listening[0]!, { as: 65001, source: '127.0.0.77' })], { as: 65003 }),
    );
    await stranger.start();
    await dials.start();
    await until(() => waits.neighbors()[0]?.state === 'Established');
    await until(() => waits.unknown_connections > 0);
    assert.equal(stranger.neighbors()[0]?.sessions, 0);
  });

  test('two speakers that dial each other end with one session', async () => {
    const a = await freePort();
    const b = await freePort();
    const one = bench.speaker(
      bgpSite([neighbor({ address: '127.0.0.32', port: b }, { as: 65002, source: '127.0.0.31' })], {
        listen: [{ address: '127.0.0.31', port: a }],
      }),
    );
    const two = bench.speaker(
      bgpSite([neighbor({ address: '127.0.0.31', port: a }, { as: 65001, source: '127.0.0.32' })], {
        as: 65002,
        router_id: '10.0.0.2',
        listen: [{ address: '127.0.0.32', port: b }],
      }),
    );
    await Promise.all([one.start(), two.start()]);
    const up = (it: Speaker): boolean => it.neighbors()[0]?.state === 'Established';
    await until(() => up(one) && up(two));
    one.apply([plan(['198.18.80.80/32'])]);
    await until(() => two.neighbors()[0]?.announced_in === 1);
  });

  test('a wrong AS is refused with 2/2, and both sides can say so', async () => {
    const router = await bench.collector({ as: 64999 });
    const events: NeighborEvent[] = [];
    const site = bench.speaker(bgpSite([neighbor(router.address)]), { events });
    await site.start();
    await until(() => events.length > 0);
    assert.match(events[0]!.text, /bad peer AS \(2\/2\): AS 64999, expected 65000/);
    assert.equal(site.neighbors()[0]?.last_error_out?.subcode, 2);
  });

  test('reload touches only the neighbours that changed', async () => {
    const [kept, changed, added] = [
      await bench.collector(),
      await bench.collector(),
      await bench.collector(),
    ];
    const first = neighbor(kept.address, { name: 'kept' });
    const second = neighbor(changed.address, { name: 'changed' });
    const events: NeighborEvent[] = [];
    const site = bench.speaker(bgpSite([first, second]), { events });
    site.apply([plan(['198.18.80.80/32'], {}, ['kept', 'changed', 'added'])]);
    await site.start();
    await until(() => tableOf(kept).length === 1 && tableOf(changed).length === 1);
    events.length = 0;
    await site.reload(
      bgpSite([
        first,
        { ...second, hold_time_ms: 30_000 },
        neighbor(added.address, { name: 'added' }),
      ]),
    );
    await until(() => tableOf(added).length === 1 && tableOf(changed).length === 1);
    assert.ok(events.every(({ neighbor: name }) => name !== 'kept'));
    assert.ok(events.some(({ neighbor: name, text }) => name === 'changed' && /6\/6/.test(text)));
    events.length = 0;
    await site.reload(bgpSite([first]));
    assert.deepEqual(tableOf(changed), []);
    assert.deepEqual(
      site.neighbors().map(({ name }) => name),
      ['kept'],
    );
  });

  test('garbage is answered with 1/1 and the end of the connection; others do not notice', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    await site.start();
    await until(() => site.neighbors()[0]?.state === 'Established');
    const socket = connect(router.address.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks).toString('hex');
    assert.ok(answer.endsWith(`${'ff'.repeat(16)}0015030101`), answer);
    assert.equal(router.peers().length, 1);
    assert.equal(site.neighbors()[0]?.state, 'Established');
  });

  test('a collector that dies and returns is found again, with all routes', async () => {
    const first = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(first.address)]));
    site.apply([plan(['198.18.80.80/32'])]);
    await site.start();
    await until(() => tableOf(first).length === 1);
    await first.stop();
    await until(() => site.neighbors()[0]?.last_error_in?.subcode === 2);
    assert.equal(site.neighbors()[0]?.routes_out, 0);
    const second = await bench.collector({ port: first.address.port });
    await until(() => tableOf(second).length === 1);
    assert.equal(site.neighbors()[0]?.sessions, 2);
  });

  test('an IPv6 route without a next hop is reported, not silently left out', async () => {
    const router = await bench.collector();
    const site = bench.speaker(
      bgpSite([neighbor(router.address)], { next_hop: null, next_hop6: null }),
    );
    site.apply([plan(['198.18.80.80/32', '2001:db8:80::/64'])]);
    await site.start();
    await until(() => tableOf(router).length === 1);
    assert.equal(site.neighbors()[0]?.routes_unsendable, 1);
    assert.equal(router.routes()[0]?.next_hop, '127.0.0.1'); // our own address in the session
  });

  test('a speaker that cannot listen says which address and why', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([], { listen: [router.address] }));
    await assert.rejects(site.start(), /BGP 127\.0\.0\.1:\d+: in use by another program/);
  });

  test('a route that flaps while the peer reads nothing is sent once, in its last state', async () => {
    let router: Socket | null = null;
    const peer = await rawPeer((socket) => {
      router = socket.pause();
    });
    bench.onEnd(() => peer.close());
    const site = bench.speaker(bgpSite([neighbor(peer.address)]));
    await site.start();
    await until(() => site.neighbors()[0]?.state === 'Established');
    const many = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.1/32`);
    // They make the UPDATEs large, so that the socket is full soon.
    const communities = Array.from({ length: 700 }, (_, i) => `65000:${i}`);
    site.apply([plan(many, { communities })]);
    await fillSocket(router!, () => site.neighbors()[0]!.routes_pending > 0);
    const written = site.neighbors()[0]!.messages_out.update;
    for (let round = 0; round < 20; round++) {
      site.apply([plan(many, { announce: round % 2 === 0, med: round })]);
    }
    assert.equal(site.neighbors()[0]!.messages_out.update, written, 'nothing built meanwhile');
    assert.equal(site.neighbors()[0]!.routes_pending, many.length);
  });
});
