/**
 * The schema of what all checks have besides their question: which addresses are looked at, and by
 * whom; and of checks that are put together from others. Descriptions are the reference.
 */
import { z } from 'zod';
import { HEALTH_PARTS_MAX, SITES_MAX } from './limits.ts';
import { integer, label } from './values.ts';

export const verdictRule = () => z.enum(['home', 'majority', 'any', 'all']);

/** Keys that every kind of check has. */
export const outlook = {
  family: z
    .enum(['each', 'ipv4', 'ipv6', 'both', 'first'])
    .default('each')
    .describe(
      'Addresses that are probed. `each`: each for itself, so that a broken one leaves the other in use; `both`: all must pass; `ipv4`, `ipv6`, `first`: one speaks for both.',
    ),
  observers: integer(0, SITES_MAX - 1)
    .optional()
    .describe('How many other sites look, too; without it as in `policy.health`.'),
  verdict: verdictRule()
    .optional()
    .describe('How the words of home and observers are joined; without it as in `policy.health`.'),
};

const of = z
  .array(label())
  .min(1)
  .max(HEALTH_PARTS_MAX)
  .describe('Names of the checks that it is put together from; they may be put together, too.');

export const composites = [
  z.strictObject({
    kind: z.literal('all').describe('Several checks that must all pass.'),
    of,
    ...outlook,
  }),
  z.strictObject({
    kind: z.literal('any').describe('Several checks of which one must pass.'),
    of,
    ...outlook,
  }),
  z.strictObject({
    kind: z.literal('at-least').describe('Several checks of which `count` must pass.'),
    count: integer(1, HEALTH_PARTS_MAX).describe('How many of them must pass.'),
    of,
    ...outlook,
  }),
] as const;

export type CompositeEntry = z.output<(typeof composites)[number]>;
