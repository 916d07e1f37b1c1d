/**
 * Orders of operators among whole agents on virtual time, over one memory store: seen by all at once,
 * ending by themselves, and neither lost nor come back by restarts, cuts and wrong clocks.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../../src/agent/agent.ts';
import { type Clock, type Timer, VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { Config } from '../../src/model/config.ts';
import type { OverrideAction, OverrideScope } from '../../src/model/override.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import { noSteering, noTunnel } from '../../src/spill/drivers.ts';
import { testConfig } from '../support/config.ts';

const NAMES = ['fra', 'iad', 'sin'];
const HOUR_MS = 3_600_000;

/** A site's clock: the same time passes on it, but its wall clock may be wrong. */
class SiteClock implements Clock {
  wrong_ms = 0;
  readonly #truth: Clock;

  constructor(truth: Clock) {
    this.#truth = truth;
  }

  now(): number {
    return this.#truth.now();
  }

  wall(): number {
    return this.#truth.wall() + this.wrong_ms;
  }

  timer(ms: number, fire: () => void): Timer {
    return this.#truth.timer(ms, fire);
  }
}

class Sites {
  readonly truth = new VirtualClock(1_000_000);
  readonly clocks = new Map(NAMES.map((name) => [name, new SiteClock(this.truth)]));
  readonly agents = new Map<string, Agent>();
  /** "fra drain iad: drained by ann" */
  readonly events: string[] = [];
  hub = new MemoryHub(silentLog, this.truth);
  stateDir: string | null = null;

  get config(): Config {
    const base = testConfig();
    const sites = base.sites.map((site) => {
      const dns = { ...site.dns, listen: [] };
      return { ...site, dns, bgp: null, state_dir: this.stateDir };
    });
    return { ...base, sites, policy: { ...base.policy, drain_ms: 2_000 } };
  }

  agent(site: string): Agent {
    return this.agents.get(site)!;
  }

  async start(...names: string[]): Promise<void> {
    const { config } = this;
    const geo = buildGeoMap(config.geo, config.regions);
    if (!geo.ok) throw new Error(geo.error);
    for (const site of names) {
      const clock = this.clocks.get(site)!;
      const agent = new Agent({
        config,
        site,
        geo: geo.value,
        store: this.hub.store(site),
        drivers: () => ({ tunnel: noTunnel, steering: noSteering }),
        clock,
        prng: prng(1),
        log: silentLog,
        version: 'test',
        probe: async () => ({ ok: true, detail: 'fine' }),
      });
      agent.events.add(({ kind, subject, text }) => {
        if (kind === 'drain' || kind === 'override') {
          this.events.push(`${site} ${kind} ${subject}: ${text}`);
        }
      });
      await this.#settle(agent.start());
      this.agents.set(site, agent);
    }
    await this.run(3_000);
  }

  async stop(...names: string[]): Promise<void> {
    for (const site of names) {
      await this.#settle(this.agent(site).stop());
      this.agents.delete(site);
    }
  }

  run(ms: number): Promise<void> {
    return this.truth.advanceAsync(ms);
  }

  /** Endpoints by what each site says of them: the code of the reason. */
  codes(endpoint: string): (string | undefined)[] {
    return [...this.agents.values()].map(
      ({ decision }) => decision!.plan.endpoints.find(({ id }) => id === endpoint)?.reason.code,
    );
  }

  /** What each site lists, as "site=iad drain ann". */
  lists(): string[][] {
    return [...this.agents.values()].map((agent) =>
      agent.status().overrides.map(({ id, action, by }) => `${id} ${action} ${by}`),
    );
  }

  order(
    at: string,
    scope: Partial<OverrideScope>,
    action: OverrideAction | null,
    by: string,
    left_ms: number | null = null,
  ): void {
    const whole = { site: null, service: null, endpoint: null, label: null, ...scope };
    assert.ok(
      this.agent(at).overrides.order({ scope: whole, action, by, reason: 'work', left_ms }),
    );
  }

