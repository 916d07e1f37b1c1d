/** Random deployments, reports and memories of routes, for properties of the decision. */
import fc from 'fast-check';
import type { AnnouncePolicy, Condition, FitnessRule } from '../../src/model/bgp.ts';
import type { Config } from '../../src/model/config.ts';
import { type HeldOverride, siteScope } from '../../src/model/override.ts';
import type { Fitness } from '../../src/model/plan.ts';
import { type Report, ROUTE_OFF, type RouteSight } from '../../src/model/report.ts';
import { bgpSite, neighbor, routePolicy, UNCHANGED } from '../support/bgp.ts';
import { testConfig } from '../support/config.ts';
import { DOWN, loadOf, orderOf, reportOf, UP } from './world.ts';

const FITNESSES = ['healthy', 'degraded', 'overloaded', 'draining', 'last-site-kept'] as const;
const base = testConfig();

const rule: fc.Arbitrary<FitnessRule> = fc.boolean().map((announce) => ({
  announce,
  changes: UNCHANGED,
}));
const table = fc.record(
  Object.fromEntries(FITNESSES.map((fitness) => [fitness, rule])) as Record<Fitness, typeof rule>,
);
const condition: fc.Arbitrary<Condition | null> = fc.constantFrom(
  null,
  { kind: 'service', service: 'www.example.com' },
  { kind: 'site', states: ['healthy'] },
  { kind: 'not', of: { kind: 'site', states: ['degraded', 'overloaded'] } },
);
const policy: fc.Arbitrary<AnnouncePolicy> = fc.record({
  vips: fc.constantFrom(null, null, ['web'], []),
  when: condition,
  changes: fc.constant(UNCHANGED),
  by_fitness: fc.constantFrom({}, { draining: { announce: false, changes: UNCHANGED } }),
  by_vip: fc.constant({}),
});

/** Three sites with one VIP, and any rules for it. */
export const anyConfig: fc.Arbitrary<Config> = fc
  .record({
    fitness: table,
    hold_down_ms: fc.constantFrom(0, 10_000),
    settle_ms: fc.constantFrom(0, 1_000),
    drain_load: fc.constantFrom(null, 0.5),
    damped: fc.boolean(),
    iface: fc.constantFrom(null, 'lo'),
    policies: fc.array(fc.array(policy, { maxLength: 2 }), { minLength: 3, maxLength: 3 }),
  })
  .map(({ damped, iface, policies, ...routes }) => {
    const damping = {
      penalty: 1_000,
      suppress: 1_500,
      reuse: 500,
      half_life_ms: 10_000,
      suppress_max_ms: 60_000,
    };
    return {
      ...base,
      sites: base.sites.map((site, index) => ({
        ...site,
        bgp: bgpSite(
          policies[index]!.map((announce, i) =>
            neighbor({ address: '192.0.2.254', port: 179 }, { name: `n${i}`, announce }),
          ),
          { vip_interface: iface },
        ),
      })),
      policy: {
        ...base.policy,
        routes: routePolicy({ ...routes, damping: damped ? damping : null }),
      },
    };
  });

/** As `decide` makes them: what is announced is under no reproach, what is withdrawn is not heard. */
const sight: fc.Arbitrary<RouteSight> = fc
  .record({
    phase: fc.constantFrom('on' as const, 'off' as const, 'coming' as const, 'going' as const),
    for_ms: fc.constantFrom(0, 500, 60_000),
    heard: fc.boolean(),
    withdrawn_by: fc.constantFrom('failure' as const, 'drain' as const, 'policy' as const, null),
    fit_for_ms: fc.constantFrom(null, 0, 5_000, 60_000),
    drained: fc.boolean(),
    penalty: fc.constantFrom(0, 1_000, 4_000),
  })
  .map((parts) => ({
    ...ROUTE_OFF,
    ...parts,
    withdrawn_by: parts.phase === 'on' ? null : parts.withdrawn_by,
    heard: parts.phase === 'on' && parts.heard,
    suppressed: parts.penalty > 1_500,
    age_ms: 0,
  }));

function report(site: string): fc.Arbitrary<Report> {
  return fc
    .record({
      sights: fc.array(fc.constantFrom(UP, DOWN, { ...UP, for_ms: 0, downs: 2 }), {
        minLength: 2,
        maxLength: 2,
      }),
      load: fc.constantFrom(null, 0.3, 0.9, 1.5),
      web: fc.option(sight, { nil: null }),
      overloaded: fc.boolean(),
    })
    .map(({ sights, load, web, overloaded }) => ({
      ...reportOf(base, site),
      endpoints: { [`${site}-lb1/web`]: sights[0]!, [`${site}-lb2/web`]: sights[1]! },
      load: load === null ? null : loadOf(load),
      routes: web === null ? {} : { web },
      overload: { overloaded, over_for_ms: null, age_ms: 0 },
    }));
}

/** One of each site. */
export const anyReports = fc.tuple(...base.sites.map(({ name }) => report(name)));

/** What operators may have ordered, as of 0: drains of whole sites, and all else. */
export const anyOverrides: fc.Arbitrary<HeldOverride[]> = fc.uniqueArray(
  fc
    .record({
      scope: fc.oneof(
        fc.constantFrom(...base.sites.map(({ name }) => siteScope(name))),
        fc.record({
          site: fc.constantFrom(null, 'fra', 'iad'),
          service: fc.constantFrom(null, 'www.example.com'),
          endpoint: fc.constantFrom('fra-lb1', 'iad-lb2/web', 'sin-lb1'),
          label: fc.constant(null),
        }),
      ),
      action: fc.constantFrom('drain' as const, 'up' as const, 'down' as const),
      since: fc.constantFrom(0, -5_000, -60_000),
      until: fc.constantFrom(null, 4_000, 30_000, -1),
    })
    .map(({ since, until, ...change }) => orderOf(change, since, until)),
  { selector: ({ override }) => override.id, maxLength: 4 },
);
