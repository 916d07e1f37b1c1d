/**
 * The schema of `bgp` in sites/NAME.yaml. Whatever a neighbour may be told, its group may be told as
 * well: so a key of a session has no default here, but shows the one that build-bgp.ts fills in
 * where neither says anything. Descriptions are the reference (docs/configuration.md).
 */
import { z } from 'zod';
import { condition } from './condition.ts';
import {
  GROUPS_MAX,
  LISTENS_MAX,
  NEIGHBORS_MAX,
  RANGE_SESSIONS_MAX,
  RANGES_MAX,
  VIPS_MAX,
} from './limits.ts';
import { neighborTable, repeated, routeChanges } from './schema-routes.ts';
import {
  address,
  address4,
  address6,
  asNumber,
  byteSize,
  duration,
  filePath,
  integer,
  interfaceName,
  label,
  listenAddress,
  port,
  prefix,
  routerId,
} from './values.ts';

/** What holds where neither a neighbour nor its group says otherwise, as a file would write it. */
const USUAL = {
  port: 179,
  passive: false,
  hold_time: '9s',
  connect_retry: '5s',
  delay_open: '0s',
  idle_hold_max: '1m',
  families: ['ipv4', 'ipv6'],
  extended_next_hop: false,
  add_path: false,
  graceful_restart_helper: true,
  role_strict: false,
} as const;

const USUAL_BFD = { interval: '300ms', multiplier: 3, strict: false } as const;
const USUAL_RECEIVE = { accept: [], prefixes_max: 10_000, watch_vips: false } as const;

/** A key that may be left out, shown with what it then stands for. */
function usual<Schema extends z.ZodType>(schema: Schema, initial: unknown, text: string) {
  return schema.optional().meta({ usual: initial, description: text });
}

/** RFC 4271 §4.2: the hold time is 0, or at least 3 whole seconds, in 16 bits. */
const holdTime = () =>
  duration(0, 65_535_000).refine((ms) => ms === 0 || (ms >= 3000 && ms % 1000 === 0), {
    error: 'not a hold time (RFC 4271 §4.2): write 0s, or whole seconds from 3s up',
  });

const bfdInterval = () => duration(10, 60_000);

const bfdAuth = z.strictObject({
  kind: z
    .enum(['simple', 'md5', 'meticulous-md5', 'sha1', 'meticulous-sha1'])
    .describe('Authentication type (RFC 5880 §6.7); both sides must have the same.'),
  key_id: integer(0, 255).describe('Number of the key; both sides must have the same.'),
  key_file: filePath().describe('File with the key, alone in one line.'),
});

const bfd = z.strictObject({
  interval: usual(
    bfdInterval(),
    USUAL_BFD.interval,
    'Time between two packets, both ways; the slower of both sides counts.',
  ),
  transmit: bfdInterval().optional().describe('The same of the packets that we send.'),
  receive: bfdInterval().optional().describe('The same of the packets that we want.'),
  multiplier: usual(
    integer(2, 255),
    USUAL_BFD.multiplier,
    'Packets missed in a row before the neighbour counts as gone.',
  ),
  multihop: z
    .boolean()
    .optional()
    .describe('RFC 5883 instead of RFC 5881; without it, as the TTL of the session is above 1.'),
  auth: bfdAuth.optional().describe('Authentication of the packets; without it, none.'),
  strict: usual(
    z.boolean(),
    USUAL_BFD.strict,
    'Whether the session waits for BFD to be up before it opens, unless either side has it off.',
  ),
});

const receive = z.strictObject({
  accept: usual(
    z.array(prefix()).max(1024),
    USUAL_RECEIVE.accept,
    'Routes within these prefixes are kept and shown, never used; others are only counted.',
  ),
  prefixes_max: usual(
    integer(1, 1_000_000),
    USUAL_RECEIVE.prefixes_max,
    'Prefixes told at most, kept or not; more end the session (RFC 4486, Cease/1).',
  ),
  watch_vips: usual(
    z.boolean(),
    USUAL_RECEIVE.watch_vips,
    'Whether to say so when an announced VIP is no longer among what the neighbour sends.',
  ),
});

