/**
 * Our BFD against BIRD's and FRR's, in network namespaces with a link for each way to authenticate:
 * what the other side believes is read from its own command line.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Namespace, NetLab } from '../../lab/netns.ts';
import type { BfdAuth } from '../../src/model/bgp.ts';
import type { SocketReport } from '../support/bfd-sockets.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { bfdSettings, siteTarget, WatchSite } from '../support/watch-client.ts';

const run = promisify(execFile);
const KEY = 'a secret';
/** As seen from the folders where programs are looked for. */
const BFDD = '../lib/frr/bfdd';
const LINKS = ['plain', 'simple', 'md5', 'sha1'] as const;
const BIRD_AUTH = {
  plain: '',
  simple: 'authentication simple;',
  md5: 'authentication keyed md5;',
  sha1: 'authentication meticulous keyed sha1;',
};
const OUR_AUTH: Readonly<Record<string, BfdAuth['kind']>> = {
  simple: 'simple',
  md5: 'md5',
  sha1: 'meticulous-sha1',
};
const ours = (link: string): string => `10.77.${LINKS.indexOf(link as 'plain')}.1`;
const theirs = (link: string): string => `10.77.${LINKS.indexOf(link as 'plain')}.2`;
const OUR_LOOPBACK = '10.99.0.1';
const THEIR_LOOPBACK = '10.99.0.2';
const OUR_LOOPBACK6 = '2001:db8:99::1';
const THEIR_LOOPBACK6 = '2001:db8:99::2';

/** A site and a router with all links between them, and loopback addresses to reach over them. */
async function twoSystems(lab: NetLab): Promise<{ site: Namespace; router: Namespace }> {
  const site = await lab.namespace('site');
  const router = await lab.namespace('router');
  for (const link of LINKS) {
    await lab.link(site, link, router, link, `${ours(link)}/24`, `${theirs(link)}/24`);
  }
  for (const [space, own, gateway, other, address] of [
    [site, '2001:db8:77::1/64', theirs('plain'), THEIR_LOOPBACK, OUR_LOOPBACK],
    [router, '2001:db8:77::2/64', ours('plain'), OUR_LOOPBACK, THEIR_LOOPBACK],
  ] as const) {
    await space.ip(`address add ${own} dev plain nodad`);
    await space.ip(`address add ${address}/32 dev lo`);
    await space.ip(`route add ${other}/32 via ${gateway} src ${address}`);
  }
  await site.ip('address add fe80::1/64 dev plain nodad');
  await router.ip('address add fe80::2/64 dev plain nodad');
  await site.ip(`address add ${OUR_LOOPBACK6}/128 dev lo`);
  await router.ip(`address add ${THEIR_LOOPBACK6}/128 dev lo`);
  await site.ip(`-6 route add ${THEIR_LOOPBACK6}/128 via 2001:db8:77::2`);
  await router.ip(`-6 route add ${OUR_LOOPBACK6}/128 via 2001:db8:77::1`);
  return { site, router };
}

/** Loses everything that BFD sends over a link, silently, until the promise's function is called. */
async function cut(space: Namespace, link: string): Promise<() => Promise<unknown>> {
  const text = `table inet cut {
    chain i { type filter hook input priority 0; iifname "${link}" udp dport {3784,4784} drop; }
    chain o { type filter hook output priority 0; oifname "${link}" udp dport {3784,4784} drop; }
  }`;
  await space.host().run('nft', ['-f', '-'], text);
  return () => space.exec('nft', 'delete', 'table', 'inet', 'cut');
}

const auth = (link: string): BfdAuth | null =>
  link === 'plain' ? null : { kind: OUR_AUTH[link]!, key_id: 7, key_file: '' };

