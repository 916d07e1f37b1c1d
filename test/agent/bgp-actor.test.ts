/** Routes and addresses in their order, against a neighbour that listens and an interface in memory. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BgpActor } from '../../src/agent/bgp-actor.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import type { VipDriver } from '../../src/bgp/vip-holder.ts';
import { decide } from '../../src/decide/decide.ts';
import { healthyWorld } from '../../src/decide/explain.ts';
import type { Config } from '../../src/model/config.ts';
import type { Plan, RoutePlan } from '../../src/model/plan.ts';
import { ROUTE_OFF, type RoutePhase } from '../../src/model/report.ts';
import { bgpSite, neighbor, routePolicy } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';
import { eventually } from '../support/eventually.ts';

const SETTLE_MS = 150;

/** What happens at the neighbour and on the interface, in one list. */
class Stage {
  readonly events: string[] = [];
  readonly addresses = new Set<string>();
  /** While true the interface takes no address. */
  broken = false;

  readonly driver = (): VipDriver => ({
    list: async () => [...this.addresses].map((address) => ({ address, ours: true })),
    change: async (add, remove) => {
      if (this.broken) throw new Error('not permitted');
      for (const address of add) this.addresses.add(address);
      for (const address of remove) this.addresses.delete(address);
      this.events.push(...add.map((one) => `put ${one}`), ...remove.map((one) => `take ${one}`));
    },
  });
}

