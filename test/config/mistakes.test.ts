/** Mistakes in one deployment, and what they must not do: hide, cause others, hang or leak. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { PROBLEMS_MAX } from '../../src/config/limits.ts';
import { loadConfig, readSecret, readToken } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { TempDeployment } from '../support/deployment.ts';
import { need } from '../support/need.ts';
import { redisServer } from '../support/redis-store.ts';

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
});
afterEach(() => demo.destroy());

async function problems(): Promise<string[]> {
  const result = await loadConfig(demo.dir);
  return result.ok ? [] : result.error.map(formatProblem);
}

async function assertProblems(...expected: readonly RegExp[]): Promise<void> {
  const found = await problems();
  assert.equal(found.length, expected.length, found.join('\n') || 'no problem was found');
  for (const [i, pattern] of expected.entries()) assert.match(found[i]!, pattern);
}

test('a site has no more endpoints than a report can tell of', async () => {
  const lbs = Array.from({ length: 700 }, (_, i) => [
    `  - name: lb${i}`,
    `    address: 10.9.${i >> 8}.${i & 255}`,
  ]);
  const list = ['load_balancers:', ...lbs.flat(), '  - name: fra-lb1'].join('\n');
  await demo.edit('sites/fra.yaml', 'load_balancers:\n  - name: fra-lb1', list);
  assert.deepEqual(await problems(), []);
  const checks = [1, 2].map((i) => `  web${i}: {kind: tcp, port: ${i}}`).join('\n');
  await demo.edit('deployment.yaml', 'checks:\n', `checks:\n${checks}\n`);
  const services = [1, 2].map((i) => `  - {name: www${i}, check: web${i}, ttl: 2s, pool: all}\n`);
  await demo.edit('zones/example.com.yaml', 'services:\n', `services:\n${services.join('')}`);
  await assertProblems(
    /site fra has more than 2048 endpoints \(load balancer, check, address\): use/,
  );
});

test('a fence needs an uplink to go by', async () => {
  const line = await demo.edit('sites/fra.yaml', 'announce:', 'fence: true\nannounce:');
  await assertProblems(new RegExp(`^sites/fra.yaml:${line}:\\d+: .*by its uplink: add .uplink.`));
  await demo.edit(
    'sites/fra.yaml',
    'fence:',
    'uplink: {check: web, addresses: [192.0.2.1]}\nfence:',
  );
  const result = await loadConfig(demo.dir);
  assert.ok(result.ok);
  const fra = result.value.sites.find(({ name }) => name === 'fra')!;
  assert.deepEqual([fra.fence, fra.uplink?.kind], [true, 'at-least']);
  assert.equal(result.value.sites.find(({ name }) => name === 'iad')!.fence, false);
});

describe('a misspelt key is read as the one that was meant, so it causes no other problem', () => {
  const MISSPELT: readonly [string, string, string][] = [
    ['deployment.yaml', 'checks:', 'check:'],
    ['deployment.yaml', 'vips:', 'vip:'],
    ['deployment.yaml', 'regions:', 'region:'],
    ['deployment.yaml', 'kind: http', 'knid: http'],
    ['sites/fra.yaml', 'site: fra', 'stie: fra'],
    ['sites/fra.yaml', 'bgp:', 'bpg:'],
    ['sites/fra.yaml', 'capacity:', 'capacitty:'],
    ['sites/fra.yaml', 'next_hop:', 'nexthop:'],
    ['sites/fra.yaml', 'name: fra-lb1', 'nmae: fra-lb1'],
    ['sites/fra.yaml', 'load_balancers:', 'loadbalancers:'],
    ['zones/example.com.yaml', 'services:', 'service:'],
  ];
  for (const [file, right, wrong] of MISSPELT) {
    test(`${wrong} for ${right}`, async () => {
      await demo.edit('zones/example.com.yaml', 'pool: all', 'pool: [fra-lb1, iad-lb1]');
      const line = await demo.edit(file, right, wrong);
      const [key, meant] = [wrong.split(':')[0], right.split(':')[0]];
      const message = `unknown key "${key}": did you mean "${meant}"\\?$`;
      await assertProblems(new RegExp(`^${file}:${line}:\\d+: ${message}`));
    });
  }
});

describe('values', () => {
  test('two load balancers of one pool do not share an address', async () => {
    await demo.edit('sites/fra.yaml', 'address: 127.1.1.2', 'address: 127.1.1.1');
    await demo.edit('sites/iad.yaml', '2001:db8:2::1\n', '2001:0db8:1:0::1\n');
    await assertProblems(
      /^sites\/fra\.yaml:16:14: 127\.1\.1\.1 is also the address of fra-lb1 \(sites\/fra\.yaml:13\)/,
      /^sites\/iad\.yaml:14:15: 2001:db8:1::1 is also the address of fra-lb1 .*"www": write another/,
    );
    await demo.edit('zones/example.com.yaml', 'pool: all', 'pool: [fra-lb2, sin-lb1]');
    await assertProblems();
  });

  test('an IPv6 prefix of clients is a /64 or shorter', async () => {
    await demo.edit('deployment.yaml', '2001:db8:e000::/36', '2001:db8:e000::/65');
    await assertProblems(/^deployment\.yaml:11:30: "2001:db8:e000::\/65" is not a client prefix/);
  });

  test('what is announced, dialled or answered is a unicast address', async () => {
    await demo.edit('sites/fra.yaml', 'address: 127.1.1.1', 'address: 224.0.0.1');
    await demo.edit('sites/fra.yaml', 'next_hop: 10.1.1.1', 'next_hop: 0.0.0.0');
    await demo.edit('sites/fra.yaml', '2001:db8:1::2', '::ffff:192.0.2.1');
    await assertProblems(
      /^sites\/fra\.yaml:13:14: "224\.0\.0\.1" is not a unicast IPv4 address/,
      /^sites\/fra\.yaml:17:15: "::ffff:192\.0\.2\.1" is not a unicast IPv6 address/,
      /^sites\/fra\.yaml:22:13: "0\.0\.0\.0" is not a unicast IPv4 address/,
    );
  });

  test('a router id is a dotted quad, a community is of a known kind, each once', async () => {
    await demo.edit('sites/fra.yaml', 'router_id: 10.0.0.1', 'router_id: 167772161');
    await demo.edit('deployment.yaml', '[65000:80]', '[65000:80, 65000:80, 65536:1, no-exprot]');
    await assertProblems(
      /^deployment\.yaml:37:29: the community "65000:80" is already in line 37/,
      /^deployment\.yaml:37:39: "65536:1" is not a community: write two numbers up to 65535; a larger AS needs three/,
      /^deployment\.yaml:37:48: "no-exprot" is not a community: write .* a name such as no-export/,
      /^sites\/fra\.yaml:21:14: 167772161 is not a router id: write four octets like 10\.0\.0\.1/,
    );
  });

  test('one address and port is listened on once at a site', async () => {
    await demo.edit('sites/fra.yaml', '127.0.0.1:8301', '127.0.0.1:5301');
    await assertProblems(/^sites\/fra\.yaml:9:11: the address "127\.0\.0\.1:5301" is already in/);
  });

  test('tunnels have an IPv4 end of their own and one port', async () => {
    for (const site of ['fra', 'iad', 'sin']) {
      await demo.edit(`sites/${site}.yaml`, 'driver: none', 'driver: kernel');
    }
    await demo.edit('sites/iad.yaml', '10.9.0.2', '10.9.0.1');
    await demo.edit('sites/sin.yaml', '10.9.0.3', '"2001:db8::3"\n  vxlan_port: 4790');
    await assertProblems(
      /^sites\/iad\.yaml:45:12: the tunnel end "10\.9\.0\.1" is already in sites\/fra\.yaml:45/,
      /^sites\/sin\.yaml:45:12: the kernel driver needs an IPv4 address/,
      /^sites\/sin\.yaml:46:15: sites\/fra\.yaml has port 4789: write the same at all sites/,
    );
  });

  test('an IPv6 listener without quotes is told as the address that it is', async () => {
    await demo.edit('sites/fra.yaml', '[127.0.0.1:5301]', '[[::1]:5301]');
    await assertProblems(
      /^sites\/fra\.yaml:5:12: .* not an address and port: .*"\[2001:db8::1\]:53"/,
    );
  });

  test('what is no list is not also a list of the wrong length', async () => {
    await demo.edit('deployment.yaml', 'memory', '{redis: "redis://192.0.2.1:6379"}');
    await assertProblems(/^deployment\.yaml:4:16: "redis:\/\/192\.0\.2\.1:6379" is not a list/);
  });
});

describe('services', () => {
  test('a service at the apex of its zone', async () => {
    await demo.edit('zones/example.com.yaml', 'name: www', 'name: "@"');
    await demo.edit('deployment.yaml', '[www.example.com]', '[example.com]');
    await assertProblems(/^zones\/example\.com\.yaml:5:11: the name has an A record/);
    await demo.edit('zones/example.com.zone', '            IN A     192.0.2.80\n', '');
    await demo.edit('zones/example.com.zone', '            IN AAAA  2001:db8:e000::80\n', '');
    const loaded = await loadConfig(demo.dir);
    assert.ok(loaded.ok);
    assert.equal(loaded.value.services[0]!.name, 'example.com');
  });

  test('a full name without its final dot', async () => {
    await demo.edit('zones/example.com.yaml', 'name: www', 'name: www.example.com');
    await assertProblems(
      /^zones\/example\.com\.yaml:5:11: .*write "www", or "www\.example\.com\."/,
    );
  });

  test('a service whose name another zone of the deployment holds', async () => {
    const soa = '@ 1h SOA ns.example.net. h.example.net. 1 2h 15m 2w 1m\n';
    await demo.write('zones/www.example.com.zone', `${soa}@ 1h NS ns.example.net.\n`);
    await assertProblems(
      /^zones\/example\.com\.yaml:5:11: the zone www\.example\.com holds the name/,
    );
  });
});

describe('syntax', () => {
  test('a second document', async () => {
    await demo.append('sites/fra.yaml', '---\nsite: fra\n');
    await assertProblems(/^sites\/fra\.yaml:\d+:1: not YAML: a second document: remove/);
  });

  test('an unclosed quote is told where it opens', async () => {
    await demo.edit('sites/fra.yaml', 'site: fra', 'site: "fra');
    await assertProblems(/^sites\/fra\.yaml:2:7: not YAML: Missing closing "quote/);
  });

  test('byte order mark and the line ends of Windows', async () => {
    for (const file of ['deployment.yaml', 'sites/fra.yaml', 'zones/example.com.zone']) {
      await demo.write(file, `\ufeff${(await demo.read(file)).replaceAll('\n', '\r\n')}`);
    }
    await assertProblems();
    await demo.edit('sites/fra.yaml', 'router_id: 10', 'router_id: x');
    await assertProblems(/^sites\/fra\.yaml:21:14: "x\.0\.0\.1" is not a router id/);
  });
});

describe('a named pipe in place of a file', { skip: need('mkfifo') }, () => {
  test('is not waited for', async () => {
    await demo.remove('sites/fra.yaml');
    execFileSync('mkfifo', [join(demo.dir, 'sites', 'fra.yaml')]);
    await assertProblems(/^sites\/fra\.yaml:1:1: not a regular file/);
  });
});

describe('files', () => {
  test('a file with the ending .yml is told, and its site is not missed', async () => {
    const text = await demo.read('sites/fra.yaml');
    await demo.remove('sites/fra.yaml');
    await demo.write('sites/fra.yml', text);
    await assertProblems(/^sites\/fra\.yml:1:1: not read: name the file fra\.yaml/);
  });

  test('problems of a file end at the limit, however many keys or items are wrong', async () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1\n`).join('');
    await demo.append('sites/fra.yaml', keys);
    await demo.edit('deployment.yaml', '192.0.2.0/24', `${'x, '.repeat(20_000)}x`);
    assert.equal((await problems()).length, 2 * PROBLEMS_MAX);
  });

  test('a problem is one line that a terminal only shows, and not a long one', async () => {
    await demo.edit('deployment.yaml', 'deployment: demo', 'deployment: "\\e[2J\\nx"');
    await assertProblems(/^deployment\.yaml:3:13: "\\x1b\[2J\\x0ax" is not a name/);
    await demo.append('zones/example.com.zone', `x IN A ${'9'.repeat(5000)}\n`);
    assert.ok((await problems()).every((line) => line.length < 1100));
  });
});

describe('secrets', () => {
  test('the password for Redis comes from a file, which must be there', async () => {
    const store = '{redis: [rediss://192.0.2.1:6380], username: isobar, password_file: secret}';
    await demo.edit('deployment.yaml', 'store: memory', `store: ${store}`);
    await assertProblems(/^deployment\.yaml:4:\d+: "secret": there is no such file/);
    await demo.write('secret', 'p#ss wörd!\n');
    const loaded = await loadConfig(demo.dir);
    assert.ok(loaded.ok);
    const password_file = join(demo.dir, 'secret');
    const tls = { ca_file: null, certificate: null, key: null, server_name: null };
    const login = { username: 'isobar', password_file };
    const server = redisServer('redis://192.0.2.1:6380', { ...login, tls });
    assert.deepEqual(loaded.value.share, { kind: 'redis', servers: [server] });
    const password = await readSecret(password_file);
    assert.ok(password.ok && password.value === 'p#ss wörd!');
    assert.equal((await readToken(password_file)).ok, false);
    await demo.write('secret', 'two\nlines\n');
    assert.equal((await readSecret(password_file)).ok, false);
  });

  test('a password in a URL is refused in each of its places, and is not repeated', async () => {
    const urls = ['redis://u:pw1@192.0.2.1', 'redis://192.0.2.1?password=pw2'];
    await demo.edit('deployment.yaml', 'memory', JSON.stringify({ redis: urls }));
    await demo.edit('sites/fra.yaml', 'http://127.0.0.1', 'http://u:pw4@127.0.0.1');
    const found = await problems();
    assert.equal(found.length, 3, found.join('\n'));
    assert.deepEqual(
      found.filter((line) => /pw[0-9]/.test(line)),
      [],
    );
  });
});
