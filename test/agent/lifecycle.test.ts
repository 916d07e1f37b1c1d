/** Starts, reloads and stops that meet each other: afterwards nothing runs that should not. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Agent } from '../../src/agent/agent.ts';
import { type Clock, SystemClock, type Timer } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { Config } from '../../src/model/config.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import { noSteering, noTunnel, type SpillDrivers } from '../../src/spill/drivers.ts';
import { bgpSite, neighbor } from '../support/bgp.ts';
import { eventually } from '../support/eventually.ts';
import { Backend, twoSiteConfig } from '../support/site.ts';

/** Knows how many timers have neither fired nor been cancelled. */
class CountingClock implements Clock {
  readonly #clock = new SystemClock();
  readonly #pending = new Set<Timer>();

  get pending(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#clock.now();
  }

  wall(): number {
    return this.#clock.wall();
  }

  timer(ms: number, fire: () => void): Timer {
    const inner = this.#clock.timer(ms, () => {
      this.#pending.delete(timer);
      fire();
    });
    const timer: Timer = {
      cancel: () => {
        this.#pending.delete(timer);
        inner.cancel();
      },
    };
    this.#pending.add(timer);
    return timer;
  }
}

describe('an agent', () => {
  const backend = new Backend();
  let config: Config;
  before(async () => {
    const base = twoSiteConfig(await backend.listen('127.66.3.1', 0), '127.66.3.1');
    // A neighbour that nobody is: a speaker that is left over goes on dialling it.
    const nobody = neighbor(
      { address: '127.66.3.1', port: 1 },
      { name: 'nobody', as: 64_500, hold_time_ms: 90_000, connect_retry_ms: 50 },
    );
    const bgp = bgpSite([nobody], { as: 64_501, next_hop: '127.0.0.1', next_hop6: null });
    config = {
      ...base,
      sites: base.sites.map((site, index) => (index === 0 ? { ...site, bgp } : site)),
    };
  });
  after(() => backend.close());

  const idle = (): SpillDrivers => ({ tunnel: noTunnel, steering: noSteering });

  function agentOf(clock: Clock, drivers: (config: Config) => SpillDrivers): Agent {
    const geo = buildGeoMap(config.geo, config.regions);
    assert.ok(geo.ok);
    return new Agent({
      config,
      site: 'fra',
      geo: geo.value,
      store: new MemoryHub().store('fra'),
      drivers,
      clock,
      prng: prng(1),
      log: silentLog,
      version: 'test',
    });
  }

  const withTick = (tick_ms: number): Config => {
    const spill = { ...config.policy.spill, tick_ms };
    return { ...config, policy: { ...config.policy, spill } };
  };

  test('that is stopped at any moment of its start leaves nothing behind', async () => {
    for (const turns of [0, 1, 2, 4, 8, 16, 32]) {
      const clock = new CountingClock();
      const agent = agentOf(clock, idle);
      const texts: string[] = [];
      agent.events.add(({ text }) => texts.push(text));
      const started = agent.start();
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await Promise.all([agent.stop('first'), agent.stop('second')]);
      await started;
      assert.equal(clock.pending, 0, `after ${turns} turns`);
      assert.equal(texts.at(-1), 'first');
      await agent.start();
      assert.equal(clock.pending, 0, 'once stopped, it does not start again');
    }
  });

  test('that is stopped while it reloads leaves nothing behind', async () => {
    const clock = new CountingClock();
    const agent = agentOf(clock, idle);
    await agent.start();
    const reloads = [1, 2].map(() => agent.reload({ ...config }, agent.geo));
    await agent.stop();
    await Promise.all(reloads);
    await agent.reload(config, agent.geo);
    assert.equal(clock.pending, 0);
  });

  test('that reloads twice at once ends with the last configuration, in every room', async () => {
    const reads = new Map<Config, number>();
    const drivers = (now: Config): SpillDrivers => ({
      tunnel: noTunnel,
      steering: {
        ...noSteering,
        counts: async () => {
          reads.set(now, (reads.get(now) ?? 0) + 1);
          return { kept: 0, sent: {}, guests: {} };
        },
      },
    });
    const agent = agentOf(new SystemClock(), drivers);
    const [first, last] = [9, 10].map((tick_ms) => withTick(tick_ms));
    try {
      await agent.start();
      await Promise.all([agent.reload(first!, agent.geo), agent.reload(last!, agent.geo)]);
      assert.equal(agent.config, last);
      const before = reads.get(first!);
      const least = reads.get(last!)! + 5;
      await eventually('the last one works', () => reads.get(last!)! >= least);
      assert.equal(reads.get(first!), before, 'the first one has ended');
    } finally {
      await agent.stop();
    }
  });

  test('a reload that changes nothing of spill leaves the data plane alone', async () => {
    let made = 0;
    const agent = agentOf(new SystemClock(), () => {
      made++;
      return idle();
    });
    try {
      await agent.start();
      await agent.reload({ ...config, deployment: 'renamed' }, agent.geo);
      assert.equal(made, 1);
      await agent.reload(withTick(10), agent.geo);
      assert.equal(made, 2);
    } finally {
      await agent.stop();
    }
  });

  test('refuses a configuration whole when its spill cannot be laid out or its site is gone', async () => {
    const agent = agentOf(new SystemClock(), (now) => {
      if (now.policy.spill.tick_ms === 1) throw new Error('no room for tunnels');
      return idle();
    });
    try {
      await agent.start();
      const plan = agent.decision?.plan;
      await assert.rejects(agent.reload(withTick(1), agent.geo), /no room/);
      const gone = { ...config, sites: config.sites.slice(1) };
      await assert.rejects(agent.reload(gone, agent.geo), /not in the configuration/);
      assert.equal(agent.config, config);
      assert.ok(plan && agent.decision, 'it goes on');
    } finally {
      await agent.stop();
    }
  });

  test('does not tell the others that it announces while no neighbour hears it', async () => {
    const agent = agentOf(new SystemClock(), idle);
    try {
      await agent.start();
      assert.equal(agent.status().routes[0]!.announce, true);
      await eventually('it says so', () => {
        const { report } = agent.decision!.world.sightings.get('fra')!;
        const { phase, heard } = report.routes.web!;
        return phase === 'on' && !heard;
      });
    } finally {
      await agent.stop();
    }
  });
});
