/** Neighbours that are not named: whoever connects from a prefix, over real sockets. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { sessionResets } from '../../src/bgp/neighbor-settings.ts';
import type { NeighborEvent, Speaker } from '../../src/bgp/speaker.ts';
import type { NeighborRange } from '../../src/model/bgp.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { bgpSite, neighbor, plan, until } from '../support/bgp.ts';
import { Bench, stateOf } from '../support/speakers.ts';

const bench = new Bench();
afterEach(() => bench.end());

const ANYWHERE = { address: '127.0.0.1', port: 0 };

function range(changes: Partial<NeighborRange> = {}): NeighborRange {
  const { address: _, passive: __, ...session } = neighbor(ANYWHERE, { name: 'racks' });
  return { ...session, prefix: '127.2.0.0/16', as: null, sessions_max: 2, ...changes };
}

async function waiting(ranges: NeighborRange[], events: NeighborEvent[] = []): Promise<Speaker> {
  const made = bench.speaker(bgpSite([], { ranges, listen: [ANYWHERE] }), { events });
  await made.start();
  return made;
}

/** A router that dials from an address of its own. */
async function rack(to: HostPort, source: string, as: number): Promise<Speaker> {
  const made = bench.speaker(
    bgpSite([neighbor(to, { as: 65001, source })], { as, router_id: `10.9.0.${as % 100}` }),
  );
  await made.start();
  return made;
}

const names = (speaker: Speaker): string[] => speaker.neighbors().map(({ name }) => name);

describe('neighbours of a range', { timeout: 60_000 }, () => {
  test('come, are told what the range is offered, and are forgotten when they go', async () => {
    const events: NeighborEvent[] = [];
    const site = await waiting([range()], events);
    site.apply([plan(['198.18.80.80/32'], { med: 5 }, ['racks'])]);
    const first = await rack(site.listening[0]!, '127.2.0.1', 65011);
    const second = await rack(site.listening[0]!, '127.2.0.2', 65012);
    await until(() => first.neighbors()[0]?.announced_in === 1);
    await until(() => second.neighbors()[0]?.announced_in === 1);
    assert.deepEqual(
      site.neighbors().map(({ name, range: of, as }) => [name, of, as]),
      [
        ['racks/127.2.0.1', 'racks', 65011],
        ['racks/127.2.0.2', 'racks', 65012],
      ],
    );
    assert.deepEqual(
      site.routes('racks').map(({ neighbor: name, med }) => [name, med]),
      [
        ['racks/127.2.0.1', 5],
        ['racks/127.2.0.2', 5],
      ],
    );
    await first.stop('moving');
    await until(() => names(site).join() === 'racks/127.2.0.2');
    assert.ok(
      events.some(({ neighbor: of, text }) => of === 'racks/127.2.0.1' && /moving/.test(text)),
    );
  });

  test('one more than allowed is turned away, until there is room again', async () => {
    const site = await waiting([range({ sessions_max: 1 })]);
    const first = await rack(site.listening[0]!, '127.2.0.1', 65011);
    await until(() => stateOf(first) === 'Established');
    const second = await rack(site.listening[0]!, '127.2.0.2', 65012);
    await until(() => site.unknown_connections > 0);
    assert.notEqual(stateOf(second), 'Established');
    await first.stop();
    await until(() => stateOf(second) === 'Established');
    assert.deepEqual(names(site), ['racks/127.2.0.2']);
  });

  test('have the AS of the range, and that of the longest prefix, if several have the address', async () => {
    const narrow = range({ name: 'rack-7', prefix: '127.2.7.0/24', as: 65017 });
    const site = await waiting([range({ as: 65011 }), narrow]);
    const right = await rack(site.listening[0]!, '127.2.7.1', 65017);
    const wrong = await rack(site.listening[0]!, '127.2.0.1', 65017);
    await until(() => stateOf(right) === 'Established');
    await until(() => wrong.neighbors()[0]?.last_error_in?.subcode === 2);
    await until(() => names(site).join() === 'rack-7/127.2.7.1');
  });

  test('a reload ends the sessions that are in no range any more, and no others', async () => {
    const site = await waiting([range({ sessions_max: 8 })]);
    const listen = site.listening;
    const [stays, goes] = [
      await rack(listen[0]!, '127.2.0.1', 65011),
      await rack(listen[0]!, '127.2.8.1', 65012),
    ];
    await until(() => stateOf(stays) === 'Established' && stateOf(goes) === 'Established');
    const after = bgpSite([], {
      ranges: [range({ prefix: '127.2.0.0/21', connect_retry_ms: 700 })],
      listen: [ANYWHERE],
    });
    await site.reload(after);
    await until(() => goes.neighbors()[0]?.last_error_in?.subcode === 3);
    assert.deepEqual(names(site), ['racks/127.2.0.1']);
    assert.equal(stays.neighbors()[0]?.sessions, 1);
    assert.deepEqual(site.listening, listen);
  });
});

