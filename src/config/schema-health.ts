/**
 * The schema of `policy.health` in deployment.yaml. Descriptions are the reference
 * (docs/configuration.md).
 */
import { z } from 'zod';
import { SITES_MAX } from './limits.ts';
import { verdictRule } from './schema-composite.ts';
import { duration, integer } from './values.ts';

export const healthPolicy = z.strictObject({
  hold_down: duration(0, 3_600_000)
    .prefault('10s')
    .describe('How long an endpoint that was down must stay up before it is used again.'),
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
