import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../src/decide/decide.ts';
import { explain, healthyWorld } from '../../src/decide/explain.ts';
import type { Report } from '../../src/model/report.ts';
import { bgpSite, routePolicy } from '../support/bgp.ts';
import { testConfig, withEndpoints } from '../support/config.ts';
import { DOWN, loadOf, reportOf, sightOf, worldOf } from './world.ts';

const config = testConfig();
const found = '203.0.113.0/24 is placed by geo.prefixes';

test('without an agent every endpoint counts as up: the nearest site answers', () => {
  const held = bgpSite([], { vip_interface: 'lo' });
  const sites = config.sites.map((site) => ({ ...site, bgp: held }));
  const policy = { ...config.policy, routes: routePolicy({ settle_ms: 1_000 }) };
  const settling = { ...config, sites, policy };
  const plan = decide(settling, healthyWorld(settling, 'fra', 5), 5);
  const explanation = explain({
    config: settling,
    plan,
    service: 'www.example.com',
    region: 2,
    found,
  })!;
  const route = explanation.steps.find(({ title }) => title === 'route web');
  assert.match(route!.text, /^announced as healthy at fra/);
  assert.deepEqual(
    explanation.answer.map(({ address }) => address),
    ['127.1.3.1', '127.1.3.2', '2001:db8:3::1', '2001:db8:3::2'],
  );
});

test('each step is told: service, client, sites, endpoints, routes, choice', () => {
  const reports = [
    reportOf(config, 'fra'),
    reportOf(config, 'iad', { load: loadOf(0.5) }),
    reportOf(config, 'sin', {}, DOWN),
  ];
  const plan = decide(config, worldOf('fra', reports), 0);
  const { steps, answer } = explain({
    config,
    plan,
    service: 'www.example.com',
    region: 2,
    found,
  })!;
  const text = (title: string): string | undefined =>
    steps.find((step) => step.title === title)?.text;
  assert.match(text('service')!, /www\.example\.com of zone example\.com: nearest.*TTL 5 s/);
  assert.match(text('client')!, /region asia \(203.*\); sites nearest first: sin, iad, fra/);
  assert.match(text('site sin')!, /^down: 0 of 2 endpoints serve: sin-lb1\/web down for/);
  assert.match(text('site iad')!, /load 50\.0 %$/);
  assert.match(
    text('endpoint sin-lb2/web')!,
    /^not eligible \(probe-failed\): .*refused; fault of the endpoint$/,
  );
  assert.equal(
    text('route web'),
    'announced as healthy at fra (healthy): each service has an eligible endpoint here',
  );
  assert.equal(text('choice A'), 'next-nearest-site: iad: nobody is eligible at sin');
  assert.deepEqual(answer[0], { endpoint: 'iad-lb1/web', address: '127.1.2.1' });
});

test('a route says how it is announced, and why', () => {
  const fra = reportOf(config, 'fra', { routes: { web: sightOf() } }, DOWN);
  const routeOf = (reports: Report[]): string => {
    const plan = decide(config, worldOf('fra', reports), 0);
    const { steps } = explain({ config, plan, service: 'www.example.com', region: 0, found })!;
    return steps.find(({ title }) => title === 'route web')!.text;
  };
  assert.equal(
    routeOf([fra, reportOf(config, 'iad', { routes: { web: sightOf() } })]),
    'withdrawn at fra (no-healthy-endpoint): a service has no eligible endpoint here; iad announces it',
  );
  assert.equal(
    routeOf([fra]),
    'announced as last-site-kept at fra (last-announcement-kept): ' +
      'a service has no eligible endpoint here, but no other site is known to be better: kept',
  );
});

test('an unknown name has no explanation', () => {
  const plan = decide(config, healthyWorld(config, 'fra', 0), 0);
  assert.equal(explain({ config, plan, service: 'ww.example.com', region: 0, found }), null);
});

test('of many endpoints that are down three are named and the others counted', () => {
  const sin = config.endpoints.filter(({ id }) => id.startsWith('sin-'));
  const more = Array.from({ length: 38 }, (_, i) => ({
    ...sin[0]!,
    id: `sin-more${i}/web`,
    load_balancer: `sin-more${i}`,
  }));
  const large = withEndpoints(config, [...config.endpoints, ...more]);
  const reports = [
    reportOf(large, 'fra'),
    reportOf(large, 'iad'),
    reportOf(large, 'sin', {}, DOWN),
  ];
  const { sites } = decide(large, worldOf('fra', reports), 0);
  const { text } = sites.find(({ site }) => site === 'sin')!.reason;
  assert.match(text, /^0 of 40 endpoints serve: (sin-\S+ down for [^;]+; ){3}and 37 more$/);
});
