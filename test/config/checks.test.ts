/** Checks that are put together, the addresses they are about, and who looks; and mistakes in them. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { HealthExpression } from '../../src/model/check.ts';
import type { Config } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
});
afterEach(() => demo.destroy());

async function config(): Promise<Config> {
  const result = await loadConfig(demo.dir);
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value;
}

async function assertProblems(...expected: readonly RegExp[]): Promise<void> {
  const result = await loadConfig(demo.dir);
  const found = result.ok ? [] : result.error.map(formatProblem);
  assert.equal(found.length, expected.length, found.join('\n') || 'no problem was found');
  for (const [i, pattern] of expected.entries()) assert.match(found[i]!, pattern);
}

/** Adds checks, one a line; the service `www` uses the one called `site`, if there is one. */
async function checks(...lines: readonly string[]): Promise<void> {
  const text = lines.map((line) => `  ${line}\n`).join('');
  await demo.edit('deployment.yaml', 'checks:\n', `checks:\n${text}`);
  if (!text.includes('  site:')) return;
  await demo.edit('zones/example.com.yaml', 'check: web', 'check: site');
}

/** "all(web/ipv4, tls/ipv4)" */
function told({ targets }: Config, health: HealthExpression): string {
  if (health.kind === 'target') {
    return targets[health.target]!.id.split('/').slice(1).join('/');
  }
  const count = health.kind === 'at-least' ? ` ${health.count}` : '';
  return `${health.kind}${count}(${health.of.map((part) => told({ targets } as Config, part)).join(', ')})`;
}

async function healths(loadBalancer = 'fra-lb1'): Promise<string[]> {
  const loaded = await config();
  const own = loaded.endpoints.filter(({ load_balancer }) => load_balancer === loadBalancer);
  return own.map(({ id, health }) => `${id}: ${told(loaded, health)}`);
}

const TLS = 'tls: {kind: tls, port: 443}';
const PING = 'ping: {kind: icmp, family: ipv4}';

describe('addresses of a load balancer', () => {
  test('each is an endpoint of its own, and both are in the pool', async () => {
    await demo.edit('deployment.yaml', 'family: ipv4', 'family: each');
    const { endpoints, targets, services } = await config();
    assert.deepEqual(
      endpoints.slice(0, 2).map(({ id, address4, address6 }) => [id, address4, address6]),
      [
        ['fra-lb1/web/ipv4', '127.1.1.1', null],
        ['fra-lb1/web/ipv6', null, '2001:db8:1::1'],
      ],
    );
    assert.deepEqual(
      targets.slice(0, 2).map(({ id, address }) => [id, address]),
      [
        ['fra-lb1/web/ipv4', '127.1.1.1'],
        ['fra-lb1/web/ipv6', '2001:db8:1::1'],
      ],
    );
    assert.equal(services[0]!.pool.length, 12);
  });

  test('one address alone needs no name of its own', async () => {
    await demo.edit('deployment.yaml', 'family: ipv4', 'family: each');
    await demo.edit('sites/fra.yaml', '    address6: 2001:db8:1::1\n', '');
    assert.deepEqual(await healths(), ['fra-lb1/web: web/ipv4']);
  });

  for (const [family, expected] of [
    ['both', 'all(web/ipv4, web/ipv6)'],
    ['first', 'web/ipv4'],
    ['ipv4', 'web/ipv4'],
    ['ipv6', 'web/ipv6'],
  ] as const) {
    test(`family ${family}: one endpoint with both`, async () => {
      await demo.edit('deployment.yaml', 'family: ipv4', `family: ${family}`);
      assert.deepEqual(await healths(), [`fra-lb1/web: ${expected}`]);
      const { address4, address6 } = (await config()).endpoints[0]!;
      assert.deepEqual([address4, address6], ['127.1.1.1', '2001:db8:1::1']);
    });
  }

  test('what is probed may be another than what is answered', async () => {
    const other = 'probe_address: 127.9.9.9\n    probe_ports: {web: 9090}';
    await demo.edit('sites/fra.yaml', 'address: 127.1.1.1', `address: 127.1.1.1\n    ${other}`);
    const { endpoints, targets } = await config();
    assert.equal(endpoints[0]!.address4, '127.1.1.1');
    assert.deepEqual([targets[0]!.address, targets[0]!.port], ['127.9.9.9', 9090]);
    assert.deepEqual([targets[1]!.address, targets[1]!.port], ['127.1.1.2', 8080]);
  });

  test('a family that a load balancer has no address of is a mistake', async () => {
    await demo.edit('sites/fra.yaml', '    address: 127.1.1.1\n', '');
    await assertProblems(
      /^sites\/fra\.yaml:\d+:5: "fra-lb1" has no IPv4 address, but the check "web" of "www" asks for one: add probe_address, or write another `family`/,
    );
    await demo.edit(
      'sites/fra.yaml',
      'name: fra-lb1',
      'name: fra-lb1\n    probe_address: 127.1.1.9',
    );
    assert.deepEqual(await healths(), ['fra-lb1/web: web/ipv4']);
  });

  test('ports of checks that do not exist are a mistake', async () => {
    const wrong = 'address: 127.1.1.1\n    probe_ports: {wep: 9090}';
    await demo.edit('sites/fra.yaml', 'address: 127.1.1.1', wrong);
    await assertProblems(
      /^sites\/fra\.yaml:\d+:\d+: no check is named "wep": did you mean "web"\?/,
    );
  });

  test('ports of checks that have none are a mistake: they would be without effect', async () => {
    await checks(PING, 'some: {kind: any, of: [web, ping]}', 'own: {kind: command, command: [x]}');
    const wrong = 'address: 127.1.1.1\n    probe_ports: {web: 81, ping: 7, some: 82, own: 9}';
    await demo.edit('sites/fra.yaml', 'address: 127.1.1.1', wrong);
    await assertProblems(
      /^sites\/fra\.yaml:\d+:\d+: the check "ping" has no port: remove it/,
      /^sites\/fra\.yaml:\d+:\d+: the check "some" has no port: write those that it is put together/,
    );
  });
});

