/**
 * The schemas of what changes a route: by the fitness of a site (deployment.yaml), and per neighbour
 * and VIP (sites/NAME.yaml). Descriptions are the reference (docs/configuration.md).
 */
import { z } from 'zod';
import { COMMUNITIES_MAX, PREPEND_MAX } from './limits.ts';
import { address4, address6, community, duration, integer } from './values.ts';

/** Marks the keys of `shape` as written out in the reference at another place. */
export function repeated<Shape extends z.core.$ZodLooseShape>(shape: Shape, place: string): Shape {
  const marked = Object.entries(shape).map(([key, schema]) => [
    key,
    (schema as z.ZodType).meta({ $comment: `as ${place}` }),
  ]);
  return Object.fromEntries(marked) as Shape;
}

/** Keys that change the attributes of a route; what is not given stays as it is. */
export const routeChanges = {
  med: integer(0, 4_294_967_295)
    .optional()
    .describe('MULTI_EXIT_DISC, in place of the one before.'),
  prepend: integer(0, PREPEND_MAX)
    .optional()
    .describe('Our AS this many times more in front of the path; such numbers add up.'),
  local_pref: integer(0, 4_294_967_295)
    .optional()
    .describe('LOCAL_PREF towards neighbours in our own AS (iBGP); others never get it.'),
  communities: z
    .array(community())
    .max(COMMUNITIES_MAX)
    .optional()
    .describe('Communities that are put on the route in addition, in any notation of `vips`.'),
  next_hop: address4().optional().describe('Next hop of IPv4 routes, in place of the one before.'),
  next_hop6: address6().optional().describe('The same of IPv6 routes.'),
};

export type RouteChangesKeys = z.output<z.ZodObject<typeof routeChanges>>;

const fitnessRule = {
  announce: z.boolean().optional().describe('False: the route is withdrawn at this fitness.'),
  ...routeChanges,
};

export type FitnessRuleKeys = z.output<z.ZodObject<typeof fitnessRule>>;

/** The fitness of a site for a VIP, as the files write it, and what it means. */
const FITNESS = {
  healthy: 'All is well.',
  degraded: 'The VIP answers, but something at the site is wrong.',
  overloaded: 'The site has more than it can handle or hand on.',
  draining: 'An operator takes the site out of use, and the route is about to go.',
  last_site_kept: 'The site announces although it should not, since no better site is known.',
} as const;

export type FitnessKey = keyof typeof FITNESS;

/**
 * What a fitness makes of a route unless the deployment says otherwise, as its file would write it.
 * Nothing moves traffic while the site can carry it; what is meant to go, or should not be used while
 * there is anything better, loses to every other route (RFC 8326 for those who know it).
 */
const USUAL = {
  healthy: {},
  degraded: {},
  overloaded: { prepend: 1 },
  draining: { prepend: 3, local_pref: 0, communities: ['graceful-shutdown'] },
  last_site_kept: { prepend: 3, local_pref: 0, communities: ['graceful-shutdown'] },
} as const satisfies Readonly<Record<FitnessKey, FitnessRuleKeys>>;

/** The table of deployment.yaml: its first rule is where the reference has the keys of all. */
function policyTable() {
  const rule = (key: FitnessKey) => {
    const shape = key === 'healthy' ? fitnessRule : repeated(fitnessRule, PLACE);
    return z.strictObject(shape).prefault(USUAL[key]).describe(FITNESS[key]);
  };
  return z.strictObject({
    healthy: rule('healthy'),
    degraded: rule('degraded'),
    overloaded: rule('overloaded'),
    draining: rule('draining'),
    last_site_kept: rule('last_site_kept'),
  });
}

const PLACE = 'policy.routes.fitness.healthy';

/** A neighbour's own rules in place of those. */
export function neighborTable() {
  const rule = z.strictObject(repeated(fitnessRule, PLACE)).optional().meta({ $comment: PLACE });
  return z.strictObject({
    healthy: rule.describe(FITNESS.healthy),
    degraded: rule.describe(FITNESS.degraded),
    overloaded: rule.describe(FITNESS.overloaded),
    draining: rule.describe(FITNESS.draining),
    last_site_kept: rule.describe(FITNESS.last_site_kept),
  });
}

const dampingKeys = {
  penalty: integer(1, 20_000)
    .default(1000)
    .describe('Added each time that the VIP is withdrawn for a failure, or the endpoint falls.'),
  suppress: integer(1, 20_000)
    .default(2500)
    .describe('A penalty above this holds it back; above `reuse`.'),
  reuse: integer(1, 20_000)
    .default(750)
    .describe('It comes back when the penalty has decayed to this.'),
  half_life: duration(1000, 3_600_000)
    .prefault('1m')
    .describe('Time in which a penalty decays to its half.'),
  suppress_max: duration(1000, 24 * 3_600_000)
    .prefault('5m')
    .describe('Longest time that it is held back, however often it has flapped.'),
};

export type DampingEntry = 'none' | z.output<z.ZodObject<typeof dampingKeys>>;

/** `place`: where the reference has the keys, if it is not here. */
export function damping(place?: string) {
  const keys = place === undefined ? dampingKeys : repeated(dampingKeys, place);
  return z
    .union([z.literal('none'), z.strictObject(keys)], {
      error: 'not damping: write none, or a mapping, {} for the usual values',
    })
    .prefault({});
}

export const routePolicy = z.strictObject({
  fitness: policyTable()
    .prefault({})
    .describe('What the fitness of a site makes of its routes; a rule given replaces the default.'),
  last_site: z
    .enum(['keep', 'withdraw'])
    .default('keep')
    .describe(
      '`keep`: a route that should go stays, as `last_site_kept`, while no better site is known; ' +
        '`withdraw`: it goes.',
    ),
  drain_load: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('A draining site withdraws early, once its load is at most this ratio to capacity.'),
  settle: duration(0, 60_000)
    .prefault('1s')
    .describe('Time between the withdrawal and the VIP leaving `vip_interface`, and the reverse.'),
  hold_down: duration(0, 3_600_000)
    .prefault('10s')
    .describe('How long a VIP that was withdrawn for a failure must be fit before it comes back.'),
  damping: damping().describe('Penalties for VIPs that come and go, as in RFC 2439; or `none`.'),
});

export type RoutePolicyFile = z.output<typeof routePolicy>;