const ANNOUNCE = 'bgp.neighbors[].announce';

const when = condition()
  .optional()
  .describe('Nothing is told unless this holds; without it, always (see below).');

const announce = z.strictObject({
  vips: z
    .array(label())
    .max(VIPS_MAX)
    .optional()
    .describe('VIPs that the neighbour is told; without it, all that the site announces.'),
  when,
  ...routeChanges,
  by_fitness: neighborTable()
    .optional()
    .describe('Rules in place of `policy.routes.fitness`, with the same keys.'),
  by_vip: z
    .record(
      label(),
      z.strictObject({
        ...repeated({ when, ...routeChanges }, ANNOUNCE),
      }),
    )
    .optional()
    .describe('`when` and further changes for single VIPs, by name; they come last.'),
});

/** Keys of neighbours, of groups and of ranges. */
const session = {
  interface: interfaceName()
    .optional()
    .describe('Interface of a link-local neighbour, and that packets must use; without it, any.'),
  hold_time: usual(
    holdTime(),
    USUAL.hold_time,
    'Proposed hold time: 0s (no keepalives) or whole seconds from 3s up.',
  ),
  delay_open: usual(
    duration(0, 240_000),
    USUAL.delay_open,
    'How long our OPEN is held back to let the neighbour speak first (RFC 4271 §8.1.1).',
  ),
  send_hold: duration(0, 86_400_000)
    .optional()
    .describe(
      'A neighbour that takes nothing for this long is dropped (RFC 9687), 0s: never; ' +
        'without it, 8m or twice the hold time.',
    ),
  multihop: integer(1, 255)
    .optional()
    .describe('TTL of our packets; without it 1, or 64 within our own AS.'),
  ttl_security: integer(1, 254)
    .optional()
    .describe(
      'GTSM (RFC 5082): the neighbour is at most this many hops away; not with `multihop`.',
    ),
  md5_key_file: filePath()
    .optional()
    .describe('File with the key for TCP MD5 (RFC 2385), alone in one line; without it, none.'),
  families: usual(
    z
      .array(z.enum(['ipv4', 'ipv6']))
      .min(1)
      .max(2),
    USUAL.families,
    'Address families of the routes (RFC 4760).',
  ),
  extended_next_hop: usual(
    z.boolean(),
    USUAL.extended_next_hop,
    'Whether IPv4 routes may have an IPv6 next hop (RFC 8950).',
  ),
  add_path: usual(
    z.boolean(),
    USUAL.add_path,
    'Whether to take several paths for one prefix (RFC 7911).',
  ),
  graceful_restart_helper: usual(
    z.boolean(),
    USUAL.graceful_restart_helper,
    'Whether to help a neighbour that restarts (RFC 4724); we never ask for help.',
  ),
  role: z
    .enum(['provider', 'rs', 'rs-client', 'customer', 'peer'])
    .optional()
    .describe('What we are to the neighbour (RFC 9234), another AS; without it, no role is told.'),
  role_strict: usual(
    z.boolean(),
    USUAL.role_strict,
    'Whether a neighbour that tells no role is refused.',
  ),
  bfd: bfd
    .optional()
    .describe('BFD beside the session (RFC 5880); `{}`: as usual; without it, none.'),
  receive: receive.optional().describe('What becomes of the routes that the neighbour sends.'),
  announce: announce.optional().describe('What the neighbour is told, and how.'),
};

/** Keys of sessions that we may dial ourselves: not of ranges. */
const dialled = {
  as: asNumber().optional().describe('AS number of the neighbour; here or in its group.'),
  port: usual(port(), USUAL.port, 'TCP port that is dialled.'),
  passive: usual(
    z.boolean(),
    USUAL.passive,
    'Wait for the neighbour to connect instead of dialling; needs `bgp.listen`.',
  ),
  source: address().optional().describe('Address to dial from; without it the system chooses.'),
  connect_retry: usual(
    duration(100, 600_000),
    USUAL.connect_retry,
    'Time between two attempts to connect, before backoff.',
  ),
  idle_hold_max: usual(
    duration(100, 3_600_000),
    USUAL.idle_hold_max,
    'Longest pause after failures in a row, each of which makes it longer.',
  ),
};

