/** What people are told of an endpoint: the same as the verdict was made from. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import { endpointDetails, endpointStatuses } from '../../src/agent/endpoint-status.ts';
import { endpointText } from '../../src/cli/endpoint.ts';
import { decide } from '../../src/decide/decide.ts';
import type { Config } from '../../src/model/config.ts';
import type { Report } from '../../src/model/report.ts';
import { DOWN, reportOf, UP, worldOf } from '../decide/world.ts';
import { testConfig } from '../support/config.ts';
import { eventually } from '../support/eventually.ts';
import { TwoSites } from '../support/site.ts';

const DAMPING = {
  penalty: 1_000,
  half_life_ms: 60_000,
  suppress: 2_000,
  reuse: 750,
  suppress_max_ms: 300_000,
};

/** Each endpoint is looked at by both other sites. */
function watched(): Config {
  const config = testConfig();
  const vantage = { observers: 2, rule: 'majority' } as const;
  const health = { ...config.policy.health, damping: DAMPING };
  return {
    ...config,
    endpoints: config.endpoints.map((each) => ({ ...each, vantage })),
    policy: { ...config.policy, health },
  };
}

const config = watched();
const ID = 'fra-lb1/web';
const up = { up: true, for_ms: 9_000, detail: '200' };
const down = { up: false, for_ms: 4_000, detail: 'connection refused' };

/** As iad knows it at 2,000 ms; the reports came at 0. `fra` and `sin` are what these say. */
function known(fra: Partial<Report>, iad: Partial<Report>, sin: Partial<Report>) {
  const reports = [fra, iad, sin].map((change, i) =>
    reportOf(config, config.sites[i]!.name, change),
  );
  const world = worldOf('iad', reports);
  return { config, world, plan: decide(config, world, 2_000), now: 2_000 };
}

const ruling = { up: true, for_ms: 3_000, downs: 2, penalty: 800, suppressed: false };

describe('an endpoint, in short', () => {
  test('how many of those who look at it say that it is up', () => {
    const at = known({}, { observed: { [ID]: up } }, { observed: { [ID]: down } });
    const status = endpointStatuses(at).find(({ id }) => id === ID)!;
    assert.deepEqual(status.votes, { up: 2, down: 1, assigned: 3 });
    assert.deepEqual([status.site, status.detail, status.fault], ['fra', '200', 'path']);
  });

  test('who does not trust its own eyes is not counted', () => {
    const at = known(
      {},
      { observed: { [ID]: up } },
      { observed: { [ID]: down }, suspect: 'all down' },
    );
    const status = endpointStatuses(at).find(({ id }) => id === ID)!;
    assert.deepEqual(status.votes, { up: 2, down: 0, assigned: 3 });
    assert.equal(status.fault, 'observer');
  });

  test('the penalty is that of its home', () => {
    const at = known({ rulings: { [ID]: ruling } }, {}, {});
    const [first, second] = endpointStatuses(at);
    assert.ok(first!.penalty! > 0 && first!.penalty! <= 800, `${first!.penalty}`);
    assert.equal(second!.penalty, null);
  });
});

describe('an endpoint, with all that led to its verdict', () => {
  test('each vote with its age, the home first', () => {
    const at = known({}, { observed: { [ID]: up } }, { observed: { [ID]: down } });
    const [detail] = endpointDetails(at, ID);
    assert.deepEqual(detail!.ballot[0], {
      site: 'fra',
      role: 'home',
      up: true,
      counts: true,
      age_ms: 2_000,
      for_ms: 62_000,
      text: '200',
    });
    const others = detail!.ballot.slice(1).map(({ site, role, up: it }) => `${site} ${role} ${it}`);
    assert.deepEqual(others.sort(), ['iad observer true', 'sin observer false']);
    assert.deepEqual([detail!.rule, detail!.services], ['majority', ['www.example.com']]);
  });

  test('by its load balancer, too; what is not there is nothing', () => {
    const at = known({}, {}, {});
    assert.deepEqual(
      endpointDetails(at, 'sin-lb2').map(({ id }) => id),
      ['sin-lb2/web'],
    );
    assert.deepEqual(endpointDetails(at, 'sin'), []);
  });

  test('what its home remembers, and how long it is held back', () => {
    const held = known({ rulings: { [ID]: { ...ruling, for_ms: 0 } } }, {}, {});
    const [detail] = endpointDetails(held, ID);
    assert.equal(detail!.ruling!.downs, 2);
    assert.equal(detail!.ruling!.for_ms, 2_000, 'as of now');
    assert.equal(detail!.held!.left_ms, detail!.next_ms);
    const unheard = known({}, {}, {});
    assert.equal(endpointDetails(unheard, ID)[0]!.held, null);
  });

  test('as isobar status prints it', () => {
    const at = known(
      { rulings: { [ID]: { ...ruling, up: false } }, endpoints: { [ID]: DOWN, 'fra-lb2/web': UP } },
      { observed: { [ID]: up } },
      { observed: { [ID]: down } },
    );
    const text = endpointText(endpointDetails(at, ID)[0]!);
    assert.match(text, /^fra-lb1\/web at fra, 127\.1\.1\.1 2001:db8:1::1\n/);
    assert.match(text, /^ {2}verdict {3}not answered \(probe-failed\): down for 5\.0 s: refused/m);
    assert.match(text, /^ {2}changes {3}with news only$/m);
    assert.match(text, /^ {2}fault {5}path: some reach it and some do not$/m);
    assert.match(text, /^ {2}rule {6}majority: 1 of 3 up, 2 down$/m);
    assert.match(text, /^fra +home +down +2\.5 s +2\.0 s ago +yes +refused$/m);
    assert.match(text, /^sin +observer +down +6\.0 s +2\.0 s ago +yes +connection refused$/m);
  });
});

describe('the penalty of an endpoint', () => {
  const sites = new TwoSites();
  let fra: Agent;
  before(async () => {
    await sites.start();
    fra = sites.agents.get('fra')!;
    const { policy } = sites.config;
    const long = { hold_down_ms: 3_600_000, hold_down_max_ms: 3_600_000 };
    const health = { ...policy.health, ...long };
    await fra.reload({ ...sites.config, policy: { ...policy, health } }, fra.geo);
  });
  after(() => sites.stop());

  const code = (): string => fra.status().endpoints[0]!.reason.code;
  const id = (): string => fra.config.endpoints[0]!.id;

  test('reset by an operator, it is used as soon as it is up', async () => {
    assert.deepEqual(fra.endpoints.resetPenalties(null, 'ada'), [], 'nothing to forget');
    sites.backends[0]!.healthy = false;
    await eventually('it is down', () => code() === 'probe-failed' || code() === 'eviction-guard');
    sites.backends[0]!.healthy = true;
    await eventually('it is up, and held back', () =>
      ['hold-down', 'damped', 'eviction-guard'].includes(code()),
    );
    const [before_] = fra.endpoints.details(id())!;
    assert.ok(before_!.ruling!.downs === 1);
    assert.deepEqual(fra.endpoints.resetPenalties(id(), 'ada'), [id()]);
    await eventually('it is used', () => code() === 'healthy');
    const event = sites.events.find(({ text }) => text === 'penalty and hold-down reset by ada');
    assert.equal(event?.subject, id());
  });

  test('only its home can do that, and only for what there is', () => {
    assert.equal(fra.endpoints.resetPenalties(fra.config.endpoints[1]!.id, 'ada'), null);
    assert.equal(fra.endpoints.resetPenalties('nobody', 'ada'), null);
  });
});