describe('checks that are put together', () => {
  test('of each address for itself, the parts follow unless they say otherwise', async () => {
    await checks(
      TLS,
      PING,
      'site: {kind: all, of: [tls, ping, some]}',
      'some: {kind: at-least, count: 1, of: [web, tls]}',
    );
    assert.deepEqual(await healths(), [
      'fra-lb1/site/ipv4: all(tls/ipv4, ping/ipv4, at-least 1(web/ipv4, tls/ipv4))',
      'fra-lb1/site/ipv6: all(tls/ipv6, ping/ipv4, at-least 1(web/ipv4, tls/ipv6))',
    ]);
    const { targets } = await config();
    const ids = targets.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, 'one check of one address is one target');
  });

  test('of both addresses', async () => {
    await checks(TLS, 'site: {kind: any, of: [web, tls], family: both}');
    assert.deepEqual(await healths(), [
      'fra-lb1/site: all(any(web/ipv4, tls/ipv4), any(web/ipv4, tls/ipv6))',
    ]);
  });

  test('a circle is named', async () => {
    await checks(
      TLS,
      'site: {kind: all, of: [a]}',
      'a: {kind: any, of: [tls, b]}',
      'b: {kind: all, of: [web, a]}',
    );
    await assertProblems(
      /^deployment\.yaml:\d+:\d+: the checks lead back to themselves \(a → b → a\): take one of them out/,
    );
  });

  test('so is one that is part of itself', async () => {
    await checks('site: {kind: all, of: [site]}');
    await assertProblems(/the checks lead back to themselves \(site → site\)/);
  });

  test('a part that does not exist, twice the same, and more than there are', async () => {
    await checks(
      TLS,
      'site: {kind: all, of: [tsl]}',
      'a: {kind: any, of: [web, web]}',
      'b: {kind: at-least, count: 3, of: [web, tls]}',
    );
    await assertProblems(
      /no check is named "tsl": did you mean "tls"\?/,
      /"web" is in it already: remove one/,
      /only 2 are there to be counted: write at most 2/,
    );
  });

  test('a few that hold each other do not become millions', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => {
      const of = i === 0 ? '[web, tls]' : `[x${i - 1}, y${i - 1}]`;
      return [`x${i}: {kind: all, of: ${of}}`, `y${i}: {kind: all, of: ${of}}`];
    });
    await checks(TLS, ...lines.flat(), 'site: {kind: all, of: [x39, y39]}');
    const two = /it is put together from 128 checks: write it with at most 64/;
    await assertProblems(two, two);
  });
});

