/** What we say in an OPEN, which OPENs we refuse, and what two OPENs agree on. Pure. */
import type { BgpRole, SessionSettings } from '../model/bgp.ts';
import type { CodecContext } from './wire/attributes.ts';
import type { Capability } from './wire/capability.ts';
import { AFI, AS_TRANS, ERROR, OPEN_ERROR, SAFI } from './wire/codes.ts';
import { type Fault, fault } from './wire/fault.ts';
import {
  hasFourOctetAs,
  type Open,
  offersFamily,
  openAs,
  unsupportedCapability,
} from './wire/open.ts';
import { ROLES, rolesFit } from './wire/role.ts';

/** What of the settings is said in our OPEN or decides whether the peer's is accepted. */
export interface LocalSpeaker
  extends Pick<
    SessionSettings,
    | 'hold_time_ms'
    | 'ipv4'
    | 'ipv6'
    | 'extended_next_hop'
    | 'add_path'
    | 'graceful_restart_helper'
    | 'role'
    | 'role_strict'
    | 'bfd'
  > {
  readonly local_as: number;
  /** BGP identifier as an unsigned number. */
  readonly router_id: number;
  /** The AS that the peer must have; null: any (a dynamic neighbour). */
  readonly remote_as: number | null;
}

/** What both sides have agreed on once their OPENs are exchanged. */
export interface Agreement {
  readonly ours: Open;
  readonly peer: Open;
  readonly peer_as: number;
  /** 0: neither keepalives nor a hold timer (RFC 4271 §4.2). */
  readonly hold_ms: number;
  readonly context: CodecContext;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** What we may ask the peer for: nothing, RFC 2918, or RFC 7313 with its marks. */
  readonly refresh: 'none' | 'plain' | 'enhanced';
  /** The peer's role towards us (RFC 9234); null: it told none. */
  readonly role: BgpRole | null;
  /** What the peer wants when it restarts; null: nothing, or we do not help. */
  readonly restart: PeerRestart | null;
}

/** RFC 4724 §3, RFC 8538 §2. */
export interface PeerRestart {
  /** How long after the end of a session its routes are kept. */
  readonly time_ms: number;
  /** Routes are kept after a NOTIFICATION as well, unless it is a hard reset. */
  readonly notification: boolean;
  /** `forwarding`: the peer has gone on forwarding while it was away. */
  readonly families: readonly { readonly family: 4 | 6; readonly forwarding: boolean }[];
}

const AFIS = { 4: AFI.IPV4, 6: AFI.IPV6 } as const;
/** RFC 7911 §4: we want to receive several paths; the peer sends them. */
const ADD_PATH = { RECEIVE: 1, SEND: 2 } as const;

type Kind = Capability['kind'];

/** Every capability of one kind, in the order of the OPEN. */
function all<Name extends Kind>(open: Open, kind: Name): Extract<Capability, { kind: Name }>[] {
  return open.capabilities.filter(
    (one): one is Extract<Capability, { kind: Name }> => one.kind === kind,
  );
}

const has = (open: Open, kind: Kind): boolean => all(open, kind).length > 0;

/** RFC 4271 §4.4: a third of the hold time, never below a second; 0: none are sent. */
export function keepalive_ms({ hold_ms }: Pick<Agreement, 'hold_ms'>): number {
  return hold_ms === 0 ? 0 : Math.max(1_000, hold_ms / 3);
}

/** The field has two octets (RFC 4271 §4.2). */
const holdTime_s = ({ hold_time_ms }: LocalSpeaker): number =>
  Math.min(0xffff, Math.floor(hold_time_ms / 1000));

/** The families that we offer. */
const families = ({ ipv4, ipv6 }: LocalSpeaker): (4 | 6)[] => [
  ...(ipv4 ? [4 as const] : []),
  ...(ipv6 ? [6 as const] : []),
];

/**
 * Our OPEN. Graceful restart is never asked for: a router that keeps the routes of a stopped anycast
 * site sends its clients to nobody. Who helps says so with a list of no families (RFC 4724 §4).
 */
export function ourOpen(local: LocalSpeaker): Open {
  const safi = SAFI.UNICAST;
  const offered = families(local);
  const capabilities: Capability[] = [
    ...offered.map((family) => ({ kind: 'multiprotocol', afi: AFIS[family], safi }) as const),
    { kind: 'route-refresh' },
    { kind: 'enhanced-route-refresh' },
    { kind: 'four-octet-as', as: local.local_as },
    { kind: 'extended-messages' },
  ];
  if (local.extended_next_hop && local.ipv4) {
    const hops = [{ afi: AFI.IPV4, safi, next_hop_afi: AFI.IPV6 }];
    capabilities.push({ kind: 'extended-next-hop', families: hops });
  }
  if (local.add_path) {
    const wanted = offered.map((family) => ({ afi: AFIS[family], safi, mode: ADD_PATH.RECEIVE }));
    capabilities.push({ kind: 'add-path', families: wanted });
  }
  // RFC 9234 §4.1: for sessions with another AS.
  const external = local.remote_as !== local.local_as;
  if (local.role && external) capabilities.push({ kind: 'role', value: ROLES.indexOf(local.role) });
  if (local.graceful_restart_helper) {
    const kind = 'graceful-restart';
    const bits = { restarted: false, notification: true, restart_time_s: 0 };
    capabilities.push({ kind, ...bits, families: [] });
  }
  if (local.bfd?.strict) capabilities.push({ kind: 'bfd-strict' });
  return {
    my_as: local.local_as > 0xffff ? AS_TRANS : local.local_as,
    hold_time_s: holdTime_s(local),
    router_id: local.router_id,
    capabilities,
  };
}

