/**
 * The schema of `policy.health` in deployment.yaml. Descriptions are the reference
 * (docs/configuration.md).
 */
import { z } from 'zod';
import { duration } from './values.ts';

export const healthPolicy = z.strictObject({
  hold_down: duration(0, 3_600_000)
    .prefault('10s')
    .describe('How long an endpoint that was down must stay up before it is used again.'),
});

export type HealthEntry = z.output<typeof healthPolicy>;
