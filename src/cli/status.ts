/** `isobar status`: a running agent's state as tables for people. */
import type { RouteStatus, SiteStatus, Status } from '../agent/status.ts';
import { agentName } from '../model/report.ts';
import { forText, nextText, votesShort } from './endpoint.ts';
import { duration, percent, table } from './table.ts';

/** So many of a kind are named; the rest is counted. */
const NAMED_MAX = 5;

const ratio = (value: number | null): string => (value === null ? '?' : value.toFixed(2));

export function statusText(status: Status): string {
  const parts = [
    `${status.deployment}/${agentName(status)}: isobar ${status.version}, pid ${status.pid}, up ${duration(status.uptime_ms)}, ` +
      `DNS on ${status.dns.listen.join(' ') || 'no address yet'}`,
  ];
  if (!status.connected) {
    parts.push('ON ITS OWN: no store can be reached; the other sites are as last heard');
  }
  const ailing = status.store.filter(({ state }) => state !== 'up');
  if (ailing.length > 0) parts.push(ailing.map(storeLine).join('\n'));
  if (status.drain) {
    const { for_ms, left_ms, by, reason } = status.drain;
    const left = left_ms === null ? '' : `, ${duration(left_ms)} left`;
    parts.push(`DRAINING for ${duration(for_ms)} by ${by}${left}: ${reason}`);
  }
  const fenced = status.routes.find(({ reason }) => reason.code === 'fenced');
  if (fenced) parts.push(`FENCED: no VIP is announced: ${fenced.reason.text}`);
  parts.push(...guardLines(status));
  if (status.overrides.length > 0) parts.push(overridesLine(status));
  parts.push(
    table(
      ['SITE', 'STATE', 'LOAD', 'DEMAND', 'REPORT', 'WHY'],
      status.sites.map((site) => [
        site.site,
        site.state,
        ratio(site.load),
        ratio(site.demand),
        site.report_age_ms === null ? 'never' : duration(site.report_age_ms),
        [site.reason.text, ...troubles(site), ...silentAgents(site)].join('; '),
      ]),
    ),
    table(
      ['ENDPOINT', 'SITE', 'ADDRESSES', 'ANSWERED', 'FOR', 'VOTES', 'CHANGES', 'WHY'],
      status.endpoints.map((endpoint) => [
        endpoint.id,
        endpoint.site,
        endpoint.addresses.join(' '),
        endpoint.eligible ? 'yes' : 'no',
        forText(endpoint),
        votesShort(endpoint),
        nextText(endpoint),
        endpoint.reason.text,
      ]),
    ),
  );
  if (status.routes.length > 0) parts.push(routesText(status));
  if (status.neighbors.length > 0) parts.push(neighborsText(status));
  parts.push(spillText(status));
  return parts.join('\n\n');
}

function storeLine({ name, state, for_ms, error }: Status['store'][number]): string {
  return `STORE ${name} ${state} for ${duration(for_ms)}: ${error ?? 'not tried yet'}`;
}

function troubles({ suspect, uplink }: SiteStatus): string[] {
  return [
    suspect === null ? '' : `does not trust its own eyes: ${suspect}`,
    uplink === false ? 'its uplink fails' : '',
  ].filter((text) => text !== '');
}

/** What is answered although health speaks against it. */
function guardLines({ endpoints, services }: Status): string[] {
  const guarded = endpoints.filter(({ reason }) => reason.code === 'eviction-guard');
  const kept = services.filter((service) => service.last_answer_kept);
  const lines: string[] = [];
  if (guarded.length > 0) {
    lines.push(
      `GUARDED: in use although they should be out: ${named(guarded.map(({ id }) => id))}`,
    );
  }
  if (kept.length > 0) {
    const names = named(kept.map(({ name }) => name));
    lines.push(`LAST ANSWER KEPT: nobody is eligible, so all of the pool is answered: ${names}`);
  }
  return lines;
}

function overridesLine({ overrides }: Status): string {
  const all = overrides.map(({ action, id }) => `${action ?? 'removed'} ${id}`);
  return `OVERRIDES  ${named(all)}: \`isobar overrides\` tells by whom and why`;
}

function named(all: readonly string[]): string {
  const more = all.length > NAMED_MAX ? `, and ${all.length - NAMED_MAX} more` : '';
  return `${all.slice(0, NAMED_MAX).join(', ')}${more}`;
}

/** Of a site that others of its agents still speak for. */
function silentAgents({ state, agents }: SiteStatus): string[] {
  if (state === 'lost' || state === 'unknown') return [];
  const silent = agents.filter(({ fresh }) => !fresh);
  return silent.map(({ agent, report_age_ms: age }) => {
    return age === null ? `${agent} not heard of yet` : `${agent} silent for ${duration(age)}`;
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
