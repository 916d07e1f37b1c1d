/** Names and numbers of the data plane: both ends of a tunnel must come to the same ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceName, spillLayout } from '../../src/spill/layout.ts';
import { kernelConfig } from './support.ts';

test('both ends of a tunnel agree on its number and on each other’s MAC address', () => {
  const config = kernelConfig();
  const atFra = spillLayout(config, 'fra').peers.find((peer) => peer.site === 'sin')!;
  const atSin = spillLayout(config, 'sin').peers.find((peer) => peer.site === 'fra')!;
  assert.equal(atFra.vni, atSin.vni);
  assert.equal(atFra.mac, atSin.peer_mac);
  assert.equal(atFra.peer_mac, atSin.mac);
  assert.notEqual(atFra.mac, atSin.mac);
  assert.equal(atFra.address, '10.9.0.3');
});

test('the tunnel MTU leaves room for the VXLAN headers, the segment size for TCP’s', () => {
  const layout = spillLayout(kernelConfig(), 'fra');
  assert.deepEqual([layout.mtu, layout.mss], [1450, 1410]);
});

test('device names fit the kernel’s 15 characters and stay distinct', () => {
  assert.equal(deviceName('fra'), 't-fra');
  const a = deviceName('frankfurt-main-1');
  const b = deviceName('frankfurt-main-2');
  assert.equal(a.length, 15);
  assert.notEqual(a, b);
});

test('peers are the sites with the kernel driver; only announced IPv4 VIPs are spilled', () => {
  const config = kernelConfig();
  const sites = config.sites.map((site) =>
    site.name === 'iad' ? { ...site, spill: { ...site.spill!, driver: 'none' as const } } : site,
  );
  const layout = spillLayout({ ...config, sites }, 'fra');
  assert.deepEqual(
    layout.peers.map((peer) => [peer.site, peer.device, peer.mark]),
    [['sin', 't-sin', 0x5b02]],
  );
  assert.deepEqual(layout.targets, [{ prefix: '198.18.80.80/32', protocol: 'tcp', port: 80 }]);
  const mute = config.sites.map((site) => ({ ...site, announces: [] }));
  assert.deepEqual(spillLayout({ ...config, sites: mute }, 'fra').vips, []);
});

test('a deployment that cannot be laid out is refused in a sentence', () => {
  const config = kernelConfig();
  const sites = config.sites.map((site) =>
    site.name === 'sin' ? { ...site, spill: { ...site.spill!, address: '2001:db8::3' } } : site,
  );
  assert.throws(() => spillLayout({ ...config, sites }, 'fra'), /spill\.address of sin .* IPv4/);
});
