/** `isobar status ENDPOINT`: one endpoint's verdict with all that led to it, for people. */
import type { EndpointDetail, EndpointStatus } from '../agent/endpoint-status.ts';
import type { Fault, Vote } from '../model/plan.ts';
import { duration, table } from './table.ts';

const FAULTS: { readonly [Each in Fault]: string } = {
  endpoint: 'endpoint: those who look at it agree that it is down',
  path: 'path: some reach it and some do not',
  observer: 'observer: one who looks at it is silent, or cannot be believed',
};

/** "2 of 3 up": who says so of those who look at it. */
export function votesShort({ votes }: EndpointStatus): string {
  return `${votes.up} of ${votes.assigned} up`;
}

export function forText({ for_ms }: EndpointStatus): string {
  return for_ms === null ? '-' : duration(for_ms);
}

export function nextText({ next_ms }: EndpointStatus): string {
  return next_ms === null ? '-' : `in ${duration(next_ms)}`;
}

export function endpointText(endpoint: EndpointDetail): string {
  const { id, site, addresses, eligible, reason, fault, next_ms, services, rule } = endpoint;
  const facts: (readonly [string, string])[] = [
    ['verdict', `${eligible ? 'answered' : 'not answered'} (${reason.code}): ${reason.text}`],
    ['since', endpoint.for_ms === null ? 'not known' : `${forText(endpoint)} ago`],
    ['changes', next_ms === null ? 'with news only' : `${nextText(endpoint)}, if nothing happens`],
    ['fault', fault === null ? 'none' : FAULTS[fault]],
    [
      'guard',
      reason.code === 'eviction-guard' ? 'keeps it in use, although it should be out' : 'idle',
    ],
    ['penalty', penaltyText(endpoint)],
    ['rule', `${rule}: ${votesShort(endpoint)}, ${endpoint.votes.down} down`],
    ['services', services.join(' ') || 'none'],
  ];
  return [
    `${id} at ${site}, ${addresses.join(' ')}`,
    ...facts.map(([name, text]) => `  ${name.padEnd(9)} ${text}`),
    '',
    table(
      ['VOTE OF', 'ROLE', 'SAYS', 'FOR', 'HEARD', 'COUNTS', 'WHY'],
      endpoint.ballot.map(voteRow),
    ),
  ].join('\n');
}

function voteRow({ site, role, up, counts, age_ms, for_ms, text }: Vote): string[] {
  return [
    site,
    role,
    up === null ? '-' : up ? 'up' : 'down',
    for_ms === null ? '-' : duration(for_ms),
    age_ms === null ? 'never' : `${duration(age_ms)} ago`,
    counts ? 'yes' : 'no',
    text,
  ];
}

function penaltyText({ ruling, held }: EndpointDetail): string {
  if (ruling === null) return 'not known: its home is not heard';
  const { downs, penalty, suppressed } = ruling;
  const fallen = `${downs} ${downs === 1 ? 'fall' : 'falls'}`;
  const left = held === null ? '' : `, held back for ${duration(held.left_ms)} (${held.code})`;
  return `${Math.round(penalty)}${suppressed ? ' (suppressed)' : ''}, ${fallen}${left}`;
}