describe('who looks at an endpoint', () => {
  test('its home alone, unless the policy or its check says otherwise', async () => {
    const vantage = async () => (await config()).endpoints[0]!.vantage;
    assert.deepEqual(await vantage(), { observers: 0, rule: 'majority' });
    await demo.edit(
      'deployment.yaml',
      'hold_down: 2s',
      'hold_down: 2s, observers: 2, verdict: any',
    );
    assert.deepEqual(await vantage(), { observers: 2, rule: 'any' });
    await demo.edit(
      'deployment.yaml',
      'family: ipv4',
      'family: ipv4\n    observers: 1\n    verdict: all',
    );
    assert.deepEqual(await vantage(), { observers: 1, rule: 'all' });
  });

  test('nobody is given more of them than a report can tell of', async () => {
    const lbs = (site: string, net: number) =>
      Array.from(
        { length: 1_022 },
        (_, i) => `  - {name: ${site}${i}, address: 10.${net}.${i >> 8}.${i & 255}}\n`,
      );
    for (const [i, site] of ['fra', 'iad', 'sin'].entries()) {
      await demo.edit(
        `sites/${site}.yaml`,
        'load_balancers:\n',
        `load_balancers:\n${lbs(site, i).join('')}`,
      );
    }
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 2s, observers: 2');
    assert.equal((await config()).endpoints.length, 3 * 1_024);
    await checks('tcp: {kind: tcp, port: 81, family: ipv4}');
    await demo.edit(
      'zones/example.com.yaml',
      'services:\n',
      'services:\n  - {name: api, check: tcp, pool: all}\n',
    );
    await assertProblems(
      /site fra would look at more than 2048 endpoints of others: write fewer `observers`/,
    );
  });
});

describe('labels and uplink', () => {
  test('a load balancer has the labels of its site, and its own win', async () => {
    await demo.edit(
      'sites/fra.yaml',
      'load_balancers:\n',
      'labels: {country: de, tier: gold}\nload_balancers:\n',
    );
    await demo.edit(
      'sites/fra.yaml',
      'name: fra-lb1',
      'name: fra-lb1\n    labels: {tier: silver, rack: r1.2}',
    );
    const { endpoints } = await config();
    assert.deepEqual(endpoints[0]!.labels, ['country=de', 'rack=r1.2', 'tier=silver']);
    assert.deepEqual(endpoints[1]!.labels, ['country=de', 'tier=gold']);
    assert.deepEqual(endpoints[2]!.labels, []);
  });

  test('a label that could not be written as key=value is a mistake', async () => {
    await demo.edit(
      'sites/fra.yaml',
      'load_balancers:\n',
      'labels: {tier: "a=b"}\nload_balancers:\n',
    );
    await assertProblems(/"a=b" is not a value of a label: write letters, digits, dots/);
  });

  test('an uplink is looked at by its own site, at each of its addresses', async () => {
    await checks(PING);
    const uplink = 'uplink: {check: ping, addresses: [192.0.2.1, "2001:db8::1"], at_least: 2}\n';
    await demo.edit('sites/fra.yaml', 'load_balancers:\n', `${uplink}load_balancers:\n`);
    const { sites, targets } = await config();
    const first = targets.length - 2;
    assert.deepEqual(sites[0]!.uplink, {
      kind: 'at-least',
      count: 2,
      of: [first, first + 1].map((target) => ({ kind: 'target', target })),
    });
    assert.equal(sites[1]!.uplink, null);
    assert.deepEqual(
      targets.slice(first).map(({ id, address, site }) => [id, address, site]),
      [
        ['fra/uplink/192.0.2.1/ping/ipv4', '192.0.2.1', 0],
        ['fra/uplink/2001:db8::1/ping/ipv6', '2001:db8::1', 0],
      ],
    );
  });

  test('mistakes in an uplink', async () => {
    const uplink = 'uplink: {check: pong, addresses: [192.0.2.1], at_least: 1}\n';
    await demo.edit('sites/fra.yaml', 'load_balancers:\n', `${uplink}load_balancers:\n`);
    await assertProblems(/no check is named "pong"/);
    await demo.edit('sites/fra.yaml', 'check: pong', 'check: web');
    await demo.edit('sites/fra.yaml', 'at_least: 1', 'at_least: 2');
    await assertProblems(/`at_least` is more than there are addresses/);
  });
});
