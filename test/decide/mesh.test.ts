/** Whatever befalls the sites and the way between them, and in whatever order: what must hold then. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import { endpointsIn } from '../../src/decide/overrides.ts';
import { steer } from '../../src/decide/steering.ts';
import { observersOf } from '../../src/decide/vantage.ts';
import { idOf, siteScope } from '../../src/model/override.ts';
import type { EndpointVerdict, Plan } from '../../src/model/plan.ts';
import type { Mesh, Station } from './mesh.ts';
import { anyShape, story, tell } from './story.ts';
import { orderOf } from './world.ts';

/** Hundreds find no more, as far as was tried; the stories are long. */
const RUNS = 60;

const ORDERED_OUT = ['forced-down', 'draining'];
const isUnknown = ({ reason }: EndpointVerdict): boolean =>
  reason.code === 'not-probed-yet' || reason.code === 'site-unheard';
const isOrdered = ({ reason }: EndpointVerdict): boolean =>
  ['forced-up', 'forced-down', 'draining'].includes(reason.code);

/** Most of those who are to look at the endpoint say to this station that it is down. */
function isAgreed({ config }: Mesh, { world }: Station, endpoint: number): boolean {
  const { id, site: home } = config.endpoints[endpoint]!;
  const eyes = [home, ...observersOf(config, endpoint)];
  const downs = eyes.filter((one) => {
    const report = world!.sightings.get(config.sites[one]!.name)?.report;
    return (one === home ? report?.endpoints : report?.observed)?.[id]?.up === false;
  });
  return 2 * downs.length > eyes.length;
}

/** What the guard allows is exceeded, in words; null: it is not. */
function excessOf(mesh: Mesh, station: Station): string | null {
  const { config } = mesh;
  const { evict_max, sites_min } = config.policy.health;
  for (const { name, pool } of config.services) {
    const verdicts = pool.map(({ endpoint }) => station.plan!.endpoints[endpoint]!);
    const homes = pool.map(({ endpoint }) => config.endpoints[endpoint]!.site);
    const weights = homes.map((home) => {
      return config.sites[home]!.capacity / homes.filter((other) => other === home).length;
    });
    const counts = verdicts.map((one, i) => {
      return one.eligible || !(isUnknown(one) || isConcerned(mesh, station, pool[i]!.endpoint));
    });
    let [all, out] = [0, 0];
    for (const [i, verdict] of verdicts.entries()) {
      if (!counts[i]) continue;
      all += weights[i]!;
      if (!verdict.eligible) out += weights[i]!;
    }
    const left = new Set(homes.filter((_, i) => verdicts[i]!.eligible));
    for (const [i, verdict] of verdicts.entries()) {
      if (!counts[i] || verdict.eligible) continue;
      const { endpoint } = pool[i]!;
      if (isAgreed(mesh, station, endpoint)) continue;
      if (out / all > evict_max + 1e-6)
        return `${name} misses ${out / all}: ${verdict.reason.text}`;
      if (!left.has(homes[i]!) && left.size < sites_min) return `${name}: ${left.size} sites`;
    }
  }
  return null;
}

/** True if an order is in force for it: what is ordered out is no matter of health, be it down or not. */
function isConcerned({ config, now }: Mesh, { world }: Station, endpoint: number): boolean {
  return world!.overrides.some(({ override: { scope }, until }) => {
    return (until === null || until > now) && endpointsIn(config, scope).includes(endpoint);
  });
}

/** The VIP is announced, or about to be: its address comes first. */
function stands({ plan }: Station): boolean {
  const phase = plan?.memory.routes.web?.phase;
  return plan === null || phase === 'on' || phase === 'coming';
}

const summary = ({ endpoints, routes }: Plan) => [
  endpoints.map(({ eligible, reason }) => `${eligible} ${reason.code}`),
  // Not why: that a route waited for something is forgotten once it is announced.
  routes.map(({ announce, fitness }) => `${announce} ${fitness}`),
];