  /** Drives the clock for what needs it, and waits for what takes real time: the disk. */
  async #settle(work: Promise<void>): Promise<void> {
    let settled = false;
    const done = work.finally(() => {
      settled = true;
    });
    for (let spent = 0; !settled; spent += 10) {
      if (spent < 1_000) await this.run(10);
      else await sleep(1);
    }
    await done;
  }
}

let sites = new Sites();
afterEach(async () => {
  await sites.stop(...sites.agents.keys());
  if (sites.stateDir) await rm(sites.stateDir, { recursive: true });
  sites = new Sites();
});

const ALL_THREE = <Value>(value: Value): Value[] => [value, value, value];

describe('an order given at one site', () => {
  test('counts at all of them within a second, whichever site it is about', async () => {
    await sites.start(...NAMES);
    sites.order('fra', { site: 'iad' }, 'drain', 'ann');
    sites.order('sin', { endpoint: 'fra-lb1' }, 'down', 'bob');
    assert.equal(sites.agent('fra').status().endpoints[2]!.reason.code, 'draining');
    await sites.run(100);
    assert.deepEqual(sites.codes('iad-lb1/web'), ALL_THREE('draining'));
    assert.deepEqual(sites.codes('fra-lb1/web'), ALL_THREE('forced-down'));
    const list = ['endpoint=fra-lb1 down bob', 'site=iad drain ann'];
    assert.deepEqual(sites.lists(), ALL_THREE(list));
    assert.equal(sites.agent('iad').status().drain?.by, 'ann', 'the site itself knows');
    const told = NAMES.flatMap((name) => [
      `${name} drain iad: drained by ann`,
      `${name} override endpoint=fra-lb1: forced down by bob`,
    ]);
    assert.deepEqual(sites.events.sort(), told);
  });

  test('may be about a site whose agent is dead, which finds itself drained when it starts', async () => {
    await sites.start(...NAMES);
    await sites.stop('iad');
    sites.order('fra', { site: 'iad' }, 'drain', 'ann');
    await sites.run(10_000);
    await sites.start('iad');
    const iad = sites.agent('iad').status();
    assert.equal(iad.drain?.by, 'ann');
    assert.ok(iad.drain!.for_ms >= 10_000, `${iad.drain!.for_ms}`);
    assert.equal(iad.routes[0]!.announce, false, 'its routes have long been due to leave');
    assert.ok(sites.events.includes('iad drain iad: drained by ann, as before'));
  });

  test('to drain what drains already changes who and why, and waits for nothing twice', async () => {
    await sites.start(...NAMES);
    sites.order('fra', { site: 'iad' }, 'drain', 'ann');
    await sites.run(5_000);
    assert.equal(sites.agent('iad').status().routes[0]!.announce, false);
    sites.order('sin', { site: 'iad' }, 'drain', 'bob');
    await sites.run(100);
    const { drain, routes } = sites.agent('iad').status();
    assert.deepEqual([drain?.by, routes[0]!.announce], ['bob', false]);
    assert.ok(drain!.for_ms >= 5_000);
  });

  test('may be taken back at another', async () => {
    await sites.start(...NAMES);
    sites.order('fra', { site: 'iad' }, 'drain', 'ann');
    await sites.run(100);
    sites.order('sin', { site: 'iad' }, null, 'bob');
    await sites.run(100);
    assert.deepEqual(sites.lists(), ALL_THREE([]));
    assert.deepEqual(sites.codes('iad-lb1/web'), ALL_THREE('healthy'));
    assert.ok(sites.events.includes('iad drain iad: drain ended by bob'));
  });

  test('ends by itself at the same time everywhere, and says so', async () => {
    await sites.start(...NAMES);
    sites.order('fra', { label: 'none=1', site: 'iad' }, 'up', 'ann', 20_000);
    sites.order('fra', { site: 'iad' }, 'down', 'ann', 30_000);
    await sites.run(29_900);
    assert.deepEqual(sites.codes('iad-lb1/web'), ALL_THREE('forced-down'));
    await sites.run(200);
    assert.deepEqual(sites.codes('iad-lb1/web'), ALL_THREE('healthy'));
    assert.deepEqual(sites.lists(), ALL_THREE([]));
    const ended = sites.events.filter((text) => text.includes('has ended'));
    assert.equal(ended.length, 6);
    assert.ok(ended.includes('sin override site=iad: force-down has ended, as ordered by ann'));
  });
});

