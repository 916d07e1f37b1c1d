/**
 * `isobar run` from its files in a network namespace, BIRD in another: a group with MD5, TTL security
 * and BFD, the VIP on the loopback, a drain that outlives a kill, a key that changes, and the commands.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { end } from '../../lab/netns.ts';
import { Pair, protocol } from '../support/bgp-pair.ts';
import { MAIN } from '../support/isobar.ts';
import { need } from '../support/need.ts';

const DEPLOYMENT = `deployment: one
checks:
  web: {kind: http, port: 8080, interval: 200ms, timeout: 200ms, rise: 1, fall: 1}
vips:
  - {name: web, prefixes: [198.18.80.80/32], services: [www.example.com], communities: ["65000:80"]}
policy:
  report_interval: 250ms
  health: {hold_down: 0s, damping: none}
  drain: 1m
  routes: {settle: 200ms, hold_down: 0s}
`;

const SITE = `site: fra
dns: {listen: ["10.9.0.1:5300"]}
api: {listen: "10.9.0.1:8300"}
load_balancers: [{name: lb, address: 10.9.0.1}]
state_dir: state
announce: [web]
bgp:
  as: 65001
  router_id: 10.0.0.1
  vip_interface: lo
  groups:
    spines:
      as: 65000
      ttl_security: 1
      md5_key_file: spines.key
      bfd: {interval: 100ms}
      connect_retry: 500ms
      idle_hold_max: 500ms
      announce: {med: 20, communities: ["65001:1:2"]}
  neighbors:
    - {name: bird, group: spines, address: 10.9.0.2, announce: {prepend: 1}}
`;

const ZONE = `$TTL 60
@ SOA ns1 hostmaster 1 2h 15m 2w 1m
@ NS ns1
ns1 A 10.9.0.1
`;

const OPTIONS = 'password "one secret"; ttl security on; bfd on;';
const BFD = 'protocol bfd { interface "them0" { interval 100 ms; multiplier 3; }; }';
const BACKEND = "require('node:http').createServer((_, r) => r.end()).listen(8080, '10.9.0.1')";

describe('a daemon and BIRD', { skip: need('root', 'ip', 'bird'), timeout: 90_000 }, () => {
  const pair = new Pair('bdm');
  let dir = '';
  let daemon: ChildProcess;

  const write = (file: string, text: string): void => {
    writeFileSync(join(dir, file), text);
    if (file.endsWith('.key')) chmodSync(join(dir, file), 0o600);
  };
  const isobar = (...args: string[]): Promise<string> =>
    pair.us.exec(process.execPath, MAIN, ...args, '--config', dir, '--site', 'fra');
  const route = (): Promise<string> => pair.birdc('show', 'route', 'all', 'protocol', 'site');
  const loopback = (): Promise<string> => pair.us.exec('ip', 'address', 'show', 'dev', 'lo');
  const start = (): void => {
    daemon = pair.us.spawn(process.execPath, MAIN, 'run', '--config', dir, '--site', 'fra');
    daemon.stdout?.resume();
    daemon.stderr?.pipe(process.stderr);
  };
  const announced = (): Promise<void> =>
    pair.until('BIRD has the route', async () => /198\.18\.80\.80/.test(await route()));

  before(async () => {
    await pair.open();
    dir = join(pair.lab.dir, 'config');
    for (const folder of ['', 'sites', 'zones']) mkdirSync(join(dir, folder));
    write('deployment.yaml', DEPLOYMENT);
    write('sites/fra.yaml', SITE);
    write('zones/example.com.zone', ZONE);
    write(
      'zones/example.com.yaml',
      'zone: example.com\nservices: [{name: www, check: web, pool: all}]\n',
    );
    write('spines.key', 'one secret\n');
    pair.us.spawn(process.execPath, '-e', BACKEND);
    await pair.bird(BFD, protocol(OPTIONS));
    start();
    await announced();
  });
  after(async () => {
    await end(daemon);
    await pair.stop();
    await pair.close();
  });

  test('what the files say is what BIRD has, and the commands tell it', async () => {
    const has = await route();
    assert.match(has, /BGP\.as_path: 65001 65001$/m);
    assert.match(has, /BGP\.next_hop: 10\.9\.0\.1$/m);
    assert.match(has, /BGP\.med: 20$/m);
    assert.match(has, /BGP\.community: \(65000,80\)$/m);
    assert.match(has, /BGP\.large_community: \(65001, 1, 2\)$/m);
    assert.match(await loopback(), /inet 198\.18\.80\.80\/32/);
    await pair.until('BFD is up', async () =>
      /^ {2}BFD +up for /m.test(await isobar('bgp', 'neighbors', 'bird')),
    );
    const neighbor = await isobar('bgp', 'neighbors', 'bird');
    assert.match(neighbor, /^ {2}DEAD MAN +a thread withdraws/m);
    assert.match(neighbor, /^ {2}ROUTES OUT +1$/m);
    const routes = await isobar('bgp', 'routes');
    assert.match(
      routes,
      /^bird +web +198\.18\.80\.80\/32 +announced +healthy +10\.9\.0\.1 +path 65001 65001, MED 20/m,
    );
    assert.match(await isobar('bgp', 'why', 'bird'), /nothing is amiss/);
  });

  test('a drain reaches BIRD as GRACEFUL_SHUTDOWN, and outlives the daemon', async () => {
    await isobar('drain', '--reason', 'new switches');
    const drains = async (): Promise<boolean> =>
      /BGP\.community: .*\(65535,0\)/.test(await route());
    await pair.until('BIRD reads it', drains);
    assert.match(await route(), /BGP\.as_path: 65001 65001 65001 65001 65001$/m);
    daemon.kill('SIGKILL');
    await end(daemon);
    start();
    await pair.until('BIRD reads it again', drains);
    assert.match(await isobar('status'), /^DRAINING for .*: new switches$/m);
    await isobar('undrain');
    await pair.until('it is over', async () => {
      const has = await route();
      return /198\.18\.80\.80/.test(has) && !/65535,0/.test(has);
    });
  });

  test('a key that is no longer the neighbour’s is named, and one that is again is used', async () => {
    write('spines.key', 'another secret\n');
    assert.match(await isobar('reload'), /^ *keys of BGP neighbours: read anew$/m);
    await pair.until('why names the key', async () =>
      /^(certain|likely): .*\bkey\b/m.test(await isobar('bgp', 'why', 'bird')),
    );
    write('spines.key', 'one secret\n');
    await isobar('reload');
    await announced();
  });

  test('a reload says before which session it would end, and the stop takes all away', async () => {
    const copy = join(pair.lab.dir, 'candidate');
    await pair.us.exec('cp', '-r', dir, copy);
    writeFileSync(join(copy, 'sites/fra.yaml'), SITE.replace('ttl_security: 1', 'multihop: 2'));
    const text = await pair.us.exec(
      process.execPath,
      MAIN,
      'reload',
      '--dry-run',
      '--config',
      copy,
      '--site',
      'fra',
    );
    assert.match(text, /^neighbor bird of fra: changed$/m);
    assert.match(
      text,
      /^BGP session with bird: changed .*TTL security.*: its session is made anew$/m,
    );
    await end(daemon);
    await pair.until('the route is gone', async () => !/198\.18/.test(await route()));
    assert.doesNotMatch(await loopback(), /198\.18\.80\.80/);
  });
});
