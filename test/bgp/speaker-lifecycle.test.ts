/** Start, reload and stop of the speaker while things happen, over real sockets. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { Framer } from '../../src/bgp/wire/framer.ts';
import { decodeMessage, type Message } from '../../src/bgp/wire/message.ts';
import { routeChanges } from '../../src/bgp/wire/update.ts';
import { formatPrefix, type HostPort } from '../../src/net/ip.ts';
import {
  bgpSite,
  fillSocket,
  freePort,
  KEEPALIVE,
  neighbor,
  OPEN,
  plan,
  rawPeer,
  until,
} from '../support/bgp.ts';
import { Bench, stateOf } from '../support/speakers.ts';

const bench = new Bench();
afterEach(() => bench.end());

/** Whether something accepts connections there. */
async function answers({ address, port }: HostPort): Promise<boolean> {
  const socket = connect(port, address);
  const connected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return connected;
}

/** What a router believes that has read `messages`, as prefixes with MED. */
function tableAfter(messages: readonly Message[]): string[] {
  const table = new Map<string, number | undefined>();
  for (const message of messages) {
    if (message.type !== 'update') continue;
    const { withdrawn, announced } = routeChanges(message.update, null);
    for (const prefix of withdrawn) table.delete(formatPrefix(prefix));
    for (const { prefix } of announced) {
      table.set(formatPrefix(prefix), message.update.attributes.med);
    }
  }
  return [...table].map(([prefix, med]) => `${prefix} ${med}`).sort();
}

