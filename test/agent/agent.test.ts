/** One site's loop from the outside: real probes, a real store, real DNS, two agents. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { ask } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { TwoSites } from '../support/site.ts';

const EUROPE = '192.0.2.0';
const AMERICA = '198.51.100.0';
const FRA = '127.66.1.1';
const IAD = '127.66.2.1';

describe('two agents that share reports', () => {
  const sites = new TwoSites();
  before(() => sites.start());
  after(() => sites.stop());

  const answer = async (site: string, client: string): Promise<string> => {
    const listen = sites.agents.get(site)!.addresses[0]!;
    return (await ask(listen, 'www.example.com', TYPE.A, client)).join(' ');
  };
  const becomes = (site: string, client: string, wanted: string): Promise<void> =>
    eventually(
      `${site} answers ${client} with ${wanted}`,
      async () => (await answer(site, client)) === wanted,
    );

  test('answer every client with its nearest site as soon as they have started', async () => {
    for (const site of ['fra', 'iad']) {
      await becomes(site, EUROPE, FRA);
      await becomes(site, AMERICA, IAD);
    }
  });

  test('move a dead site’s clients, and move them back after the hold-down', async () => {
    sites.backends[0]!.healthy = false;
    await becomes('fra', EUROPE, IAD);
    await becomes('iad', EUROPE, IAD);
    sites.backends[0]!.healthy = true;
    await eventually('the probes say up', () =>
      sites.events.some((event) => event.kind === 'health' && event.text === 'up'),
    );
    assert.equal(await answer('fra', EUROPE), IAD, 'held down');
    await becomes('fra', EUROPE, FRA);
    await becomes('iad', EUROPE, FRA);
    const told = sites.events.filter(({ kind }) => kind === 'answer').map(({ text }) => text);
    assert.ok(told.some((text) => text.includes('europe → iad-lb1')));
  });

  test('drain: answers leave everywhere, the route goes last, undrain brings both back', async () => {
    const fra = sites.agents.get('fra')!;
    const announced = (): boolean => fra.status().routes[0]!.announce;
    fra.overrides.drain('fra', 'tester', 'exercise');
    assert.ok(announced(), 'the route stays while clients still hold old answers');
    await becomes('iad', EUROPE, IAD);
    await eventually('the route is withdrawn', () => !announced());
    assert.equal(fra.status().drain?.by, 'tester');
    fra.overrides.undrain('fra', 'tester');
    assert.ok(announced());
    await becomes('iad', EUROPE, FRA);
  });

  test('a site cut off from the store goes on answering and says that it is on its own', async () => {
    const connected = (): boolean => sites.agents.get('fra')!.status().connected;
    sites.hub.cut('fra');
    await eventually('the cut is noticed', () => !connected());
    assert.equal(await answer('fra', EUROPE), FRA);
    assert.equal(await answer('fra', AMERICA), IAD, 'the last report is kept');
    assert.ok(
      sites.events.some(({ site, reason }) => site === 'fra' && reason?.code === 'on-its-own'),
    );
    sites.hub.heal('fra');
    await eventually('the store is reached again', connected);
  });

  test('a new configuration is taken over without a wrong answer', async () => {
    const fra = sites.agents.get('fra')!;
    const service = { ...sites.config.services[0]!, policy: 'failover' as const, order: [1, 0] };
    await fra.reload({ ...sites.config, services: [service] }, fra.geo);
    assert.equal(await answer('fra', EUROPE), IAD);
    await fra.reload(sites.config, fra.geo);
    assert.equal(await answer('fra', EUROPE), FRA);
  });

  test('a site whose agent has ended is lost to the others, who stop answering with it', async () => {
    await sites.agents.get('iad')!.stop();
    await becomes('fra', AMERICA, FRA);
    const iad = sites.agents
      .get('fra')!
      .status()
      .sites.find(({ site }) => site === 'iad');
    assert.equal(iad?.state, 'lost');
  });
});
