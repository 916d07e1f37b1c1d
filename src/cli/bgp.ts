/** `isobar bgp`: neighbours, routes and causes as a running agent tells them, for people. */
import type { BgpNeighbors, BgpReceived, BgpRoutes } from '../api/bgp.ts';
import type { PeerError } from '../bgp/peer-record.ts';
import type { NeighborStatus } from '../bgp/speaker.ts';
import { duration, table } from './table.ts';

/** All neighbours, a line each. */
export function neighborsText({ neighbors }: BgpNeighbors): string {
  if (neighbors.length === 0) return 'no BGP neighbours: the site has none, or none has connected';
  return table(
    ['NEIGHBOR', 'ADDRESS', 'AS', 'STATE', 'FOR', 'BFD', 'OUT', 'IN', 'LAST FAILURE'],
    neighbors.map((one) => [
      one.name,
      one.address,
      String(one.as ?? '?'),
      one.state,
      duration(one.for_ms),
      one.bfd?.state ?? '-',
      outText(one),
      String(one.received.ipv4 + one.received.ipv6),
      one.state === 'Established' ? '-' : (one.last_failure ?? '-'),
    ]),
  );
}

/** Routes that the neighbour has; beside them those that are not there yet, or cannot be. */
function outText({ routes_out, routes_pending, routes_unsendable }: NeighborStatus): string {
  const rest = [
    ...(routes_pending > 0 ? [`${routes_pending} pending`] : []),
    ...(routes_unsendable > 0 ? [`${routes_unsendable} not carried`] : []),
  ];
  return rest.length > 0 ? `${routes_out} (${rest.join(', ')})` : String(routes_out);
}

/** One neighbour with all that is known of its session. */
export function neighborText(one: NeighborStatus, now_ms: number): string {
  const rows: (readonly [string, string])[] = [
    ['STATE', `${one.state} for ${duration(one.for_ms)}`],
    ['ADDRESS', `${one.address}, AS ${one.as ?? 'not known yet'}${rangeText(one)}`],
    ...sessionRows(one),
    ['LAST HEARD', one.silent_ms === null ? 'never' : `${duration(one.silent_ms)} ago`],
    ['TIMERS', timersText(one)],
    ['THEY CAN', one.capabilities.join(', ') || 'not told'],
    ['WE CAN', one.capabilities_out.join(', ') || 'not told'],
    ['MESSAGES IN', countsText(one.messages_in)],
    ['MESSAGES OUT', countsText(one.messages_out)],
    ['ROUTES OUT', outText(one)],
    ['ROUTES IN', inText(one)],
    ...watchRows(one),
    ...bfdRows(one),
    ['CONNECTIONS', connectionsText(one)],
    ['THEIR LAST ERROR', errorText(one.last_error_in, now_ms)],
    ['OUR LAST ERROR', errorText(one.last_error_out, now_ms)],
    ['LAST FAILURE', one.last_failure ?? '-'],
    ['LAST FAULT', faultText(one, now_ms)],
  ];
  const width = Math.max(...rows.map(([key]) => key.length));
  return [one.name, ...rows.map(([key, text]) => `  ${key.padEnd(width)}  ${text}`)].join('\n');
}

const rangeText = ({ range }: NeighborStatus): string =>
  range === null ? '' : `, of the range ${range}`;

/** What there is only while the session stands. */
function sessionRows(one: NeighborStatus): (readonly [string, string])[] {
  if (one.state !== 'Established') return [];
  const hold = one.hold_time_ms
    ? `hold time ${duration(one.hold_time_ms)}, keepalive ${duration(one.keepalive_ms ?? 0)}`
    : 'no hold time, no keepalives';
  const stale =
    one.stale_left_ms === null ? [] : [`restarting, ${duration(one.stale_left_ms)} left`];
  const dialled = one.dialled_by === 'peer' ? 'they dialled' : 'we dialled';
  return [
    [
      'SESSION',
      [`router id ${one.router_id}`, hold, one.families.join(' and '), ...stale].join(', '),
    ],
    ['CONNECTION', `${one.local} to ${one.remote}, ${dialled}`],
    ['DEAD MAN', one.guarded ? 'a thread withdraws if this daemon stands still' : 'no'],
  ];
}

function timersText({ timers }: NeighborStatus): string {
  const left = Object.entries(timers).map(([name, ms]) => `${name} in ${duration(ms)}`);
  return left.join(', ') || 'none';
}

function countsText(counts: NeighborStatus['messages_in']): string {
  return Object.entries(counts)
    .map(([type, count]) => `${type} ${count}`)
    .join(', ');
}