describe('overrides outlive', () => {
  test('the restart of an agent, which knows them from its first answer on', async () => {
    await sites.start(...NAMES);
    sites.order('fra', { site: 'fra' }, 'drain', 'ann');
    await sites.run(5_000);
    await sites.stop('fra');
    await sites.start('fra');
    const { drain, endpoints } = sites.agent('fra').status();
    assert.ok(drain!.for_ms >= 5_000);
    assert.ok(endpoints.every(({ site, eligible }) => site !== 'fra' || !eligible));
  });

  test('the loss of the store and of all agents, if there are state files', async () => {
    sites.stateDir = await mkdtemp(join(tmpdir(), 'isobar-overrides-'));
    await sites.start(...NAMES);
    sites.order('fra', { site: 'iad' }, 'drain', 'ann', HOUR_MS);
    sites.order('fra', { endpoint: 'sin-lb1' }, 'down', 'bob', 8_000);
    sites.order('fra', { site: 'sin' }, 'drain', 'eve');
    await sites.run(1_000);
    // sin has not heard of it when it ends; its old copy must not bring the drain back.
    sites.hub.cut('sin');
    await sites.stop('sin');
    sites.order('fra', { site: 'sin' }, null, 'eve');
    await sites.run(1_000);
    await sites.stop('fra', 'iad');
    sites.hub = new MemoryHub(silentLog, sites.truth);
    await sites.run(10_000);
    await sites.start('sin');
    assert.deepEqual(sites.lists(), [['site=iad drain ann', 'site=sin drain eve']]);
    await sites.start('fra', 'iad');
    assert.deepEqual(sites.lists(), ALL_THREE(['site=iad drain ann']));
    for (const agent of sites.agents.values()) {
      const { left_ms, for_ms } = agent.status().overrides[0]!;
      assert.ok(left_ms! < HOUR_MS - 12_000 && left_ms! > HOUR_MS - 40_000, `${left_ms}`);
      assert.equal(Math.round(left_ms! + for_ms), HOUR_MS);
    }
  });
});

describe('orders that are given while sites do not hear each other', () => {
  test('all stand after it where they are about different things', async () => {
    await sites.start(...NAMES);
    sites.hub.cut('fra');
    sites.order('fra', { site: 'fra' }, 'drain', 'ann');
    sites.order('iad', { endpoint: 'sin-lb2' }, 'down', 'bob');
    await sites.run(10_000);
    assert.deepEqual(sites.lists()[0], ['site=fra drain ann']);
    sites.hub.heal('fra');
    await sites.run(100);
    assert.deepEqual(sites.lists(), ALL_THREE(['endpoint=sin-lb2 down bob', 'site=fra drain ann']));
  });

  test('about one thing: the last stands, and who lost is told and listed', async () => {
    await sites.start(...NAMES);
    sites.hub.cut('fra');
    sites.order('fra', { site: 'sin' }, 'drain', 'ann');
    await sites.run(1_000);
    sites.order('iad', { site: 'sin' }, null, 'nobody');
    sites.order('iad', { site: 'sin' }, 'down', 'bob');
    await sites.run(5_000);
    sites.hub.heal('fra');
    await sites.run(100);
    assert.deepEqual(sites.lists(), ALL_THREE(['site=sin down bob']));
    const told =
      'fra override site=sin: drain by ann (work) was replaced by force-down by bob, who had not seen it';
    assert.deepEqual(
      sites.events.filter((text) => text.includes('had not seen')),
      [told],
    );
    const [fra] = sites.agent('fra').status().overrides;
    assert.deepEqual(fra!.lost, [{ action: 'drain', by: 'ann', reason: 'work' }]);
    sites.order('fra', { site: 'sin' }, 'drain', 'ann');
    await sites.run(100);
    assert.deepEqual(sites.lists(), ALL_THREE(['site=sin drain ann']));
    assert.deepEqual(sites.agent('fra').status().overrides[0]!.lost, []);
  });
});

