/**
 * Adj-RIB-Out of one peer: what it should have, what it was sent, and so what is pending. It is
 * pulled: `next()` builds one UPDATE when the socket can take one. A route that changes many times
 * while the socket is full is sent once, in its last state; one that changes back is not sent.
 * Withdrawals go before announcements. An UPDATE carries one kind of route (RFC 7606 §5.1), so no
 * prefix is ever withdrawn and announced by one message.
 */
import type { Prefix } from '../net/ip.ts';
import { type Announcer, type LocalRoute, routeAttributes } from './route.ts';
import type { Attributes, CodecContext } from './wire/attributes.ts';
import { MESSAGE_BYTES_MAX } from './wire/codes.ts';
import { encodeMessage } from './wire/message.ts';
import { prefixBytes } from './wire/nlri.ts';
import { forTwoOctetPeer, type Update } from './wire/update.ts';

export interface OutSession extends Announcer {
  readonly context: CodecContext;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

type Pending = Map<string, LocalRoute>;

/** A bundle that no route has: what was sent under it is to be sent again. */
const STALE = 'stale';

const family = ({ prefix }: LocalRoute): 4 | 6 => (prefix.address.length === 4 ? 4 : 6);

export class AdjRibOut {
  #wanted: ReadonlyMap<string, LocalRoute> = new Map();
  /** What the peer has from us. */
  readonly #sent: Pending = new Map();
  readonly #withdrawals: Pending = new Map();
  readonly #announcements: Pending = new Map();
  #session: OutSession | null = null;
  /** Families whose End-of-RIB is still to be sent. */
  #endOfRib: (4 | 6)[] = [];

  /** Routes that the peer has from us. */
  get sent(): number {
    return this.#sent.size;
  }

  get pending(): number {
    return this.#withdrawals.size + this.#announcements.size;
  }

  /** Wanted routes that the session has no way to carry; 0 without a session. */
  get unsendable(): number {
    const session = this.#session;
    if (!session) return 0;
    return [...this.#wanted.values()].filter(({ prefix }) => !canCarry(session, prefix)).length;
  }

  /** Starts a session: the peer has nothing, all that is wanted is pending. */
  open(session: OutSession): void {
    this.close();
    this.#session = session;
    for (const route of this.#wanted.values()) this.#wish(route);
    if (session.ipv4) this.#endOfRib.push(4);
    if (session.ipv6) this.#endOfRib.push(6);
  }

  /** The session is gone, and with it all that the peer had. */
  close(): void {
    this.#session = null;
    this.#sent.clear();
    this.#withdrawals.clear();
    this.#announcements.clear();
    this.#endOfRib = [];
  }

  /** Replaces what the peer should have. */
  want(routes: ReadonlyMap<string, LocalRoute>): void {
    const before = this.#wanted;
    this.#wanted = routes;
    for (const [key, route] of before) {
      if (routes.has(key)) continue;
      this.#announcements.delete(key);
      if (this.#sent.has(key)) this.#withdrawals.set(key, route);
    }
    for (const route of routes.values()) this.#wish(route);
  }

  /** RFC 2918 §4: everything of one family is pending again. */
  refresh(wanted: 4 | 6): void {
    for (const [key, route] of this.#sent) {
      if (family(route) === wanted) this.#sent.set(key, { ...route, bundle: STALE });
    }
    for (const route of this.#wanted.values()) this.#wish(route);
  }

  #wish(route: LocalRoute): void {
    if (!this.#session || !canCarry(this.#session, route.prefix)) return;
    this.#withdrawals.delete(route.key);
    if (this.#sent.get(route.key)?.bundle === route.bundle) this.#announcements.delete(route.key);
    else this.#announcements.set(route.key, route);
  }

  /** The next UPDATE, or null when the peer has all that it should have. */
  next(): Uint8Array | null {
    const session = this.#session;
    if (!session) return null;
    return (
      this.#withdrawal(session.context) ?? this.#announcement(session) ?? this.#end(session.context)
    );
  }

  #withdrawal(context: CodecContext): Uint8Array | null {
    const [first] = this.#withdrawals.values();
    if (!first) return null;
    const build = (nlri: readonly Prefix[]): Update =>
      family(first) === 4
        ? { withdrawn: nlri, announced: [], attributes: {} }
        : { withdrawn: [], announced: [], attributes: { mp_unreach: { family: 6, nlri } } };
    const same = (route: LocalRoute): boolean => family(route) === family(first);
    const { routes, bytes } = pack(this.#withdrawals, same, build, context);
    for (const { key } of routes) this.#sent.delete(key);
    return bytes;
  }

  #announcement(session: OutSession): Uint8Array | null {
    const [first] = this.#announcements.values();
    if (!first) return null;
    const common = routeAttributes(first, session);
    const attributes = session.context.four_octet_as ? common : forTwoOctetPeer(common);
    const build = (nlri: readonly Prefix[]): Update => withRoutes(attributes, nlri, first, session);
    const same = (route: LocalRoute): boolean =>
      family(route) === family(first) && route.bundle === first.bundle;
    const { routes, bytes } = pack(this.#announcements, same, build, session.context);
    for (const route of routes) this.#sent.set(route.key, route);
    return bytes;
  }

  /** RFC 4724 §2: tells the peer that the initial table is complete. */
  #end(context: CodecContext): Uint8Array | null {
    const done = this.#endOfRib.shift();
    if (!done) return null;
    const attributes: Attributes = done === 4 ? {} : { mp_unreach: { family: done, nlri: [] } };
    return encodeMessage(
      { type: 'update', update: { withdrawn: [], announced: [], attributes } },
      context,
    );
  }
}

/** A route needs its family in the session, and a next hop of that family. */
function canCarry(session: OutSession, { address }: Prefix): boolean {
  return address.length === 4
    ? session.ipv4 && session.next_hop4 !== null
    : session.ipv6 && session.next_hop6 !== null;
}

/** IPv4 in the classic fields, IPv6 in MP_REACH_NLRI (RFC 4760 §3, RFC 2545). */
function withRoutes(
  attributes: Attributes,
  nlri: readonly Prefix[],
  first: LocalRoute,
  { next_hop4, next_hop6 }: OutSession,
): Update {
  if (family(first) === 4) {
    const next_hop = next_hop4 ?? new Uint8Array(4);
    return { withdrawn: [], announced: nlri, attributes: { ...attributes, next_hop } };
  }
  const next_hop = next_hop6 ?? new Uint8Array(16);
  const mp_reach = { family: 6, next_hop, nlri } as const;
  return { withdrawn: [], announced: [], attributes: { ...attributes, mp_reach } };
}

/** Moves as many matching routes as fit one UPDATE out of `pending`, in their order. */
function pack(
  pending: Pending,
  same: (route: LocalRoute) => boolean,
  build: (nlri: readonly Prefix[]) => Update,
  context: CodecContext,
): { routes: LocalRoute[]; bytes: Uint8Array | null } {
  const encode = (nlri: readonly Prefix[]): Uint8Array | null =>
    encodeMessage({ type: 'update', update: build(nlri) }, context);
  // One byte is for the longer length field that an attribute above 255 bytes has.
  let room = MESSAGE_BYTES_MAX - 1 - (encode([])?.length ?? MESSAGE_BYTES_MAX);
  const routes: LocalRoute[] = [];
  for (const route of pending.values()) {
    if (!same(route)) continue;
    room -= prefixBytes(route.prefix);
    if (room < 0) break;
    routes.push(route);
  }
  for (const { key } of routes) pending.delete(key);
  return { routes, bytes: routes.length > 0 ? encode(routes.map(({ prefix }) => prefix)) : null };
}
