/** An agent that is started again goes on where the one before it was. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import { eventually } from '../support/eventually.ts';
import { TwoSites } from '../support/site.ts';

describe('an agent after a restart', () => {
  const sites = new TwoSites();
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'isobar-restart-'));
    await sites.start();
    await sites.agents.get('fra')!.stop();
    const { config } = sites;
    const routes = { ...config.policy.routes, hold_down_ms: 60_000 };
    sites.config = {
      ...config,
      sites: config.sites.map((site) => ({ ...site, state_dir: dir })),
      policy: { ...config.policy, drain_ms: 400, routes },
    };
    await sites.startAgent('fra');
  });
  after(async () => {
    await sites.stop();
    await rm(dir, { recursive: true });
  });

  const restart = async (): Promise<Agent> => {
    await sites.agents.get('fra')!.stop();
    return sites.startAgent('fra');
  };
  const phase = (agent: Agent): string | undefined => agent.status().routes[0]!.memory?.phase;

  test('is drained from its first answer on, for as long as it was, and stays withdrawn', async () => {
    const fra = sites.agents.get('fra')!;
    fra.overrides.drain('fra', 'tester', 'kernel');
    assert.equal(phase(fra), 'on');
    await eventually('the route is withdrawn', () => phase(fra) === 'off');
    const events = sites.events.length;
    const again = await restart();
    const { drain, endpoints } = again.status();
    assert.equal(drain?.by, 'tester');
    assert.ok(drain!.for_ms >= 400, `${drain!.for_ms} ms`);
    assert.ok(endpoints.every(({ site, eligible }) => site !== 'fra' || !eligible));
    assert.equal(phase(again), 'off');
    const told = sites.events.slice(events).filter(({ site }) => site === 'fra');
    assert.ok(told.some(({ text }) => text === 'drained by tester, as before'));
    assert.ok(!told.some(({ text }) => text.startsWith('announce')), 'never announced meanwhile');
  });

  test('knows that the drain has ended, too', async () => {
    sites.agents.get('fra')!.overrides.undrain('fra', 'tester');
    const again = await restart();
    assert.equal(again.status().drain, null);
    assert.equal(phase(again), 'on');
  });

  test('holds back what a failure had withdrawn, until an operator resets that', async () => {
    const [fra, backend] = [sites.agents.get('fra')!, sites.backends[0]!];
    const iad = sites.agents.get('iad')!;
    const told = (agent: Agent) => agent.decision!.world.sightings.get('iad')!.report.routes.web;
    await eventually('iad is heard', () => told(iad)?.heard === true && told(fra)?.heard === true);
    backend.healthy = false;
    await eventually('the route is withdrawn', () => phase(fra) === 'off');
    backend.healthy = true;
    const reason = (agent: Agent) => agent.status().routes[0]!.reason.code;
    await eventually('it is held down', () => reason(fra) === 'hold-down');
    const again = await restart();
    await eventually('it still is', () => reason(again) === 'hold-down');
    assert.equal(again.routes.resetPenalty('nothing', 'tester'), null);
    assert.deepEqual(again.routes.resetPenalty(null, 'tester'), ['web']);
    assert.equal(phase(again), 'on');
    assert.deepEqual(again.routes.resetPenalty('web', 'tester'), []);
  });

  test('that took over goes on from what the other did to the last', async () => {
    const old = sites.agents.get('fra')!;
    await eventually('the route is announced', () => phase(old) === 'on');
    const next = sites.makeAgent('fra', { takeOver: true });
    sites.agents.set('fra', next);
    await next.start(async () => {
      old.overrides.drain('fra', 'tester', 'while another starts');
      await eventually('the route is withdrawn', () => phase(old) === 'off');
      await old.stop('succeeded', true);
    });
    assert.equal(next.status().drain?.reason, 'while another starts');
    assert.equal(phase(next), 'off');
  });
});