describe('wall clocks that are an hour wrong', () => {
  test('change neither how long an override lasts, nor who is obeyed', async () => {
    sites.clocks.get('fra')!.wrong_ms = HOUR_MS;
    sites.clocks.get('iad')!.wrong_ms = -HOUR_MS;
    await sites.start(...NAMES);
    sites.order('fra', { site: 'sin' }, 'drain', 'ann', 60_000);
    await sites.run(10_000);
    for (const agent of sites.agents.values()) {
      const { for_ms, left_ms } = agent.status().overrides[0]!;
      assert.deepEqual([Math.round(for_ms / 100), Math.round(left_ms! / 100)], [100, 500]);
    }
    sites.order('iad', { site: 'sin' }, 'down', 'bob');
    await sites.run(100);
    assert.deepEqual(sites.lists(), ALL_THREE(['site=sin down bob']));
    sites.order('sin', { site: 'sin' }, null, 'eve');
    await sites.run(100);
    assert.deepEqual(sites.lists(), ALL_THREE([]));
    assert.ok(!sites.events.some((text) => text.includes('had not seen')));
  });

  test('that jump over a restart shorten or lengthen nothing that others know better', async () => {
    sites.stateDir = await mkdtemp(join(tmpdir(), 'isobar-overrides-'));
    await sites.start(...NAMES);
    sites.order('fra', { site: 'sin' }, 'drain', 'ann', 2 * HOUR_MS);
    for (const wrong_ms of [HOUR_MS, -HOUR_MS]) {
      await sites.run(1_000);
      await sites.stop('fra');
      sites.clocks.get('fra')!.wrong_ms = wrong_ms;
      // It begins with what its file says, since it reaches no store.
      sites.hub.cut('fra');
      await sites.start('fra');
      assert.equal(sites.agent('fra').status().overrides[0]!.by, 'ann');
      sites.hub.heal('fra');
      await sites.run(5_000);
      const left = [...sites.agents.values()].map(({ overrides }) => overrides.list()[0]!.left_ms!);
      assert.ok(Math.max(...left) - Math.min(...left) < 100, left.join());
    }
    assert.ok(!sites.events.some((text) => text.includes('had not seen')));
    const told = sites.events.filter((text) => text.startsWith('fra drain sin: drained'));
    assert.deepEqual(
      told.map((text) => text.replace('fra drain sin: drained by ann for ', '')),
      // The first restart counts an hour that was none, the second does not count at all.
      ['2.0 h', '60 min, as before', '120 min, as before'],
    );
  });

  test('that jump while it runs do no harm to what is in force', async () => {
    await sites.start(...NAMES);
    sites.order('fra', { site: 'sin' }, 'drain', 'ann', 60_000);
    for (const wrong_ms of [HOUR_MS, -HOUR_MS]) {
      for (const clock of sites.clocks.values()) clock.wrong_ms = wrong_ms;
      await sites.run(20_000);
      assert.deepEqual(sites.codes('sin-lb1/web'), ALL_THREE('draining'));
    }
    sites.order('fra', { site: 'sin' }, 'drain', 'ann', 5_000);
    await sites.run(4_000);
    assert.deepEqual(sites.codes('sin-lb1/web'), ALL_THREE('draining'));
    await sites.run(1_500);
    assert.deepEqual(sites.codes('sin-lb1/web'), ALL_THREE('healthy'));
  });
});
