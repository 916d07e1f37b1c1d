/** What a deployment may hold at most. Beyond these a file is a mistake, or an attack on a loader. */
import { SITE_ROUTES_MAX } from '../share/report-schema.ts';

export { ENDPOINTS_MAX, SITE_ENDPOINTS_MAX } from '../share/report-schema.ts';

export const YAML_BYTES_MAX = 4 * 1024 * 1024;
/** A zone's file, and all of them where it includes others. */
export const ZONE_BYTES_MAX = 1024 ** 3;
export const RECORDS_MAX = 10_000_000;
/** Names and rdata of one zone's records in wire form. */
export const ZONE_DATA_BYTES_MAX = 2 * 1024 ** 3 - 1;
export const SECRET_BYTES_MAX = 4096;

/** Problems told of one file, or of the references, at most: more is no mistake but another format. */
export const PROBLEMS_MAX = 100;

export const SITES_MAX = 64;
export const ZONES_MAX = 10_000;
export const LOAD_BALANCERS_PER_SITE_MAX = 1024;
export const CHECKS_MAX = 1024;
/** Checks that one check is put together from, counted where they stand in one another. */
export const HEALTH_PARTS_MAX = 64;
/** What is probed, of all sites together. */
export const TARGETS_MAX = 262_144;
export const LABELS_MAX = 64;
/** Addresses that show that a site's uplink works. */
export const UPLINK_ADDRESSES_MAX = 16;
/** Of one check: headers of its request, arguments of its command, records that it expects. */
export const HEADERS_MAX = 32;
export const ARGUMENTS_MAX = 64;
export const DNS_ANSWERS_MAX = 64;
export const REGIONS_MAX = 255;
export const REGION_PREFIXES_MAX = 100_000;
export const VIPS_MAX = SITE_ROUTES_MAX;
export const LISTENS_MAX = 64;
export const NEIGHBORS_MAX = 256;
export const GROUPS_MAX = 256;
/** Ranges of dynamic neighbours at a site, and sessions of one of them. */
export const RANGES_MAX = 64;
export const RANGE_SESSIONS_MAX = 1024;
/**
 * Communities in one list, of which a route has four; and how often one rule puts our AS before the
 * path.
 */
export const COMMUNITIES_MAX = 64;
export const PREPEND_MAX = 16;
export const TSIG_KEYS_MAX = 256;
/** Secondaries that are told of a zone's changes, and rows of who may copy it. */
export const SECONDARIES_MAX = 64;
export const SERVICES_PER_ZONE_MAX = 20_000;
export const POOL_MEMBERS_MAX = 1024;
export const LOAD_METERS_MAX = 8;
/** Names of proxies, servers or virtual services that a load meter chooses by. */
export const LOAD_NAMES_MAX = 64;
/** A program and its arguments. */
export const COMMAND_WORDS_MAX = 64;