const PLACE = 'bgp.neighbors[]';

const neighbor = z.strictObject({
  name: label().describe('Name of the neighbour, unique at the site.'),
  group: label().optional().describe('Group in `bgp.groups` whose keys hold where none is here.'),
  address: address().describe('Address of the neighbour.'),
  ...dialled,
  ...session,
});

const group = z.strictObject({ ...repeated(dialled, PLACE), ...repeated(session, PLACE) });

const range = z.strictObject({
  name: label().describe('Name of the range, unique among neighbours and ranges of the site.'),
  group: label().optional().describe('As of a neighbour; what is only for dialling is ignored.'),
  prefix: prefix().describe(
    'Any address within may connect; the longest prefix wins, and a neighbour over all.',
  ),
  as: asNumber().optional().describe('AS number that they must have; without it, any.'),
  sessions_max: integer(1, RANGE_SESSIONS_MAX)
    .default(16)
    .describe('Sessions at once at most; further connections are closed.'),
  ...repeated(session, PLACE),
});

const mrt = z.strictObject({
  file: filePath().describe('The file, which is appended to; one older is kept as FILE.1.'),
  max: byteSize(64_000, 10_000_000_000)
    .prefault('64MB')
    .describe('Before the file grows beyond, it becomes FILE.1.'),
});

export const bgpSchema = z.strictObject({
  as: asNumber().describe('AS number of the site.'),
  router_id: routerId().describe('BGP identifier (RFC 6286), unique within the AS.'),
  listen: z
    .union([listenAddress(), z.array(listenAddress()).max(LISTENS_MAX)])
    .optional()
    .describe(
      'Where neighbours and ranges connect to us, one or a list; without it, we only dial.',
    ),
  next_hop: address4()
    .optional()
    .describe('Next hop of IPv4 routes; without it, our own address in the session.'),
  next_hop6: address6().optional().describe('The same of IPv6 routes.'),
  neighbors: z
    .array(neighbor)
    .max(NEIGHBORS_MAX)
    .default([])
    .describe('Routers that are told the routes.'),
  groups: z
    .record(label(), group)
    .refine((groups) => Object.keys(groups).length <= GROUPS_MAX, {
      error: `more than ${GROUPS_MAX} groups: join some of them`,
    })
    .default({})
    .describe('Sets of keys for several neighbours: any but `name`, `group` and `address`.'),
  ranges: z
    .array(range)
    .max(RANGES_MAX)
    .default([])
    .describe('Neighbours that are not named: dynamic ones, which connect to us.'),
  dead_man: duration(0, 600_000)
    .prefault('5s')
    .describe('A daemon that stands still for this long has all withdrawn by a thread; 0s: never.'),
  vip_interface: interfaceName()
    .optional()
    .describe(
      'Interface that isobar puts VIPs (/32, /128) on and takes them off; without it, it does not.',
    ),
  mrt: mrt.optional().describe('A file with every message, as RFC 6396 has it; without it, none.'),
});

export type BgpFile = z.output<typeof bgpSchema>;
export type NeighborFile = BgpFile['neighbors'][number];
export type RangeFile = BgpFile['ranges'][number];
export type GroupFile = BgpFile['groups'][string];
export type SessionKeys = z.output<z.ZodObject<typeof session>>;

/** The usual values as the schema reads them: all that `initial` names. */
function filled<Schema extends z.ZodType<object>, Initial extends object>(
  schema: Schema,
  initial: Initial,
) {
  type Output = z.output<Schema>;
  type Filled = { [Key in keyof Initial & keyof Output]-?: NonNullable<Output[Key]> };
  return schema.parse(initial) as Output & Filled;
}

/** What holds where neither a neighbour nor its group says otherwise. */
export const USUAL_VALUES = {
  session: filled(group, USUAL),
  bfd: filled(bfd, USUAL_BFD),
  receive: filled(receive, USUAL_RECEIVE),
};
