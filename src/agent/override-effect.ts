/**
 * What an override concerns and what it would change, before anybody gives it. Pure: the decision is
 * made once as things are and once as they would be.
 */
import { suggest } from '../config/nearest.ts';
import { decide } from '../decide/decide.ts';
import { endpointsIn } from '../decide/overrides.ts';
import type { Config } from '../model/config.ts';
import { type HeldOverride, idOf, type OverrideScope } from '../model/override.ts';
import type { Plan } from '../model/plan.ts';
import type { World } from '../model/world.ts';
import { planChanges } from './events.ts';

export interface OverrideEffect {
  /** Ids of the endpoints that fit the scope. */
  readonly endpoints: readonly string[];
  /** For the scope of a service: the other services that use some of these endpoints. */
  readonly shared: readonly string[];
  /** What would change at once, here and in answers everywhere, a line each. */
  readonly changes: readonly string[];
  /** Services that have a usable endpoint now and then would have none. */
  readonly starved: readonly string[];
}

/** `held` takes the place of what its register holds in `world`. */
export function effectOf(
  config: Config,
  world: World,
  now: number,
  held: HeldOverride,
): OverrideEffect {
  const { id, scope } = held.override;
  const others = world.overrides.filter(({ override }) => override.id !== id);
  const before = decide(config, world, now);
  const after = decide(config, { ...world, overrides: [...others, held] }, now);
  const changed = planChanges(config, before, after);
  return {
    ...concernOf(config, scope),
    changes: [
      ...endpointChanges(before, after),
      ...changed.map(({ subject, text }) => `${subject}: ${text}`),
    ],
    starved: config.services
      .filter(({ pool }) => {
        const anyIn = ({ endpoints }: Plan): boolean =>
          pool.some(({ endpoint }) => endpoints[endpoint]!.eligible);
        return anyIn(before) && !anyIn(after);
      })
      .map(({ name }) => name),
  };
}

export function concernOf(
  config: Config,
  scope: OverrideScope,
): Pick<OverrideEffect, 'endpoints' | 'shared'> {
  const concerned = new Set(endpointsIn(config, scope));
  const others = config.services.filter(
    ({ name, pool }) =>
      name !== scope.service && pool.some(({ endpoint }) => concerned.has(endpoint)),
  );
  return {
    endpoints: [...concerned].map((index) => config.endpoints[index]!.id),
    shared: scope.service === null ? [] : others.map(({ name }) => name),
  };
}

function endpointChanges(before: Plan, after: Plan): string[] {
  return after.endpoints.flatMap(({ id, reason }, index) => {
    const was = before.endpoints[index]!.reason.code;
    return was === reason.code ? [] : [`endpoint ${id}: ${was} → ${reason.code}`];
  });
}

/** Why the scope concerns nothing that is configured, with the nearest names; null: it does. */
export function scopeMistake(config: Config, scope: OverrideScope): string | null {
  const { site, service, endpoint, label } = scope;
  const { sites, services, endpoints } = config;
  const missing = (what: string, name: string, known: Iterable<string>): string =>
    `there is no ${what} "${name}"; ${suggest(name, known)}`;
  if (site !== null && !sites.some(({ name }) => name === site)) {
    return missing('site', site, namesOf(sites));
  }
  if (service !== null && !services.some(({ name }) => name === service)) {
    return missing('service', service, namesOf(services));
  }
  if (endpoint !== null && endpointsIn(config, { ...NO_SCOPE, endpoint }).length === 0) {
    return missing(
      'endpoint',
      endpoint,
      new Set(endpoints.flatMap(({ id, load_balancer }) => [load_balancer, id])),
    );
  }
  if (label !== null && endpointsIn(config, { ...NO_SCOPE, label }).length === 0) {
    return missing('label', label, new Set(endpoints.flatMap(({ labels }) => labels)));
  }
  // A site without load balancers has routes that can be drained.
  const isWhole = service === null && endpoint === null && label === null;
  if (isWhole || endpointsIn(config, scope).length > 0) return null;
  return `no endpoint fits all of ${idOf(scope)}`;
}

const NO_SCOPE: OverrideScope = { site: null, service: null, endpoint: null, label: null };

function namesOf(all: readonly { readonly name: string }[]): string[] {
  return all.map(({ name }) => name);
}
