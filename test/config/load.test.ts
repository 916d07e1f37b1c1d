/** A deployment's directory as an operator meets it: the demo loads; each mistake is told, placed. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { loadConfig, readToken } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Config } from '../../src/model/config.ts';
import { projectRoot, TempDeployment } from '../support/deployment.ts';

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

async function problems(): Promise<string[]> {
  const result = await loadConfig(demo.dir);
  return result.ok ? [] : result.error.map(formatProblem);
}

/** Exactly one problem, at the start of the line that `expected` begins with. */
async function onlyProblem(expected: RegExp): Promise<void> {
  const found = await problems();
  assert.equal(found.length, 1, found.join('\n') || 'no problem was found');
  assert.match(found[0]!, expected);
}

describe('a good deployment', () => {
  test('the checked-in demo loads, with every reference resolved', async () => {
    const result = await loadConfig(projectRoot);
    assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
    const { sites, endpoints, services, regions, geo, vips, zones, policy } = result.value;
    assert.deepEqual(
      sites.map(({ name }) => name),
      ['fra', 'iad', 'sin'],
    );
    assert.deepEqual(sites[1]!.dns.listen, [{ address: '127.0.0.1', port: 5302 }]);
    assert.deepEqual(
      endpoints.map(({ id, site, address4 }) => [id, site, address4]),
      [
        ['fra-lb1/web', 0, '127.1.1.1'],
        ['fra-lb2/web', 0, '127.1.1.2'],
        ['iad-lb1/web', 1, '127.1.2.1'],
        ['iad-lb2/web', 1, '127.1.2.2'],
        ['sin-lb1/web', 2, '127.1.3.1'],
        ['sin-lb2/web', 2, '127.1.3.2'],
      ],
    );
    assert.equal(services[0]!.name, 'www.example.com');
    assert.deepEqual(
      services[0]!.pool.map(({ endpoint }) => endpoint),
      [0, 1, 2, 3, 4, 5],
    );
    assert.equal(services[0]!.ttl_s, 2);
    assert.deepEqual(
      regions.map(({ order }) => order),
      [
        [0, 1, 2],
        [1, 0, 2],
        [2, 0, 1],
      ],
    );
    assert.equal(geo.default_region, 0);
    assert.deepEqual(vips[0]!.prefixes, ['198.18.80.80/32', '2001:db8:80::80/128']);
    assert.deepEqual(vips[0]!.services, ['www.example.com']);
    assert.equal(zones[0]!.origin, 'example.com');
    assert.equal(zones[0]!.serial, 2026112001);
    assert.equal(policy.spill.tick_ms, 250);
    assert.equal(policy.spill.overload, 1.1);
  });

  test('policy, regions and store have defaults', async () => {
    const text = await demo.read('deployment.yaml');
    const start = text.indexOf('checks:');
    const short = `deployment: small\n${text.slice(start, text.indexOf('# Short times'))}`;
    await demo.write('deployment.yaml', short);
    const { regions, geo, share, policy } = await config();
    assert.deepEqual(regions, [{ name: 'all', order: [0, 1, 2], countries: [], continents: [] }]);
    assert.deepEqual(geo, { mmdb: null, default_region: 0, prefixes: [] });
    assert.deepEqual(share, { kind: 'memory' });
    assert.equal(policy.report_stale_ms, 5000);
    assert.equal(policy.health.hold_down_ms, 10_000);
    assert.equal(policy.spill.quiet_end, 0.8);
    assert.equal(policy.spill.lease_ms, 10_000);
    assert.equal(policy.spill.fall_per_s, 0.05);
  });

  test('a region may name fewer sites: the others follow in order of name', async () => {
    await demo.edit('deployment.yaml', 'sites: [sin, fra, iad]', 'sites: [sin]');
    assert.deepEqual((await config()).regions[2]!.order, [2, 0, 1]);
  });

  test('weighted pools and failover orders name their members', async () => {
    await demo.append(
      'zones/example.com.yaml',
      `  - name: api
    check: web
    policy: weighted
    pool: [fra-lb1, {load_balancer: sin-lb2, weight: 3}]
  - name: db
    check: web
    policy: failover
    order: [sin, fra]
    pool: [fra-lb1, sin-lb2]
`,
    );
    const { services } = await config();
    assert.deepEqual(services[1]!.pool, [
      { endpoint: 0, weight: 1 },
      { endpoint: 5, weight: 3 },
    ]);
    assert.deepEqual(services[2]!.order, [2, 0]);
  });

  test('a relative path starts at the directory of the deployment', async () => {
    await demo.write('token', 's3cret\n');
    await demo.edit('sites/fra.yaml', '8301', '8301\n  token_file: token');
    const { sites } = await config();
    assert.equal(sites[0]!.api.token_file, `${demo.dir}/token`);
    assert.deepEqual(await readToken(sites[0]!.api.token_file), { ok: true, value: 's3cret' });
    await demo.write('token', '\n');
    assert.equal((await readToken(`${demo.dir}/token`)).ok, false);
  });

  test("another site's token file is not looked for on this site's machine", async () => {
    await demo.edit('sites/fra.yaml', '8301', '8301\n  token_file: /nowhere/token');
    await onlyProblem(/^sites\/fra\.yaml:10:15: "\/nowhere\/token": there is no such file/);
    assert.ok((await loadConfig(demo.dir, { site: 'sin' })).ok);
    assert.ok(!(await loadConfig(demo.dir, { site: 'fra' })).ok);
    assert.ok((await loadConfig(demo.dir, { machineFiles: false })).ok);
  });
});

