/**
 * A drain, a hang and a succession as an operator sees them: two daemons that share a Redis, the VIP on
 * the loopback of one, and BIRD as their router, in namespaces. What happened is read from BIRD and the kernel.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { Bird } from '../../lab/bird.ts';
import { end, type Namespace, NetLab } from '../../lab/netns.ts';
import { monotonic_ms, pause, until } from '../../lab/wait.ts';
import { MAIN } from '../support/isobar.ts';
import { need } from '../support/need.ts';

const SITES = { fra: '10.66.0.1', iad: '10.66.0.2' } as const;
const ROUTER = '10.66.0.254';
const VIP = '198.18.80.80';
const WAIT_MS = 10_000;

const DEPLOYMENT = `deployment: drill
store: {redis: ["redis://127.0.0.1:6379"]}
regions:
  all: {sites: [fra, iad]}
default_region: all
checks:
  web: {kind: http, port: 8080, path: /, interval: 100ms, timeout: 100ms, rise: 1, fall: 2}
vips:
  - {name: web, prefixes: [${VIP}/32], services: [www.example.com]}
policy:
  report_interval: 100ms
  report_stale: 3s
  health: {hold_down: 0s, damping: none}
  drain: 4s
  routes: {settle: 600ms, hold_down: 0s, damping: none, drain_load: 0.1}
`;

const siteFile = (name: string, address: string, dir: string): string => `site: ${name}
state_dir: ${join(dir, 'state')}
dns: {listen: ["${address}:5300"]}
api: {listen: "${address}:8300"}
load_balancers: [{name: ${name}-lb1, address: ${address}}]
bgp:
  as: ${name === 'fra' ? 65001 : 65002}
  router_id: ${address}
  next_hop: ${address}
  dead_man: 1s
  ${name === 'fra' ? 'vip_interface: lo' : ''}
  neighbors:
    - {name: router, address: ${ROUTER}, as: 65000, source: ${address}, hold_time: 9s, connect_retry: 200ms}
announce: [web]
capacity: 100
load: {kind: file, path: ${join(dir, `load-${name}`)}, interval: 100ms, stale: 60s, smoothing: 0s}
`;

const ZONE = `$ORIGIN example.com.
$TTL 60
@ IN SOA ns1 hostmaster 1 7200 900 1209600 60
  IN NS ns1
ns1 IN A 192.0.2.53
`;
const SERVICES =
  'zone: example.com\nservices: [{name: www, check: web, ttl: 1s, policy: nearest, pool: all}]\n';

const STALL_MS = 4_000;
/** Has the daemon's main thread do nothing else for a while, at SIGUSR2. */
const STALL = `process.on('SIGUSR2', () => {
  for (const end = Date.now() + ${STALL_MS}; Date.now() < end; );
});
`;

/** What the router and the interface have of fra's VIP. */
type Sight = 'announced' | 'leaving' | 'withdrawn' | 'off';