function inText({ received, announced_in, withdrawn_in, ends_of_rib_in }: NeighborStatus): string {
  const { ipv4, ipv6, kept, filtered, looped, leaked, stale } = received;
  const parts = Object.entries({ kept, filtered, looped, leaked, stale })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  const now = `${ipv4} IPv4, ${ipv6} IPv6${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`;
  const so_far = `${announced_in} announced and ${withdrawn_in} withdrawn so far`;
  return `${now}; ${so_far}, ${ends_of_rib_in} End-of-RIB`;
}

function watchRows({ vips_missing }: NeighborStatus): (readonly [string, string])[] {
  if (vips_missing === null) return [];
  const text = vips_missing.length === 0 ? 'all come back' : `do not: ${vips_missing.join(', ')}`;
  return [['OUR VIPS', text]];
}

function bfdRows({ bfd }: NeighborStatus): (readonly [string, string])[] {
  if (!bfd) return [];
  const parts = [
    `${bfd.state} for ${duration(bfd.for_ms)}`,
    `they ${bfd.remote_state}`,
    `every ${duration(bfd.transmit_ms)}, detection in ${duration(bfd.detection_ms)}`,
    `packets ${bfd.packets_in} in, ${bfd.packets_out} out, ${bfd.discarded} discarded`,
    `${bfd.downs} times lost`,
    ...(bfd.diagnostic === null ? [] : [`our diagnostic: ${bfd.diagnostic}`]),
    ...(bfd.remote_diagnostic === null ? [] : [`theirs: ${bfd.remote_diagnostic}`]),
    ...(bfd.problem === null ? [] : [`PROBLEM: ${bfd.problem}`]),
  ];
  return [['BFD', parts.join(', ')]];
}

function connectionsText({ sessions, dials, refused, faults_in }: NeighborStatus): string {
  return `sessions ${sessions}, dialled ${dials}, refused ${refused}, faulty messages ${faults_in}`;
}

function errorText(error: PeerError | null, now_ms: number): string {
  if (!error) return '-';
  return `${duration(now_ms - error.at_ms)} ago: ${error.text}`;
}

function faultText({ last_fault }: NeighborStatus, now_ms: number): string {
  if (!last_fault) return '-';
  const { at_ms, class: kind, text, bytes } = last_fault;
  return `${duration(now_ms - at_ms)} ago: ${text} (${kind}), its last octets ${bytes}`;
}

/** What each neighbour is told, and why; what it is not told as well. */
export function routesText({ routes, left_out }: BgpRoutes): string {
  if (routes.length === 0) return 'no routes: the site announces no VIP, or has no neighbour';
  const lines = table(
    ['NEIGHBOR', 'VIP', 'PREFIX', 'STATE', 'FITNESS', 'NEXT HOP', 'ATTRIBUTES', 'WHY'],
    routes.map((route) => [
      route.neighbor,
      route.vip,
      route.prefix,
      route.state,
      route.fitness ?? '-',
      route.next_hop ?? '-',
      attributesText(route),
      route.reason.text,
    ]),
  );
  if (left_out.length === 0) return lines;
  return `${lines}\nleft out, ask by --neighbor: ${left_out.join(', ')}`;
}

function attributesText(route: BgpRoutes['routes'][number]): string {
  const { as_path, med, local_pref, communities, otc } = route;
  const parts = [
    ...(as_path ? [`path ${as_path}`] : []),
    ...(med === null ? [] : [`MED ${med}`]),
    ...(local_pref === null ? [] : [`preference ${local_pref}`]),
    ...(communities.length === 0 ? [] : [communities.join(' ')]),
    ...(otc === null ? [] : [`only to customer ${otc}`]),
  ];
  return parts.join(', ') || '-';
}

/** The routes of a neighbour that `receive.accept` keeps. */
export function receivedText({ routes }: BgpReceived, name: string): string {
  if (routes.length === 0) return `${name} sends no route that \`receive.accept\` keeps`;
  return table(
    ['PREFIX', 'NEXT HOP', 'PATH', 'MED', 'PREFERENCE', 'COMMUNITIES'],
    routes.map((route) => [
      `${route.prefix}${route.path_id === null ? '' : ` (path ${route.path_id})`}`,
      route.next_hop,
      `${route.as_path || '-'}${route.stale ? ' (stale)' : ''}`,
      String(route.med ?? '-'),
      String(route.local_pref ?? '-'),
      route.communities.join(' ') || '-',
    ]),
  );
}
