/**
 * What BIRD 2 tells us over restarts and refreshes: its routes are kept as stale while it is away,
 * and told again without a new session when they are asked for.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Speaker } from '../../src/bgp/speaker.ts';
import type { BgpSite, Neighbor } from '../../src/model/bgp.ts';
import { bgpSite, freePort, neighbor, plan, until } from '../support/bgp.ts';
import { Bird } from '../support/bird.ts';
import { need } from '../support/need.ts';

const OURS = '127.0.51.1';
const THEIRS = '127.0.51.2';
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function bird(port: number, options: string, routes: readonly string[]): Bird {
  const listed = routes.map((prefix) => `route ${prefix} unreachable;`).join(' ');
  return new Bird(`protocol static { ipv4; ${listed} }
  protocol bgp site {
    local ${THEIRS} port ${port} as 65000;
    neighbor ${OURS} as 65001;
    strict bind; multihop; passive; ${options}
    ipv4 { import all; export where source = RTS_STATIC; };
    ipv6 { import all; export none; };
  }`);
}

function site(port: number, changes: Partial<Neighbor>): BgpSite {
  const at = { address: THEIRS, port };
  const idle_hold_max_ms = 500;
  const common = { name: 'bird', source: OURS, connect_retry_ms: 500, idle_hold_max_ms };
  return bgpSite([neighbor(at, { ...common, ...changes })]);
}

const accepting = (...accept: string[]): Partial<Neighbor> => ({
  receive: { accept, prefixes_max: 100, watch_vips: false },
});

async function speaker(bgp: BgpSite): Promise<Speaker> {
  const clock = new SystemClock();
  const made = new Speaker({ bgp, clock, prng: prng(1), log: silentLog, onEvent: () => {} });
  cleanups.push(() => made.stop());
  await made.start();
  return made;
}

const received = (it: Speaker): string[] =>
  (it.received('bird') ?? [])
    .map(({ prefix, stale }) => `${prefix}${stale ? ' stale' : ''}`)
    .sort();
const is =
  (it: Speaker, ...routes: string[]) =>
  (): boolean =>
    received(it).join() === routes.join();

describe('BIRD', { skip: need('bird', 'birdc'), timeout: 60_000 }, () => {
  test('that restarts gracefully has its routes kept as stale until it tells them again', async () => {
    const port = await freePort(THEIRS);
    const first = bird(port, 'graceful restart on;', ['10.50.1.0/24', '10.50.2.0/24']);
    const helps = { ...accepting('10.50.0.0/16'), graceful_restart_helper: true };
    const ours = await speaker(site(port, helps));
    await until(is(ours, '10.50.1.0/24', '10.50.2.0/24'));
    await first.end();
    await until(is(ours, '10.50.1.0/24 stale', '10.50.2.0/24 stale'));
    assert.ok(ours.neighbors()[0]!.stale_left_ms! > 100_000);
    const second = bird(port, 'graceful restart on;', ['10.50.1.0/24']);
    cleanups.push(() => second.end());
    await until(is(ours, '10.50.1.0/24'));
    await until(() => ours.neighbors()[0]!.stale_left_ms === null);
  });

  test('that nobody helps loses them with the session', async () => {
    const port = await freePort(THEIRS);
    const router = bird(port, 'graceful restart on;', ['10.50.1.0/24']);
    const ours = await speaker(site(port, accepting('10.50.0.0/16')));
    await until(is(ours, '10.50.1.0/24'));
    await router.end();
    await until(is(ours));
  });

  test('asks for our routes again, and tells its own again, over one session', async () => {
    const port = await freePort(THEIRS);
    const router = bird(port, '', ['10.50.1.0/24', '10.60.1.0/24']);
    cleanups.push(() => router.end());
    const ours = await speaker(site(port, accepting('10.50.0.0/16')));
    ours.apply([plan(['198.18.80.80/32'], {}, ['bird'])]);
    await until(is(ours, '10.50.1.0/24'));
    await until(async () => (await router.ask('show', 'route')).includes('198.18.80.80/32'));
    await router.tell('reload', 'in', 'site');
    // A beginning and an end for each family.
    await until(() => ours.neighbors()[0]!.messages_out['route-refresh'] === 4);
    assert.match(await router.ask('show', 'route'), /198\.18\.80\.80\/32/);
    await ours.reload(site(port, accepting('10.50.0.0/16', '10.60.0.0/16')));
    await until(is(ours, '10.50.1.0/24', '10.60.1.0/24'));
    assert.equal(ours.neighbors()[0]!.sessions, 1);
  });
});
