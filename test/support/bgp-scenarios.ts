/**
 * What our speaker must do with every router, whoever made it. Ordered: one session lives through
 * the scenario, and later tests take it as the earlier ones left it.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DaemonSettings, Router, SeenRoute } from '../../lab/bgp/daemon.ts';
import { OUR_AS, OURS, OURS6, THEIR_AS, THEIRS, THEIRS6 } from '../../lab/bgp/scene.ts';
import { monotonic_ms } from '../../lab/wait.ts';
import type { RouteOffer, RoutePlan } from '../../src/model/plan.ts';
import { plan } from './bgp.ts';
import { BgpLab, siteOf, waitingSite } from './bgp-lab.ts';
import { need } from './need.ts';

export const VIP = '198.18.80.80/32';
export const VIP6 = '2001:db8:80::80/128';
const SECOND = '198.18.81.0/24';
const ITS_OWN = '203.0.113.0/24';
const ITS_OTHER = '198.51.100.0/24';

export interface Particulars {
  /** At most 6 characters. */
  readonly tag: string;
  readonly programs: readonly string[];
  readonly make: (settings: DaemonSettings) => Router;
  /** What we say when we stop, and how its log tells it. */
  readonly farewell?: string;
  readonly heard?: RegExp;
  /** Keys it can use only when it dials. */
  readonly keyed?: 'dials' | 'listens';
  /** What it cannot do, so that there is nothing to try. */
  readonly lacks?: readonly ('originate' | 'refresh')[];
  /** How its words arrive at us when it is disabled with "new line card". */
  readonly words?: RegExp;
}

export const offer = (changes: Partial<RouteOffer> = {}, prefixes = [VIP, VIP6]): RoutePlan =>
  plan(prefixes, changes);

const none = (routes: readonly SeenRoute[]): boolean => routes.length === 0;
const both = (routes: readonly SeenRoute[]): boolean =>
  [VIP, VIP6].every((vip) => routes.some(({ prefix }) => prefix === vip));

