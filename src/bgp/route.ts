/**
 * A route of ours, ready to be announced: from the plan's text to the codec's values. Pure.
 */

import type { RoutePlan } from '../model/plan.ts';
import { type Address, formatPrefix, type Prefix, parseAddress, parsePrefix } from '../net/ip.ts';
import type { Attributes } from './wire/attributes.ts';

export interface LocalRoute {
  readonly prefix: Prefix;
  /** Canonical text of `prefix`. */
  readonly key: string;
  readonly med: number | null;
  readonly communities: readonly number[];
  /** Equal for routes with equal attributes, so that they share UPDATEs. */
  readonly bundle: string;
}

/** What the attributes of our routes are in one session. */
export interface Announcer {
  readonly local_as: number;
  readonly ibgp: boolean;
  /** Null: routes of this family cannot be announced. */
  readonly next_hop4: Address | null;
  readonly next_hop6: Address | null;
}

/** RFC 4271 §5.1.5: what our own routes have inside our AS; the usual default of routers. */
const LOCAL_PREF = 100;
/** So that the attributes of a route always leave room for prefixes in an UPDATE. */
const COMMUNITIES_MAX = 255;

/** "65000:80" as its 32-bit value (RFC 1997), or null. */
export function parseCommunity(text: string): number | null {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const high = Number(match?.[1]);
  const low = Number(match?.[2]);
  return match && high <= 0xffff && low <= 0xffff ? high * 0x10000 + low : null;
}

export function communityText(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}

/**
 * The routes that the plan wants one neighbour to have, by prefix. Where two VIPs have one prefix,
 * the first that announces it decides. A prefix or community that cannot be read throws a RangeError: config
 * has checked them, so it is a programmer's mistake.
 */
export function wantedRoutes(
  plans: readonly RoutePlan[],
  neighbor: string,
): Map<string, LocalRoute> {
  const routes = new Map<string, LocalRoute>();
  for (const plan of plans) {
    const offer = plan.offers.find((one) => one.neighbor === neighbor);
    if (!offer?.announce) continue;
    const communities = offer.communities.map((text) => {
      const community = parseCommunity(text);
      if (community === null) throw new RangeError(`${plan.vip}: community "${text}"`);
      return community;
    });
    if (communities.length > COMMUNITIES_MAX) {
      throw new RangeError(`${plan.vip}: more than ${COMMUNITIES_MAX} communities`);
    }
    const bundle = `${offer.med ?? ''}|${communities.join(' ')}`;
    for (const text of plan.prefixes) {
      const prefix = parsePrefix(text);
      if (!prefix) throw new RangeError(`${plan.vip}: prefix "${text}"`);
      const key = formatPrefix(prefix);
      if (routes.has(key)) continue;
      routes.set(key, { prefix, key, med: offer.med, communities, bundle });
    }
  }
  return routes;
}

/** The attributes of routes like `route` (RFC 4271 §5), without the next hop. */
export function routeAttributes(route: LocalRoute, { local_as, ibgp }: Announcer): Attributes {
  return {
    origin: 0,
    as_path: ibgp ? [] : [{ kind: 'sequence', as: [local_as] }],
    ...(route.med === null ? {} : { med: route.med }),
    ...(ibgp ? { local_pref: LOCAL_PREF } : {}),
    ...(route.communities.length === 0 ? {} : { communities: route.communities }),
  };
}

/** A dotted quad as an unsigned number; config has checked it, so anything else throws. */
export function parseRouterId(text: string): number {
  const address = parseAddress(text);
  if (address?.length !== 4) throw new RangeError(`BGP identifier "${text}"`);
  return new DataView(address.buffer, address.byteOffset).getUint32(0);
}
