/** Arbitrary BGP messages: everything that can be built and sent in one message. */
import fc from 'fast-check';
import type { AsPath } from '../../../src/bgp/wire/as-path.ts';
import type {
  Aggregator,
  Attributes,
  CodecContext,
  MpReach,
  MpUnreach,
} from '../../../src/bgp/wire/attributes.ts';
import type { Capability } from '../../../src/bgp/wire/capability.ts';
import type { Message } from '../../../src/bgp/wire/message.ts';
import type { Nlri } from '../../../src/bgp/wire/nlri.ts';
import { maskAddress, type Prefix } from '../../../src/net/ip.ts';

/** A plain object, as the decoder makes it. */
function record<Fields extends object>(
  fields: {
    [Name in keyof Fields]: fc.Arbitrary<Fields[Name]>;
  },
): fc.Arbitrary<Fields> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<Fields>;
}

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

export function prefix(family: 4 | 6): fc.Arbitrary<Prefix> {
  const octets = family === 4 ? 4 : 16;
  return fc
    .tuple(bytes(octets, octets), fc.integer({ min: 0, max: octets * 8 }))
    .map(([address, length]) => ({ address: maskAddress(address, length), length }));
}

/** Path identifiers exactly where the session has agreed on them. */
function prefixes(family: 4 | 6, within: CodecContext): fc.Arbitrary<Nlri[]> {
  const addPath = family === 4 ? within.add_path4 : within.add_path6;
  const path: fc.Arbitrary<Nlri> = addPath
    ? fc.tuple(prefix(family), u32).map(([bare, path_id]) => ({ ...bare, path_id }))
    : prefix(family);
  return fc.array(path, { maxLength: 30 });
}

function asPath(maxAs: number): fc.Arbitrary<AsPath> {
  return fc.array(
    record({
      kind: fc.constant('sequence' as const), // the others are refused (RFC 9774, RFC 5065)
      as: fc.array(fc.integer({ min: 1, max: maxAs }), { minLength: 1, maxLength: 80 }),
    }),
    { maxLength: 3 },
  );
}

const aggregator = (maxAs: number): fc.Arbitrary<Aggregator> =>
  record({ as: fc.integer({ min: 1, max: maxAs }), address: bytes(4, 4) });

// Families that isobar does not speak: VPNv4, flow specification, EVPN.
const otherFamily = fc.constantFrom(
  { afi: 1, safi: 128 },
  { afi: 2, safi: 133 },
  { afi: 25, safi: 70 },
);

const nextHop6 = fc.oneof(bytes(16, 16), bytes(32, 32));

function mpReach(within: CodecContext): fc.Arbitrary<MpReach> {
  const nextHop4 = within.extended_next_hop ? fc.oneof(bytes(4, 4), nextHop6) : bytes(4, 4);
  return fc.oneof(
    record({ family: fc.constant(4 as const), next_hop: nextHop4, nlri: prefixes(4, within) }),
    record({ family: fc.constant(6 as const), next_hop: nextHop6, nlri: prefixes(6, within) }),
    fc
      .tuple(otherFamily, bytes(0, 32), bytes(0, 200))
      .map(([other, next_hop, raw]) => ({ family: null, ...other, next_hop, raw })),
  );
}

const mpUnreach = (within: CodecContext): fc.Arbitrary<MpUnreach> =>
  fc.oneof(
    record({ family: fc.constant(4 as const), nlri: prefixes(4, within) }),
    record({ family: fc.constant(6 as const), nlri: prefixes(6, within) }),
    fc.tuple(otherFamily, bytes(0, 200)).map(([other, raw]) => ({ family: null, ...other, raw })),
  );

const unknownAttribute = record({
  flags: fc.constantFrom(0x80, 0xc0, 0xe0),
  code: fc.integer({ min: 100, max: 255 }),
  value: bytes(0, 300),
});

