/**
 * Every name and number that the kernel drivers use at one site, derived from the configuration
 * alone, so that a restarted agent finds what its predecessor made. Both ends of a tunnel derive
 * the same VNI and MAC addresses from the two site names.
 */
import { createHash } from 'node:crypto';
import type { Config, Site } from '../model/config.ts';
import { parsePrefix } from '../net/ip.ts';
import type { SpillPeer } from './port.ts';

/** Marks, and the route tables of the same numbers: base + the peer's place in Config.sites. */
export const MARK_BASE = 0x5b00;
export const SITES_MAX = 250;
/** Outer Ethernet, IPv4, UDP and VXLAN header and the inner Ethernet header: RFC 7348 §5. */
export const VXLAN_OVERHEAD_BYTES = 50;
/** IPv4 and TCP header without options. */
const TCP_HEADERS_BYTES = 40;
/** IFNAMSIZ less the final zero. */
const DEVICE_NAME_MAX = 15;

export interface SpillTarget {
  /** IPv4 prefix in canonical text. */
  readonly prefix: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export interface PeerLayout extends SpillPeer {
  readonly device: string;
  /** Firewall mark of packets for this peer; also the number of its route table. */
  readonly mark: number;
  /** The peer's address on the tunnel: a next hop that is never seen on the wire. */
  readonly gateway: string;
  readonly vni: number;
  /** MAC addresses of our end and of the peer's. */
  readonly mac: string;
  readonly peer_mac: string;
}

export interface SpillLayout {
  readonly site: string;
  /** Outer address of our tunnel ends. */
  readonly address: string;
  /** Our address on every tunnel device. */
  readonly link_address: string;
  readonly vxlan_port: number;
  /** MTU of the tunnel devices, in bytes. */
  readonly mtu: number;
  /** What guests may send in one segment, in bytes. */
  readonly mss: number;
  /** Seed of the flow hash: the same at every site of the deployment. */
  readonly seed: number;
  /** IPv4 prefixes of the VIPs that have something to spill. */
  readonly vips: readonly string[];
  readonly targets: readonly SpillTarget[];
  readonly peers: readonly PeerLayout[];
}

/** `t-SITE`; a name too long for the kernel ends in a hash instead. */
export function deviceName(site: string): string {
  const plain = `t-${site}`;
  if (plain.length <= DEVICE_NAME_MAX) return plain;
  return `${plain.slice(0, DEVICE_NAME_MAX - 6)}-${digest(site).toString('hex').slice(0, 5)}`;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Locally administered unicast MAC address of one end: 0 is the site that sorts first. */
function macAddress(vni: number, end: 0 | 1): string {
  const octets = [0x02, 0x15, (vni >>> 16) & 255, (vni >>> 8) & 255, vni & 255, end];
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

function linkAddress(index: number): string {
  return `169.254.77.${index + 1}`;
}

function peerLayout(self: Site, peer: Site, index: number): PeerLayout {
  const pair = [self.name, peer.name].sort();
  const vni = digest(pair.join(' ')).readUIntBE(0, 3);
  const end = pair[0] === self.name ? 0 : 1;
  return {
    site: peer.name,
    address: peer.spill!.address,
    device: deviceName(peer.name),
    mark: MARK_BASE + index,
    gateway: linkAddress(index),
    vni,
    mac: macAddress(vni, end),
    peer_mac: macAddress(vni, end === 0 ? 1 : 0),
  };
}

function targetsOf(config: Config, site: Site): SpillTarget[] {
  return config.vips
    .filter((vip) => site.announces.includes(vip.name))
    .flatMap((vip) =>
      vip.prefixes
        .filter((prefix) => parsePrefix(prefix)?.address.length === 4)
        .flatMap((prefix) => vip.spill_ports.map((port) => ({ prefix, ...port }))),
    );
}

/**
 * The layout of `site`, which must have `spill.driver: kernel`. Throws a sentence for an operator
 * when the deployment cannot be laid out (too many sites, two tunnels of one number).
 */
export function spillLayout(config: Config, siteName: string): SpillLayout {
  const index = config.sites.findIndex((site) => site.name === siteName);
  const self = config.sites[index];
  if (!self?.spill) throw new Error(`site ${siteName} has no spill section`);
  if (config.sites.length > SITES_MAX) {
    throw new Error(`the kernel spill driver takes at most ${SITES_MAX} sites`);
  }
  const peers = config.sites.flatMap((peer, at) =>
    at !== index && peer.spill?.driver === 'kernel' ? [peerLayout(self, peer, at)] : [],
  );
  for (const { site, address } of [{ site: siteName, address: self.spill.address }, ...peers]) {
    if (!address.includes(':')) continue;
    throw new Error(
      `spill.address of ${site} is ${address}: the kernel driver needs an IPv4 address`,
    );
  }
  for (const peer of peers) {
    const twin = peers.find((other) => other.vni === peer.vni && other !== peer);
    if (twin) {
      throw new Error(
        `the tunnels to ${peer.site} and ${twin.site} fall on one number (${peer.vni}): ` +
          'rename one of the sites',
      );
    }
  }
  const targets = targetsOf(config, self);
  const mtu = self.spill.path_mtu - VXLAN_OVERHEAD_BYTES;
  return {
    site: siteName,
    address: self.spill.address,
    link_address: linkAddress(index),
    vxlan_port: self.spill.vxlan_port,
    mtu,
    mss: mtu - TCP_HEADERS_BYTES,
    seed: digest(config.deployment).readUInt32BE(0),
    vips: [...new Set(targets.map((target) => target.prefix))],
    targets,
    peers,
  };
}
