/**
 * The decision: what this site answers, announces and spills, from all that is known. The daemon,
 * `explain`, the simulator and the dashboard's "why" all call this one function.
 *
 * Must hold: pure. The same (config, world, now) gives the same plan, nothing given is changed, and
 * nothing else anywhere decides.
 */
import type { Config } from '../model/config.ts';
import type { Plan } from '../model/plan.ts';
import type { World } from '../model/world.ts';
import { judgeEndpoints } from './endpoints.ts';
import { planRoutes } from './routes.ts';
import { judgeSites } from './sites.ts';
import { planSpill } from './spill.ts';
import { hear, viewOf } from './view.ts';

/** `now` is on the monotonic clock of `world`'s reader, in milliseconds. */
export function decide(config: Config, world: World, now: number): Plan {
  const view = viewOf(config, world, now);
  const hearings = config.sites.map((site) => hear(view, site));
  const { verdicts: endpoints, memory: ofEndpoints } = judgeEndpoints(view, hearings);
  const sites = judgeSites(view, hearings, endpoints);
  const { routes, memory } = planRoutes(view, hearings, endpoints, sites);
  const spill = planSpill(view, sites);
  return {
    site: world.self,
    sites,
    endpoints,
    routes,
    spill,
    memory: { ...memory, ...ofEndpoints },
    wake_ms: view.wake.in_ms,
  };
}