describe('BIRD', { skip: need('root', 'ip', 'nft', 'bird', 'birdc') }, () => {
  const lab = new NetLab('bfdb');
  const socket = join(lab.dir, 'ctl');
  let router: Namespace;
  let us: WatchSite;

  /** State, interval and timeout in seconds, as BIRD has them. */
  async function session(address: string): Promise<string> {
    try {
      const { stdout } = await run('birdc', ['-r', '-s', socket, 'show', 'bfd', 'sessions']);
      const columns = stdout.split('\n').map((line) => line.split(/\s+/));
      const found = columns.find(([first]) => first === address);
      return found ? [found[2], found.at(-2), found.at(-1)].join(' ') : '';
    } catch {
      return '';
    }
  }
  const has = (address: string, wanted: string): Promise<void> =>
    eventually(`BIRD has ${address} ${wanted}`, async () =>
      (await session(address)).startsWith(wanted),
    );

  before(async () => {
    const spaces = await twoSystems(lab);
    router = spaces.router;
    const pace = 'min rx interval 100 ms; min tx interval 100 ms; multiplier 3;';
    const block = (link: (typeof LINKS)[number]): string =>
      `interface "${link}" { ${pace} ${BIRD_AUTH[link]}
        ${link === 'plain' ? '' : `password "${KEY}" { id 7; };`} };
       neighbor ${ours(link)} dev "${link}" local ${theirs(link)};`;
    const config = `log "${join(lab.dir, 'log')}" all; router id 10.0.0.254;
      protocol device {}
      protocol bfd watched {
        ${LINKS.map(block).join('\n')}
        multihop { ${pace} };
        neighbor fe80::1 dev "plain" local fe80::2;
        neighbor 2001:db8:77::1 dev "plain" local 2001:db8:77::2;
        neighbor ${OUR_LOOPBACK6} local ${THEIR_LOOPBACK6} multihop;
        neighbor ${OUR_LOOPBACK} local ${THEIR_LOOPBACK} multihop;
      }`;
    writeFileSync(join(lab.dir, 'bird.conf'), config);
    router.spawn(
      'bird',
      '-f',
      '-c',
      join(lab.dir, 'bird.conf'),
      '-s',
      socket,
      '-P',
      `${socket}.pid`,
    );
    us = new WatchSite(lab, spaces.site);
  });
  after(() => lab.close());

  for (const link of LINKS) {
    test(`one hop, IPv4, ${link}: up on both sides, at the agreed intervals`, async () => {
      const settings = bfdSettings({ auth: auth(link) });
      const key = settings.auth && KEY;
      us.open(link, siteTarget(theirs(link), { interface: link, settings, key }));
      await us.until(link, 'up');
      await has(ours(link), 'Up 0.100 0.300');
    });
  }

  test('one hop, IPv6, link-local and not', async () => {
    us.open('ll', siteTarget('fe80::2', { interface: 'plain' }));
    us.open('six', siteTarget('2001:db8:77::2'));
    await us.until('ll', 'up');
    await us.until('six', 'up');
    await has('fe80::1', 'Up 0.100 0.300');
    await has('2001:db8:77::1', 'Up 0.100 0.300');
  });

  test('several hops, from loopback to loopback, IPv4 and IPv6', async () => {
    const settings = bfdSettings({ multihop: true });
    us.open('far', siteTarget(THEIR_LOOPBACK, { source: OUR_LOOPBACK, settings }));
    us.open('far6', siteTarget(THEIR_LOOPBACK6, { source: OUR_LOOPBACK6, settings }));
    await us.until('far', 'up');
    await us.until('far6', 'up');
    await has(OUR_LOOPBACK, 'Up 0.100 0.300');
    await has(OUR_LOOPBACK6, 'Up 0.100 0.300');
  });

  test('our main thread is blocked for two seconds: no session notices', async () => {
    us.do({ do: 'block', ms: 2_000 });
    const end = performance.now() + 2_000;
    while (performance.now() < end) {
      for (const link of LINKS) assert.match(await session(ours(link)), /^Up/);
      await sleep(50);
    }
    assert.equal((await us.status('plain'))?.downs, 0);
  });

  test('other intervals are agreed by a Poll Sequence, and the session stays up', async () => {
    const slow = bfdSettings({ transmit_ms: 250, receive_ms: 200 });
    us.do({ do: 'update', name: 'plain', settings: slow });
    await has(ours('plain'), 'Up 0.200 0.750');
    us.do({ do: 'update', name: 'plain', settings: bfdSettings() });
    await has(ours('plain'), 'Up 0.100 0.300');
    assert.equal((await us.status('plain'))?.downs, 0);
  });

  test('silent loss: both sides say down, and come back', async (t) => {
    const mend = await cut(router, 'plain');
    const from = performance.now();
    await us.until('plain', 'down');
    const ourTime = performance.now() - from;
    await has(ours('plain'), 'Down');
    const theirTime = performance.now() - from;
    t.diagnostic(`3 × 100 ms: ours after ${ourTime.toFixed(0)} ms, BIRD's ${theirTime.toFixed(0)}`);
    assert.match(us.changes('plain').at(-1)!.text, /heard nothing for 300 ms/);
    await us.until('ll', 'down');
    await us.until('far', 'down');
    await mend();
    await us.until('plain', 'up');
    await has(ours('plain'), 'Up');
  });

  test('BIRD is stopped, which it does not say, and begins anew with other numbers', async () => {
    await run('birdc', ['-s', socket, 'disable', 'watched']);
    await us.until('sha1', 'down');
    await run('birdc', ['-s', socket, 'enable', 'watched']);
    for (const name of LINKS) await us.until(name, 'up');
  });

  test('we stop: AdminDown reaches BIRD, and it ends our thread at once', async (t) => {
    await has(ours('sha1'), 'Up');
    const took = await us.stop();
    t.diagnostic(`stopped after ${took.toFixed(0)} ms`);
    for (const link of LINKS) await has(ours(link), 'Down');
    assert.ok(took < 1_000);
  });
});

