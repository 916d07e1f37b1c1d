/**
 * The kernel drivers against the kernel: two sites, a router and a client in network namespaces,
 * VXLAN between the sites. The router sends the VIP to fra; fra spills to iad.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ClientReport } from '../../lab/client.ts';
import { type Namespace, NetLab, namespacesOf } from '../../lab/netns.ts';
import { until } from '../../lab/wait.ts';
import type { Config } from '../../src/model/config.ts';
import { type SpillLayout, spillLayout } from '../../src/spill/layout.ts';
import type { SpillPeer } from '../../src/spill/port.ts';
import { NftSteering } from '../../src/spill/steering-nft.ts';
import { VxlanTunnel } from '../../src/spill/tunnel-vxlan.ts';
import { testConfig } from '../support/config.ts';
import { need } from '../support/need.ts';

const VIP = '198.18.80.80';
const LEASE_MS = 30_000;
/** Packets in one attempt to get into the tunnel. */
const COPIES = 40;
/** The client's first port: below those that the kernel gives out. */
const FIRST_PORT = 2000;
const labDir = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'lab');

function twoSites(): Config {
  const config = testConfig();
  const sites = config.sites.slice(0, 2).map((site) => ({
    ...site,
    spill: { ...site.spill!, driver: 'kernel' as const },
  }));
  return { ...config, sites, endpoints: config.endpoints.slice(0, 4) };
}

/** One site: its namespace, and the drivers that an agent would run there. */
interface SpillSite {
  readonly space: Namespace;
  readonly backend: ChildProcess;
  readonly layout: SpillLayout;
  readonly peers: readonly SpillPeer[];
  steering: NftSteering;
  tunnel: VxlanTunnel;
  readonly changes: string[];
}

async function startDrivers(site: SpillSite): Promise<void> {
  site.tunnel = new VxlanTunnel(site.layout, site.space.host());
  site.steering = new NftSteering(site.layout, site.space.host(), (s) => site.changes.push(s));
  await site.tunnel.ensure(site.peers);
  await site.steering.apply({}, LEASE_MS);
}

