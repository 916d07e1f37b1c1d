/**
 * Policy routing of marked packets: one rule and one route table a peer. Pure, from what stands to
 * the `ip -batch` lines that are missing.
 *
 * What always holds: a peer's table holds the VIPs and nothing else (VXLAN looks its outer packet
 * up with the inner packet's mark, so a default route there would send the tunnel into itself), and
 * the local table is looked up at every moment of a change.
 */
import type { Host } from '../net/host.ts';
import { MARK_BASE, SITES_MAX, type SpillLayout } from './layout.ts';

/** The marks' rules stand before the local table, since a VIP is a local address. */
const MARK_PREF = 12;
const LOCAL_PREF = 100;

export interface Rule {
  readonly priority: number;
  readonly fwmark?: string;
  readonly table?: string;
}

export interface Route {
  readonly type?: string;
  readonly dst: string;
  readonly table?: string;
}

export interface Routing {
  readonly rules: readonly Rule[];
  /** IPv4 routes of all tables. */
  readonly routes: readonly Route[];
}

export async function readRouting(host: Host): Promise<Routing> {
  const rules = await host.run('ip', ['-4', '-json', 'rule', 'show']);
  const routes = await host.run('ip', ['-4', '-json', 'route', 'show', 'table', 'all']);
  return { rules: JSON.parse(rules || '[]'), routes: JSON.parse(routes || '[]') };
}

function markOf(rule: Rule): number {
  return rule.fwmark === undefined ? -1 : Number(rule.fwmark.split('/')[0]);
}

function inOurRange(mark: number): boolean {
  return mark >= MARK_BASE && mark < MARK_BASE + SITES_MAX;
}

/** True for the rules that this module makes: the mark looks up the table of its own number. */
function isMarkRule(rule: Rule): boolean {
  const mark = markOf(rule);
  return rule.priority === MARK_PREF && inOurRange(mark) && rule.table === String(mark);
}

/** Rules of others that look at our marks: two users of one mark would break both. */
export function strangers(rules: readonly Rule[]): Rule[] {
  return rules.filter((rule) => inOurRange(markOf(rule)) && !isMarkRule(rule));
}

const isFirst = (rule: Rule): boolean => rule.priority === 0 && rule.table === 'local';
const isMoved = (rule: Rule): boolean => rule.priority === LOCAL_PREF && rule.table === 'local';
const markRule = (verb: 'add' | 'del', mark: number): string =>
  `rule ${verb} pref ${MARK_PREF} fwmark ${mark} lookup ${mark}`;

/** The lines that make marked packets of `layout`'s peers take the tunnels. */
export function enterRouting(layout: SpillLayout, { rules }: Routing): string[] {
  const lines = layout.peers.flatMap(({ gateway, device, mark }) =>
    layout.vips.map(
      (vip) => `route replace ${vip} via ${gateway} dev ${device} onlink table ${mark}`,
    ),
  );
  const wanted = layout.peers.map((peer) => peer.mark);
  const standing = rules.filter(isMarkRule).map(markOf);
  lines.push(...wanted.filter((m) => !standing.includes(m)).map((m) => markRule('add', m)));
  lines.push(...standing.filter((m) => !wanted.includes(m)).map((m) => markRule('del', m)));
  if (!rules.some(isMoved)) lines.push(`rule add pref ${LOCAL_PREF} lookup local`);
  if (rules.some(isFirst)) lines.push('rule del pref 0 lookup local');
  return lines;
}

/** The lines that put everything back as it was before `enterRouting`. */
export function leaveRouting({ rules, routes }: Routing): string[] {
  const lines = rules.filter(isMarkRule).map((rule) => markRule('del', markOf(rule)));
  for (const route of routes) {
    if (inOurRange(Number(route.table))) lines.push(`route del ${route.dst} table ${route.table}`);
  }
  if (!rules.some(isFirst)) lines.push('rule add pref 0 lookup local');
  if (rules.some(isMoved)) lines.push(`rule del pref ${LOCAL_PREF} lookup local`);
  return lines;
}