function attributes(context: CodecContext): fc.Arbitrary<Attributes> {
  const maxAs = context.four_octet_as ? 0xffffffff : 0xffff;
  const { four_octet_as, ibgp } = context;
  const optional = {
    mp_reach: mpReach(context),
    mp_unreach: mpUnreach(context),
    med: u32,
    atomic_aggregate: fc.constant(true as const),
    aggregator: aggregator(maxAs),
    communities: fc.array(u32, { minLength: 1, maxLength: 100 }),
    extended_communities: fc
      .integer({ min: 1, max: 5 })
      .chain((count) => bytes(count * 8, count * 8)),
    large_communities: fc.array(fc.tuple(u32, u32, u32), { minLength: 1, maxLength: 30 }),
    ipv6_extended_communities: fc.constantFrom(1, 3).chain((n) => bytes(n * 20, n * 20)),
    aigp: fc
      .tuple(fc.integer({ min: 0, max: 0xfffffffe }), u32, bytes(0, 20))
      .map(([high, low, more]) => {
        const tlvs = Buffer.alloc(14 + more.length);
        tlvs.set([1, 0, 11]);
        tlvs.writeUInt32BE(high, 3);
        tlvs.writeUInt32BE(low, 7);
        tlvs.set([2, 0, 3 + more.length, ...more], 11); // a type that nobody knows
        return Uint8Array.from(tlvs);
      }),
    otc: u32,
    unknown: fc.uniqueArray(unknownAttribute, {
      minLength: 1,
      maxLength: 3,
      selector: ({ code }) => code,
    }),
    ...(four_octet_as
      ? {}
      : { as4_path: asPath(0xffffffff), as4_aggregator: aggregator(0xffffffff) }),
  };
  const internal = {
    originator_id: u32,
    cluster_list: fc.array(u32, { minLength: 1, maxLength: 5 }),
  };
  const wanted = {
    origin: fc.integer({ min: 0, max: 2 }),
    as_path: asPath(maxAs),
    next_hop: fc
      .tuple(fc.integer({ min: 1, max: 223 }), bytes(3, 3))
      .map(([first, rest]) => Uint8Array.of(first, ...rest)),
  };
  return fc
    .tuple(
      record({ ...wanted, ...(ibgp ? { local_pref: u32 } : {}) }),
      fc.record(
        { ...optional, ...(ibgp ? internal : {}) },
        { requiredKeys: [], noNullPrototype: true },
      ),
    )
    .map(([must, may]) => ({ ...must, ...may }) as Attributes)
    .map(sorted);
}

/** An empty AS4_PATH is malformed, and unknown attributes come out in the order of their codes. */
function sorted(made: Attributes): Attributes {
  const { as4_path, unknown, ...rest } = made;
  return {
    ...rest,
    ...(as4_path && as4_path.length > 0 ? { as4_path } : {}),
    ...(unknown ? { unknown: [...unknown].sort((a, b) => a.code - b.code) } : {}),
  };
}

const kind = <Kind extends string>(name: Kind) => fc.constant(name);
const some = <Item>(item: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> =>
  fc.array(item, { maxLength: 5 });

const capability: fc.Arbitrary<Capability> = fc.oneof(
  record({ kind: kind('extended-messages') }),
  record({ kind: kind('enhanced-route-refresh') }),
  record({ kind: kind('bfd-strict') }),
  record({ kind: kind('role'), value: u8 }),
  record({
    kind: kind('extended-next-hop'),
    families: some(record({ afi: u16, safi: u16, next_hop_afi: u16 })),
  }),
  record({
    kind: kind('graceful-restart'),
    restarted: fc.boolean(),
    notification: fc.boolean(),
    restart_time_s: fc.integer({ min: 0, max: 4095 }),
    families: some(record({ afi: u16, safi: u8, forwarding: fc.boolean() })),
  }),
  record({
    kind: kind('add-path'),
    families: some(record({ afi: u16, safi: u8, mode: u8 })),
  }),
  record({
    kind: kind('fqdn'),
    host: fc.constantFrom('', 'r1', 'löwe'),
    domain: fc.constantFrom('', 'example.net', 'x'.repeat(200)),
  }),
  record({ kind: fc.constant('multiprotocol' as const), afi: u16, safi: u8 }),
  record({ kind: fc.constant('route-refresh' as const) }),
  record({ kind: fc.constant('four-octet-as' as const), as: u32 }),
  record({
    kind: fc.constant('unknown' as const),
    code: fc.constantFrom(3, 4, 7, 8, 66, 67, 68, 71, 72, 75, 128, 255),
    value: bytes(0, 255),
  }),
);

export const context: fc.Arbitrary<CodecContext> = record({
  four_octet_as: fc.boolean(),
  ibgp: fc.boolean(),
  add_path4: fc.boolean(),
  add_path6: fc.boolean(),
  extended_messages: fc.boolean(),
  extended_next_hop: fc.boolean(),
});

export function message(within: CodecContext): fc.Arbitrary<Message> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant<Message>({ type: 'keepalive' }) },
    {
      weight: 4,
      arbitrary: record({
        my_as: u16,
        hold_time_s: u16,
        router_id: u32,
        capabilities: fc.array(capability, { maxLength: 8 }),
      }).map((open): Message => ({ type: 'open', open })),
    },
    {
      weight: 3,
      arbitrary: record({ code: u8, subcode: u8, data: bytes(0, 300) }).map(
        (notification): Message => ({ type: 'notification', notification }),
      ),
    },
    {
      weight: 1,
      arbitrary: record({ afi: u16, subtype: fc.constantFrom(0, 1, 2, 255), safi: u8 }).map(
        (refresh): Message => ({ type: 'route-refresh', refresh }),
      ),
    },
    {
      weight: 10,
      arbitrary: record({
        withdrawn: prefixes(4, within),
        announced: prefixes(4, within),
        attributes: attributes(within),
      }).map((update): Message => ({ type: 'update', update })),
    },
  );
}