describe('spill through the kernel', { skip: need('root', 'ip', 'nft') }, () => {
  const lab = new NetLab('spk');
  let client: Namespace;
  let router: Namespace;
  let fra: SpillSite;
  let iad: SpillSite;

  const site = async (name: string, number: number): Promise<SpillSite> => {
    const space = await lab.namespace(name);
    await lab.link(router, `r-${name}`, space, 'wan', `10.2.${number}.1/24`, `10.2.${number}.2/24`);
    await space.ip(`route add default via 10.2.${number}.1`);
    await space.ip(`address add ${VIP}/32 dev lo`);
    const config = twoSites();
    const layout = spillLayout(config, name);
    const steering = new NftSteering(layout, space.host());
    const tunnel = new VxlanTunnel(layout, space.host());
    const backend = space.spawn(process.execPath, join(labDir, 'backend.js'), name, '80');
    await new Promise((resolve) => backend.stdout!.once('data', resolve));
    return { space, backend, layout, peers: layout.peers, steering, tunnel, changes: [] };
  };

  // A flow is remembered by the client's port for a while, so none is used twice.
  let freshPort = FIRST_PORT;
  const clientCommand = (mode: string, count: number, by: number): string[] => {
    const ports = ['--ports-from', `${freshPort}`];
    freshPort += count;
    return [join(labDir, 'client.js'), mode, `${VIP}:80`, `${count}`, `${by}`, ...ports];
  };

  const ask = async (mode: string, count: number, by: number): Promise<ClientReport> =>
    JSON.parse(await client.exec(process.execPath, ...clientCommand(mode, count, by)));

  /** Transfers that are under way when this resolves, until `endTransfers`. */
  const transfers = async (count: number): Promise<{ ended: Promise<ClientReport> }> => {
    const running = client.spawn(process.execPath, ...clientCommand('long', count, 60_000));
    const lines = createInterface(running.stdout!);
    const ended = (async () => {
      let last = '';
      for await (const line of lines) last = line;
      return JSON.parse(last) as ClientReport;
    })();
    await once(lines, 'line', { signal: AbortSignal.timeout(5_000) });
    return { ended };
  };

  const endTransfers = (): void => {
    for (const { backend } of [fra, iad]) backend.kill('SIGUSR2');
  };

  before(async () => {
    client = await lab.namespace('client');
    router = await lab.namespace('router');
    await lab.link(client, 'wan', router, 'r-client', '10.1.0.2/24', '10.1.0.1/24');
    await client.ip('route add default via 10.1.0.1');
    await router.host().write('/proc/sys/net/ipv4/ip_forward', '1');
    fra = await site('fra', 1);
    iad = await site('iad', 2);
    await lab.link(fra.space, 'bb', iad.space, 'bb', '10.9.0.1/24', '10.9.0.2/24');
    await router.ip(`route add ${VIP}/32 via 10.2.1.2`);
    await router.ip('route add 10.9.0.2/32 via 10.2.2.2');
    // Counts what each site itself answers with the VIP as source.
    const counted = ['fra', 'iad'].map((s) => `iifname "r-${s}" ip saddr ${VIP} counter name ${s}`);
    const text = `table ip seen { counter fra { }; counter iad { };
      chain pre { type filter hook prerouting priority 0; ${counted.join('; ')}; }
    }`;
    await router.host().run('nft', ['-f', '-'], text.replaceAll('};', '}\n'));
    await startDrivers(fra);
    await startDrivers(iad);
  });

  after(() => lab.close());

  const answeredBy = async (name: string): Promise<number> => {
    const out = await router.host().run('nft', ['-j', 'reset', 'counter', 'ip', 'seen', name]);
    const objects = (JSON.parse(out) as { nftables: { counter?: { packets: number } }[] }).nftables;
    return objects.find((object) => object.counter)!.counter!.packets;
  };

  test('says which settings of the machine it changed', () => {
    const all = fra.changes.join('\n');
    assert.match(all, /ip_early_demux to 0/);
    assert.match(all, /t-iad\/rp_filter to 2/);
  });

  test('with no share every flow stays', async () => {
    const report = await ask('burst', 50, 8);
    assert.deepEqual(report, { bySite: { fra: 50 }, lost: 0, mixed: 0, errors: [] });
    assert.equal((await fra.steering.counts()).kept, 50);
  });

  test('30 % asked is 30 % of 600 connections, counted at both ends', async () => {
    const kept = (await fra.steering.counts()).kept;
    await fra.steering.apply({ iad: 0.3 }, LEASE_MS);
    const report = await ask('burst', 600, 16);
    assert.equal(report.lost, 0, report.errors.join());
    const share = (report.bySite.iad ?? 0) / 600;
    assert.ok(Math.abs(share - 0.3) <= 0.06, `achieved ${share}`);
    const counts = await fra.steering.counts();
    assert.equal(counts.sent.iad, report.bySite.iad);
    assert.equal(counts.kept - kept, report.bySite.fra);
    assert.equal((await iad.steering.counts()).guests.fra, report.bySite.iad);
  });

  test('replies come straight from the second site, with the VIP as source', async () => {
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    await Promise.all([answeredBy('fra'), answeredBy('iad')]);
    const report = await ask('burst', 40, 8);
    assert.deepEqual(report.bySite, { iad: 40 });
    assert.equal(await answeredBy('fra'), 0);
    assert.ok((await answeredBy('iad')) >= 40 * 3);
  });

  test('full-size uploads pass the tunnel although ICMP never reaches the client', async () => {
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    const deaf = `table ip deaf {
  chain input {
    type filter hook input priority 0;
    ip protocol icmp drop
  }
}
`;
    await client.host().run('nft', ['-f', '-'], deaf);
    const report = await ask('upload', 4, 2_000_000);
    assert.deepEqual(report, { bySite: { iad: 4 }, lost: 0, mixed: 0, errors: [] });
  });

  test('an outsider cannot inject into the tunnel', async () => {
    const received = async (): Promise<number> => {
      const text = await iad.space.ip('-json -s link show dev t-fra');
      const [link] = JSON.parse(text) as [{ stats64: { rx: { packets: number } } }];
      return link.stats64.rx.packets;
    };
    const peer = iad.layout.peers[0]!;
    const vni = peer.vni.toString(16).padStart(6, '0');
    const frame = `${peer.mac}${peer.peer_mac}`.replaceAll(':', '') + '0800'.padEnd(84, '0');
    const send = `const socket = require('dgram').createSocket('udp4');
      const packet = Buffer.from('08000000${vni}00${frame}', 'hex');
      let left = ${COPIES};
      for (let i = 0; i < ${COPIES}; i++)
        socket.send(packet, 4789, '10.9.0.2', () => --left === 0 && socket.close());`;
    // A few packets of the kernel's own (IPv6 neighbour discovery) come through the tunnel, too.
    const takenFrom = async (space: Namespace): Promise<number> => {
      const before = await received();
      await space.exec(process.execPath, '-e', send);
      return (await received()) - before;
    };
    const forged = await takenFrom(router);
    assert.ok(forged < COPIES / 2, `${forged} of ${COPIES} packets of an outsider were taken`);
    const genuine = await takenFrom(fra.space);
    assert.ok(genuine >= COPIES, `${genuine} of ${COPIES} packets of the peer were taken`);
  });

  test('guests are never spilled again, whatever the second site is told', async () => {
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    await iad.steering.apply({ fra: 1 }, LEASE_MS);
    const report = await ask('burst', 60, 8);
    assert.deepEqual(report, { bySite: { iad: 60 }, lost: 0, mixed: 0, errors: [] });
    assert.equal((await iad.steering.counts()).sent.fra, 0);
    await iad.steering.apply({}, LEASE_MS);
  });

  test('no flow breaks or moves while the share goes 0, 50, 20, 0', async () => {
    const begun: { ended: Promise<ClientReport> }[] = [];
    for (const share of [0, 0.5, 0.2, 0]) {
      await fra.steering.apply({ iad: share }, LEASE_MS);
      begun.push(await transfers(50));
    }
    endTransfers();
    const reports = await Promise.all(begun.map(({ ended }) => ended));
    for (const report of reports) assert.deepEqual([report.lost, report.mixed], [0, 0]);
    assert.deepEqual([reports[0]!.bySite, reports[3]!.bySite], [{ fra: 50 }, { fra: 50 }]);
    assert.ok((reports[1]!.bySite.iad ?? 0) >= 10, 'some of them lived at the second site');
  });

  test('a lease that nobody renews ends spilling, and flows under way go on', async () => {
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    const { ended } = await transfers(20);
    await fra.steering.apply({ iad: 1 }, 1_000);
    const stays = async () => (await ask('burst', 8, 4)).bySite.fra === 8;
    await until('the lease to end', 5_000, stays);
    assert.deepEqual((await ask('burst', 20, 4)).bySite, { fra: 20 });
    endTransfers();
    assert.deepEqual(await ended, { bySite: { iad: 20 }, lost: 0, mixed: 0, errors: [] });
  });

  test('a fresh driver takes over what stands, without touching a flow', async () => {
    const devices = (): Promise<string> => fra.space.ip('-o link show type vxlan');
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    const { ended } = await transfers(20);
    const before = await devices();
    await startDrivers(fra);
    assert.equal(await devices(), before, 'the tunnel device is the same one');
    assert.deepEqual((await ask('burst', 20, 4)).bySite, { fra: 20 });
    const { kept, ...others } = await fra.steering.counts();
    assert.equal(kept, 20);
    assert.deepEqual(others, { sent: { iad: 0 }, guests: { iad: 0 } });
    endTransfers();
    assert.deepEqual(await ended, { bySite: { iad: 20 }, lost: 0, mixed: 0, errors: [] });
  });

  test('a flush of the whole ruleset by the firewall is noticed and repaired', async () => {
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    await fra.space.exec('nft', 'flush', 'ruleset');
    await assert.rejects(fra.steering.counts(), /No such file or directory/);
    await fra.tunnel.ensure(fra.peers);
    await fra.steering.apply({ iad: 1 }, LEASE_MS);
    assert.deepEqual((await ask('burst', 20, 4)).bySite, { iad: 20 });
    assert.match(await fra.space.exec('nft', 'list', 'tables'), /isobar_tunnel/);
  });

  test('a VIP that is missing on the machine is named, with the remedy', async () => {
    const bare = await lab.namespace('bare');
    const steering = new NftSteering(fra.layout, bare.host());
    await assert.rejects(steering.apply({}, LEASE_MS), /ip address add 198\.18\.80\.80\/32 dev lo/);
  });

  test('closing leaves the machine as it was', async () => {
    await fra.steering.close();
    await fra.tunnel.remove();
    assert.equal(await fra.space.exec('nft', 'list', 'ruleset'), '');
    assert.equal(await fra.space.ip('link show type vxlan'), '');
    assert.match(await fra.space.ip('rule show'), /^0:\s+from all lookup local\s+32766:/);
    const report = await ask('burst', 20, 4);
    assert.deepEqual(report.bySite, { fra: 20 });
    await lab.close();
    assert.deepEqual(namespacesOf(lab.tag), []);
  });
});
