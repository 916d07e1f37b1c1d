/**
 * The nftables text of the spill data plane: pure, one string in, one transaction for `nft -f -`.
 *
 * What always holds: only the first packet of a flow is decided, by a hash against one interval map
 * (the *share map*, whose elements carry the lease as a kernel timeout); a per-peer set remembers
 * the flows sent; what comes out of a tunnel is never sent into one; whatever fails (a full set, a
 * fragment, an ended lease) keeps the flow here. There is no connection tracking: replies go from
 * the receiving site straight to the client.
 *
 * Loading the text again replaces every rule in one transaction and leaves the flow sets alone, so
 * a restarted agent takes over without touching a flow.
 */
import { parsePrefix } from '../net/ip.ts';
import type { PeerLayout, SpillLayout } from './layout.ts';

export const SPILL_TABLE = 'isobar_spill';
export const FILTER_TABLE = 'isobar_tunnel';
/** Resolution of a share: 1 / 10,000. */
export const SLOTS = 10_000;
/** Entries in each flow set; a full set keeps new flows here. */
export const FLOWS_MAX = 262_144;
/** Kernel memory of one flow set entry, in bytes (measured: 70–147). */
export const FLOW_BYTES_MAX = 147;

const KEY = 'ip saddr . ip protocol . th sport . ip daddr . th dport';
const REPLY_KEY = 'ip daddr . ip protocol . th dport . ip saddr . th sport';
const PURE_SYN = 'tcp flags & (fin|syn|rst|ack) == syn';

function setBlock(name: string, body: string): string {
  return `  set ${name} {\n    ${body}\n  }`;
}

function chainBlock(name: string, rules: readonly string[]): string {
  return `  chain ${name} {\n${rules.map((rule) => `    ${rule}`).join('\n')}\n  }`;
}

function flowSet(name: string, timeout: string): string {
  const body = `typeof ${KEY}; size ${FLOWS_MAX}; flags dynamic,timeout; timeout ${timeout};`;
  return setBlock(name, body);
}

const elements = (items: readonly string[]): string =>
  items.length > 0 ? ` elements = { ${items.join(', ')} }` : '';

/** The sets whose content is configuration: emptied and filled by every load. */
function configSets(layout: SpillLayout): [name: string, type: string, items: string[]][] {
  const targets = layout.targets.map((t) => `${t.prefix} . ${t.protocol} . ${t.port}`);
  return [
    ['vips', 'type ipv4_addr; flags interval;', [...layout.vips]],
    ['targets', 'type ipv4_addr . inet_proto . inet_service; flags interval;', targets],
    ['tunnels', 'type ifname;', layout.peers.map((peer) => `"${peer.device}"`)],
  ];
}

/** A packet of a flow that was sent to `peer`: it follows, and the set's entry is kept fresh. */
function knownChain({ site, mark }: PeerLayout): string {
  const own = `@own_${site}`;
  const closing = `update ${own} { ${KEY} timeout 60s } update @closing { ${KEY} }`;
  const forget = `delete ${own} { ${KEY} } delete @closing { ${KEY} }`;
  return chainBlock(`known_${site}`, [
    `meta mark set ${mark} notrack`,
    `tcp flags & (fin|rst) != 0 ${closing} accept`,
    // A client that uses its port again after closing starts a new flow: it is decided afresh.
    `${PURE_SYN} ${KEY} @closing ${forget} meta mark set 0 goto new_flow`,
    'tcp flags & syn == syn accept',
    `${KEY} @closing ${closing} accept`,
    `update ${own} { ${KEY} timeout 5m } accept`,
    'accept',
  ]);
}

/**
 * A new flow whose slot belongs to `peer`. The entry lives 15 s until a second packet is seen, so
 * that a SYN flood cannot fill the set; when it is full the rule ends there and the flow is kept.
 */
function sendChain({ site, mark }: PeerLayout): string {
  const count = `counter name sent_${site}`;
  return chainBlock(`to_${site}`, [
    'meta mark set 0',
    `add @own_${site} { ${KEY} timeout 15s } meta mark set ${mark} ${count} notrack accept`,
    'counter name kept accept',
  ]);
}

/**
 * An ICMP error about a reply may belong to a flow that another site answers, and the inner header
 * cannot be looked up in a typed set: it is copied to every peer, at a limited rate (RFC 1191,
 * RFC 792). Bits 160… of the ICMP message are the source address of the packet it quotes.
 */
function icmpChain(layout: SpillLayout): string {
  const copies = layout.peers.map((peer) => `dup to ${peer.gateway}`);
  const rules = layout.vips.map((vip) => {
    const { address, length } = parsePrefix(vip)!;
    const bits = new DataView(address.buffer, address.byteOffset, 4).getUint32(0);
    const quoted = length === 0 ? '' : `@th,160,${length} ${bits / 2 ** (32 - length)} `;
    return `${quoted}limit rate 1000/second ${copies.join(' ')}`;
  });
  return chainBlock('icmp_error', [
    'icmp type != { destination-unreachable, time-exceeded, parameter-problem } accept',
    ...(copies.length > 0 ? rules : []),
    'accept',
  ]);
}

function prerouting(layout: SpillLayout): string {
  return chainBlock('prerouting', [
    'type filter hook prerouting priority raw; policy accept;',
    // This machine's own probes of the VIP are no client's flows.
    'iif lo accept',
    'iifname @tunnels goto from_tunnel',
    'ip daddr != @vips accept',
    'ip protocol icmp goto icmp_error',
    'ip daddr . ip protocol . th dport != @targets accept',
    ...layout.peers.map(({ site }) => `${KEY} @own_${site} goto known_${site}`),
    `${PURE_SYN} goto new_flow`,
    'ip protocol udp goto new_flow',
  ]);
}

