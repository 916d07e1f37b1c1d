/**
 * Our speaker against BIRD 2, over loopback addresses: what BIRD believes is read from birdc and
 * from its log, never from our own side.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { afterEach, describe, test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { type NeighborEvent, Speaker } from '../../src/bgp/speaker.ts';
import type { BgpSite } from '../../src/model/bgp.ts';
import { bgpSite, freePort, neighbor, plan, until } from '../support/bgp.ts';
import { Bird } from '../support/bird.ts';
import { need } from '../support/need.ts';

const OURS = '127.0.41.1';
const THEIRS = '127.0.41.2';
const clock = new SystemClock();
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const VIPS = ['198.18.80.80/32', '2001:db8:80::80/128'];
const OFFER = { med: 50, communities: ['65000:80'] };
const ROUTES = [plan(VIPS, OFFER, ['bird'])];
const NO_ROUTES = [plan(VIPS, { ...OFFER, announce: false }, ['bird'])];

function bird(ports: { ours: number; theirs: number }, options: string): Bird {
  const made = new Bird(`protocol bgp site {
    local ${THEIRS} port ${ports.theirs} as 65000;
    neighbor ${OURS} port ${ports.ours} as 65001;
    strict bind; multihop; ${options}
    connect delay time 1; connect retry time 1; error wait time 1, 2;
    ipv4 { import all; export none; };
    ipv6 { import all; export none; };
  }`);
  cleanups.push(() => made.end());
  return made;
}

function site(ports: { ours: number; theirs: number }, passive: boolean, hold_ms = 9_000): BgpSite {
  const them = neighbor(
    { address: THEIRS, port: ports.theirs },
    { name: 'bird', passive, source: OURS, hold_time_ms: hold_ms, connect_retry_ms: 1_000 },
  );
  return bgpSite([them], { listen: passive ? [{ address: OURS, port: ports.ours }] : [] });
}

async function ports(): Promise<{ ours: number; theirs: number }> {
  return { ours: await freePort(OURS), theirs: await freePort(THEIRS) };
}

function speaker(bgp: BgpSite, events: NeighborEvent[] = []): Speaker {
  const onEvent = (event: NeighborEvent): void => void events.push(event);
  const made = new Speaker({ bgp, clock, prng: prng(1), log: silentLog, onEvent });
  cleanups.push(() => made.stop());
  return made;
}

const up = (it: Speaker): boolean => it.neighbors()[0]?.state === 'Established';
const has = (it: Bird, text: string) => async (): Promise<boolean> =>
  (await it.ask('show', 'route')).includes(text);
const bothGone = (it: Bird) => async (): Promise<boolean> => {
  const table = await it.ask('show', 'route');
  return table.includes('BIRD') && !table.includes('198.18') && !table.includes('2001:db8:80');
};

/** The same speaker in a process of its own, to be killed or frozen. */
async function speakerProcess(bgp: BgpSite): Promise<ChildProcess> {
  const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const code = `
    import { SystemClock } from ${source('../../src/base/clock.js')};
    import { silentLog } from ${source('../../src/base/log.js')};
    import { prng } from ${source('../../src/base/prng.js')};
    import { Speaker } from ${source('../../src/bgp/speaker.js')};
    const speaker = new Speaker({ bgp: ${JSON.stringify(bgp)}, clock: new SystemClock(),
      prng: prng(1), log: silentLog, onEvent: () => {} });
    speaker.apply(${JSON.stringify(ROUTES)});
    await speaker.start();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const exit = new Promise((resolve) => child.once('exit', resolve));
  cleanups.push(() => {
    child.kill('SIGKILL');
    return exit;
  });
  return child;
}

describe('BIRD', { skip: need('bird', 'birdc'), timeout: 60_000 }, () => {
  test('is dialled, learns both VIPs with their attributes, forgets them on withdraw', async () => {
    const at = await ports();
    const router = bird(at, 'passive;');
    const ours = speaker(site(at, false));
    ours.apply(ROUTES);
    await ours.start();
    await until(has(router, '2001:db8:80::80/128'));
    const table = await router.ask('show', 'route', 'all');
    assert.equal(table.match(/BGP\.as_path: 65001\n/g)?.length, 2);
    assert.equal(table.match(/BGP\.community: \(65000,80\)/g)?.length, 2);
    assert.equal(table.match(/BGP\.med: 50/g)?.length, 2);
    assert.equal(table.match(/BGP\.origin: IGP/g)?.length, 2);
    assert.match(table, /198\.18\.80\.80\/32[\s\S]*BGP\.next_hop: 192\.0\.2\.1/);
    assert.match(table, /2001:db8:80::80\/128[\s\S]*BGP\.next_hop: 2001:db8::1/);
    ours.apply(NO_ROUTES);
    await until(bothGone(router));
    assert.ok(up(ours));
  });

  test('takes thousands of routes of both families in UPDATEs of full size', async () => {
    const at = await ports();
    const router = bird(at, 'passive;');
    const ours = speaker(site(at, false));
    const prefixes = Array.from({ length: 2000 }, (_, i) => [
      `10.${i >> 8}.${i & 255}.1/32`,
      `2001:db8:${i.toString(16)}::/64`,
    ]).flat();
    ours.apply([plan(prefixes, OFFER, ['bird'])]);
    await ours.start();
    const total = (count: number) => async (): Promise<boolean> =>
      (await router.ask('show', 'route', 'count')).includes(`Total: ${count} of ${count} `);
    await until(total(4000));
    const updates = ours.neighbors()[0]!.messages_out.update;
    assert.ok(updates < 15, `${updates} UPDATEs for 4000 routes`);
    ours.apply([]);
    await until(total(0));
    assert.doesNotMatch(router.log(), /Invalid|Malformed|Unexpected/i);
  });

  test('dials us; asks for a refresh and gets the routes again', async () => {
    const at = await ports();
    const ours = speaker(site(at, true));
    ours.apply(ROUTES);
    await ours.start();
    const router = bird(at, '');
    await until(has(router, '198.18.80.80/32'));
    const before = ours.neighbors()[0]!.messages_out.update;
    await router.tell('reload', 'in', 'site');
    await until(() => ours.neighbors()[0]!.messages_out.update === before + 2);
    assert.equal(ours.neighbors()[0]!.messages_in['route-refresh'], 2);
    assert.equal(ours.neighbors()[0]!.faults_in, 0);
  });

  test('hears why we stop, and has no route left', async () => {
    const at = await ports();
    const router = bird(at, 'passive;');
    const ours = speaker(site(at, false));
    ours.apply(ROUTES);
    await ours.start();
    await until(has(router, '198.18.80.80/32'));
    await ours.stop('replacing a fan');
    await until(bothGone(router));
    assert.match(router.log(), /Received: Administrative shutdown: "?replacing a fan/);
    assert.doesNotMatch(router.log(), /Invalid|Malformed|Unexpected/i);
  });

  test('tells us why it stops, and is back when it is enabled again', async () => {
    const at = await ports();
    const router = bird(at, 'passive;');
    const events: NeighborEvent[] = [];
    const ours = speaker(site(at, false), events);
    ours.apply(ROUTES);
    await ours.start();
    await until(has(router, '198.18.80.80/32'));
    await router.tell('disable', 'site', '"new line card"');
    await until(() => events.some(({ text }) => /6\/2\): new line card/.test(text)));
    await router.tell('enable', 'site');
    await until(has(router, '198.18.80.80/32'));
  });

  test('loses the routes when our process is killed, without any grace', async () => {
    const at = await ports();
    const router = bird(at, 'passive;');
    const child = await speakerProcess(site(at, false));
    await until(has(router, '2001:db8:80::80/128'));
    const killed = clock.now();
    child.kill('SIGKILL');
    await until(bothGone(router));
    assert.ok(clock.now() - killed < 1_000, 'far less than the hold time');
  });

  test('hold time: a frozen side is given up by the other', async () => {
    const [first, second] = [await ports(), await ports()];
    const events: NeighborEvent[] = [];
    const frozenRouter = bird(first, 'passive; hold time 3;');
    const ours = speaker(site(first, false, 3_000), events);
    await ours.start();
    const router = bird(second, 'passive; hold time 3;');
    const child = await speakerProcess(site(second, false, 3_000));
    await until(() => up(ours));
    await until(has(router, '198.18.80.80/32'));
    frozenRouter.signal('SIGSTOP');
    child.kill('SIGSTOP');
    await until(() => events.some(({ text }) => text.includes('hold timer expired (4/0)')));
    await until(bothGone(router));
    assert.match(router.log(), /Hold timer expired/i);
  });
});