describe('FRR', { skip: need('root', 'ip', BFDD, 'vtysh') }, () => {
  const lab = new NetLab('bfdf');
  /** FRR's daemons run as a user of their own. */
  const folder = join(lab.dir, 'frr');
  let us: WatchSite;

  const vtysh = async (...commands: string[]): Promise<string> => {
    const words = commands.flatMap((command) => ['-c', command]);
    return (await run('vtysh', ['--vty_socket', folder, ...words])).stdout;
  };
  const daemon = (space: Namespace, name: string, ...more: string[]): void => {
    const files = ['--vty_socket', folder, '-z', join(folder, 'zserv.api')];
    const own = ['-i', join(folder, `${name}.pid`), '-f', join(folder, `${name}.conf`)];
    space.spawn(`/usr/lib/frr/${name}`, ...files, ...own, '-A', '127.0.0.1', '-P', '0', ...more);
  };
  const listens = (name: string): Promise<void> =>
    eventually(`${name} is up`, () => existsSync(join(folder, `${name}.vty`)));
  const has = (address: string, words: RegExp): Promise<void> =>
    eventually(`FRR has ${address} ${words}`, async () => {
      const peers = (await vtysh('show bfd peers')).split(/\n\s+peer /);
      return words.test(peers.find((text) => text.startsWith(`${address} `)) ?? '');
    });

  before(async () => {
    const { site, router } = await twoSystems(lab);
    await run('chmod', ['711', lab.dir]);
    await run('install', ['-d', '-o', 'frr', '-g', 'frr', folder]);
    const pace = 'receive-interval 100\n transmit-interval 100\n detect-multiplier 3\n !\n';
    const config = `bfd
      peer ${ours('plain')} interface plain\n ${pace}
      peer ${OUR_LOOPBACK} multihop local-address ${THEIR_LOOPBACK}\n ${pace}
      !\n`;
    writeFileSync(join(folder, 'zebra.conf'), '\n');
    writeFileSync(join(folder, 'bfdd.conf'), config);
    daemon(router, 'zebra');
    await listens('zebra');
    daemon(router, 'bfdd', '--bfdctl', join(folder, 'bfdd.sock'));
    await listens('bfdd');
    us = new WatchSite(lab, site);
  });
  after(() => lab.close());

  test('one hop and several: up on both sides, at the agreed intervals', async () => {
    us.open('near', siteTarget(theirs('plain'), { interface: 'plain' }));
    const settings = bfdSettings({ multihop: true });
    us.open('far', siteTarget(THEIR_LOOPBACK, { source: OUR_LOOPBACK, settings }));
    for (const name of ['near', 'far']) await us.until(name, 'up');
    for (const address of [ours('plain'), OUR_LOOPBACK]) {
      await has(address, /Status: up[\s\S]*Remote timers:[\s\S]*Transmission interval: 100ms/);
    }
    assert.equal((await us.status('near'))?.downs, 0);
  });

  test('FRR shuts a session down: AdminDown, which is no failure, and the other stays up', async () => {
    const peer = `peer ${ours('plain')} interface plain`;
    await vtysh('configure terminal', 'bfd', peer, 'shutdown');
    await eventually('AdminDown is heard', () =>
      us.changes('near').some(({ state }) => state === 'admin-down'),
    );
    await vtysh('configure terminal', 'bfd', peer, 'no shutdown');
    await us.until('near', 'up');
    assert.ok(us.changes('far').every(({ state }) => state !== 'down'));
  });

  test('we close a session: FRR takes it for what it is', async () => {
    us.do({ do: 'close', name: 'far' });
    await has(OUR_LOOPBACK, /Status: down[\s\S]*Remote diagnostics: administratively down/);
  });

  test('bfdd is killed: we say down after the detection time', async () => {
    const pid = Number(readFileSync(join(folder, 'bfdd.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await us.until('near', 'down');
    assert.match(us.changes('near').at(-1)!.text, /heard nothing for 300 ms/);
  });
});

describe('a process that stands still', { skip: need('root', 'ip') }, () => {
  const SESSIONS = Array.from({ length: 60 }, (_, i) => String(i + 1));
  const lab = new NetLab('bfdf');
  after(() => lab.close());

  test('takes nobody for dead because of packets that it has not read yet', async () => {
    const spaces = [await lab.namespace('near'), await lab.namespace('far')] as const;
    await lab.link(spaces[0], 'near0', spaces[1], 'far0', '10.77.7.1/30', '10.77.7.2/30');
    const [near, far] = spaces.map((space) => new WatchSite(lab, space)) as [WatchSite, WatchSite];
    for (const [i, site, gateway, multiplier] of [
      [0, near, '10.77.7.2', 100], // what the far side is not to notice
      [1, far, '10.77.7.1', 3],
    ] as const) {
      const [own, other] = [`10.77.${8 + i}`, `10.77.${9 - i}`];
      await spaces[i].ip(`route add local ${own}.0/24 dev lo`);
      await spaces[i].ip(`route add ${other}.0/24 via ${gateway}`);
      const settings = bfdSettings({ multiplier });
      for (const name of SESSIONS) {
        site.open(name, siteTarget(`${other}.${name}`, { source: `${own}.${name}`, settings }));
      }
    }
    for (const name of SESSIONS) await near.until(name, 'up');
    await eventually('the intervals are agreed', async () => {
      const ends = [await near.status(SESSIONS[0]!), await near.status(SESSIONS.at(-1)!)];
      return ends.every((status) => status?.detection_ms === 300);
    });
    for (const ms of [280, 1_000]) {
      await near.freeze(ms);
      await sleep(300);
    }
    await near.status('1'); // all that has happened is told
    const downs = SESSIONS.filter((name) =>
      near.changes(name).some(({ state }) => state === 'down'),
    );
    assert.deepEqual(downs, []);
  });
});

describe('sockets', { skip: need('root', 'ip') }, () => {
  for (const address of ['127.0.0.1', '::1']) {
    test(`${address}: who has the packets, and what becomes of a flood`, async () => {
      const lab = new NetLab('bfds');
      try {
        const space = await lab.namespace('site');
        const script = fileURLToPath(new URL('../support/bfd-sockets.js', import.meta.url));
        const said = await space.exec(process.execPath, script, address);
        const report = JSON.parse(said) as SocketReport;
        assert.equal(report.other, 'UDP port 3784: in use by another program');
        // A thread that replaces one that hangs has them.
        assert.deepEqual(report.hanging, []);
        const way = 'from 127.0.0.1 to 127.0.0.1 with TTL 255';
        assert.deepEqual(report.replacing, [`1,2,3 ${way}`, ` ${way}`]);
        // What comes through a router is seen, until it is too much; a neighbour's always is.
        assert.deepEqual(report.flood, { '1/64': 40, '1/255': 40, '2/255': 40 });
      } finally {
        await lab.close();
      }
    });
  }
});
