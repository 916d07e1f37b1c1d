/** One route as one neighbour is told it, in words; and why. For `isobar bgp routes`. */
import type { Reason } from '../model/plan.ts';
import { formatAddress } from '../net/ip.ts';
import type { RouteView } from './adj-rib-out.ts';
import { communityTexts } from './route.ts';
import { asPathText } from './wire/as-path.ts';

export interface ToldRoute {
  readonly neighbor: string;
  readonly vip: string;
  readonly prefix: string;
  readonly state: RouteView['state'];
  /** What follows is null where it is not known or not sent. */
  readonly next_hop: string | null;
  /** RFC 2545: beside the global one. */
  readonly next_hop_link_local: string | null;
  readonly as_path: string | null;
  readonly med: number | null;
  readonly local_pref: number | null;
  readonly communities: readonly string[];
  /** Only to Customer (RFC 9234). */
  readonly otc: number | null;
  readonly reason: Reason;
}

export type ToldOf = Pick<ToldRoute, 'neighbor' | 'vip' | 'prefix' | 'reason'>;

export function toldRoute(of: ToldOf, { state, attributes }: RouteView): ToldRoute {
  const { as_path, med, local_pref, otc, next_hop, mp_reach } = attributes ?? {};
  const hop = next_hop ?? mp_reach?.next_hop ?? null;
  return {
    ...of,
    state,
    next_hop: hop && formatAddress(hop.subarray(0, 16)),
    next_hop_link_local: hop?.length === 32 ? formatAddress(hop.subarray(16)) : null,
    as_path: as_path ? asPathText(as_path) : null,
    med: med ?? null,
    local_pref: local_pref ?? null,
    communities: attributes ? communityTexts(attributes) : [],
    otc: otc ?? null,
  };
}