describe('the speaker', { timeout: 60_000 }, () => {
  test('stops: a slow neighbour that is sending itself still reads the withdrawals first', async () => {
    const messages: Message[] = [];
    let router: Socket | null = null;
    let ended = false;
    const peer = await rawPeer((socket) => {
      router = socket.pause();
      const framer = new Framer();
      socket.on('data', (chunk) => {
        framer.push(chunk, (bytes) => {
          const { message } = decodeMessage(bytes, { ...DEFAULT_CONTEXT, four_octet_as: false });
          return message !== null && messages.push(message) > 0;
        });
      });
      socket.on('end', () => {
        ended = true;
      });
    });
    bench.onEnd(() => peer.close());
    // Its limits on waiting stand still, however slow the machine is.
    const clock = new VirtualClock();
    const site = bench.speaker(bgpSite([neighbor(peer.address)]), { clock });
    await site.start();
    await until(() => stateOf(site) === 'Established');
    const many = Array.from({ length: 4000 }, (_, i) => `10.${i >> 8}.${i & 255}.1/32`);
    site.apply([plan(many)]);
    await fillSocket(router!, () => site.neighbors()[0]!.routes_pending > 0);
    const stopped = site.stop('replacing a fan');
    site.apply([plan(many, { med: 1 })]); // the plan has no say any more
    for (let i = 0; i < 500; i++) router!.write(KEEPALIVE); // unread input would turn FIN into RST
    router!.resume();
    await stopped;
    await until(() => ended);
    const last = messages.at(-1);
    assert.ok(last?.type === 'notification');
    assert.deepEqual([last.notification.code, last.notification.subcode], [6, 2]);
    assert.deepEqual(tableAfter(messages), []);
  });

  test('stops while it is connecting', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    await site.start();
    assert.equal(stateOf(site), 'Connect');
    await site.stop();
    assert.equal(stateOf(site), 'Idle');
    assert.equal(site.neighbors()[0]!.messages_out.open, 0);
  });

  test('stopped while it starts, leaves nothing listening and no session', async () => {
    const router = await bench.collector();
    const listen = { address: '127.0.0.1', port: await freePort() };
    const site = bench.speaker(bgpSite([neighbor(router.address)], { listen: [listen] }));
    const started = site.start();
    await site.stop();
    await started;
    assert.equal(await answers(listen), false);
    assert.deepEqual(site.neighbors(), []);
  });

  test('reload moves from every address to one of them on the same port', async () => {
    const wide = { address: '0.0.0.0', port: await freePort('0.0.0.0') };
    const site = bench.speaker(bgpSite([], { listen: [wide] }));
    await site.start();
    const narrow = { ...wide, address: '127.0.0.1' };
    await site.reload(bgpSite([], { listen: [narrow] }));
    assert.deepEqual(site.listening, [narrow]);
    assert.equal(await answers(narrow), true);
    assert.equal(await answers({ ...wide, address: '127.0.0.2' }), false);
  });

  test('a reload whose address is taken is refused, and the old address still answers', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([], { listen: [{ address: '127.0.0.1', port: 0 }] }));
    await site.start();
    const before = site.listening[0]!;
    await assert.rejects(
      site.reload(bgpSite([], { listen: [router.address] })),
      /in use by another program/,
    );
    assert.deepEqual(site.listening, [before]);
    assert.equal(await answers(before), true);
  });

  test('a session over IPv6 has our own address as next hop of IPv6 routes', async () => {
    const router = await bench.collector({ address: '::1' });
    const site = bench.speaker(
      bgpSite([neighbor(router.address, { source: '::1' })], { next_hop: null, next_hop6: null }),
    );
    site.apply([plan(['198.18.80.80/32', '2001:db8:80::/64'])]);
    await site.start();
    await until(() => router.routes().length > 0);
    const routes = router.routes().map(({ prefix, next_hop }) => `${prefix} via ${next_hop}`);
    assert.deepEqual(routes, ['2001:db8:80::/64 via ::1']);
    assert.equal(site.neighbors()[0]!.routes_unsendable, 1); // IPv4 has no next hop there
    site.apply([]);
    await until(() => router.routes().length === 0);
    assert.equal(stateOf(site), 'Established');
  });

  test('a speaker that listens on :: knows its neighbours of both families', async () => {
    const port = await freePort('::');
    const waits = bench.speaker(
      bgpSite(
        [
          neighbor({ address: '127.0.0.1', port }, { name: 'v4', as: 65004, passive: true }),
          neighbor({ address: '0:0::0:1', port }, { name: 'v6', as: 65006, passive: true }),
        ],
        { listen: [{ address: '::', port }] },
      ),
    );
    await waits.start();
    for (const [as, address] of [
      [65004, '127.0.0.1'],
      [65006, '::1'],
    ] as const) {
      const router_id = `10.0.0.${as % 100}`;
      const dials = bench.speaker(
        bgpSite([neighbor({ address, port }, { as: 65001 })], { as, router_id }),
      );
      await dials.start();
    }
    await until(() => waits.neighbors().every(({ state }) => state === 'Established'));
    assert.equal(waits.unknown_connections, 0);
  });

  test('of many plans a second the neighbour ends with the last', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    const round = (i: number): void =>
      site.apply([plan([`10.0.${i % 7}.0/24`, '10.9.0.0/16'], { med: i, announce: i % 5 !== 0 })]);
    for (let i = 0; i < 100; i++) round(i);
    const started = site.start();
    for (let i = 0; i < 100; i++) round(i);
    await started;
    await until(() => stateOf(site) === 'Established');
    for (let i = 0; i < 2_004; i++) round(i);
    const table = (): string =>
      router
        .routes()
        .map(({ prefix, med }) => `${prefix} ${med}`)
        .sort()
        .join();
    await until(() => table() === '10.0.1.0/24 2003,10.9.0.0/16 2003');
    assert.equal(site.neighbors()[0]!.sessions, 1);
  });

  test('of two neighbours behind one address, the second comes up while the first is away', async () => {
    const at = { address: '127.0.0.1', port: 179 };
    const site = bench.speaker(
      bgpSite(
        [
          neighbor(at, { name: 'away', as: 65009, passive: true, connect_retry_ms: 1 }),
          neighbor(at, { name: 'here', passive: true, connect_retry_ms: 1 }),
        ],
        { listen: [{ address: '127.0.0.1', port: 0 }] },
      ),
    );
    await site.start();
    while (stateOf(site, 'here') !== 'Established') {
      // A router with patience: both neighbours are long ready again when it dials.
      await until(() => stateOf(site, 'away') === 'Active' && stateOf(site, 'here') === 'Active');
      const socket = connect(site.listening[0]!.port, '127.0.0.1');
      bench.onEnd(async () => void socket.destroy());
      let over = false;
      socket.on('error', () => {});
      socket.on('close', () => {
        over = true;
      });
      socket.write(Buffer.concat([OPEN, KEEPALIVE]));
      socket.resume();
      await until(() => over || stateOf(site, 'here') === 'Established');
    }
    assert.notEqual(stateOf(site, 'away'), 'Established');
  });

  test('stops only when the sessions that a reload has ended are gone, too', async () => {
    const router = await bench.collector();
    const site = bench.speaker(bgpSite([neighbor(router.address)]));
    site.apply([plan(['198.18.80.80/32'])]);
    await site.start();
    await until(() => router.routes().length === 1);
    const reloaded = site.reload(bgpSite([]));
    while (site.neighbors().length > 0) await Promise.resolve();
    await site.stop();
    assert.deepEqual(router.peers(), []);
    await reloaded;
  });
});