/**
 * The first packet of an own client's flow, or a later one of a UDP flow that stayed. `here` makes
 * a repeated SYN, and the rest of a UDP flow, stay where the first packet stayed although the share
 * has moved meanwhile.
 */
function newFlow(layout: SpillLayout): string {
  return chainBlock('new_flow', [
    `ip protocol udp ${KEY} @here update @here { ${KEY} timeout 60s } accept`,
    `${KEY} @here accept`,
    `meta mark set jhash ip saddr . th sport mod ${SLOTS} seed ${layout.seed}`,
    'meta mark vmap @share',
    'meta mark set 0 counter name kept',
    `ip protocol udp add @here { ${KEY} timeout 60s } accept`,
    `add @here { ${KEY} timeout 4s } accept`,
    'accept',
  ]);
}

/** The loop guard: what a peer sent here is answered here or dropped, never sent on. */
function fromTunnel(): string {
  return chainBlock('from_tunnel', [
    'ip daddr != @vips drop',
    'ip protocol icmp accept',
    'ip daddr . ip protocol . th dport != @targets drop',
    `${PURE_SYN} goto new_guest`,
    `ip protocol udp goto new_guest`,
    'accept',
  ]);
}

function newGuest(layout: SpillLayout): string {
  return chainBlock('new_guest', [
    `${KEY} @guests update @guests { ${KEY} timeout 60s } accept`,
    ...layout.peers.map((p) => `iifname "${p.device}" counter name guests_${p.site}`),
    `add @guests { ${KEY} timeout 60s } accept`,
    'accept',
  ]);
}

/**
 * Guests send through a tunnel, whose MTU they cannot see: the SYN-ACK tells them a segment size
 * that fits (RFC 9293 §3.7.1). Only this end can: the peer never sees the replies.
 */
function output(layout: SpillLayout): string {
  const synAck = `ip saddr @vips tcp flags & (syn|ack) == (syn|ack) ${REPLY_KEY} @guests`;
  return chainBlock('output', [
    'type filter hook output priority mangle; policy accept;',
    `${synAck} tcp option maxseg size set ${layout.mss}`,
  ]);
}

/** Names of all named counters, and of the map, as `nft` lists them. */
export function counterNames(layout: SpillLayout): string[] {
  return ['kept', ...layout.peers.flatMap(({ site }) => [`sent_${site}`, `guests_${site}`])];
}

/** The whole ruleset as one transaction; what the flow sets hold stays as it is. */
export function spillRuleset(layout: SpillLayout): string {
  const sets = configSets(layout);
  const table = `ip ${SPILL_TABLE}`;
  const head = [
    `add table ${table}`,
    ...sets.map(([name, type]) => `add set ${table} ${name} { ${type} }`),
    // Empties every chain; the flow sets and the counters stay.
    `flush table ${table}`,
    ...sets.map(([name]) => `flush set ${table} ${name}`),
  ];
  const body = [
    ...sets.map(([name, type, items]) => setBlock(name, type + elements(items))),
    ...layout.peers.map(({ site }) => flowSet(`own_${site}`, '5m')),
    flowSet('here', '60s'),
    flowSet('closing', '60s'),
    flowSet('guests', '60s'),
    ...counterNames(layout).map((name) => `  counter ${name} {\n  }`),
    ...layout.peers.map(knownChainDeclaration),
    '  map share {\n    type mark : verdict; flags interval,timeout;\n  }',
    ...layout.peers.map(sendChain),
    newFlow(layout),
    ...layout.peers.map(knownChain),
    newGuest(layout),
    fromTunnel(),
    icmpChain(layout),
    prerouting(layout),
    output(layout),
  ];
  return `${head.join('\n')}\ntable ${table} {\n${body.join('\n')}\n}\n`;
}

/** Empty, so that rules may refer to the chain before its own rules are read. */
function knownChainDeclaration({ site }: PeerLayout): string {
  return chainBlock(`known_${site}`, []);
}

/**
 * One transaction that makes `shares` (peer → part of the new flows, 0–1) hold for `lease_ms`.
 * Shares are laid out one after another over the slots, in the order of the peers; together they
 * take at most all of them. A share of a site that is no peer is ignored.
 */
export function shareTransaction(
  layout: SpillLayout,
  shares: Readonly<Record<string, number>>,
  lease_ms: number,
): string {
  const items: string[] = [];
  let next = 0;
  for (const { site } of layout.peers) {
    const slots = Math.min(SLOTS - next, Math.round(Math.max(0, shares[site] ?? 0) * SLOTS));
    if (!(slots > 0)) continue;
    const range = slots === 1 ? `${next}` : `${next}-${next + slots - 1}`;
    items.push(`${range} timeout ${Math.max(1, Math.round(lease_ms))}ms : goto to_${site}`);
    next += slots;
  }
  const flush = `flush map ip ${SPILL_TABLE} share\n`;
  if (items.length === 0) return flush;
  return `${flush}add element ip ${SPILL_TABLE} share { ${items.join(', ')} }\n`;
}

/**
 * VXLAN does not check who sent a packet, so anyone who reaches the port could inject into the
 * tunnel: only the peers' tunnel ends may.
 */
export function tunnelFilter(layout: SpillLayout, peers: readonly string[]): string {
  const table = `ip ${FILTER_TABLE}`;
  const allowed = peers.length > 0 ? `ip saddr != { ${peers.join(', ')} } ` : '';
  return [
    `add table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    chainBlock('prerouting', [
      'type filter hook prerouting priority -350; policy accept;',
      `udp dport ${layout.vxlan_port} ${allowed}drop`,
    ]),
    '}\n',
  ].join('\n');
}
