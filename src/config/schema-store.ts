/** The schema of `store` in deployment.yaml. Descriptions are the reference (docs/configuration.md). */
import { z } from 'zod';
import { filePath, redisUrl, userName } from './values.ts';

export const store = z
  .union(
    [
      z.literal('memory'),
      z.strictObject({
        redis: z
          .array(redisUrl())
          .min(1)
          .max(16)
          .describe('Redis servers; each is written to and read from, any one is enough.'),
        username: userName()
          .optional()
          .describe('User at the Redis servers (ACL); without it, the default user.'),
        password_file: filePath()
          .optional()
          .describe('File with the password for the Redis servers; without it, none is sent.'),
      }),
    ],
    { error: 'not a store: write memory, or a mapping with the key redis and a list of URLs' },
  )
  .prefault('memory')
  .describe('Where sites share reports: `memory` (all sites in one process) or `redis`.');

export type StoreEntry = z.output<typeof store>;
