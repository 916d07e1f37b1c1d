/** Our speaker against BIRD 2 in a namespace of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BirdRouter } from '../../lab/bgp/bird.ts';
import { OURS, OURS6, THEIRS, THEIRS6 } from '../../lab/bgp/scene.ts';
import { monotonic_ms } from '../../lab/wait.ts';
import type { NeighborRange } from '../../src/model/bgp.ts';
import { neighbor, plan } from '../support/bgp.ts';
import { BgpLab, siteOf } from '../support/bgp-lab.ts';
import { offer, VIP, VIP6, withEveryRouter } from '../support/bgp-scenarios.ts';
import { need } from '../support/need.ts';

withEveryRouter('BIRD as the router', {
  tag: 'bgpbir',
  programs: ['bird', 'birdc'],
  // It takes no routes while it runs; those of its file have tests below.
  lacks: ['originate'],
  make: (settings) => new BirdRouter(settings),
});

/** Five routes of the router's own, one of them in two versions. */
const OWN = ['protocol static own {', 'ipv4;'];
for (let i = 1; i <= 5; i++) OWN.push(`route 203.0.113.${i}/32 blackhole;`);
const GLOBAL = [
  ...OWN,
  '}',
  'protocol static more { ipv4 { preference 90; }; route 203.0.113.1/32 unreachable; }',
];
const BOTH_WAYS = ['import all;', 'export where source = RTS_STATIC;'];
const RECEIVE = { accept: ['203.0.113.0/24'], prefixes_max: 100, watch_vips: false };