test('a dynamic neighbour that gets a name, or a closer range, is told so and made anew', {
  timeout: 60_000,
}, async () => {
  const ranges = [range({ sessions_max: 8 })];
  const before = bgpSite([], { ranges, listen: [ANYWHERE] });
  const site = await waiting(ranges);
  const to = site.listening[0]!;
  const [named, closer, same] = [
    await rack(to, '127.2.0.1', 65011),
    await rack(to, '127.2.8.1', 65012),
    await rack(to, '127.2.9.1', 65013),
  ];
  for (const one of [named, closer, same]) await until(() => stateOf(one) === 'Established');
  const own = { name: 'tor1', as: 65011, passive: true };
  const after = bgpSite([neighbor({ address: '127.2.0.1', port: 179 }, own)], {
    ranges: [...ranges, range({ name: 'rack-8', prefix: '127.2.8.0/24' })],
    listen: [ANYWHERE],
  });
  assert.deepEqual(
    sessionResets(before, after).map((one) => `${one.neighbor}: ${one.text}`),
    [
      'racks: a session with 127.2.0.1 ends: tor1 has it; sessions from 127.2.8.0/24 end: rack-8 has them',
    ],
  );
  await site.reload(after);
  const expected = ['rack-8/127.2.8.1', 'racks/127.2.9.1', 'tor1'];
  await until(() => names(site).sort().join() === expected.join());
  await until(() => site.neighbors().every(({ state }) => state === 'Established'));
  assert.equal(same.neighbors()[0]?.sessions, 1);
});

describe('listening', { timeout: 60_000 }, () => {
  test('at several addresses; a reload touches only those that change', async () => {
    const [a, b, c] = ['127.0.0.41', '127.0.0.42', '127.0.0.43'].map((address) => ({
      address,
      port: 0,
    }));
    const site = bench.speaker(bgpSite([], { ranges: [range()], listen: [a!, b!] }));
    await site.start();
    const before = site.listening;
    const through = await rack(before[1]!, '127.2.0.1', 65011);
    await until(() => stateOf(through) === 'Established');
    await site.reload(bgpSite([], { ranges: [range()], listen: [b!, c!] }));
    assert.deepEqual(site.listening[0], before[1]);
    assert.deepEqual(
      site.listening.map(({ address }) => address),
      ['127.0.0.42', '127.0.0.43'],
    );
    const unbound = { address: '192.0.2.200', port: 0 };
    await assert.rejects(
      site.reload(bgpSite([], { ranges: [range()], listen: [b!, unbound] })),
      /BGP 192\.0\.2\.200/,
    );
    assert.deepEqual(
      site.listening.map(({ address }) => address),
      ['127.0.0.42', '127.0.0.43'],
    );
    assert.equal(through.neighbors()[0]?.sessions, 1);
  });
});
