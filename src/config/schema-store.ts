/** The schema of `store` in deployment.yaml. Descriptions are the reference (docs/configuration.md). */
import { z } from 'zod';
import { repeated } from './schema-routes.ts';
import { filePath, redisUrl, tlsName, userName } from './values.ts';

const SERVERS_MAX = 16;
const NODES_MAX = 16;

const tls = z
  .strictObject({
    ca_file: filePath()
      .optional()
      .describe('PEM file with the authorities to trust; without it, those that Node knows.'),
    certificate: filePath()
      .optional()
      .describe('PEM file with the certificate that is shown to the servers; needs `key`.'),
    key: filePath().optional().describe('PEM file with the private key of the certificate.'),
    server_name: tlsName()
      .optional()
      .describe('Whom the certificate of the server must name; without it, the host of the URL.'),
  })
  .refine(({ certificate, key }) => (certificate === undefined) === (key === undefined), {
    error: 'a certificate needs its key, and a key its certificate: write both, or none',
  });

/** Who we are, for all servers of the store, or in an entry for that one. */
const login = {
  username: userName()
    .optional()
    .describe('User at the Redis servers (ACL); without it, the default user.'),
  password_file: filePath()
    .optional()
    .describe('File with the password for the Redis servers; without it, none is sent.'),
  sentinel_username: userName().optional().describe('As `username`, at the Sentinels.'),
  sentinel_password_file: filePath().optional().describe('As `password_file`, at the Sentinels.'),
  tls: tls.optional().describe('How to speak TLS with those whose URL is `rediss://`.'),
};

const nodes = () => z.array(redisUrl()).min(1).max(NODES_MAX);

const server = z
  .strictObject({
    url: redisUrl().optional().describe('A server by itself.'),
    group: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,128}$/, {
        error: ({ input }) =>
          `"${String(input)}" is no name of a group: write that in sentinel.conf`,
      })
      .optional()
      .describe(
        'A group of servers by the name that its Sentinels have for it; needs `sentinels`.',
      ),
    sentinels: nodes()
      .optional()
      .describe('URLs of the Sentinels; with `rediss://` the servers are spoken to by TLS, too.'),
    cluster: nodes().optional().describe('URLs of some nodes of a Redis Cluster.'),
    ...repeated(login, '`store`'),
  })
  .refine(({ url, sentinels, cluster }) => {
    return [url, sentinels, cluster].filter((one) => one !== undefined).length === 1;
  }, 'write one of `url`, `cluster`, and `sentinels` with `group`')
  .refine(({ group, sentinels }) => (group === undefined) === (sentinels === undefined), {
    error: 'a group needs its Sentinels, and Sentinels a group: write both',
  })
  .refine(({ sentinels = [], cluster = [] }) => {
    return new Set([...sentinels, ...cluster].map((url) => new URL(url).protocol)).size <= 1;
  }, 'some of these URLs are with TLS and some without: write redis:// or rediss:// in all')
  .refine(({ cluster = [] }) => cluster.every((url) => new URL(url).pathname.length <= 1), {
    error: 'a Cluster has no numbered databases: leave the number out of the URL',
  });

export const store = z
  .union(
    [
      z.literal('memory'),
      z.strictObject({
        redis: z
          .array(z.union([redisUrl(), server]))
          .min(1)
          .max(SERVERS_MAX)
          .describe(
            'Redis servers, URLs or mappings; each is written to and read from, any one is enough.',
          ),
        ...login,
      }),
    ],
    { error: 'not a store: write memory, or a mapping with the key redis and a list of URLs' },
  )
  .prefault('memory')
  .describe('Where sites share reports: `memory` (all sites in one process) or `redis`.');

export type StoreEntry = z.output<typeof store>;
export type RedisEntry = Exclude<StoreEntry, 'memory'>;
export type RedisServerEntry = z.output<typeof server>;

/** The entry as a mapping, whichever way it was written. */
export function serverEntry(entry: string | RedisServerEntry): RedisServerEntry {
  return typeof entry === 'string' ? { url: entry } : entry;
}

/** Its URLs, of which there is at least one. */
export function urlsOf({ url, sentinels, cluster }: RedisServerEntry): readonly string[] {
  return sentinels ?? cluster ?? [url!];
}

/** Files that a store names, each with the keys that lead to it. */
export function storeFiles(entry: RedisEntry): { path: (string | number)[]; name: string }[] {
  const filesOf = (from: RedisServerEntry | RedisEntry, at: (string | number)[]) => {
    const { password_file, sentinel_password_file, tls: files = {} } = from;
    const { ca_file, certificate, key } = files;
    const named = { password_file, sentinel_password_file };
    return [
      ...Object.entries(named).map(([one, name]) => ({ path: [...at, one], name })),
      ...Object.entries({ ca_file, certificate, key }).map(([one, name]) => ({
        path: [...at, 'tls', one],
        name,
      })),
    ];
  };
  const entries = entry.redis.map(serverEntry);
  return [filesOf(entry, []), ...entries.map((one, i) => filesOf(one, ['redis', i]))]
    .flat()
    .flatMap(({ path, name }) => (name === undefined ? [] : [{ path, name }]));
}
