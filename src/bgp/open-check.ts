/** What we say in an OPEN, which OPENs we refuse, and what two OPENs agree on. Pure. */
import { type CodecContext, DEFAULT_CONTEXT } from './wire/attributes.ts';
import { AFI, AS_TRANS, ERROR, OPEN_ERROR, SAFI } from './wire/codes.ts';
import { type Fault, fault } from './wire/fault.ts';
import { hasFourOctetAs, type Open, offersFamily, openAs } from './wire/open.ts';

export interface LocalSpeaker {
  readonly local_as: number;
  /** BGP identifier as an unsigned number. */
  readonly router_id: number;
  /** The AS that the peer must have; null: any (a dynamic neighbour). */
  readonly remote_as: number | null;
  /** Proposed hold time: 0, or at least 3000. */
  readonly hold_time_ms: number;
}

/** What both sides have agreed on once their OPENs are exchanged. */
export interface Agreement {
  readonly peer: Open;
  readonly peer_as: number;
  /** 0: neither keepalives nor a hold timer (RFC 4271 §4.2). */
  readonly hold_ms: number;
  readonly context: CodecContext;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** The field has two octets (RFC 4271 §4.2). */
const holdTime_s = ({ hold_time_ms }: LocalSpeaker): number =>
  Math.min(0xffff, Math.floor(hold_time_ms / 1000));

/**
 * Our OPEN. Graceful restart is never offered: a router that keeps the routes of a stopped
 * anycast site sends its clients to nobody.
 */
export function ourOpen(local: LocalSpeaker): Open {
  return {
    my_as: local.local_as > 0xffff ? AS_TRANS : local.local_as,
    hold_time_s: holdTime_s(local),
    router_id: local.router_id,
    capabilities: [
      { kind: 'multiprotocol', afi: AFI.IPV4, safi: SAFI.UNICAST },
      { kind: 'multiprotocol', afi: AFI.IPV6, safi: SAFI.UNICAST },
      { kind: 'route-refresh' },
      { kind: 'four-octet-as', as: local.local_as },
    ],
  };
}

/** Why the peer's OPEN is refused (RFC 4271 §6.2), or null. */
export function refusal(local: LocalSpeaker, open: Open): Fault | null {
  const refuse = (subcode: number, detail: string): Fault =>
    fault('session-reset', ERROR.OPEN, subcode, detail);
  const as = openAs(open);
  // RFC 7607: AS 0 belongs to nobody.
  if (as === 0 || open.my_as === 0) return refuse(OPEN_ERROR.PEER_AS, 'AS 0');
  if (local.remote_as !== null && as !== local.remote_as) {
    return refuse(OPEN_ERROR.PEER_AS, `AS ${as}, expected ${local.remote_as}`);
  }
  // RFC 6286 §2.2: not zero, and within one AS not ours.
  if (open.router_id === 0) return refuse(OPEN_ERROR.BGP_ID, 'BGP identifier 0.0.0.0');
  if (open.router_id === local.router_id && as === local.local_as) {
    return refuse(OPEN_ERROR.BGP_ID, 'the BGP identifier is our own');
  }
  if (open.hold_time_s === 1 || open.hold_time_s === 2) {
    return refuse(OPEN_ERROR.HOLD_TIME, `${open.hold_time_s} s; 0 or at least 3 is allowed`);
  }
  return null;
}

export function agree(local: LocalSpeaker, peer: Open): Agreement {
  const peer_as = openAs(peer);
  return {
    peer,
    peer_as,
    hold_ms: Math.min(holdTime_s(local), peer.hold_time_s) * 1000,
    context: {
      ...DEFAULT_CONTEXT,
      four_octet_as: hasFourOctetAs(peer),
      ibgp: peer_as === local.local_as,
    },
    ipv4: offersFamily(peer, AFI.IPV4, SAFI.UNICAST),
    ipv6: offersFamily(peer, AFI.IPV6, SAFI.UNICAST),
  };
}

/**
 * Which of two colliding connections is closed (RFC 4271 §6.8): the one dialled by the speaker with
 * the lower BGP identifier; of equal ones, by that with the lower AS (RFC 6286 §2.3).
 */
export function collisionLoser(local: LocalSpeaker, peer: Open): 'out' | 'in' {
  if (local.router_id !== peer.router_id) return local.router_id < peer.router_id ? 'out' : 'in';
  return local.local_as < openAs(peer) ? 'out' : 'in';
}
