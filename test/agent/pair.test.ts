/** Two agents in one site, and how the other site sees them: one dying is not the site dying. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import type { SiteEvent } from '../../src/model/event.ts';
import type { Report } from '../../src/model/report.ts';
import type { Store } from '../../src/share/store.ts';
import { ask } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { Backend, TwoSites } from '../support/site.ts';

const AMERICA = '198.51.100.0';
const IAD = '127.66.2.1';
const ENDPOINT = 'fra-lb1/web';
const STALE_MS = 1_000;

/** What an agent says no longer leaves it, as if it were killed; all else goes on. */
class Severable {
  dead = false;
  readonly store: Store;

  constructor(store: Store) {
    const publish = (report: Report): void => {
      if (!this.dead) store.publish(report);
    };
    this.store = new Proxy(store, {
      get: (target, key) => {
        if (key === 'publish') return publish;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

/** fra with the agents a and b, each with eyes of its own; iad with one. */
class Pair {
  readonly sites = new TwoSites();
  readonly severed = new Map<string, Severable>();
  /** What b alone looks at in place of the load balancer of fra. */
  readonly ofB = new Backend();
  readonly #stateDir: string;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  async start(): Promise<void> {
    await this.sites.start();
    await this.sites.agents.get('fra')!.stop();
    await this.sites.agents.get('iad')!.stop();
    const { config } = this.sites;
    const [fra, ...others] = config.sites;
    const pair = { ...fra!, agents: ['a', 'b'], state_dir: this.#stateDir };
    const policy = { ...config.policy, report_stale_ms: STALE_MS };
    this.sites.config = { ...config, sites: [pair, ...others], policy };
    this.#bPort = await this.ofB.listen('127.66.1.1', 0);
    await Promise.all([this.run('a'), this.run('b'), this.sites.startAgent('iad')]);
  }

  #bPort = 0;

  async run(name: string): Promise<Agent> {
    const severable = new Severable(this.sites.hub.store('fra'));
    this.severed.set(name, severable);
    const { config } = this.sites;
    const targets = config.targets.map((target, i) =>
      name === 'b' && i === 0 ? { ...target, port: this.#bPort } : target,
    );
    const own = { agent: name, config: { ...config, targets }, store: severable.store };
    const agent = this.sites.makeAgent('fra', own);
    this.sites.agents.set(name, agent);
    await agent.start();
    return agent;
  }

  agent(name: string): Agent {
    return this.sites.agents.get(name)!;
  }

  /** What iad says of fra. */
  state(name = 'iad'): string | undefined {
    const { sites } = this.agent(name).status();
    return sites.find(({ site }) => site === 'fra')?.state;
  }

  eligible(name: string): boolean {
    return this.agent(name)
      .status()
      .endpoints.some(({ id, eligible }) => id === ENDPOINT && eligible);
  }

  async stop(): Promise<void> {
    await this.sites.stop();
    await this.ofB.close();
  }
}

describe('a pair of agents', () => {
  let dir = '';
  let pair = new Pair('');
  let seen: SiteEvent[] = [];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'isobar-pair-'));
    pair = new Pair(dir);
    await pair.start();
    await eventually('all serve', () => ['a', 'b', 'iad'].every((name) => pair.eligible(name)));
    seen = [];
    pair.agent('iad').events.add((event) => seen.push(event));
  });
  afterEach(async () => {
    await pair.stop();
    await rm(dir, { recursive: true });
  });

  const silent = (name: string): boolean => {
    const fra = pair.agent('iad').status().sites[0]!;
    return fra.agents.some(({ agent, fresh }) => agent === name && !fresh);
  };
  const told = (): string[] => seen.map(({ subject, text }) => `${subject}: ${text}`);

  test('serves on when one dies, without any change; when both die the site is lost', async () => {
    const ofA: string[] = [];
    pair.agent('b').events.add(({ subject, text }) => {
      if (subject === 'agent fra/a') ofA.push(text);
    });
    pair.severed.get('a')!.dead = true;
    await eventually('a is silent', () => silent('a'));
    assert.deepEqual([pair.state(), pair.eligible('iad')], ['healthy', true]);
    assert.deepEqual(told(), [], 'nothing was withdrawn, answered otherwise or lost');
    assert.equal(pair.agent('b').status().sites[0]!.agents[0]!.fresh, false);
    const WITHOUT = 'silent: the site goes on without it';
    await eventually('b tells it', () => ofA.length > 0);
    assert.deepEqual(ofA, [WITHOUT]);
    pair.severed.get('b')!.dead = true;
    await eventually('fra is lost', () => pair.state() === 'lost');
    assert.equal(pair.eligible('iad'), false);
    pair.severed.get('a')!.dead = false;
    await eventually('one that is back brings the site back', () => pair.state() === 'healthy');
    await eventually('b tells that, too', () => ofA.length > 1);
    assert.deepEqual(ofA, [WITHOUT, 'heard again']);
  });

  test('that disagrees believes, everywhere and for as long as it lasts, who changed last', async () => {
    const all = ['a', 'b', 'iad'];
    pair.ofB.healthy = false;
    await eventually('b’s word holds', () => all.every((name) => !pair.eligible(name)));
    const eyes: string[] = [];
    pair.agent('a').events.add(({ kind, text }) => kind === 'health' && eyes.push(text));
    pair.sites.backends[0]!.healthy = false;
    await eventually('a agrees', () => eyes.includes('down'));
    pair.sites.backends[0]!.healthy = true;
    await eventually('a’s word holds', () => all.every((name) => pair.eligible(name)));
    seen = [];
    const { sequence } = pair.agent('iad').decision!.world.sightings.get('fra')!.report;
    await eventually('many reports later', () => {
      assert.ok(all.every((name) => pair.eligible(name)));
      return (
        pair.agent('iad').decision!.world.sightings.get('fra')!.report.sequence > sequence + 20
      );
    });
    assert.deepEqual(told(), []);
  });

  test('is restarted one after the other, and nobody notices', async () => {
    for (const name of ['a', 'b']) {
      await pair.agent(name).stop();
      assert.equal(pair.state(), 'healthy');
      await pair.run(name);
      await eventually(`${name} is back`, () => {
        const fra = pair.agent('iad').status().sites[0]!;
        return fra.agents.length === 2 && fra.agents.every(({ fresh }) => fresh);
      });
    }
    assert.deepEqual(told(), []);
    assert.ok(['a', 'b', 'iad'].every((name) => pair.eligible(name)));
  });

  test('a process takes over from the same agent, while the other goes on', async () => {
    const old = pair.agent('a');
    const next = pair.sites.makeAgent('fra', { agent: 'a', takeOver: true });
    pair.sites.agents.set('a', next);
    await next.start(() => old.stop('succeeded', true));
    assert.equal(next.status().agent, 'a');
    await eventually('iad hears it', () => !silent('a') && pair.state() === 'healthy');
    assert.deepEqual(told(), []);
  });
});

describe('an agent that starts while the store is down', () => {
  const sites = new TwoSites();
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'isobar-blind-'));
    await sites.start();
    await sites.agents.get('fra')!.stop();
    const { config } = sites;
    const named = config.sites.map((site) => ({ ...site, state_dir: dir }));
    sites.config = { ...config, sites: named };
    await sites.startAgent('fra');
  });
  after(async () => {
    await sites.stop();
    await rm(dir, { recursive: true });
  });

  test('answers as before, says how old that is, and takes what is newer at once', async () => {
    const answer = async (agent: Agent): Promise<string> =>
      (await ask(agent.addresses[0]!, 'www.example.com', TYPE.A, AMERICA)).join(' ');
    const before = sites.agents.get('fra')!;
    await eventually('iad is heard', async () => (await answer(before)) === IAD);
    await before.stop();
    sites.hub.cut('fra');
    const again = await sites.startAgent('fra');
    assert.equal(await answer(again), IAD);
    const iad = again.status().sites[1]!;
    assert.deepEqual([iad.state, iad.reason.code], ['healthy', 'on-its-own']);
    sites.hub.heal('fra');
    await eventually('iad is heard itself', () => {
      return again.status().sites[1]!.reason.code === 'healthy';
    });
  });
});
