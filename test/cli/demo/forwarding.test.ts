import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../../src/base/clock.ts';
import {
  FLOW,
  ForwardingDriver,
  SLOTS,
  SPILLED_FROM,
  slotOf,
} from '../../../src/cli/demo/forwarding.ts';
import { get, type Pair, pair } from './support.ts';

const peers = new Map([
  ['iad', []],
  ['sin', []],
]);

function driver(clock = new VirtualClock()): ForwardingDriver {
  return new ForwardingDriver({ site: 'fra', peers, clock });
}

function partSent(steering: ForwardingDriver, flows: number): number {
  let sent = 0;
  for (let i = 0; i < flows; i++) {
    if (steering.route(slotOf(`192.0.2.0/24 ${i}`)) !== null) sent++;
  }
  return sent / flows;
}

describe('steering', () => {
  test('the share of flows that is asked for is the share that goes', async () => {
    for (const share of [0, 0.01, 0.1, 0.286, 0.5, 1]) {
      const steering = driver();
      await steering.apply({ sin: share }, 10_000);
      assert.ok(Math.abs(partSent(steering, 20_000) - share) < 0.015, `${share}`);
    }
  });

  test('two peers each get their part', async () => {
    const steering = driver();
    await steering.apply({ sin: 0.25, iad: 0.1 }, 10_000);
    const counts: Record<string, number> = {};
    for (let slot = 0; slot < SLOTS; slot++) {
      const peer = steering.route(slot) ?? 'here';
      counts[peer] = (counts[peer] ?? 0) + 1;
    }
    assert.deepEqual(counts, { iad: 100, sin: 250, here: 650 });
  });

  test('a larger share takes no flow back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(99), async (a, more) => {
        const small = driver();
        const large = driver();
        await small.apply({ sin: a }, 10_000);
        await large.apply({ sin: Math.min(1, a + more / 100) }, 10_000);
        for (let slot = 0; slot < SLOTS; slot++) {
          if (small.route(slot) === 'sin') assert.equal(large.route(slot), 'sin');
        }
      }),
    );
  });

  test('shares end with their lease, unless renewed', async () => {
    const clock = new VirtualClock();
    const steering = driver(clock);
    await steering.apply({ sin: 1 }, 1_000);
    clock.advance(900);
    assert.equal(steering.route(0), 'sin');
    await steering.apply({ sin: 1 }, 1_000);
    clock.advance(999);
    assert.equal(steering.share, 1);
    clock.advance(1);
    assert.equal(steering.route(0), null);
    assert.equal(steering.share, 0);
  });

  test('what cannot be is refused, and what stood before stands', async () => {
    const steering = driver();
    await steering.apply({ sin: 0.5 }, 10_000);
    await assert.rejects(steering.apply({ lhr: 0.1 }, 10_000), /lhr is not a peer/);
    await assert.rejects(steering.apply({ sin: -0.1 }, 10_000), /not from 0 to 1/);
    await assert.rejects(steering.apply({ sin: 0.7, iad: 0.4 }, 10_000), /more than 1/);
    assert.equal(steering.share, 0.5);
  });

  test('closing ends steering', async () => {
    const steering = driver();
    await steering.apply({ sin: 1 }, 10_000);
    await steering.close();
    assert.equal(steering.route(0), null);
  });
});

describe('forwarding over HTTP', () => {
  let sites: Pair;
  before(async () => {
    sites = await pair();
  });
  after(() => sites.stop());

  test('a spilled request is answered by the peer, which knows whose guest it is', async () => {
    await sites.home_driver.apply({ sin: 1 }, 60_000);
    const got = await get(sites.home.port, '/', { [FLOW]: 'a' });
    assert.equal(got.status, 200);
    assert.deepEqual(JSON.parse(got.body), {
      served_by: 'sin-lb1',
      site: 'sin',
      spilled_from: 'fra',
    });
    assert.equal(got.headers[SPILLED_FROM], 'fra');
    assert.deepEqual(await sites.home_driver.counts(), { kept: 0, sent: { sin: 1 }, guests: {} });
    assert.deepEqual(await sites.peer_driver.counts(), { kept: 0, sent: {}, guests: { fra: 1 } });
  });

  test('a guest is served here, whatever the shares are and whoever it says it comes from', async () => {
    await sites.home_driver.apply({ sin: 1 }, 60_000);
    for (const from of ['sin', 'nobody-we-know']) {
      const got = await get(sites.home.port, '/', { [SPILLED_FROM]: from });
      assert.equal(JSON.parse(got.body).site, 'fra');
    }
    assert.deepEqual((await sites.home_driver.counts()).guests, { sin: 1 });
  });

  test('when the peer is gone the request is served at home, and counted as kept', async () => {
    await sites.home_driver.apply({ sin: 1 }, 60_000);
    const before = await sites.home_driver.counts();
    await sites.peer.break();
    const got = await get(sites.home.port, '/');
    assert.equal(JSON.parse(got.body).site, 'fra');
    const now = await sites.home_driver.counts();
    assert.equal(now.kept, before.kept + 1);
    assert.deepEqual(now.sent, before.sent);
  });
});
