/** Reports and worlds for the tests of the decision: all healthy unless said otherwise. */
import type { Config } from '../../src/model/config.ts';
import { type HeldOverride, idOf, type Override, siteScope } from '../../src/model/override.ts';
import type { EndpointSight, LoadSight, Report } from '../../src/model/report.ts';
import { blankReport, ROUTE_OFF, type RouteSight } from '../../src/model/report.ts';
import type { World } from '../../src/model/world.ts';

export const UP: EndpointSight = { up: true, for_ms: 60_000, downs: 0, detail: '200' };
export const DOWN: EndpointSight = { up: false, for_ms: 500, downs: 1, detail: 'refused' };

/** A report of `site` where every endpoint is `sight`, with `change` over it. */
export function reportOf(
  config: Config,
  site: string,
  change: Partial<Report> = {},
  sight: EndpointSight = UP,
): Report {
  const index = config.sites.findIndex(({ name }) => name === site);
  const own = config.endpoints.filter((endpoint) => endpoint.site === index);
  return {
    ...blankReport(site),
    incarnation: 1,
    sequence: 1,
    endpoints: Object.fromEntries(own.map(({ id }) => [id, sight])),
    ...change,
  };
}

/** A route that is announced and heard, or another with `change`. */
export function sightOf(change: Partial<RouteSight> = {}): RouteSight {
  return { ...ROUTE_OFF, phase: 'on', fitness: 'healthy', heard: true, age_ms: 0, ...change };
}

/** A route that is not announced. */
export const WITHDRAWN: RouteSight = { ...ROUTE_OFF, heard: false, age_ms: 0 };

/** A drain of the whole site that began at `since`, as a world holds it. */
export function drainOrder(site: string, since = 0): HeldOverride {
  return orderOf({ scope: siteScope(site) }, since);
}

/** An override, by default a drain by ada for a new kernel that does not end. */
export function orderOf(
  change: Partial<Override> & Pick<Override, 'scope'>,
  since = 0,
  until: number | null = null,
): HeldOverride {
  const override: Override = {
    id: idOf(change.scope),
    action: 'drain',
    by: 'ada',
    reason: 'kernel',
    stamp: { clock: 1, agent: 'fra/fra' },
    replaces: [],
    ...change,
  };
  return { override, since, until };
}

/** A world in which every report arrived at `received_at`. */
export function worldOf(
  self: string,
  reports: readonly Report[],
  received_at = 0,
  change: Partial<World> = {},
): World {
  const sightings = new Map(
    reports.map((report) => [report.site, { report, received_at, cut_ms: 0 }]),
  );
  return { self, sightings, overrides: [], connected: true, cut_at: null, ...change };
}

/** Load as ratios to a capacity of 200; without guests or spilled flows unless said otherwise. */
export function loadOf(used: number, demand = used, own = Math.min(used, demand)): LoadSight {
  return { used: used * 200, demand: demand * 200, own: own * 200, capacity: 200 };
}