export function withEveryRouter(name: string, particulars: Particulars): void {
  const { tag, programs, make, keyed = 'listens' } = particulars;
  const { farewell = 'replacing a fan', heard = /replacing a fan/ } = particulars;
  const { words = /new line card/, lacks = [] } = particulars;
  describe(name, { skip: need('root', 'ip', ...programs), timeout: 120_000 }, () => {
    let lab: BgpLab;
    before(async () => {
      lab = new BgpLab(tag, make);
      await lab.startRouter();
      const receive = { accept: [ITS_OWN], prefixes_max: 10, watch_vips: false };
      await lab.startSpeaker(siteOf({ receive }));
      await lab.up();
    });
    after(() => lab.close());

    test('is dialled, and learns VIPs of both families with what was set for it', async () => {
      const communities = ['65000:80', '65535:0', '65001:1:2', 'target:65000:80'];
      await lab.speaker.apply([offer({ med: 50, prepend: 2, communities })]);
      const routes = await lab.seen('both VIPs', both);
      const same = { as_path: [OUR_AS, OUR_AS, OUR_AS], med: 50, communities: communities.sort() };
      const told = routes.map(({ local_pref: _, ...route }) => route);
      assert.deepEqual(told, [
        { prefix: VIP, next_hop: OURS, ...same },
        { prefix: VIP6, next_hop: OURS6, ...same },
      ]);
    });

    test('forgets the one that is withdrawn, and takes changes of the other', async () => {
      await lab.speaker.apply([offer({}, [VIP, VIP6, SECOND])]);
      await lab.seen('three', (routes) => routes.length === 3);
      await lab.speaker.apply([offer({ med: 7 }, [VIP, VIP6])]);
      const routes = await lab.seen('two that have changed', (all) =>
        all.every(({ med }) => med === 7),
      );
      assert.deepEqual(
        routes.map(({ prefix }) => prefix),
        [VIP, VIP6],
      );
      assert.deepEqual(routes[0]!.as_path, [OUR_AS]);
    });

    if (!lacks.includes('originate')) {
      test('tells us routes of its own, of which we keep what we accept', async () => {
        const { router, speaker } = lab;
        await router.originate!(ITS_OWN);
        await router.originate!(ITS_OTHER);
        await lab.wait('both', async () => {
          const { kept, filtered } = (await lab.status()).received;
          return kept === 1 && filtered === 1;
        });
        const kept = await speaker.received('router');
        assert.deepEqual(
          kept.map(({ prefix, as_path, next_hop }) => [prefix, as_path, next_hop]),
          [[ITS_OWN, `${THEIR_AS}`, THEIRS]],
        );
        assert.equal((await lab.status()).faults_in, 0);
      });
    }

    if (!lacks.includes('refresh')) {
      test('asks for all routes again, and gets them in the same session', async () => {
        const before = await lab.status();
        await lab.router.refresh!();
        await lab.wait('the answer', async () => {
          const { messages_in, messages_out } = await lab.status();
          return (
            messages_in['route-refresh'] >= 2 &&
            messages_out.update >= before.messages_out.update + 2
          );
        });
        await lab.seen('both VIPs', both);
        const status = await lab.status();
        assert.equal(status.sessions, before.sessions);
        assert.equal(status.faults_in, 0);
      });
    }

    test('tells us in words why it ends the session', async () => {
      await lab.router.disable('new line card');
      await lab.wait('its words', () => lab.speaker.told(words));
      await lab.router.enable();
      await lab.up();
      await lab.seen('both VIPs', both);
    });

    test('is back with all routes after it was killed', async () => {
      await lab.router.kill();
      await lab.wait('us to notice', async () => (await lab.status()).state !== 'Established');
      await lab.router.start();
      await lab.up();
      await lab.seen('both VIPs', both);
    });

    test('loses the routes at once when our process is killed', async () => {
      const killed_ms = monotonic_ms();
      await lab.speaker.kill();
      await lab.seen('no route', none);
      assert.ok(monotonic_ms() - killed_ms < 4_000, 'far less than the hold time');
    });

    test('has a key for TCP MD5, and TTL security', async () => {
      const key = 'zEbra-7';
      const file = join(lab.scene.lab.dir, 'key');
      writeFileSync(file, `${key}\n`);
      const secured = { md5_key_file: file, ttl_security: 1 };
      await lab.router.kill();
      const site = keyed === 'dials' ? waitingSite(secured) : siteOf(secured);
      await lab.startSpeaker(site, [offer()]);
      await lab.startRouter({ peer: { key, passive: keyed !== 'dials' } });
      await lab.up();
      await lab.seen('both VIPs', both);
    });

    test('has a session over IPv6, and both VIPs by it', async () => {
      await lab.startRouter({ peer: { local: THEIRS6, address: OURS6 } });
      await lab.startSpeaker(siteOf({ address: THEIRS6, source: OURS6 }), [offer()]);
      await lab.up();
      const routes = await lab.seen('both VIPs', both);
      assert.deepEqual(
        routes.map(({ next_hop }) => next_hop),
        [OURS, OURS6],
      );
    });

    test('hold time: whichever side freezes is given up by the other', async () => {
      await lab.startRouter({ peer: { hold_s: 3 } });
      await lab.startSpeaker(siteOf({ hold_time_ms: 3_000 }), [offer()]);
      await lab.up();
      lab.router.signal('SIGSTOP');
      await lab.wait('our timer', () => lab.speaker.told(/hold timer expired \(4\/0\)/));
      await lab.router.kill();
      await lab.router.start();
      await lab.up();
      await lab.seen('both VIPs', both);
      lab.speaker.signal('SIGSTOP');
      await lab.seen('no route', none);
    });

    test('dials us from within our AS, and sees the local preference', async () => {
      // Some wait for long when their first attempt is refused.
      await lab.router.kill();
      const site = waitingSite({ as: OUR_AS });
      await lab.startSpeaker(site, [offer({ local_pref: 200, communities: ['no-export'] })]);
      await lab.startRouter({ as: OUR_AS, peer: { passive: false } });
      await lab.up();
      const routes = await lab.seen('both VIPs', both);
      for (const { local_pref, as_path, communities } of routes) {
        assert.deepEqual([local_pref, as_path, communities], [200, [], ['65535:65281']]);
      }
    });

    test('hears in words why we stop, and has no route left', async () => {
      await lab.speaker.stop(farewell);
      await lab.wait('our words', () => heard.test(lab.router.log()));
      await lab.seen('no route', none);
    });
  });
}
