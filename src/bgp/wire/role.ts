/**
 * Roles of BGP speakers and the Only-to-Customer attribute (RFC 9234): which two roles fit each other,
 * and what a role means for a route that comes or goes. Pure.
 */
import type { BgpRole } from '../../model/bgp.ts';

/** By their number on the wire (RFC 9234 §4.1). */
export const ROLES: readonly BgpRole[] = ['provider', 'rs', 'rs-client', 'customer', 'peer'];

/** What the neighbour must be to us (RFC 9234 §4.2). */
const COUNTERPARTS: Readonly<Record<BgpRole, BgpRole>> = {
  provider: 'customer',
  customer: 'provider',
  rs: 'rs-client',
  'rs-client': 'rs',
  peer: 'peer',
};

/** True if a neighbour that says `theirs`, a number on the wire, may be what it says to `ours`. */
export function rolesFit(ours: BgpRole, theirs: number): boolean {
  return ROLES[theirs] === COUNTERPARTS[ours];
}

/**
 * Why a route with this Only-to-Customer attribute has leaked and must not be used, or null
 * (RFC 9234 §5, on receipt). `ours` is our role in the session.
 */
export function leak(ours: BgpRole, peer_as: number, otc: number | undefined): string | null {
  if (otc === undefined) return null;
  if (ours === 'provider' || ours === 'rs') {
    return `a ${COUNTERPARTS[ours]} sends a route for customers only (of AS ${otc})`;
  }
  if (ours === 'peer' && otc !== peer_as) {
    return `a peer sends a route for customers only of AS ${otc}`;
  }
  return null;
}

/** The attribute that a route has after it came from a neighbour: its own, or one that we add. */
export function otcReceived(
  ours: BgpRole,
  peer_as: number,
  otc: number | undefined,
): number | undefined {
  const fromAbove = ours === 'customer' || ours === 'rs-client' || ours === 'peer';
  return otc ?? (fromAbove ? peer_as : undefined);
}

/**
 * The attribute that a route must have when it is sent, or null if it must not be sent at all
 * (RFC 9234 §5, on sending).
 */
export function otcSent(
  ours: BgpRole,
  local_as: number,
  otc: number | undefined,
): { readonly otc: number | undefined } | null {
  const downward = ours === 'provider' || ours === 'rs';
  if (otc !== undefined) return downward ? { otc } : null;
  return { otc: downward || ours === 'peer' ? local_as : undefined };
}
