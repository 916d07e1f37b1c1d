/**
 * A route of ours, ready to be announced: what the plan says of it in the codec's values. Pure.
 */
import { err, ok, type Result } from '../base/result.ts';
import type { RouteOffer } from '../model/plan.ts';
import { type Address, type Prefix, parseAddress } from '../net/ip.ts';
import type { Attributes } from './wire/attributes.ts';
import {
  extendedTexts,
  type LargeCommunity,
  parseCommunity,
  standardText,
} from './wire/community.ts';

/** What is said of a route, as far as it does not depend on the session. */
export interface RouteBundle {
  /** Equal for bundles that say the same. */
  readonly key: string;
  readonly med: number | null;
  readonly prepend: number;
  readonly local_pref: number | null;
  readonly communities: readonly number[];
  readonly large_communities: readonly LargeCommunity[];
  /** Eight octets each. */
  readonly extended_communities: Uint8Array;
  readonly next_hop: Address | null;
  readonly next_hop6: Address | null;
}

export interface LocalRoute {
  readonly prefix: Prefix;
  /** Canonical text of `prefix`. */
  readonly key: string;
  readonly bundle: RouteBundle;
}

/** All that one neighbour should have. */
export interface RouteTable {
  /** By prefix; never changed: what is new is another table. */
  readonly routes: ReadonlyMap<string, LocalRoute>;
  /** What has changed since the table before, worked out once for all neighbours that had that. */
  readonly since: TableChange | null;
}

export interface TableChange {
  readonly before: RouteTable;
  readonly gone: readonly LocalRoute[];
  /** New, or with another bundle. */
  readonly put: readonly LocalRoute[];
}

export const NO_ROUTES: RouteTable = { routes: new Map(), since: null };

export function tableChange(before: RouteTable, after: RouteTable['routes']): TableChange {
  const gone: LocalRoute[] = [];
  const put: LocalRoute[] = [];
  for (const [key, route] of before.routes) if (!after.has(key)) gone.push(route);
  for (const [key, route] of after) {
    if (before.routes.get(key)?.bundle.key !== route.bundle.key) put.push(route);
  }
  return { before, gone, put };
}

/** So that the attributes of a route always leave room for prefixes in an UPDATE of 4096 bytes. */
export const ROUTE_LIMITS = { communities_bytes_max: 3_072, prepend_max: 64 } as const;

/** What of an offer ends up in attributes. */
export type OfferedAttributes = Omit<RouteOffer, 'neighbor' | 'announce' | 'reason'>;

/** Equal for offers that say the same in the same words. */
export function bundleKey(offer: OfferedAttributes): string {
  const { med, prepend, local_pref, communities, next_hop, next_hop6 } = offer;
  const hops = `${next_hop ?? ''}|${next_hop6 ?? ''}`;
  return `${med ?? ''}|${prepend}|${local_pref ?? ''}|${hops}|${communities.join(' ')}`;
}

/** The bundle, or a sentence about what config should have refused. */
export function parseBundle(offer: OfferedAttributes): Result<RouteBundle, string> {
  const communities: number[] = [];
  const large_communities: LargeCommunity[] = [];
  const extended: Uint8Array[] = [];
  for (const text of offer.communities) {
    const parsed = parseCommunity(text);
    if (!parsed.ok) return err(`community ${parsed.error}`);
    const { kind, value } = parsed.value;
    if (kind === 'standard') communities.push(value);
    else if (kind === 'large') large_communities.push(value);
    else extended.push(value);
  }
  const bytes = communities.length * 4 + large_communities.length * 12 + extended.length * 8;
  const { communities_bytes_max, prepend_max } = ROUTE_LIMITS;
  if (bytes > communities_bytes_max) {
    return err(`${bytes} bytes of communities, at most ${communities_bytes_max} fit`);
  }
  if (offer.prepend > prepend_max)
    return err(`${offer.prepend} prepends of at most ${prepend_max}`);
  return ok({
    key: bundleKey(offer),
    med: offer.med,
    prepend: offer.prepend,
    local_pref: offer.local_pref,
    communities,
    large_communities,
    extended_communities: Buffer.concat(extended),
    next_hop: parseNextHop(offer.next_hop, 4),
    next_hop6: parseNextHop(offer.next_hop6, 16),
  });
}

/** The address, if the text is one of that many octets. */
export function parseNextHop(text: string | null, octets: 4 | 16): Address | null {
  const address = parseAddress(text ?? '');
  return address?.length === octets ? address : null;
}

/** A dotted quad as an unsigned number; config has checked it, so anything else throws. */
export function parseRouterId(text: string): number {
  const address = parseAddress(text);
  if (address?.length !== 4) throw new RangeError(`BGP identifier "${text}"`);
  return new DataView(address.buffer, address.byteOffset).getUint32(0);
}

/** Communities of every kind, as an operator writes them. */
export function communityTexts(attributes: Attributes): string[] {
  const { communities = [], large_communities = [], extended_communities } = attributes;
  return [
    ...communities.map(standardText),
    ...large_communities.map((parts) => parts.join(':')),
    ...(extended_communities ? extendedTexts(extended_communities) : []),
  ];
}