describe('BIRD beyond the base', { skip: need('root', 'ip', 'bird'), timeout: 120_000 }, () => {
  let lab: BgpLab;
  before(() => {
    lab = new BgpLab('bgpbi2', (settings) => new BirdRouter(settings));
  });
  after(() => lab.close());
  const vips = (): Promise<unknown> =>
    lab.seen('both VIPs', (routes) => routes.length >= 2 && routes.some((r) => r.prefix === VIP));

  test('has a role that fits ours, and refuses one that does not', async () => {
    await lab.startRouter({ neighborLines: ['local role provider; require roles on;'] });
    await lab.startSpeaker(siteOf({ role: 'customer', role_strict: true }), [offer()]);
    await lab.up();
    await lab.startSpeaker(siteOf({ role: 'peer' }));
    await lab.wait(
      'the role to be refused',
      () => lab.speaker.told(/role mismatch.*2\/11/i),
      8_000,
    );
  });

  test('takes many routes in few messages of the extended size', async () => {
    await lab.startRouter({ neighborLines: ['enable extended messages on;'] });
    const prefixes = Array.from({ length: 3_000 }, (_, i) => `10.${i >> 8}.${i & 255}.1/32`);
    await lab.startSpeaker(siteOf(), [plan(prefixes)]);
    await lab.up();
    await lab.seen('all routes', (routes) => routes.length === prefixes.length);
    const { messages_out, faults_in } = await lab.status();
    // 15,000 octets of prefixes: one message, and the two ends of tables.
    assert.ok(messages_out.update <= 3, `${messages_out.update} UPDATEs`);
    assert.equal(faults_in, 0);
  });

  test('sends a route that only a message of the extended size can hold', async () => {
    const marks = Array.from({ length: 400 }, (_, i) => `65000:1:${i}`);
    const added = marks.map((mark) => `bgp_large_community.add((${mark.replaceAll(':', ',')}));`);
    await lab.startRouter({
      neighborLines: ['enable extended messages on;'],
      globalLines: ['protocol static own { ipv4; route 203.0.113.1/32 blackhole; }'],
      familyLines: [
        ...['import all;', 'export filter { if source != RTS_STATIC then reject;'],
        ...[...added, 'accept; };'],
      ],
    });
    await lab.startSpeaker(siteOf({ receive: RECEIVE }));
    await lab.up();
    await lab.wait('it', async () => (await lab.speaker.received('router')).length === 1);
    const [route] = await lab.speaker.received('router');
    assert.deepEqual([...route!.communities].sort(), marks.sort());
    assert.equal((await lab.status()).faults_in, 0);
  });

  test('sends several paths for a prefix, told apart by their identifiers', async () => {
    await lab.startRouter({ globalLines: GLOBAL, familyLines: [...BOTH_WAYS, 'add paths tx;'] });
    await lab.startSpeaker(siteOf({ add_path: true, receive: RECEIVE }));
    await lab.up();
    await lab.wait('six paths', async () => (await lab.speaker.received('router')).length === 6);
    const routes = await lab.speaker.received('router');
    const twice = routes.filter(({ prefix }) => prefix === '203.0.113.1/32');
    assert.equal(new Set(twice.map(({ path_id }) => path_id)).size, 2);
    assert.ok(twice.every(({ next_hop, as_path }) => next_hop === THEIRS && as_path === '65000'));
  });

  test('is dropped when it sends more prefixes than allowed, and told why', async () => {
    await lab.startRouter({ globalLines: GLOBAL, familyLines: BOTH_WAYS });
    await lab.startSpeaker(siteOf({ receive: { ...RECEIVE, prefixes_max: 3 } }));
    await lab.wait('the end', () => /Maximum number of prefixes reached/i.test(lab.router.log()));
    await lab.wait('our word for it', () => lab.speaker.told(/6\/1/));
  });

  test('makes a route that asks for it the last choice (GRACEFUL_SHUTDOWN)', async () => {
    const honour =
      'import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; };';
    await lab.startRouter({ familyLines: [honour, 'export none;'] });
    await lab.startSpeaker(siteOf(), [offer()]);
    await lab.up();
    await vips();
    await lab.speaker.apply([offer({ communities: ['graceful-shutdown'] })]);
    const last = await lab.seen('the preference', (routes) =>
      routes.every(({ local_pref }) => local_pref === 0),
    );
    assert.equal(last.length, 2);
    await lab.speaker.apply([offer()]);
    await lab.seen('the other', (routes) => routes.every(({ local_pref }) => local_pref !== 0));
  });

  test('keeps no route of a speaker that was killed, though both know of graceful restart', async () => {
    await lab.startRouter({
      neighborLines: ['graceful restart on; long lived graceful restart on;'],
    });
    await lab.startSpeaker(siteOf({ graceful_restart_helper: true }), [offer()]);
    await lab.up();
    await vips();
    const killed_ms = monotonic_ms();
    await lab.speaker.kill();
    await lab.seen('no route', (routes) => routes.length === 0);
    assert.ok(monotonic_ms() - killed_ms < 4_000);
  });

  test('is helped through a restart of its own', async () => {
    const restarting = { neighborLines: ['graceful restart on; graceful restart time 20;'] };
    await lab.startRouter({ ...restarting, globalLines: GLOBAL, familyLines: BOTH_WAYS });
    await lab.startSpeaker(siteOf({ graceful_restart_helper: true, receive: RECEIVE }), [offer()]);
    await lab.up();
    const kept = async (stale: boolean): Promise<boolean> => {
      const routes = await lab.speaker.received('router');
      return routes.length === 5 && routes.every((route) => route.stale === stale);
    };
    await lab.wait('its routes', () => kept(false));
    await lab.router.kill();
    await lab.wait('them to be stale', () => kept(true));
    await lab.router.start();
    await lab.wait('them to be fresh again', () => kept(false), 20_000);
    await vips();
  });

  test('installs IPv4 VIPs with an IPv6 next hop', async () => {
    await lab.startRouter({
      peer: { local: THEIRS6, address: OURS6 },
      familyLines: ['import all;', 'export none;', 'extended next hop on;'],
    });
    const changes = { address: THEIRS6, source: OURS6, extended_next_hop: true };
    await lab.startSpeaker(siteOf(changes, { next_hop: null, next_hop6: null }), [offer()]);
    await lab.up();
    const routes = await lab.seen('both VIPs', (all) => all.length === 2);
    assert.deepEqual(
      routes.map(({ prefix, next_hop }) => [prefix, next_hop]),
      [
        [VIP, OURS6],
        [VIP6, OURS6],
      ],
    );
    const kernel = await lab.scene.router.ip('route show 198.18.80.80');
    assert.match(kernel, /via inet6 fd77::1/);
  });

  test('is let in from a range, up to its limit', async () => {
    const { address: _, passive: __, ...session } = neighbor({ address: THEIRS, port: 179 });
    const range: NeighborRange = {
      ...{ ...session, name: 'rack', ttl: 1 },
      ...{ prefix: '10.77.0.0/24', as: 65_000, sessions_max: 1 },
    };
    const listen = [{ address: OURS, port: 179 }];
    const site = { ...siteOf({}, { listen, ranges: [range] }), neighbors: [] };
    await lab.router.kill();
    await lab.startSpeaker(site, [plan([VIP, VIP6], {}, ['rack'])]);
    await lab.startRouter({ peer: { passive: false } });
    await lab.wait('the session', () => lab.router.established(), 10_000);
    await vips();
    assert.match((await lab.status()).name, /^rack/);
  });
});