describe('the BGP of a site', () => {
  const clock = new SystemClock();
  let stage = new Stage();
  let collector: Collector;
  let config: Config;
  let actor: BgpActor;

  before(async () => {
    collector = new Collector({
      as: 65_000,
      router_id: '10.9.9.9',
      listen: { address: '127.66.9.1', port: 0 },
      hold_time_ms: 9_000,
      clock,
      prng: prng(3),
      log: silentLog,
    });
    await collector.start();
    collector.onChange(({ kind, prefix }) => {
      if (prefix !== undefined) stage.events.push(`${kind} ${prefix}`);
    });
    const router = neighbor(collector.address, { as: 65_000, connect_retry_ms: 50 });
    const bgp = bgpSite([router], { vip_interface: 'lo', next_hop: '127.0.0.1' });
    const base = testConfig();
    config = {
      ...base,
      sites: base.sites.map((site, index) => (index === 0 ? { ...site, bgp } : site)),
      vips: [{ ...base.vips[0]!, prefixes: ['198.18.80.80/32'] }],
      policy: { ...base.policy, routes: routePolicy({ settle_ms: SETTLE_MS }) },
    };
  });
  after(() => collector.stop());
  beforeEach(() => {
    stage = new Stage();
    const options = { config, site: 'fra', vipDriver: stage.driver, clock };
    actor = new BgpActor({ ...options, prng: prng(1), log: silentLog }, () => {});
  });

  const template = (): Plan => decide(config, healthyWorld(config, 'fra', 0), 0);

  /** A plan in which the VIP is in `phase`. */
  function plan(phase: RoutePhase): Plan {
    const { routes, ...rest } = template();
    const announce = phase === 'on';
    const route: RoutePlan = {
      ...routes[0]!,
      announce,
      fitness: announce ? 'healthy' : null,
      offers: routes[0]!.offers.map((offer) => ({ ...offer, announce })),
    };
    const memory = { ...rest.memory, routes: { web: { ...ROUTE_OFF, phase } } };
    return { ...rest, routes: [route], memory };
  }

  const happens = async (...events: string[]): Promise<void> => {
    await eventually(events.join(', '), () => stage.events.length >= events.length);
    assert.deepEqual(stage.events, events);
  };

  test('puts the address before it announces, and takes it after it has withdrawn', async () => {
    actor.apply(plan('on'));
    assert.deepEqual([...actor.heard()], [], 'nobody hears it before it has started');
    await actor.start(config);
    actor.begin();
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    assert.deepEqual([...actor.heard()], ['web']);
    actor.apply(plan('going'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32', 'withdraw 198.18.80.80/32');
    assert.deepEqual([...actor.heard()], []);
    await eventually('the address has left', () => stage.addresses.size === 0);
    await actor.stop('done', false);
  });

  test('has its sessions up before it begins, and announces nothing until then', async () => {
    actor.apply(plan('on'));
    await actor.start(config);
    await eventually('the session is up', () => actor.neighbors()[0]?.state === 'Established');
    actor.apply(plan('on'));
    assert.deepEqual([...actor.heard()], []);
    assert.deepEqual(stage.events, []);
    actor.begin();
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    await actor.stop('done', false);
  });

  test('announces nothing while the address cannot be put, and does as soon as it can', async () => {
    stage.broken = true;
    await actor.start(config);
    actor.begin();
    actor.apply(plan('on'));
    await eventually('the session is up', () => actor.neighbors()[0]?.state === 'Established');
    await eventually('the reason is known', () =>
      actor.standing(plan('on').routes)[0]!.reason.text.endsWith(' on lo: not permitted'),
    );
    assert.deepEqual([...actor.heard()], []);
    stage.broken = false;
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    await actor.stop('done', false);
  });

  test('tells of many addresses that come at once in one word', async () => {
    const told: string[] = [];
    const options = { config, site: 'fra', vipDriver: stage.driver, clock, prng: prng(1) };
    const many = new BgpActor({ ...options, log: silentLog }, ({ subject, text }) => {
      told.push(`${subject}: ${text}`);
    });
    await many.start(config);
    many.begin();
    const [one, numbers] = [plan('on'), Array.from({ length: 100 }, (_, i) => i)];
    const web = one.memory.routes.web!;
    many.apply({
      ...one,
      routes: numbers.map((i) => ({
        ...one.routes[0]!,
        vip: `v${i}`,
        prefixes: [`198.18.81.${i}/32`],
      })),
      memory: {
        ...one.memory,
        routes: Object.fromEntries(numbers.map((i) => [`v${i}`, web])),
      },
    });
    await eventually('all are heard', () => many.heard().size === 100);
    assert.deepEqual(
      told.filter((text) => text.endsWith('on lo')),
      ['100 vips: on lo'],
    );
    await many.stop('done', false);
  });

  test('that stops for good withdraws, waits, and takes the address off', async () => {
    await actor.start(config);
    actor.begin();
    actor.apply(plan('on'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    await actor.stop('done', false);
    assert.deepEqual(stage.events.slice(2), ['withdraw 198.18.80.80/32', 'take 198.18.80.80']);
  });

  test('that another process succeeds leaves the address where it is', async () => {
    await actor.start(config);
    actor.begin();
    actor.apply(plan('on'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    await actor.stop('done', true);
    assert.deepEqual([...stage.addresses], ['198.18.80.80']);
    assert.equal(stage.events.at(-1), 'withdraw 198.18.80.80/32');
  });

  const reconfigured = (vip_interface: string | null): Config => ({
    ...config,
    sites: config.sites.map((site) =>
      site.bgp ? { ...site, bgp: { ...site.bgp, vip_interface } } : site,
    ),
  });

  test('withdraws before the address leaves for another interface', async () => {
    const other = new Stage();
    const options = { config, site: 'fra', clock, prng: prng(1), log: silentLog };
    const driver = (name: string) => (name === 'lo' ? stage : other).driver();
    const moving = new BgpActor({ ...options, vipDriver: driver }, () => {});
    await moving.start(config);
    moving.begin();
    moving.apply(plan('on'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    other.broken = true;
    await moving.reload(reconfigured('dummy0'));
    assert.deepEqual(stage.events.slice(2), ['withdraw 198.18.80.80/32', 'take 198.18.80.80']);
    other.broken = false;
    await eventually('it is announced again', () => stage.events.length === 5);
    assert.deepEqual([...other.addresses], ['198.18.80.80']);
    await moving.stop('done', false);
  });

  test('takes a new interface although the one before has gone', async () => {
    await actor.start(config);
    actor.begin();
    actor.apply(plan('on'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    stage.broken = true;
    await actor.reload(reconfigured('dummy0'));
    stage.broken = false;
    await actor.stop('done', false);
  });

  test('leaves the address, and the route, when it is no longer its task', async () => {
    await actor.start(config);
    actor.begin();
    actor.apply(plan('on'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    await actor.reload(reconfigured(null));
    assert.deepEqual([...actor.heard()], ['web']);
    assert.deepEqual([...stage.addresses], ['198.18.80.80']);
    assert.equal(stage.events.length, 2);
    await actor.stop('done', false);
  });

  test('takes the address off after its VIP has left the configuration, in the same order', async () => {
    await actor.start(config);
    actor.begin();
    actor.apply(plan('on'));
    await happens('put 198.18.80.80', 'announce 198.18.80.80/32');
    actor.apply({ ...plan('on'), routes: [] });
    await eventually('it is withdrawn', () => stage.events.length === 3);
    assert.equal(stage.addresses.size, 1);
    await eventually('the address has left', () => stage.addresses.size === 0);
    assert.deepEqual(stage.events.slice(2), ['withdraw 198.18.80.80/32', 'take 198.18.80.80']);
    await actor.stop('done', false);
  });
});
