/**
 * Path attributes as values (RFC 4271 §4.3, §5), and what a session has agreed on that changes their
 * bytes. Types only, but for the default; attribute-rows.ts has the bytes.
 */
import type { Address } from '../../net/ip.ts';
import type { AsPath } from './as-path.ts';
import type { LargeCommunity } from './community.ts';
import type { Nlri } from './nlri.ts';

/** What both ends agreed on, as far as it changes the encoding. */
export interface CodecContext {
  /** Both sent the four-octet AS capability (RFC 6793). */
  readonly four_octet_as: boolean;
  /** The peer is in our own AS. */
  readonly ibgp: boolean;
  /** What the peer sends of this family has path identifiers (RFC 7911 §3). */
  readonly add_path4: boolean;
  readonly add_path6: boolean;
  /** Both sent the extended message capability (RFC 8654). */
  readonly extended_messages: boolean;
  /** IPv4 routes may have an IPv6 next hop (RFC 8950). */
  readonly extended_next_hop: boolean;
}

/** An external session without anything agreed but four-octet AS numbers; others say what differs. */
export const DEFAULT_CONTEXT: CodecContext = {
  four_octet_as: true,
  ibgp: false,
  add_path4: false,
  add_path6: false,
  extended_messages: false,
  extended_next_hop: false,
};

export interface Aggregator {
  readonly as: number;
  readonly address: Address;
}

/** Routes of a family that isobar speaks, or the raw bytes of any other (RFC 4760 §3). */
export type MpReach =
  | {
      readonly family: 4 | 6;
      /**
       * An IPv6 next hop may be followed by a link-local address (RFC 2545 §3: 16 or 32 octets); IPv4
       * routes may have one, too, where the session has agreed on it (RFC 8950 §3).
       */
      readonly next_hop: Uint8Array;
      readonly nlri: readonly Nlri[];
    }
  | {
      readonly family: null;
      readonly afi: number;
      readonly safi: number;
      readonly next_hop: Uint8Array;
      readonly raw: Uint8Array;
    };

/** RFC 4760 §4. */
export type MpUnreach =
  | { readonly family: 4 | 6; readonly nlri: readonly Nlri[] }
  | {
      readonly family: null;
      readonly afi: number;
      readonly safi: number;
      readonly raw: Uint8Array;
    };

/** Every attribute is optional here; which ones a message must have, update.ts says. */
export interface KnownAttributes {
  readonly mp_reach?: MpReach;
  readonly mp_unreach?: MpUnreach;
  /** 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin?: number;
  readonly as_path?: AsPath;
  readonly next_hop?: Address;
  readonly med?: number;
  readonly local_pref?: number;
  readonly atomic_aggregate?: true;
  readonly aggregator?: Aggregator;
  /** RFC 1997: AS in the upper half, value in the lower. */
  readonly communities?: readonly number[];
  /** RFC 4360, eight octets each; `extendedTexts` has the words. */
  readonly extended_communities?: Uint8Array;
  /** RFC 5701, twenty octets each, not looked into. */
  readonly ipv6_extended_communities?: Uint8Array;
  readonly as4_path?: AsPath;
  readonly as4_aggregator?: Aggregator;
  /** RFC 8092. */
  readonly large_communities?: readonly LargeCommunity[];
  /** RFC 4456 §8: the BGP identifier of the router that brought the route into the AS; iBGP only. */
  readonly originator_id?: number;
  /** RFC 4456 §8: cluster identifiers of the reflectors on the way; iBGP only. */
  readonly cluster_list?: readonly number[];
  /** RFC 7311: the TLVs; `aigpMetric` has the number. */
  readonly aigp?: Uint8Array;
  /** Only to customer (RFC 9234 §5): the AS that said so. */
  readonly otc?: number;
}

export interface RawAttribute {
  /** Without the extended-length bit, which the length decides. */
  readonly flags: number;
  readonly code: number;
  readonly value: Uint8Array;
}

export interface Attributes extends KnownAttributes {
  readonly unknown?: readonly RawAttribute[];
}

export type AttributeName = keyof KnownAttributes;
