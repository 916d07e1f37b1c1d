/**
 * The form that routes of ours have in one session: their attributes (RFC 4271 §5) and the field that
 * carries the prefixes. Two routes with forms of one id look the same to the peer. Pure.
 */
import type { BgpRole } from '../model/bgp.ts';
import type { Address, Prefix } from '../net/ip.ts';
import type { RouteBundle } from './route.ts';
import type { AsPath } from './wire/as-path.ts';
import type { Attributes, CodecContext } from './wire/attributes.ts';
import { HEADER_BYTES } from './wire/codes.ts';
import { encodeMessage } from './wire/message.ts';
import { marksOtc } from './wire/role.ts';
import { forTwoOctetPeer, type Update } from './wire/update.ts';

export interface OutSession {
  readonly local_as: number;
  /** Our role towards the peer (RFC 9234); null: none. */
  readonly role: BgpRole | null;
  /** What routes have that say nothing else; null: then they cannot be announced. */
  readonly next_hop4: Address | null;
  /** 16 octets, or 32 with a link-local address behind the global one (RFC 2545 §3). */
  readonly next_hop6: Uint8Array | null;
  readonly context: CodecContext;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

export interface Form {
  /** Equal for forms that are the same on the wire. */
  readonly id: string;
  /** Size of an UPDATE without any prefix. */
  readonly bytes: number;
  readonly build: (nlri: readonly Prefix[]) => Update;
}

/** RFC 4271 §5.1.5: what our own routes have inside our AS; the usual default of routers. */
const LOCAL_PREF = 100;

/** How routes with these attributes are announced; null: the session has no way to carry them. */
export function routeForm(bundle: RouteBundle, family: 4 | 6, session: OutSession): Form | null {
  if (!(family === 4 ? session.ipv4 : session.ipv6)) return null;
  const build = announcer(bundle, family, session);
  return build && formOf(family, build, session.context);
}

function formOf(family: 4 | 6, build: Form['build'], context: CodecContext): Form | null {
  const bytes = encodeMessage({ type: 'update', update: build([]) }, context);
  if (!bytes) return null;
  const id = `${family} ${Buffer.from(bytes).toString('latin1')}`;
  return { id, bytes: bytes.length, build };
}

function announcer(bundle: RouteBundle, family: 4 | 6, session: OutSession): Form['build'] | null {
  const attributes = routeAttributes(bundle, session);
  const classic = family === 4 ? (bundle.next_hop ?? session.next_hop4) : null;
  if (classic) {
    return (nlri) => ({
      withdrawn: [],
      announced: nlri,
      attributes: { ...attributes, next_hop: classic },
    });
  }
  // RFC 8950 §4: an IPv4 route with an IPv6 next hop, if the peer takes such.
  const next_hop = bundle.next_hop6 ?? session.next_hop6;
  if (!next_hop || (family === 4 && !session.context.extended_next_hop)) return null;
  return (nlri) => ({
    withdrawn: [],
    announced: [],
    attributes: { ...attributes, mp_reach: { family, next_hop, nlri } },
  });
}

/** IPv4 is withdrawn in the classic field, unless it may be in MP_REACH_NLRI. */
export function withdrawalForm(family: 4 | 6, { context }: OutSession): Form {
  return family === 4 && !context.extended_next_hop ? CLASSIC_WITHDRAWAL : MP_WITHDRAWAL[family];
}

const CLASSIC_WITHDRAWAL: Form = {
  id: '-',
  bytes: HEADER_BYTES + 4,
  build: (nlri) => ({ withdrawn: nlri, announced: [], attributes: {} }),
};

/** The attribute's head has three octets, and its value begins with three for the family. */
const mpWithdrawal = (family: 4 | 6): Form => ({
  id: `-${family}`,
  bytes: HEADER_BYTES + 4 + 3 + 3,
  build: (nlri) => ({ withdrawn: [], announced: [], attributes: { mp_unreach: { family, nlri } } }),
});

const MP_WITHDRAWAL = { 4: mpWithdrawal(4), 6: mpWithdrawal(6) } as const;

/** Without the next hop. */
function routeAttributes(bundle: RouteBundle, session: OutSession): Attributes {
  const { local_as, role, context } = session;
  const { med, communities, large_communities, extended_communities } = bundle;
  const attributes: Attributes = {
    origin: 0,
    as_path: context.ibgp ? [] : ownPath(local_as, 1 + bundle.prepend),
    ...(med === null ? {} : { med }),
    ...(context.ibgp ? { local_pref: bundle.local_pref ?? LOCAL_PREF } : {}),
    ...(communities.length === 0 ? {} : { communities }),
    ...(extended_communities.length === 0 ? {} : { extended_communities }),
    ...(large_communities.length === 0 ? {} : { large_communities }),
    ...(role && !context.ibgp && marksOtc(role) ? { otc: local_as } : {}),
  };
  return context.four_octet_as ? attributes : forTwoOctetPeer(attributes);
}

/** One segment is enough: `prepend` is bounded well below its 255 numbers. */
function ownPath(as: number, times: number): AsPath {
  return [{ kind: 'sequence', as: Array.from({ length: times }, () => as) }];
}
