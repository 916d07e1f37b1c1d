/** Whether a deployment is larger than the health table or a report can hold. */
import { observersOf } from '../decide/vantage.ts';
import type { Config } from '../model/config.ts';
import { ENDPOINTS_MAX, SITE_ENDPOINTS_MAX, TARGETS_MAX } from './limits.ts';

/** What there is too much of, and what to do; null: all fits. */
export function crowdOf(config: Config): string | null {
  const { endpoints, sites, targets } = config;
  const fewer = 'use fewer checks';
  if (endpoints.length > ENDPOINTS_MAX) {
    return `more than ${ENDPOINTS_MAX} endpoints (load balancer, check, address): ${fewer}`;
  }
  if (targets.length > TARGETS_MAX) return `more than ${TARGETS_MAX} addresses to probe: ${fewer}`;
  const own = sites.map(() => 0);
  const observed = sites.map(() => 0);
  for (const [index, { site }] of endpoints.entries()) {
    own[site]!++;
    for (const observer of observersOf(config, index)) observed[observer]!++;
  }
  const crowded = (counts: number[]): string | undefined => {
    return sites.find((_, i) => counts[i]! > SITE_ENDPOINTS_MAX)?.name;
  };
  const home = crowded(own);
  if (home !== undefined) {
    const what = 'endpoints (load balancer, check, address)';
    return `site ${home} has more than ${SITE_ENDPOINTS_MAX} ${what}: ${fewer}`;
  }
  const observer = crowded(observed);
  if (observer === undefined) return null;
  const what = `would look at more than ${SITE_ENDPOINTS_MAX} endpoints of others`;
  return `site ${observer} ${what}: write fewer \`observers\``;
}