describe('whatever happens', () => {
  test('health takes no more than the guard allows', () => {
    fc.assert(
      fc.property(anyShape, story, (shape, steps) => {
        tell(shape, steps, (station, mesh) => assert.equal(excessOf(mesh, station), null));
      }),
      { numRuns: RUNS },
    );
  });

  test('what is forced down or drained is not answered while something else is eligible', () => {
    fc.assert(
      fc.property(anyShape, story, (shape, steps) => {
        tell(shape, steps, ({ plan }, { config }) => {
          const { endpoints } = plan!;
          for (const { eligible, reason } of endpoints) {
            if (ORDERED_OUT.includes(reason.code)) assert.equal(eligible, false);
          }
          for (const service of config.services) {
            if (!service.pool.some(({ endpoint }) => endpoints[endpoint]!.eligible)) continue;
            const isEligible = (endpoint: number) => endpoints[endpoint]!.eligible;
            const { members } = steer(service, config.endpoints, [0, 1, 2], isEligible, 4);
            for (const { endpoint } of members) {
              assert.ok(!ORDERED_OUT.includes(endpoints[endpoint]!.reason.code));
            }
          }
        });
      }),
      { numRuns: RUNS },
    );
  });

  test('deciding more often changes nothing, and nothing changes before it is announced', () => {
    fc.assert(
      fc.property(anyShape, story, fc.double({ min: 0, max: 0.99, noNaN: true }), (...given) => {
        const [shape, steps, when] = given;
        const mesh = tell(shape, steps);
        mesh.run(500);
        for (const station of mesh.stations) {
          let at = mesh.now;
          let made = at;
          // What came after its own turn is no longer news.
          let plan = decideAt(mesh, station, station.memory, made, at);
          let { memory } = plan;
          for (let round = 0; round < 20 && plan.wake_ms < 100_000; round++) {
            const { wake_ms } = plan;
            // Between two changes, at whatever instant, with what is remembered of the last.
            for (const part of [0, when, 0.9999]) {
              const then: number = at + part * wake_ms;
              const again = decideAt(mesh, station, memory, made, then);
              assert.deepEqual(summary(again), summary(plan), `${part} of ${wake_ms}`);
              if (part !== when) continue;
              memory = again.memory;
              made = then;
            }
            at += wake_ms;
            const next = decideAt(mesh, station, memory, made, at);
            for (const [i, { next_ms, reason }] of plan.endpoints.entries()) {
              if (next_ms !== wake_ms || reason.code === 'eviction-guard') continue;
              const { reason: other } = next.endpoints[i]!;
              // After an order there may be another, to the same end.
              if (isOrdered(plan.endpoints[i]!)) assert.notEqual(other.text, reason.text);
              else assert.notEqual(other.code, reason.code);
            }
            // Of odd instants a rounding error may be left, once: it must not keep anybody awake.
            const soon = Math.max(plan.wake_ms, next.wake_ms);
            assert.ok(soon > 0.01, `awake twice, in ${next.wake_ms} again`);
            plan = next;
            memory = next.memory;
            made = at;
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('all come to the same verdicts once all have heard the same', () => {
    fc.assert(
      fc.property(anyShape, story, (shape, steps) => {
        const mesh = tell(shape, steps);
        mesh.heal();
        mesh.shareOrders();
        mesh.run(12_000);
        const said = mesh.stations.map(({ plan }) => plan!.endpoints.map(unguarded));
        assert.deepEqual(said[1], said[0]);
        assert.deepEqual(said[2], said[0]);
      }),
      { numRuns: RUNS },
    );
  });

  test('a VIP is announced somewhere once the sites hear each other', () => {
    fc.assert(
      fc.property(anyShape, story, (shape, steps) => {
        const mesh = tell(shape, steps);
        mesh.heal();
        mesh.run(6_000);
        for (let i = 0; i < 10; i++) {
          mesh.run(500);
          assert.ok(mesh.stations.some(stands));
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('no order that only some have heard makes a route come and go', () => {
    fc.assert(
      fc.property(anyShape, story, (shape, steps) => {
        const mesh = tell(shape, steps);
        mesh.heal();
        mesh.run(60_000);
        const routes = () => mesh.stations.map(({ plan }) => plan!.routes[0]?.announce);
        const before = routes();
        for (let i = 0; i < 10; i++) {
          mesh.run(500);
          assert.deepEqual(routes(), before);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('no VIP is withdrawn everywhere for longer than a report takes', () => {
    fc.assert(
      fc.property(anyShape, story, (shape, steps) => {
        let since = Number.POSITIVE_INFINITY;
        tell(shape, steps, (_, { stations, now }) => {
          const any = stations.some(stands);
          since = any ? Number.POSITIVE_INFINITY : Math.min(since, now);
          assert.ok(now - since <= 1_000, 'nobody announces');
        });
      }),
      { numRuns: RUNS },
    );
  });
});

describe('sites that know of different orders', () => {
  for (const action of ['drain', 'down'] as const) {
    test(`two that are each told only of their own (${action}) both stay, and do not come and go`, () => {
      const shape = { observers: 0, rule: 'home', evict_max: 1, sites_min: 0 } as const;
      const more = {
        damped: false,
        waits: false,
        capacities: [1, 1, 1],
        second: [0],
        announcing: [0, 1],
      };
      const mesh = tell({ ...shape, ...more }, []);
      for (const [index, name] of ['fra', 'iad'].entries()) {
        const scope = siteScope(name);
        mesh.order(idOf(scope), orderOf({ scope, action }, mesh.now), [index]);
      }
      mesh.run(5_000);
      for (let i = 0; i < 10; i++) {
        mesh.run(500);
        for (const { plan } of mesh.stations.slice(0, 2)) {
          assert.equal(plan!.routes[0]!.fitness, 'last-site-kept');
        }
      }
    });
  }
});

/** "eligible code" as it is without the guard, which each site has of its own. */
function unguarded({ eligible, reason }: EndpointVerdict): string {
  const kept = /^kept in use \(([a-z-]+):/.exec(reason.text);
  return reason.code === 'eviction-guard' ? `false ${kept![1]}` : `${eligible} ${reason.code}`;
}

/** As of `at`, by an agent that has heard nothing since, and has decided last at `made`. */
function decideAt(
  mesh: Mesh,
  station: Station,
  memory: Plan['memory'],
  made: number,
  at: number,
): Plan {
  const own = mesh.report({ ...station, decidedAt: made, memory }, at);
  return decide(mesh.config, mesh.worldOf(station, own, at), at);
}
