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
 * True if a route with this Only to Customer attribute has leaked, so that it must not be used
 * (RFC 9234 §5, on receipt). `ours` is our role in the session.
 */
export function hasLeaked(ours: BgpRole | null, peer_as: number, otc: number | undefined): boolean {
  if (otc === undefined) return false;
  return ours === 'provider' || ours === 'rs' || (ours === 'peer' && otc !== peer_as);
}

/** True if our own routes have the attribute, with our AS, in such a session (RFC 9234 §5, egress). */
export function marksOtc(ours: BgpRole | null): boolean {
  return ours === 'provider' || ours === 'rs' || ours === 'peer';
}
