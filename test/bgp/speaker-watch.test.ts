/** A neighbour that sends our VIPs back, over real sockets and on virtual time. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import type { NeighborEvent } from '../../src/bgp/speaker.ts';
import { SETTLE_MS, TABLE_MS } from '../../src/bgp/vip-watch.ts';
import { bgpSite, neighbor, plan, until } from '../support/bgp.ts';
import { Bench } from '../support/speakers.ts';

const bench = new Bench();
afterEach(() => bench.end());

test('a VIP that a router no longer sends back is told, and its return', {
  timeout: 30_000,
}, async () => {
  const nowhere = { address: '127.0.0.1', port: 0 };
  const reflector = bench.speaker(
    bgpSite([neighbor(nowhere, { as: 65001, passive: true, hold_time_ms: 0 })], {
      as: 65000,
      router_id: '10.0.0.9',
      listen: [nowhere],
    }),
  );
  reflector.apply([plan(['198.18.80.80/32', '198.18.80.81/32'])]);
  await reflector.start();
  const clock = new VirtualClock();
  const events: NeighborEvent[] = [];
  const receive = { accept: [], prefixes_max: 10, watch_vips: true };
  const to = neighbor(reflector.listening[0]!, { receive, hold_time_ms: 0 });
  const site = bench.speaker(bgpSite([to]), { clock, events });
  const vips = ['198.18.80.80/32', '198.18.80.82/32'];
  site.apply([plan(vips)]);
  await site.start();
  const received = (count: number) => until(() => site.neighbors()[0]!.received.ipv4 === count);
  await received(2);
  clock.advance(TABLE_MS);
  assert.deepEqual(site.neighbors()[0]!.vips_missing, ['198.18.80.82/32']);
  reflector.apply([plan(['198.18.80.81/32'])]);
  await received(1);
  clock.advance(SETTLE_MS);
  assert.deepEqual(site.neighbors()[0]!.vips_missing, vips);
  reflector.apply([plan(['198.18.80.80/32', '198.18.80.81/32'])]);
  await received(2);
  clock.advance(SETTLE_MS);
  assert.deepEqual(
    events.slice(1).map(({ text }) => text),
    ['no longer sends 198.18.80.80/32 back to us', 'sends 198.18.80.80/32 back to us again'],
  );
});
