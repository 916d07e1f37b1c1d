/** Our speaker against FRR in a namespace of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FrrRouter } from '../../lab/bgp/frr.ts';
import { monotonic_ms } from '../../lab/wait.ts';
import { BgpLab, siteOf } from '../support/bgp-lab.ts';
import { offer, withEveryRouter } from '../support/bgp-scenarios.ts';
import { need } from '../support/need.ts';

withEveryRouter('FRR as the router', {
  tag: 'bgpfrr',
  programs: ['vtysh'],
  make: (settings) => new FrrRouter(settings),
});

describe('FRR beyond the base', { skip: need('root', 'ip', 'vtysh'), timeout: 60_000 }, () => {
  let lab: BgpLab;
  before(() => {
    lab = new BgpLab('bgpfr2', (settings) => new FrrRouter(settings, { bfd: true }));
  });
  after(() => lab.close());

  test('has a role that fits ours, and prefers any other route to one that is about to go', async () => {
    await lab.startRouter({ neighborLines: ['local-role provider strict-mode'] });
    const site = siteOf({ role: 'customer', role_strict: true });
    await lab.startSpeaker(site, [offer({ communities: ['graceful-shutdown'] })]);
    await lab.up();
    const routes = await lab.seen('both VIPs', (all) => all.length === 2);
    for (const { local_pref } of routes) assert.equal(local_pref, 0);
  });

  test('refuses a role that does not fit', async () => {
    await lab.startSpeaker(siteOf({ role: 'provider' }));
    await lab.wait(
      'the role to be refused',
      () => lab.speaker.told(/role mismatch.*2\/11/i),
      8_000,
    );
  });

  test('keeps no route of a speaker that was killed, though both know of graceful restart', async () => {
    await lab.startRouter({ neighborLines: ['graceful-restart'] });
    await lab.startSpeaker(siteOf({ graceful_restart_helper: true }), [offer()]);
    await lab.up();
    await lab.seen('both VIPs', (routes) => routes.length === 2);
    const killed_ms = monotonic_ms();
    await lab.speaker.kill();
    await lab.seen('no route', (routes) => routes.length === 0);
    assert.ok(monotonic_ms() - killed_ms < 4_000);
  });

  test('is lost within a BFD detection time when its BFD dies, long before the hold time', async () => {
    await lab.startRouter({ neighborLines: ['bfd profile fast'] });
    const bfd = { multihop: false, transmit_ms: 100, receive_ms: 100, multiplier: 3 };
    await lab.startSpeaker(siteOf({ bfd: { ...bfd, auth: null, strict: true } }), [offer()]);
    await lab.up();
    await lab.wait('BFD', async () => (await lab.status()).bfd?.remote_state === 'up');
    await lab.seen('both VIPs', (routes) => routes.length === 2);
    const frozen_ms = monotonic_ms();
    lab.router.signal('SIGSTOP');
    await lab.wait('BFD', () => lab.speaker.told(/BFD down \(6\/10\)|BFD: /), 2_000);
    assert.ok(monotonic_ms() - frozen_ms < 2_000);
  });

  test('keeps its routes with us over a NOTIFICATION, until it has told them again (RFC 8538)', async () => {
    const router = await lab.startRouter({
      neighborLines: ['graceful-restart'],
      routerLines: [
        'bgp graceful-restart notification',
        'bgp graceful-restart preserve-fw-state',
        'no bgp hard-administrative-reset',
      ],
    });
    const receive = { accept: ['203.0.113.0/24'], prefixes_max: 10, watch_vips: false };
    await lab.startSpeaker(siteOf({ graceful_restart_helper: true, receive }), [offer()]);
    await lab.up();
    await router.originate?.('203.0.113.0/24');
    const kept = async (): Promise<string> => {
      const routes = await lab.speaker.received('router');
      return routes.map(({ stale }) => (stale ? 'stale' : 'fresh')).join();
    };
    await lab.wait('its route', async () => (await kept()) === 'fresh');
    const seen = new Set<string>();
    await (router as FrrRouter).ask('clear bgp 10.77.0.1');
    await lab.wait(
      'the route to be fresh again',
      async () => {
        const now = await kept();
        seen.add(now);
        return seen.has('stale') && now === 'fresh';
      },
      20_000,
    );
    assert.deepEqual([...seen].sort(), ['fresh', 'stale']);
    assert.ok(lab.speaker.told(/\(6\/4\)/));
  });

  test('is told by a hard reset that it is over where a NOTIFICATION would not end it', async () => {
    await lab.startRouter({
      neighborLines: ['graceful-restart'],
      routerLines: ['bgp graceful-restart notification'],
    });
    await lab.startSpeaker(siteOf({ graceful_restart_helper: true }), [offer()]);
    await lab.up();
    await lab.seen('both VIPs', (routes) => routes.length === 2);
    await lab.speaker.stop('replacing a fan');
    const heard = /Hard Reset.*Administrative Shutdown.*replacing a fan/;
    await lab.wait('our words', () => heard.test(lab.router.log()));
    await lab.seen('no route', (routes) => routes.length === 0);
  });
});
