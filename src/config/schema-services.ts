/**
 * The schema of zones/ZONE.yaml: the health-aware names of one zone, beside its static records in
 * zones/ZONE.zone. Descriptions are the reference (docs/configuration.md).
 */
import { z } from 'zod';
import { POOL_MEMBERS_MAX, SECONDARIES_MAX, SERVICES_PER_ZONE_MAX, SITES_MAX } from './limits.ts';
import {
  dnsPeer,
  domainName,
  duration,
  integer,
  keyName,
  label,
  ownerName,
  prefix,
} from './values.ts';

const member = z.union(
  [
    label().transform((load_balancer) => ({ load_balancer, weight: 1 })),
    z.strictObject({
      load_balancer: label().describe('Name of a load balancer.'),
      weight: integer(1, 255).default(1).describe('Its part of the answers, for `weighted`.'),
    }),
  ],
  { error: 'not a pool member: write the name of a load balancer, or load_balancer and weight' },
);

const pool = z
  .union([z.literal('all'), z.array(member).min(1).max(POOL_MEMBERS_MAX)], {
    error: 'not a pool: write all, or a list of load balancers',
  })
  .describe('Load balancers of the service: `all`, or a list of names, or of mappings.');

const service = z.strictObject({
  name: ownerName().describe('Owner name, relative to the zone; `@` is the zone itself.'),
  check: label().describe('Name of the check that says whether an endpoint is healthy.'),
  ttl: duration(0, 86_400_000)
    .refine((ms) => ms % 1000 === 0, { error: 'a TTL has whole seconds: write 1s, 5s or 1m' })
    .prefault('5s')
    .describe('TTL of the answers, in whole seconds.'),
  policy: z
    .enum(['nearest', 'failover', 'weighted'])
    .default('nearest')
    .describe('Nearest site, sites in a fixed `order`, or the whole pool by weight.'),
  pool,
  order: z
    .array(label())
    .min(1)
    .max(SITES_MAX)
    .optional()
    .describe('Sites in order of preference; for `failover`, where it is required.'),
  answers_max: integer(1, 64).default(8).describe('Addresses in one answer at most.'),
});

const notify = z.strictObject({
  address: dnsPeer().describe('Where the secondary listens, by UDP; the port is 53 if not given.'),
  key: keyName().optional().describe('TSIG key that signs the message; without it, none does.'),
});

const allow = z
  .strictObject({
    prefix: prefix()
      .optional()
      .describe('Addresses that may copy the zone; without it, any that has the key.'),
    key: keyName()
      .optional()
      .describe('TSIG key that the request must be signed with; without it, none is needed.'),
  })
  .refine((entry) => entry.prefix !== undefined || entry.key !== undefined, {
    error: 'anybody could copy the zone: write `prefix`, `key` or both',
  });

const transfer = z
  .strictObject({
    notify: z
      .array(notify)
      .max(SECONDARIES_MAX)
      .default([])
      .describe('Secondaries that are told when the zone has changed (RFC 1996).'),
    allow: z
      .array(allow)
      .max(SECONDARIES_MAX)
      .default([])
      .describe('Who may copy the zone (RFC 5936): clients that one of the entries fits.'),
  })
  .refine((both) => both.allow.length > 0, {
    error: 'nobody may copy the zone: add `allow` with an entry, or remove `transfer`',
  });

export const servicesSchema = z.strictObject({
  zone: domainName().describe('Origin of the zone; the file is called zones/ZONE.yaml.'),
  services: z
    .array(service)
    .max(SERVICES_PER_ZONE_MAX)
    .default([])
    .describe('The health-aware names of the zone.'),
  transfer: transfer
    .optional()
    .describe('Secondaries of the zone that others run; without it, nobody may copy it.'),
});

export type ServicesFile = z.output<typeof servicesSchema>;
export type ServiceEntry = ServicesFile['services'][number];
