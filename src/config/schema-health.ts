/**
 * The schema of `policy.health` in deployment.yaml. Descriptions are the reference
 * (docs/configuration.md).
 */
import { z } from 'zod';
import { SITES_MAX } from './limits.ts';
import { verdictRule } from './schema-composite.ts';
import { damping } from './schema-routes.ts';
import { duration, integer } from './values.ts';

export const healthPolicy = z.strictObject({
  hold_down: duration(0, 3_600_000)
    .prefault('10s')
    .describe(
      'How long an endpoint that was down must stay up before it is used again; with `damping` up to a quarter longer, by site, so that sites do not return at once.',
    ),
  hold_down_max: duration(0, 24 * 3_600_000)
    .optional()
    .describe(
      'How long that becomes at most for an endpoint that falls again and again; default: six times `hold_down`.',
    ),
  damping: damping('policy.routes.damping').describe(
    'Penalties for endpoints that come and go, with the keys of `policy.routes.damping`; or `none`: only `hold_down`, always the same.',
  ),
  evict_max: z
    .number()
    .min(0)
    .max(1)
    .default(0.75)
    .describe(
      'Part of the capacity of a service that health may take out of use without most of those who look at an endpoint saying that it is down; silence says nothing.',
    ),
  sites_min: integer(0, 1_000)
    .default(1)
    .describe('So many sites of a service stay in use in the same sense.'),
  observers: integer(0, SITES_MAX - 1)
    .default(0)
    .describe('How many other sites look at each endpoint, too; a check may say otherwise.'),
  verdict: verdictRule()
    .default('majority')
    .describe(
      'An endpoint is up by the word of `home` alone; of the `majority` of those who can tell (if equal, of its home); of `any`; or of `all`.',
    ),
});

export type HealthEntry = z.output<typeof healthPolicy>;
