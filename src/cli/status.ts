/** `isobar status`: a running agent's state as tables for people. */
import type { RouteStatus, SiteStatus, Status } from '../agent/status.ts';
import { agentName } from '../model/report.ts';
import { duration, percent, table } from './table.ts';

const ratio = (value: number | null): string => (value === null ? '?' : value.toFixed(2));

export function statusText(status: Status): string {
  const parts = [
    `${status.deployment}/${agentName(status)}: isobar ${status.version}, pid ${status.pid}, up ${duration(status.uptime_ms)}, ` +
      `DNS on ${status.dns.listen.join(' ') || 'no address yet'}`,
  ];
  if (!status.connected) {
    parts.push('ON ITS OWN: no store can be reached; the other sites are as last heard');
  }
  if (status.drain) {
    const { for_ms, by, reason } = status.drain;
    parts.push(`DRAINING for ${duration(for_ms)} by ${by}: ${reason}`);
  }
  parts.push(
    table(
      ['SITE', 'STATE', 'LOAD', 'DEMAND', 'REPORT', 'WHY'],
      status.sites.map((site) => [
        site.site,
        site.state,
        ratio(site.load),
        ratio(site.demand),
        site.report_age_ms === null ? 'never' : duration(site.report_age_ms),
        [site.reason.text, ...silentAgents(site)].join('; '),
      ]),
    ),
    table(
      ['ENDPOINT', 'SITE', 'ADDRESSES', 'ANSWERED', 'WHY'],
      status.endpoints.map((endpoint) => [
        endpoint.id,
        endpoint.site,
        endpoint.addresses.join(' '),
        endpoint.eligible ? 'yes' : 'no',
        endpoint.reason.text,
      ]),
    ),
  );
  if (status.routes.length > 0) parts.push(routesText(status));
  if (status.neighbors.length > 0) parts.push(neighborsText(status));
  parts.push(spillText(status));
  return parts.join('\n\n');
}

/** Of a site that others of its agents still speak for. */
function silentAgents({ state, agents }: SiteStatus): string[] {
  if (state === 'lost') return [];
  const silent = agents.filter(({ fresh }) => !fresh);
  return silent.map(({ agent, report_age_ms }) => {
    return `${agent} silent for ${duration(report_age_ms)}`;
  });
}

function routesText(status: Status): string {
  return table(
    ['VIP', 'PREFIXES', 'ROUTE', 'FITNESS', 'WHY'],
    status.routes.map((route) => [
      route.vip,
      route.prefixes.join(' '),
      routeText(route),
      route.fitness ?? '-',
      route.reason.text,
    ]),
  );
}

function routeText({ announce, memory }: RouteStatus): string {
  if (announce) return 'announced';
  return memory?.phase === 'coming' || memory?.phase === 'going' ? memory.phase : 'withdrawn';
}

function neighborsText(status: Status): string {
  return table(
    ['NEIGHBOR', 'ADDRESS', 'AS', 'STATE', 'FOR', 'ROUTES', 'LAST FAILURE'],
    status.neighbors.map((neighbor) => [
      neighbor.name,
      neighbor.address,
      String(neighbor.as ?? '?'),
      neighbor.state,
      duration(neighbor.for_ms),
      String(neighbor.routes_out),
      neighbor.state === 'Established' ? '-' : (neighbor.last_failure ?? '-'),
    ]),
  );
}

function spillText(status: Status): string {
  const load = status.load
    ? `load ${status.load.used.toFixed(1)} of ${status.load.capacity}, ` +
      `own demand ${status.load.demand.toFixed(1)}`
    : `load unknown: ${status.load_detail}`;
  const shares = Object.entries(status.spill?.shares ?? {})
    .map(([peer, share]) => `${percent(share)} to ${peer}`)
    .join(', ');
  const grants = Object.entries(status.spill?.stance.grants ?? {})
    .map(([peer, units]) => `${units.toFixed(1)} from ${peer}`)
    .join(', ');
  const why = status.spill?.reason.text ?? 'no plan yet';
  return [
    `LOAD   ${load}`,
    `SPILL  sends ${shares || 'nothing'}; takes ${grants || 'nothing'} (${why})`,
    `FLOWS  kept ${status.flows.kept}, sent ${flowsText(status.flows.sent)}, ` +
      `guests ${flowsText(status.flows.guests)}`,
  ].join('\n');
}

function flowsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([peer, count]) => `${peer} ${count}`);
  return parts.length > 0 ? parts.join(' ') : '0';
}