describe('a drain against BIRD', { skip: need('root', 'bird', 'redis-server', 'ip') }, () => {
  let lab: NetLab;
  let space: Namespace;
  let router: Bird;
  const daemons = new Map<string, ChildProcess>();
  const seen: Sight[] = [];
  let watching = true;
  let watch: Promise<void>;

  const start = (site: string, ...more: string[]): void => {
    const args = ['run', '--site', site, '--config', lab.dir, ...more];
    const command = ['--require', join(lab.dir, 'stall.cjs'), MAIN, ...args];
    daemons.set(site, space.spawn(process.execPath, ...command));
  };
  const order = (...words: string[]): Promise<string> =>
    space.exec(process.execPath, MAIN, ...words, '--site', 'fra', '--config', lab.dir);
  const load = (site: string, used: number): void =>
    writeFileSync(join(lab.dir, `load-${site}`), `${used}\n`);

  async function look(): Promise<Sight> {
    const route = await router.ask(`show route all protocol fra`);
    const addresses = await space.ip('-brief address show dev lo');
    if (route.includes(VIP)) {
      assert.ok(addresses.includes(VIP), 'a route stands without its address');
      return route.includes('(65535,0)') ? 'leaving' : 'announced';
    }
    return addresses.includes(VIP) ? 'withdrawn' : 'off';
  }

  async function follow(): Promise<void> {
    while (watching) {
      const now = await look();
      if (seen.at(-1) !== now) seen.push(now);
      await pause(20);
    }
  }

  const comes = (sight: Sight): Promise<true> =>
    until(`fra's VIP to be ${sight} (so far: ${seen})`, WAIT_MS, () => seen.at(-1) === sight);

  before(async () => {
    lab = new NetLab('drain');
    for (const folder of ['sites', 'zones']) mkdirSync(join(lab.dir, folder));
    writeFileSync(join(lab.dir, 'deployment.yaml'), DEPLOYMENT);
    writeFileSync(join(lab.dir, 'zones/example.com.zone'), ZONE);
    writeFileSync(join(lab.dir, 'stall.cjs'), STALL);
    writeFileSync(join(lab.dir, 'zones/example.com.yaml'), SERVICES);
    space = await lab.namespace('sites');
    const outside = await lab.namespace('router');
    await lab.link(space, 'up', outside, 'down', `${SITES.fra}/24`, `${ROUTER}/24`);
    await space.ip(`address add ${SITES.iad}/24 dev up`);
    const neighbors = Object.entries(SITES).map(([name, address]) => ({
      name,
      local: ROUTER,
      address,
      as: name === 'fra' ? 65001 : 65002,
      passive: true,
    }));
    for (const [name, address] of Object.entries(SITES)) {
      writeFileSync(join(lab.dir, `sites/${name}.yaml`), siteFile(name, address, lab.dir));
      load(name, 50);
    }
    space.spawn('redis-server', '--port', '6379', '--save', '', '--dir', lab.dir);
    const backend = "require('http').createServer((_, r) => r.end()).listen(8080)";
    space.spawn(process.execPath, '-e', backend);
    router = Bird.start(outside, lab.dir, { id: ROUTER, as: 65000, neighbors });
    for (const site of Object.keys(SITES)) start(site);
    await until('BIRD to answer', WAIT_MS, () => router.established('iad'));
    watch = follow();
    await comes('announced');
  });

  after(async () => {
    watching = false;
    await watch?.catch(() => {});
    await lab.close();
  });

  test('goes from graceful shutdown to withdrawal, and then off the interface', async () => {
    seen.splice(0, seen.length - 1);
    await order('drain', '--reason', 'new switches');
    await comes('leaving');
    load('fra', 5);
    await comes('off');
    assert.deepEqual(seen.splice(0, seen.length - 1), ['announced', 'leaving', 'withdrawn']);
  });

  test('stays done when the load rises and the daemon is killed and started again', async () => {
    load('fra', 90);
    await end(daemons.get('fra')!, 0);
    start('fra');
    await until('the daemon to be drained again', WAIT_MS, async () =>
      (await order('status').catch(() => '')).includes('new switches'),
    );
    await pause(1_000);
    assert.deepEqual(seen, ['off']);
  });

  test('ends in the reverse order', async () => {
    await order('undrain');
    await comes('announced');
    assert.deepEqual(seen.splice(0, seen.length - 1), ['off', 'withdrawn']);
  });

  test('goes on where it was when the daemon is killed in the middle', async () => {
    await order('drain', '--reason', 'new disks');
    await comes('leaving');
    daemons.get('fra')!.kill('SIGKILL');
    start('fra');
    await comes('withdrawn');
    await comes('leaving');
    await comes('off');
    const steps = seen.splice(0, seen.length - 1);
    assert.deepEqual(steps, ['announced', 'leaving', 'withdrawn', 'leaving', 'withdrawn']);
    await order('undrain');
    await comes('announced');
    seen.splice(0, seen.length - 1);
  });

  test('is not waited for where the daemon hangs: its routes go, and come back with it', async () => {
    daemons.get('fra')!.kill('SIGUSR2');
    const began = monotonic_ms();
    await comes('withdrawn');
    const after_ms = monotonic_ms() - began;
    assert.ok(after_ms > 500 && after_ms < STALL_MS - 500, `${after_ms} ms`);
    await comes('announced');
    assert.ok(monotonic_ms() - began > STALL_MS - 100, 'not before it has come to itself');
    assert.deepEqual(seen.splice(0, seen.length - 1), ['announced', 'withdrawn']);
  });

  test('a successor begins with the address where it is', async () => {
    const before = daemons.get('fra')!;
    start('fra', '--take-over');
    await until('the old one to leave', WAIT_MS, () => before.exitCode === 0);
    // What is looked at may still be of before.
    await pause(500);
    await comes('announced');
    const steps = seen.splice(0, seen.length - 1);
    assert.ok(!steps.includes('off'), `${steps}`);
  });

  test('a stop of the daemon withdraws first and takes the address off after', async () => {
    await end(daemons.get('fra')!);
    await comes('off');
    assert.deepEqual(seen, ['announced', 'withdrawn', 'off']);
  });
});