test('ten different mistakes give ten errors, each with its line, at once', async () => {
  const dep = 'deployment.yaml';
  const zone = 'zones/example.com.yaml';
  const line = (file: string, at: number): string => `${file}:${at}:`;
  const expected: [string, RegExp][] = [];
  const mistake = async (file: string, from: string, to: string, message: RegExp, plus = 0) => {
    expected.push([line(file, (await demo.edit(file, from, to)) + plus), message]);
  };
  await mistake(dep, 'timeout: 500ms', 'timeuot: 300ms', /unknown key "timeuot".*"timeout"/);
  await mistake(dep, 'interval: 500ms', 'interval: 500', /500 is not a duration.*"500ms"/);
  await mistake(dep, 'sites: [iad, fra, sin]', 'sites: [iat, fra, sin]', /no site.*"iat".*"iad"/);
  await mistake(
    dep,
    '203.0.113.0/24',
    '203.0.113.7/24',
    /"203.0.113.7\/24" is not a client prefix/,
  );
  await mistake(dep, 'drain: 3s', 'report_stale: 2s', /"report_stale" is given twice/);
  await mistake('sites/iad.yaml', 'site: iad', 'site: fra', /two sites are named "fra"/);
  await mistake('sites/sin.yaml', 'sin-lb2', 'fra-lb1', /load balancer "fra-lb1" is already in/);
  await mistake('sites/sin.yaml', 'as: 65000', 'as: 0', /0 is too small.*at least 1/);
  await mistake(zone, 'check: web', 'check: wed', /no check is named "wed".*"web"/);
  await mistake(zone, 'policy: nearest', 'policy: neerest', /"neerest".*mean nearest/);
  const found = await problems();
  assert.equal(found.length, 10, found.join('\n'));
  for (const [place, message] of expected) {
    const match = found.find((each) => each.startsWith(place) && message.test(each));
    assert.ok(match, `${place} ${message}\n${found.join('\n')}`);
  }
});

