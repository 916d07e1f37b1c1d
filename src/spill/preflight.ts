/**
 * What must hold on the machine before a flow may be spilled. Each of these breaks spilling
 * silently when it is missed, so each is looked at, and either put right or named with its remedy.
 */

import type { Host } from '../net/host.ts';
import { parseAddress, parsePrefix, prefixContains } from '../net/ip.ts';
import type { SpillLayout } from './layout.ts';
import { FLOW_BYTES_MAX, FLOWS_MAX } from './nft-ruleset.ts';
import { type Route, type Routing, strangers } from './policy-routing.ts';

/** Sets of flows beside the one of each peer: here, closing, guests. */
const COMMON_FLOW_SETS = 3;
/** Full flow sets may take at most this part of the machine's memory. */
const MEMORY_PART_MAX = 0.25;

const CONF = '/proc/sys/net/ipv4/conf';

/** True if packets to every address of `vip` are delivered on this machine. */
function isLocal(vip: string, routes: readonly Route[]): boolean {
  const wanted = parsePrefix(vip)!;
  return routes.some((route) => {
    if (route.type !== 'local') return false;
    const address = parseAddress(route.dst);
    const prefix = address ? { address, length: 32 } : parsePrefix(route.dst);
    return prefix && prefix.length <= wanted.length && prefixContains(prefix, wanted.address);
  });
}

/** What keeps this machine from spilling, each with its remedy; empty when nothing does. */
export async function spillProblems(
  layout: SpillLayout,
  routing: Routing,
  host: Host,
): Promise<string[]> {
  const problems = layout.vips
    .filter((vip) => !isLocal(vip, routing.routes))
    .map((vip) => `VIP ${vip} is not an address of this machine: ip address add ${vip} dev lo`);
  for (const rule of strangers(routing.rules)) {
    problems.push(
      `the ip rule with preference ${rule.priority} uses firewall mark ${rule.fwmark}, ` +
        'which isobar needs: give it another mark',
    );
  }
  const sets = layout.peers.length + COMMON_FLOW_SETS;
  const needed_kib = (sets * FLOWS_MAX * FLOW_BYTES_MAX) / 1024;
  const total_kib = Number(/MemTotal:\s+(\d+)/.exec(await host.read('/proc/meminfo'))?.[1] ?? 0);
  if (needed_kib > total_kib * MEMORY_PART_MAX) {
    problems.push(
      `${sets} full flow sets would need ${Math.ceil(needed_kib / 1024)} MiB, more than a quarter ` +
        `of this machine's memory (${Math.floor(total_kib / 1024)} MiB)`,
    );
  }
  return problems;
}

/**
 * Sets what spilling needs and returns a sentence for each value changed:
 * - ip_forward: packets of a spilled flow are forwarded into the tunnel;
 * - ip_early_demux: off, else the SYN of a port used before meets the socket of an older local
 *   connection, and forwarding drops packets that carry a socket (up to 2 % of new connections);
 * - rp_filter: strict mode drops every guest, and the kernel uses the larger of `all` and the
 *   device's own value; loose mode passes them, since the tunnel devices have an address.
 */
export async function prepareSysctls(layout: SpillLayout, host: Host): Promise<string[]> {
  const changes: string[] = [];
  const set = async (path: string, value: string): Promise<void> => {
    const before = await host.read(path);
    if (before === value) return;
    await host.write(path, value);
    changes.push(`set ${path} to ${value} (was ${before})`);
  };
  await set('/proc/sys/net/ipv4/ip_forward', '1');
  await set('/proc/sys/net/ipv4/ip_early_demux', '0');
  if ((await host.read(`${CONF}/all/rp_filter`)) === '1') await set(`${CONF}/all/rp_filter`, '2');
  for (const { device } of layout.peers) await set(`${CONF}/${device}/rp_filter`, '2');
  return changes;
}