const refuse = (subcode: number, detail: string, data?: Uint8Array): Fault =>
  fault('session-reset', ERROR.OPEN, subcode, detail, data);

/** Why the peer's OPEN is refused (RFC 4271 §6.2), or null. */
export function refusal(local: LocalSpeaker, open: Open): Fault | null {
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
  return noFamily(local, open) ?? wrongRole(local, open);
}

/** RFC 5492 §5: a session that no route can go through is of no use; the data says what we miss. */
function noFamily(local: LocalSpeaker, open: Open): Fault | null {
  const offered = families(local);
  if (offered.some((family) => offersFamily(open, AFIS[family], SAFI.UNICAST))) return null;
  const missed = offered.map((family): Capability => {
    return { kind: 'multiprotocol', afi: AFIS[family], safi: SAFI.UNICAST };
  });
  return unsupportedCapability(missed);
}

/** RFC 9234 §4.2, for sessions with another AS. */
function wrongRole(local: LocalSpeaker, open: Open): Fault | null {
  const ours = local.role;
  if (ours === null || openAs(open) === local.local_as) return null;
  const told = all(open, 'role').map(({ value }) => value);
  const [theirs] = told;
  if (theirs === undefined) {
    return local.role_strict ? refuse(OPEN_ERROR.ROLE, `we are ${ours}, it tells no role`) : null;
  }
  if (told.some((value) => value !== theirs)) {
    return refuse(OPEN_ERROR.ROLE, 'it tells several roles');
  }
  const name = ROLES[theirs] ?? `role ${theirs}`;
  return rolesFit(ours, theirs) ? null : refuse(OPEN_ERROR.ROLE, `we are ${ours}, it is ${name}`);
}

export function agree(local: LocalSpeaker, peer: Open): Agreement {
  const peer_as = openAs(peer);
  const ibgp = peer_as === local.local_as;
  const agreed = (family: 4 | 6): boolean =>
    families(local).includes(family) && offersFamily(peer, AFIS[family], SAFI.UNICAST);
  const refreshes = has(peer, 'route-refresh');
  const told = ibgp ? undefined : all(peer, 'role')[0]?.value;
  return {
    ours: ourOpen(local),
    peer,
    peer_as,
    hold_ms: Math.min(holdTime_s(local), peer.hold_time_s) * 1000,
    context: {
      four_octet_as: hasFourOctetAs(peer),
      ibgp,
      add_path4: agreed(4) && local.add_path && sendsPaths(peer, AFI.IPV4),
      add_path6: agreed(6) && local.add_path && sendsPaths(peer, AFI.IPV6),
      extended_messages: has(peer, 'extended-messages'),
      extended_next_hop: local.extended_next_hop && agreed(4) && takesIpv6NextHops(peer),
    },
    ipv4: agreed(4),
    ipv6: agreed(6),
    // RFC 7313 §3.1: the marks alone are no permission to ask.
    refresh: !refreshes ? 'none' : has(peer, 'enhanced-route-refresh') ? 'enhanced' : 'plain',
    role: told === undefined ? null : (ROLES[told] ?? null),
    restart: local.graceful_restart_helper ? restartOf(peer) : null,
  };
}

/** RFC 7911 §4. */
function sendsPaths(peer: Open, afi: number): boolean {
  return all(peer, 'add-path').some(({ families: listed }) =>
    listed.some(
      (one) => one.afi === afi && one.safi === SAFI.UNICAST && (one.mode & ADD_PATH.SEND) !== 0,
    ),
  );
}

/** RFC 8950 §4. */
function takesIpv6NextHops(peer: Open): boolean {
  return all(peer, 'extended-next-hop').some(({ families: listed }) =>
    listed.some(
      (one) => one.afi === AFI.IPV4 && one.safi === SAFI.UNICAST && one.next_hop_afi === AFI.IPV6,
    ),
  );
}

/** Of several such capabilities the last counts (RFC 4724 §3). */
function restartOf(peer: Open): PeerRestart | null {
  const told = all(peer, 'graceful-restart').at(-1);
  if (!told) return null;
  const kept = ([4, 6] as const).flatMap((family) => {
    const one = told.families.find(
      ({ afi, safi }) => afi === AFIS[family] && safi === SAFI.UNICAST,
    );
    return one ? [{ family, forwarding: one.forwarding }] : [];
  });
  if (kept.length === 0) return null;
  const { restart_time_s, notification } = told;
  return { time_ms: restart_time_s * 1000, notification, families: kept };
}

/**
 * Which of two colliding connections is closed (RFC 4271 §6.8): the one dialled by the speaker with
 * the lower BGP identifier; of equal ones, by that with the lower AS (RFC 6286 §2.3).
 */
export function collisionLoser(local: LocalSpeaker, peer: Open): 'out' | 'in' {
  if (local.router_id !== peer.router_id) return local.router_id < peer.router_id ? 'out' : 'in';
  return local.local_as < openAs(peer) ? 'out' : 'in';
}
