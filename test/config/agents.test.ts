/** Several agents in one site: what each sees of the configuration, and what they must not share. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type LoadOptions, loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { agentOf, configFor } from '../../src/config/site-agents.ts';
import type { Config } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';

const PAIR = `
state_dir: /var/lib/isobar
agents:
  fra-b:
    dns:
      listen: [127.0.0.2:5301]
      identity: fra-b
    api:
      listen: 127.0.0.2:8301
    bgp:
      router_id: 10.0.0.11
      next_hop: 10.1.1.2
      source: 127.0.0.2
    state_dir: state-b
  fra-a: {}
`;

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
});
afterEach(() => demo.destroy());

async function config(options?: LoadOptions): Promise<Config> {
  const result = await loadConfig(demo.dir, options);
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value;
}

async function problems(options?: LoadOptions): Promise<string[]> {
  const result = await loadConfig(demo.dir, options);
  return result.ok ? [] : result.error.map(formatProblem);
}

describe('the agents of a site', () => {
  test('without any named there is one, with the name of the site', async () => {
    const { sites } = await config();
    assert.deepEqual([sites[0]!.agents, sites[0]!.places], [['fra'], {}]);
    assert.deepEqual(agentOf(sites[0]!, null), { ok: true, value: 'fra' });
  });

  test('see the site’s file with what differs at them in place', async () => {
    await demo.append('sites/fra.yaml', PAIR);
    const whole = await config();
    assert.deepEqual(whole.sites[0]!.agents, ['fra-a', 'fra-b']);
    const a = configFor(whole, 'fra', 'fra-a').sites[0]!;
    const b = (await config({ site: 'fra', agent: 'fra-b' })).sites[0]!;
    assert.deepEqual(configFor(whole, 'fra', 'fra-b').sites[0], b);
    assert.deepEqual(a.dns.listen, [{ address: '127.0.0.1', port: 5301 }]);
    assert.deepEqual(b.dns.listen, [{ address: '127.0.0.2', port: 5301 }]);
    assert.deepEqual([a.dns.identity, b.dns.identity], [null, 'fra-b']);
    assert.deepEqual([a.api.listen.address, b.api.listen.address], ['127.0.0.1', '127.0.0.2']);
    assert.deepEqual([a.bgp!.router_id, b.bgp!.router_id], ['10.0.0.1', '10.0.0.11']);
    assert.deepEqual([a.bgp!.next_hop, b.bgp!.next_hop], ['10.1.1.1', '10.1.1.2']);
    assert.deepEqual([a.bgp!.next_hop6, b.bgp!.next_hop6], ['2001:db8:1::1', '2001:db8:1::1']);
    assert.deepEqual(
      [a, b].map(({ bgp }) => bgp!.neighbors[0]!.source),
      [null, '127.0.0.2'],
    );
    assert.equal(a.state_dir, '/var/lib/isobar');
    assert.ok(b.state_dir!.endsWith('/state-b'));
    assert.deepEqual(configFor(whole, 'fra', 'fra-b').sites.slice(1), whole.sites.slice(1));
  });

  test('may each speak to neighbours of their own', async () => {
    const others = '      neighbors: []\n    state_dir';
    await demo.append('sites/fra.yaml', PAIR.replace('    state_dir', others));
    const whole = await config();
    const named = (agent: string) =>
      configFor(whole, 'fra', agent).sites[0]!.bgp!.neighbors.map(({ name }) => name);
    assert.deepEqual([named('fra-a'), named('fra-b')], [['collector'], []]);
    await demo.edit('sites/fra.yaml', 'neighbors: []', 'neighbors: [colector]');
    assert.match((await problems())[0]!, /no neighbour "colector": did you mean "collector"/);
  });

  test('must be told apart by the API’s address and the router id', async () => {
    await demo.append('sites/fra.yaml', PAIR);
    await demo.edit('sites/fra.yaml', 'listen: 127.0.0.2:8301', 'listen: 127.0.0.1:8301');
    const id = await demo.edit('sites/fra.yaml', 'router_id: 10.0.0.11', 'router_id: 10.0.0.1');
    const found = await problems();
    assert.equal(found.length, 2, found.join('\n'));
    assert.match(
      found[0]!,
      /^sites\/fra\.yaml:\d+:\d+: the API’s address "127.0.0.1:8301" is already/,
    );
    assert.match(
      found[1]!,
      new RegExp(`^sites/fra\\.yaml:${id}:\\d+: the router id "10.0.0.1" is`),
    );
  });

  test('a mistake in what they share is told once; what the site has not cannot differ', async () => {
    await demo.append('sites/iad.yaml', 'agents: {iad-a: {}, iad-b: {}}\n');
    await demo.edit('sites/iad.yaml', 'listen: [127.0.0.1:5302]', 'listen: [0.0.0.0:8302]');
    const taken = (await problems()).filter((line) => line.includes('takes this address, too'));
    assert.equal(taken.length, 1);
    await demo.append('sites/sin.yaml', 'agents: {sin-a: {dns: {tls_listen: [127.0.0.1:853]}}}\n');
    assert.ok((await problems()).some((line) => line.includes('the site has no `dns.tls`')));
  });

  test('that share what each must have for itself are told so, once', async () => {
    await demo.append('sites/fra.yaml', 'agents: {a: {}, b: {}, c: {}}\n');
    const told = await problems();
    assert.equal(told.length, 2);
    assert.match(told[0]!, /several agents would have the API’s address "127\.0\.0\.1:8301": give/);
    assert.match(told[1]!, /several agents would have the router id "10\.0\.0\.1": give each/);
  });

  test('are named when one must be chosen, or is gone', async () => {
    await demo.append('sites/fra.yaml', PAIR);
    const [fra] = (await config()).sites;
    const error = (wanted: string | null) => {
      const found = agentOf(fra!, wanted);
      return found.ok ? '' : found.error;
    };
    assert.equal(
      error(null),
      'site fra has several agents: say which by --agent, one of fra-a, fra-b',
    );
    assert.match(error('fra-c'), /no agent "fra-c": write one of fra-a, fra-b/);
    const [gone] = await problems({ site: 'fra', agent: 'fra-c' });
    assert.match(gone!, /^sites\/fra\.yaml:\d+:\d+: site fra has no agent "fra-c"/);
  });

  test('are at least one and at most eight', async () => {
    await demo.append('sites/fra.yaml', 'agents: {}\n');
    assert.match((await problems())[0]!, /no agent: name one, or remove `agents`/);
    const many = Array.from({ length: 9 }, (_, i) => `a${i}: {}`).join(', ');
    await demo.edit('sites/fra.yaml', 'agents: {}', `agents: {${many}}`);
    assert.match((await problems())[0]!, /more than 8 agents/);
  });
});