/** One mistake each, and the one problem that it makes. */
const MISTAKES: readonly [string, (d: TempDeployment) => Promise<unknown>, RegExp][] = [
  [
    'a missing deployment.yaml, and nothing else is blamed for it',
    (d) => d.remove('deployment.yaml'),
    /^deployment\.yaml:1:1: there is no such file/,
  ],
  [
    'a deployment.yaml that is not YAML',
    (d) => d.edit('deployment.yaml', 'checks:', 'checks: ]'),
    /^deployment\.yaml:\d+:\d+: not YAML/,
  ],
  [
    'a directory in place of a file',
    (d) => d.edit('sites/fra.yaml', '8301', '8301\n  token_file: zones'),
    /^sites\/fra\.yaml:10:15: "zones": not a regular file/,
  ],
  [
    'an mmdb that is not there',
    (d) => d.append('deployment.yaml', 'geo:\n  mmdb: country.mmdb\n'),
    /^deployment\.yaml:\d+:9: "country\.mmdb": there is no such file/,
  ],
  [
    'a site that announces without a speaker',
    async (d) => {
      const text = await d.read('sites/fra.yaml');
      await d.write('sites/fra.yaml', text.replace(/bgp:[\s\S]*(?=announce:)/, ''));
    },
    /^sites\/fra\.yaml:\d+:11: the site announces VIPs but has no `bgp`/,
  ],
  [
    'a VIP announced by nobody',
    async (d) => {
      for (const site of ['fra', 'iad', 'sin']) {
        await d.edit(`sites/${site}.yaml`, 'announce: [web]', 'announce: []');
      }
    },
    /^deployment\.yaml:\d+:11: no site announces the VIP "web"/,
  ],
  [
    'a site that announces a VIP that is not there',
    (d) => d.edit('sites/fra.yaml', 'announce: [web]', 'announce: [web, wbe]'),
    /^sites\/fra\.yaml:\d+:17: no VIP is named "wbe": did you mean "web"\?/,
  ],
  [
    'an IPv6 VIP without an IPv6 next hop',
    (d) => d.edit('sites/sin.yaml', '  next_hop6: 2001:db8:3::1\n', ''),
    /^sites\/sin\.yaml:\d+:12: 2001:db8:80::80\/128 of "web" has no IPv6 next hop for "collector": add `next_hop6`/,
  ],
  [
    'a service that no zone has',
    (d) => d.edit('deployment.yaml', '[www.example.com]', '[ww.example.com]'),
    /^deployment\.yaml:\d+:16: no service is named "ww\.example\.com".*"www\.example\.com"/,
  ],
  [
    'a load balancer in a pool that no site has',
    (d) => d.edit('zones/example.com.yaml', 'pool: all', 'pool: [fra-lb1, fra-lb9]'),
    /^zones\/example\.com\.yaml:9:21: no load balancer is named "fra-lb9": did you mean/,
  ],
  [
    'a misspelt key in a pool member',
    (d) => d.edit('zones/example.com.yaml', 'all', '[{load_balancer: fra-lb1, wieght: 1}]'),
    /^zones\/example\.com\.yaml:9:\d+: unknown key "wieght": did you mean "weight"\?/,
  ],
  [
    'a required key that is misspelt is one mistake, not two',
    (d) => d.edit('sites/fra.yaml', '  router_id:', '  router-id:'),
    /^sites\/fra\.yaml:\d+:3: unknown key "router-id": did you mean "router_id"\?/,
  ],
  [
    'a missing key, at its parent',
    (d) => d.edit('sites/fra.yaml', '  router_id: 10.0.0.1\n', ''),
    /^sites\/fra\.yaml:19:1: "router_id" is missing: add it \(BGP identifier/,
  ],
  [
    'a missing pool',
    (d) => d.edit('zones/example.com.yaml', '    pool: all\n', ''),
    /^zones\/example\.com\.yaml:5:5: "pool" is missing: add it \(Load balancers of the service/,
  ],
  [
    'a missing kind',
    (d) => d.edit('sites/fra.yaml', '  kind: json', '  # none'),
    /^sites\/fra\.yaml:36:1: "kind" is missing: add it, one of haproxy, .*, command$/,
  ],
  [
    'a list that is not one',
    (d) => d.edit('sites/fra.yaml', 'announce: [web]', 'announce: web'),
    /^sites\/fra\.yaml:32:11: "web" is not a list: write one, such as \[first, second\]/,
  ],
  [
    'a site that is not YAML, and nobody is blamed for what it names',
    (d) => d.append('sites/iad.yaml', ']\n'),
    /^sites\/iad\.yaml:47:1: not YAML/,
  ],
  [
    'services that are not YAML, and neither the VIP nor the zone file is blamed',
    (d) => d.append('zones/example.com.yaml', ']\n'),
    /^zones\/example\.com\.yaml:10:1: not YAML/,
  ],
  [
    'a directory without sites, and the regions are not blamed',
    (d) => d.remove('sites'),
    /^sites:1:1: no site: write sites\/NAME\.yaml for each site/,
  ],
  [
    'an unknown kind of check',
    (d) => d.edit('deployment.yaml', 'kind: http', 'kind: htp'),
    /^deployment\.yaml:\d+:11: "htp" is not allowed: write one of http, https, tcp, .*, at-least; did you mean http\?/,
  ],
  [
    'a key of another kind',
    (d) => d.edit('deployment.yaml', 'kind: http', 'kind: tcp'),
    /unknown key/,
  ],
  [
    'a store that is none',
    (d) => d.edit('deployment.yaml', 'store: memory', 'store: etcd'),
    /^deployment\.yaml:4:8: not a store: write memory, or/,
  ],
  [
    'a password in a URL',
    (d) => d.edit('deployment.yaml', 'memory', '{redis: ["redis://:pw@127.0.0.1"]}'),
    /^deployment\.yaml:4:17: "redis:\/\/…@127\.0\.0\.1" is not a Redis URL: .*password_file/,
  ],
  [
    'thresholds in the wrong order',
    (d) => d.edit('deployment.yaml', '  spill:\n', '  spill:\n    quiet: 0.85\n'),
    /^deployment\.yaml:\d+:12: quiet \(0\.85\) must be below quiet_end \(0\.8\)/,
  ],
  [
    'a timeout above its interval',
    (d) => d.edit('deployment.yaml', 'timeout: 500ms', 'timeout: 600ms'),
    /^deployment\.yaml:\d+:14: the timeout is above the interval: write at most 500ms/,
  ],
  [
    'reports that are stale before the next one comes',
    (d) => d.edit('deployment.yaml', 'report_stale: 3s', 'report_stale: 300ms'),
    /^deployment\.yaml:\d+:17: one late report would lose the site: write at least 500ms/,
  ],
  [
    'a lease that ends before it is renewed',
    (d) => d.edit('deployment.yaml', 'lease: 2s', 'lease: 250ms'),
    /^deployment\.yaml:\d+:12: a lease of 250ms ends before it can be renewed/,
  ],
  [
    'a prefix in two regions',
    (d) => d.edit('deployment.yaml', '203.0.113.0/24', '192.0.2.0/24'),
    /^deployment\.yaml:19:16: the prefix "192\.0\.2\.0\/24" is already in line 11/,
  ],
  [
    'a default region that is not there',
    (d) => d.edit('deployment.yaml', 'default_region: europe', 'default_region: euorpe'),
    /^deployment\.yaml:20:17: no region is named "euorpe": did you mean "europe"\?/,
  ],
  [
    'a hold time that BGP does not allow',
    (d) => d.edit('sites/fra.yaml', 'hold_time: 9s', 'hold_time: 2s'),
    /^sites\/fra\.yaml:\d+:18: not a hold time \(RFC 4271 §4\.2\): write 0s, or whole seconds/,
  ],
  [
    'a passive neighbour that has nowhere to connect',
    (d) => d.edit('sites/fra.yaml', 'hold_time: 9s', 'passive: true'),
    /^sites\/fra\.yaml:\d+:16: a passive neighbour needs an address to connect to/,
  ],
  [
    'two sites of one AS with one router id',
    async (d) => {
      await d.edit('sites/iad.yaml', '  as: 65002', '  as: 65001');
      await d.edit('sites/iad.yaml', 'router_id: 10.0.0.2', 'router_id: 10.0.0.1');
    },
    /^sites\/iad\.yaml:\d+:14: the router id "10\.0\.0\.1" is already in sites\/fra\.yaml:21/,
  ],
  [
    'port 0',
    (d) => d.edit('sites/fra.yaml', '127.0.0.1:5301', '127.0.0.1:0'),
    /^sites\/fra\.yaml:5:12: "127\.0\.0\.1:0" is not an address and port/,
  ],
  [
    'a load without capacity',
    (d) => d.edit('sites/fra.yaml', 'capacity: 200\n', ''),
    /^sites\/fra\.yaml:\d+:\d+: a load means nothing without `capacity`/,
  ],
  [
    'a load balancer without an address',
    (d) =>
      d
        .append('sites/sin.yaml', '')
        .then(() =>
          d.edit('sites/sin.yaml', '  - name: sin-lb2', '  - name: sin-lb3\n  - name: sin-lb2'),
        ),
    /^sites\/sin\.yaml:\d+:5: the load balancer "sin-lb3" has no address/,
  ],
  [
    'a file named .yml, which nobody would read',
    (d) => d.write('sites/ams.yml', 'site: ams\n'),
    /^sites\/ams\.yml:1:1: not read: name the file ams\.yaml/,
  ],
  [
    'an empty site file',
    (d) => d.write('sites/ams.yaml', '# later\n'),
    /^sites\/ams\.yaml:1:1: the file is empty: write its keys, at least site, dns, api/,
  ],
  [
    'services of a zone that has no zone file',
    (d) => d.write('zones/example.net.yaml', 'zone: example.net\n'),
    /^zones\/example\.net\.yaml:1:7: the zone has no zone file: write zones\/example\.net\.zone/,
  ],
  [
    'a CNAME at the name of a service',
    async (d) => {
      await d.append('zones/example.com.zone', 'api IN CNAME www\n');
      await d.append('zones/example.com.yaml', '  - {name: api, check: web, pool: all}\n');
    },
    /^zones\/example\.com\.zone:35:1: api\.example\.com\. is a service/,
  ],
  [
    'addresses at the name of a service',
    async (d) => {
      await d.append('zones/example.com.zone', 'api IN A 192.0.2.1\n');
      await d.append('zones/example.com.yaml', '  - {name: api, check: web, pool: all}\n');
    },
    /^zones\/example\.com\.yaml:10:12: the name has an A record \(zones\/example\.com\.zone:35\)/,
  ],
  [
    'a service below a delegation',
    async (d) => {
      await d.append('zones/example.com.zone', 'shop IN NS ns.example.net.\n');
      await d.append('zones/example.com.yaml', '  - {name: a.shop, check: web, pool: all}\n');
    },
    /^zones\/example\.com\.yaml:10:12: NS records give the name away to other servers/,
  ],
  [
    'a service outside its zone',
    (d) =>
      d.append('zones/example.com.yaml', '  - {name: a.example.net., check: web, pool: all}\n'),
    /^zones\/example\.com\.yaml:10:12: "a\.example\.net" is not in the zone example\.com/,
  ],
  [
    'a zone without SOA',
    (d) => d.write('zones/example.net.zone', '@ 300 IN NS ns1.example.com.\n'),
    /^zones\/example\.net\.zone:1:1: .*SOA/,
  ],
  [
    'failover without an order',
    (d) => d.edit('zones/example.com.yaml', 'policy: nearest', 'policy: failover'),
    /^zones\/example\.com\.yaml:5:5: `failover` needs `order`/,
  ],
  [
    'an alias',
    async (d) => {
      await d.edit('sites/fra.yaml', 'interval: 500ms', 'interval: *i');
    },
    /^sites\/fra\.yaml:\d+:\d+: .*[Aa]lias/,
  ],
  [
    'a merge key',
    (d) => d.edit('deployment.yaml', '    kind: http', '    <<: {rise: 1}\n    kind: http'),
    /^deployment\.yaml:\d+:5: merge keys \(<<\) are not allowed/,
  ],
  [
    'a file that is not UTF-8',
    (d) => d.write('sites/ams.yaml', Buffer.from('site: \xff', 'latin1') as never),
    /^sites\/ams\.yaml:1:1: not UTF-8/,
  ],
  [
    'a file of nothing but brackets',
    (d) => d.write('sites/ams.yaml', `${'['.repeat(200_000)}${']'.repeat(200_000)}`),
    /^sites\/ams\.yaml:1:1: not readable as YAML: nested too deeply/,
  ],
];

describe('one mistake, one problem', () => {
  for (const [name, make, expected] of MISTAKES) {
    test(name, async () => {
      await make(demo);
      await onlyProblem(expected);
    });
  }
});
