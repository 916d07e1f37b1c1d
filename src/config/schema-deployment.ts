/**
 * The schema of deployment.yaml: what all sites have in common. Descriptions are the reference:
 * docs/configuration.md shows them word for word, and a test compares.
 */
import { z } from 'zod';
import {
  CHECKS_MAX,
  COMMUNITIES_MAX,
  REGION_PREFIXES_MAX,
  REGIONS_MAX,
  SITES_MAX,
  TSIG_KEYS_MAX,
  VIPS_MAX,
} from './limits.ts';
import { check } from './schema-check.ts';
import { healthPolicy } from './schema-health.ts';
import { routePolicy } from './schema-routes.ts';
import { store } from './schema-store.ts';
import {
  clientPrefix,
  community,
  country,
  domainName,
  duration,
  filePath,
  integer,
  keyName,
  label,
  prefix,
  spillPort,
} from './values.ts';

const CONTINENTS = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'] as const;

const region = z.strictObject({
  sites: z
    .array(label())
    .min(1)
    .max(SITES_MAX)
    .describe('Sites that serve the region, nearest first. The others follow in order of name.'),
  continents: z
    .array(z.enum(CONTINENTS))
    .default([])
    .describe('Continents of the region, by the code that the mmdb uses.'),
  countries: z
    .array(country())
    .default([])
    .describe('Countries of the region (ISO 3166-1 alpha-2); a country wins over its continent.'),
  prefixes: z
    .array(clientPrefix())
    .max(REGION_PREFIXES_MAX)
    .default([])
    .describe('Client prefixes of the region; the longest match wins, and wins over the mmdb.'),
});

const tsigKey = z.strictObject({
  algorithm: z
    .enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'])
    .default('hmac-sha256')
    .describe('Algorithm of the key (RFC 8945); both sides must have the same.'),
  secret_file: filePath().describe('File with the secret in base64; every site needs it.'),
});

const vip = z.strictObject({
  name: label().describe('Name of the VIP, for `announce` and for display.'),
  prefixes: z
    .array(prefix())
    .min(1)
    .max(64)
    .describe('What is announced, IPv4 and IPv6; usually one /32 and one /128.'),
  services: z
    .array(domainName())
    .min(1)
    .max(1024)
    .describe('Full names of services. A site announces while each has a usable endpoint there.'),
  communities: z
    .array(community())
    .max(COMMUNITIES_MAX)
    .default([])
    .describe('Communities put on the routes: standard, extended, large, or a well-known name.'),
  med: integer(0, 4_294_967_295)
    .optional()
    .describe('MULTI_EXIT_DISC of the routes; without it the attribute is left out.'),
  spill_ports: z
    .array(spillPort())
    .max(64)
    .default([])
    .describe('Ports whose new flows may be spilled to another site; none: never spilled.'),
});

const ratio = (initial: number, text: string) =>
  z.number().min(0.01).max(10).default(initial).describe(text);

const speed = (initial: number, text: string) =>
  z.number().min(0.001).max(100).default(initial).describe(text);

const spillPolicy = z.strictObject({
  overload: ratio(1.1, 'A site asks for help when its demand stays above this ratio to capacity.'),
  relief: ratio(0.95, 'It stops asking when its demand is below this; not above `target`.'),
  target: ratio(1, 'What a spilling site aims to keep for itself; not above `overload`.'),
  quiet: ratio(0.7, 'A site offers room while its own load is below this.'),
  quiet_end: ratio(0.8, 'It offers until its own load is above this; above `quiet`.'),
  fill: ratio(0.9, 'A helper fills itself up to this; from `quiet_end` to `target`.'),
  tick: duration(50, 60_000).prefault('2s').describe('Time between two steps of the share.'),
  lease: duration(100, 600_000)
    .prefault('10s')
    .describe('Life of a grant that is not renewed; longer than `tick` and `report_interval`.'),
  onset: duration(0, 600_000)
    .prefault('4s')
    .describe('How long demand must stay above `overload` before spilling starts.'),
  rise: speed(0.025, 'Most by which the spilled share rises, in parts of 1 a second.'),
  fall: speed(0.05, 'Most by which the spilled share falls, in parts of 1 a second.'),
  share_max: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Largest part of the new flows of a site that goes elsewhere; 0: no spilling.'),
});

const policy = z.strictObject({
  report_interval: duration(50, 60_000)
    .prefault('1s')
    .describe('Time between two reports of a site to the others; changes are sent at once.'),
  report_stale: duration(100, 600_000)
    .prefault('5s')
    .describe('A site unheard of for this long counts as lost; at least two report intervals.'),
  health: healthPolicy.prefault({}).describe('How endpoints fall, and how they return.'),
  drain: duration(0, 3_600_000)
    .prefault('30s')
    .describe('Time from the start of a drain to the withdrawal of the routes of the site.'),
  routes: routePolicy.prefault({}).describe('How routes follow the fitness of their site.'),
  spill: spillPolicy.prefault({}).describe('When load moves between sites, and how fast.'),
});

export const deploymentSchema = z.strictObject({
  deployment: label().describe('Name of the deployment; keeps several apart in one store.'),
  store,
  regions: z
    .record(label(), region)
    .refine((regions) => Object.keys(regions).length <= REGIONS_MAX, {
      error: `more than ${REGIONS_MAX} regions: join some of them`,
    })
    .default({})
    .describe('Classes of clients by name; without any, all clients are one region.'),
  default_region: label()
    .optional()
    .describe('Region of clients that nothing else places; without it, the first region.'),
  geo: z
    .strictObject({
      mmdb: filePath()
        .optional()
        .describe('Country database in MaxMind format; without it only `prefixes` place clients.'),
    })
    .prefault({})
    .describe('How clients are placed.'),
  checks: z
    .record(label(), check)
    .refine((checks) => Object.keys(checks).length <= CHECKS_MAX, {
      error: `more than ${CHECKS_MAX} checks: join some of them`,
    })
    .default({})
    .describe('Health checks by name, for the services to use.'),
  tsig_keys: z
    .record(keyName(), tsigKey)
    .refine((keys) => Object.keys(keys).length <= TSIG_KEYS_MAX, {
      error: `more than ${TSIG_KEYS_MAX} keys: remove those that no zone uses`,
    })
    .default({})
    .describe('Keys that sign zone transfers and notifications, by name, for `transfer`.'),
  vips: z
    .array(vip)
    .max(VIPS_MAX)
    .default([])
    .describe('Anycast addresses that sites announce by BGP.'),
  policy: policy.prefault({}).describe('Times and thresholds of the decision.'),
});

export type DeploymentFile = z.output<typeof deploymentSchema>;
