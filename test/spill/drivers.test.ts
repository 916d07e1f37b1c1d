/** The drivers on a recording machine: what they ask of the kernel, in which order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noSteering, spillDrivers } from '../../src/spill/drivers.ts';
import { spillLayout } from '../../src/spill/layout.ts';
import { NftSteering } from '../../src/spill/steering-nft.ts';
import { VxlanTunnel } from '../../src/spill/tunnel-vxlan.ts';
import { testConfig } from '../support/config.ts';
import { kernelConfig, RecordingHost } from './support.ts';

const LIST_LINKS = 'ip -json -details link show type vxlan';
const layout = spillLayout(kernelConfig(), 'fra');

function linkOf(site: string, changes: object = {}): object {
  const peer = layout.peers.find((candidate) => candidate.site === site)!;
  const data = { id: peer.vni, remote: peer.address, local: layout.address, port: 4789 };
  return {
    ifname: peer.device,
    ifalias: 'isobar spill tunnel',
    address: peer.mac,
    linkinfo: { info_kind: 'vxlan', info_data: { ...data, ...changes } },
  };
}

function machine(): RecordingHost {
  const host = new RecordingHost();
  const conf = '/proc/sys/net/ipv4/conf';
  host.files['/proc/meminfo'] = 'MemTotal:       8000000 kB';
  host.files['/proc/sys/net/ipv4/ip_forward'] = '1';
  host.files['/proc/sys/net/ipv4/ip_early_demux'] = '1';
  for (const name of ['all', 't-iad', 't-sin']) host.files[`${conf}/${name}/rp_filter`] = '0';
  const routes = [{ type: 'local', dst: '198.18.80.80', table: 'local' }];
  host.answers['ip -4 -json route show table all'] = JSON.stringify(routes);
  host.answers['ip -4 -json rule show'] = '[{"priority":0,"src":"all","table":"local"}]';
  host.answers['nft -j reset counters table ip isobar_spill'] = '{"nftables":[]}';
  return host;
}

test('the filter stands before the first tunnel device', async () => {
  const host = new RecordingHost();
  const devices = await new VxlanTunnel(layout, host).ensure(layout.peers);
  assert.deepEqual(
    [...devices],
    [
      ['iad', 't-iad'],
      ['sin', 't-sin'],
    ],
  );
  const filter = host.commands.findIndex((line) => line.includes('ip saddr !='));
  const device = host.commands.findIndex((line) => line.startsWith('link add'));
  assert.ok(filter >= 0 && filter < device);
});

test('a tunnel that fits stays, one that does not is made anew, a stranger is left alone', async () => {
  const host = new RecordingHost();
  const stranger = { ...linkOf('iad'), ifname: 'overlay0', ifalias: 'someone else’s' };
  // iproute2 prints an empty object for every link that its type filter left out.
  const links = [{}, linkOf('iad'), linkOf('sin', { remote: '10.9.0.99' }), stranger];
  host.answers[LIST_LINKS] = JSON.stringify(links);
  await new VxlanTunnel(layout, host).ensure(layout.peers);
  const changes = host.commands.filter((line) => /^link (add|delete)/.test(line));
  assert.equal(changes.length, 2);
  assert.equal(changes[0], 'link delete t-sin');
  assert.match(changes[1]!, /^link add t-sin .* remote 10\.9\.0\.3 local 10\.9\.0\.1 dstport 4789/);
});

test('a peer that left loses its tunnel', async () => {
  const host = new RecordingHost();
  host.answers[LIST_LINKS] = JSON.stringify([linkOf('iad'), linkOf('sin')]);
  await new VxlanTunnel(layout, host).ensure(layout.peers.slice(0, 1));
  assert.ok(host.commands.includes('link delete t-sin'));
  assert.ok(!host.commands.includes('link delete t-iad'));
});

test('settings that break spilling silently are put right, and said', async () => {
  const host = machine();
  host.files['/proc/sys/net/ipv4/conf/all/rp_filter'] = '1';
  const changes: string[] = [];
  await new NftSteering(layout, host, (sentence) => changes.push(sentence)).apply({}, 1);
  assert.deepEqual(changes, [
    'set /proc/sys/net/ipv4/ip_early_demux to 0 (was 1)',
    'set /proc/sys/net/ipv4/conf/all/rp_filter to 2 (was 1)',
    'set /proc/sys/net/ipv4/conf/t-iad/rp_filter to 2 (was 0)',
    'set /proc/sys/net/ipv4/conf/t-sin/rp_filter to 2 (was 0)',
  ]);
});

test('the ruleset is loaded by the first call only; flow sets are never listed', async () => {
  const host = machine();
  const steering = new NftSteering(layout, host);
  await steering.apply({}, 1);
  await steering.apply({ iad: 0.5 }, 1_000);
  await steering.counts();
  const loads = host.commands.filter((line) => line === 'flush table ip isobar_spill');
  assert.equal(loads.length, 1);
  assert.deepEqual(
    host.commands.filter((line) => /^nft.* list/.test(line)),
    [],
  );
});

test('counts add up the counters that each read zeroes', async () => {
  const host = machine();
  const steering = new NftSteering(layout, host);
  await steering.apply({}, 1);
  const counter = (name: string, packets: number): object => ({ counter: { name, packets } });
  const nftables = [
    { metainfo: {} },
    counter('kept', 7),
    counter('sent_iad', 2),
    counter('guests_sin', 1),
  ];
  host.answers['nft -j reset counters table ip isobar_spill'] = JSON.stringify({ nftables });
  await steering.counts();
  assert.deepEqual(await steering.counts(), {
    kept: 14,
    sent: { iad: 4, sin: 0 },
    guests: { iad: 0, sin: 2 },
  });
});

test('another user of our marks, and too little memory, are named before anything is touched', async () => {
  const host = machine();
  host.answers['ip -4 -json rule show'] =
    '[{"priority":50,"fwmark":"0x5b01","table":"vpn"},{"priority":0,"table":"local"}]';
  host.files['/proc/meminfo'] = 'MemTotal: 500000 kB';
  await assert.rejects(new NftSteering(layout, host).apply({ iad: 1 }, 1), (error: Error) => {
    assert.match(error.message, /preference 50 uses firewall mark 0x5b01/);
    assert.match(error.message, /5 full flow sets would need 184 MiB/);
    return true;
  });
  assert.deepEqual(
    host.commands.filter((line) => line.startsWith('add')),
    [],
  );
});

test('a site whose driver is none has drivers that do nothing', async () => {
  const host = new RecordingHost();
  const { tunnel, steering } = spillDrivers(testConfig(), 'fra', host, () => {});
  await tunnel.ensure([]);
  await steering.apply({ iad: 1 }, 1);
  assert.equal(steering, noSteering);
  assert.deepEqual(host.commands, []);
});
