/**
 * VXLAN tunnels (RFC 7348), one device to each peer: the tunnel kind that minimal kernels have too.
 * Each device has one fixed remote, static neighbours (nothing is ever asked for by ARP), an address
 * of its own, an MTU that fits the path, and a filter on who may send to it.
 */
import type { Host } from '../net/host.ts';
import type { PeerLayout, SpillLayout } from './layout.ts';
import { FILTER_TABLE, tunnelFilter } from './nft-ruleset.ts';
import type { SpillPeer, TunnelDriver } from './port.ts';

/** Marks a device as ours (its ifalias), so that no other device is ever changed or removed. */
const ALIAS = 'isobar spill tunnel';

interface Link {
  readonly ifname?: string;
  readonly ifalias?: string;
  readonly mtu?: number;
  readonly address?: string;
  readonly flags?: readonly string[];
  readonly linkinfo?: { readonly info_data?: VxlanData };
}

interface VxlanData {
  readonly id?: number;
  readonly remote?: string;
  readonly local?: string;
  readonly port?: number;
}

function fits(link: Link, peer: PeerLayout, layout: SpillLayout): boolean {
  const data = link.linkinfo?.info_data;
  return (
    data?.id === peer.vni &&
    data.remote === peer.address &&
    data.local === layout.address &&
    data.port === layout.vxlan_port &&
    link.address === peer.mac
  );
}

/** Lines for `ip -batch`: the device itself. `nolearning`: nobody may teach it another remote. */
function create(peer: PeerLayout, layout: SpillLayout): string[] {
  return [
    `link add ${peer.device} address ${peer.mac} type vxlan id ${peer.vni} ` +
      `remote ${peer.address} local ${layout.address} dstport ${layout.vxlan_port} nolearning`,
    `link set ${peer.device} alias "${ALIAS}"`,
  ];
}

/**
 * What a device needs, each line harmless when it holds already. The address is what lets guests
 * pass a loose reverse path filter (rp_filter 2 drops them on a device without one); the route to
 * the gateway is where copies of ICMP errors take their next hop from.
 */
function equip(peer: PeerLayout, layout: SpillLayout): string[] {
  return [
    `link set ${peer.device} mtu ${layout.mtu} up`,
    `address replace ${layout.link_address}/32 dev ${peer.device}`,
    `neighbour replace ${peer.gateway} lladdr ${peer.peer_mac} dev ${peer.device} nud permanent`,
    `route replace ${peer.gateway}/32 dev ${peer.device}`,
  ];
}

export class VxlanTunnel implements TunnelDriver {
  readonly kind = 'vxlan';
  readonly #layout: SpillLayout;
  readonly #host: Host;

  constructor(layout: SpillLayout, host: Host) {
    this.#layout = layout;
    this.#host = host;
  }

  async ensure(peers: readonly SpillPeer[]): Promise<ReadonlyMap<string, string>> {
    const wanted = this.#layout.peers.filter((known) =>
      peers.some((peer) => peer.site === known.site),
    );
    const links = await this.#ours();
    const standing = new Set<string>();
    const lines: string[] = [];
    for (const link of links) {
      const peer = wanted.find((candidate) => candidate.device === link.ifname);
      if (peer && fits(link, peer, this.#layout)) standing.add(peer.device);
      else lines.push(`link delete ${link.ifname}`);
    }
    for (const peer of wanted) {
      if (!standing.has(peer.device)) lines.push(...create(peer, this.#layout));
      lines.push(...equip(peer, this.#layout));
    }
    // The filter first: no device is ever open to others, not even for a moment.
    const remotes = wanted.map((peer) => peer.address);
    await this.#host.run('nft', ['-f', '-'], tunnelFilter(this.#layout, remotes));
    if (lines.length > 0) await this.#batch(lines);
    return new Map(wanted.map((peer) => [peer.site, peer.device]));
  }

  async remove(): Promise<void> {
    const links = await this.#ours();
    if (links.length > 0) await this.#batch(links.map((link) => `link delete ${link.ifname}`));
    const table = `ip ${FILTER_TABLE}`;
    await this.#host.run('nft', ['-f', '-'], `add table ${table}\ndelete table ${table}\n`);
  }

  async #ours(): Promise<Link[]> {
    const text = await this.#host.run('ip', ['-json', '-details', 'link', 'show', 'type', 'vxlan']);
    const links = JSON.parse(text || '[]') as Link[];
    return links.filter((link) => link.ifalias === ALIAS);
  }

  async #batch(lines: readonly string[]): Promise<void> {
    await this.#host.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }
}
