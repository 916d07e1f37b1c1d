/** Random stories of whole sites, for the properties that must hold whatever happens. */
import fc from 'fast-check';
import type { Config, VerdictRule } from '../../src/model/config.ts';
import { idOf, type OverrideScope, siteScope } from '../../src/model/override.ts';
import { routePolicy } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';
import { Mesh, type Station } from './mesh.ts';
import { orderOf } from './world.ts';

const base = testConfig();
const SITES = base.sites.length;
const ENDPOINTS = base.endpoints.length;
const DAMPING = {
  penalty: 1_000,
  suppress: 2_500,
  reuse: 750,
  half_life_ms: 10_000,
  suppress_max_ms: 30_000,
};

/** What a deployment may be like; small, so that a counterexample can be read. */
export interface Shape {
  readonly observers: number;
  readonly rule: VerdictRule;
  readonly evict_max: number;
  readonly sites_min: number;
  readonly damped: boolean;
  /** Routes wait, for their addresses and after failures. */
  readonly waits: boolean;
  readonly capacities: readonly number[];
  /** Endpoints of the second service, which it shares with the first. */
  readonly second: readonly number[];
  /** Sites that announce the VIP. */
  readonly announcing: readonly number[];
}

export const anyShape: fc.Arbitrary<Shape> = fc.record({
  observers: fc.nat(2),
  rule: fc.constantFrom<VerdictRule>('home', 'majority', 'any', 'all'),
  evict_max: fc.constantFrom(0, 0.4, 0.5, 0.75, 1),
  sites_min: fc.nat(3),
  damped: fc.boolean(),
  waits: fc.boolean(),
  capacities: fc.array(fc.constantFrom(1, 100, 200, 1_000), { minLength: 3, maxLength: 3 }),
  second: fc.uniqueArray(fc.nat(ENDPOINTS - 1), { minLength: 1 }),
  announcing: fc.constantFrom([0, 1], [0, 1, 2], [1]),
});

function configOf({ observers, rule, damped, capacities, second, ...rest }: Shape): Config {
  const { announcing, waits, ...guard } = rest;
  const [www] = base.services;
  const pool = second.map((endpoint) => ({ endpoint, weight: 1 }));
  const times = { hold_down_ms: 3_000, hold_down_max_ms: 15_000 };
  return {
    ...base,
    sites: base.sites.map((site, index) => ({
      ...site,
      capacity: capacities[index]!,
      announces: announcing.includes(index) ? site.announces : [],
      bgp: { ...site.bgp!, vip_interface: waits ? 'lo' : null },
    })),
    endpoints: base.endpoints.map((one) => ({ ...one, vantage: { observers, rule } })),
    services: [www!, { ...www!, name: 'api.example.com', pool }],
    policy: {
      ...base.policy,
      drain_ms: 3_000,
      routes: routePolicy(waits ? { hold_down_ms: 5_000, settle_ms: 1_000, damping: DAMPING } : {}),
      health: { ...times, ...guard, damping: damped ? DAMPING : null },
    },
  };
}

const scopes: readonly OverrideScope[] = [
  ...base.sites.map(({ name }) => siteScope(name)),
  ...base.endpoints.map(({ id }) => ({ ...siteScope(''), site: null, endpoint: id })),
  { ...siteScope('fra'), endpoint: 'fra-lb1' },
  { ...siteScope(''), site: null, service: 'api.example.com' },
];

const site = fc.nat(SITES - 1);
const endpoint = fc.nat(ENDPOINTS - 1);
const action = fc.constantFrom('drain' as const, 'up' as const, 'down' as const);
const ms = fc.constantFrom(500, 1_000, 3_500, 6_000, 20_000);

/** What may happen, as data. */
const anyStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ is: fc.constant('seen' as const), site, endpoint, up: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ is: fc.constant('seen by all' as const), endpoint, up: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ is: fc.constant('all of' as const), home: site, up: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('deaf' as const), from: site, to: site }) },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('suspects' as const), site, on: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant('reload' as const),
      evict_max: fc.constantFrom(0, 0.5, 1),
      hold_down_ms: fc.constantFrom(0, 3_000, 8_000),
      damping: fc.constantFrom(null, DAMPING, { ...DAMPING, half_life_ms: 3_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('cut' as const), site }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('mend' as const), site }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('heal' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('restart' as const), site, remembers: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      is: fc.constant('order' as const),
      scope: fc.constantFrom(...scopes),
      action,
      left_s: fc.option(fc.nat(20)),
      to: fc.subarray([0, 1, 2]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant('undo' as const),
      scope: fc.constantFrom(...scopes),
      to: fc.subarray([0, 1, 2]),
    }),
  },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('time' as const), ms }) },
);
export type Step = typeof anyStep extends fc.Arbitrary<infer One> ? One : never;
export const story = fc.array(anyStep, { minLength: 5, maxLength: 40 });

function happen(mesh: Mesh, step: Step): void {
  switch (step.is) {
    case 'seen':
      mesh.see(step.site, step.endpoint, step.up);
      break;
    case 'seen by all':
      for (const { index } of mesh.stations) mesh.see(index, step.endpoint, step.up);
      break;
    case 'all of':
      for (const [index, one] of base.endpoints.entries()) {
        if (one.site !== step.home) continue;
        for (const station of mesh.stations) mesh.see(station.index, index, step.up);
      }
      break;
    case 'deaf':
      mesh.deaf.add(`${step.from}>${step.to}`);
      break;
    case 'suspects':
      mesh.stations[step.site]!.suspect = step.on ? 'it sees nobody' : null;
      break;
    case 'reload': {
      const { is: _, ...health } = step;
      const { policy } = mesh.config;
      const changed = { ...policy, health: { ...policy.health, ...health } };
      mesh.config = { ...mesh.config, policy: changed };
      break;
    }
    case 'cut':
      mesh.cut(step.site);
      break;
    case 'mend':
      mesh.mend(step.site);
      break;
    case 'heal':
      mesh.heal();
      break;
    case 'restart':
      mesh.restart(step.site, step.remembers);
      break;
    case 'order': {
      const { scope, action, left_s, to } = step;
      const until = left_s === null ? null : mesh.now + left_s * 1_000 + 100;
      mesh.order(idOf(scope), orderOf({ scope, action }, mesh.now, until), to);
      break;
    }
    case 'undo':
      mesh.order(idOf(step.scope), null, step.to);
      break;
    case 'time':
      mesh.run(step.ms);
      break;
  }
}

export function tell(
  shape: Shape,
  steps: readonly Step[],
  look?: (station: Station, mesh: Mesh) => void,
): Mesh {
  const mesh = new Mesh(configOf(shape), look);
  mesh.run(1_000);
  for (const step of steps) happen(mesh, step);
  return mesh;
}
