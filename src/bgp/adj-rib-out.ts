/**
 * Adj-RIB-Out of one peer: what it should have, what it was sent, and so what is pending. It is
 * pulled: `next()` builds one UPDATE when the socket can take one. A route that changes many times
 * while the socket is full is sent once, in its last state; one that changes back is not sent, nor is
 * one whose change this peer would not see. Withdrawals go before announcements. An UPDATE carries one
 * kind of route (RFC 7606 §5.1), so no prefix is ever withdrawn and announced by one message.
 */
import type { Prefix } from '../net/ip.ts';
import { type Form, type OutSession, routeForm, withdrawalForm } from './out-form.ts';
import { type OutRoute, PendingRoutes } from './pending-routes.ts';
import {
  type LocalRoute,
  NO_ROUTES,
  type RouteBundle,
  type RouteTable,
  tableChange,
} from './route.ts';
import type { Attributes } from './wire/attributes.ts';
import { encodeMessage, sessionBytesMax } from './wire/message.ts';
import { prefixBytes } from './wire/nlri.ts';

export interface RouteView {
  /**
   * `announced`: the peer has it as it should. `pending`: that is still to be sent. `not-carried`: the
   * session has no way to, its family is not agreed on or there is no next hop.
   */
  readonly state: 'announced' | 'pending' | 'not-carried' | 'no-session' | 'not-announced';
  /** As the peer has been told, or else would be; null: it is not known how. */
  readonly attributes: Attributes | null;
}

/** A form that no route has: what was sent in it is to be sent again. */
const STALE: Form = {
  id: 'stale',
  bytes: 0,
  build: () => ({ withdrawn: [], announced: [], attributes: {} }),
};
const FAMILIES = [4, 6] as const;
const NOTHING = new Uint8Array(0);

const familyOf = ({ prefix }: LocalRoute): 4 | 6 => (prefix.address.length === 4 ? 4 : 6);

export class AdjRibOut {
  #wanted: RouteTable = NO_ROUTES;
  /** What the peer has from us. */
  readonly #sent = new Map<string, OutRoute>();
  readonly #withdrawals = { 4: new Map<string, LocalRoute>(), 6: new Map<string, LocalRoute>() };
  readonly #announcements = new PendingRoutes();
  #session: OutSession | null = null;
  /** The forms of bundles in this session; null: it cannot carry such routes. */
  #forms = {
    4: new WeakMap<RouteBundle, Form | null>(),
    6: new WeakMap<RouteBundle, Form | null>(),
  };
  /** Families whose End-of-RIB is still to be sent. */
  #endOfRib: (4 | 6)[] = [];
  /** What withdraws all of `#sent`; null: `#sent` has changed since it was built. */
  #goodbye: Uint8Array | null = NOTHING;

  /** Routes that the peer has from us. */
  get sent(): number {
    return this.#sent.size;
  }

  get pending(): number {
    return this.#withdrawals[4].size + this.#withdrawals[6].size + this.#announcements.size;
  }

  /** Wanted routes that the session has no way to carry; 0 without a session. */
  get unsendable(): number {
    if (!this.#session) return 0;
    let count = 0;
    for (const route of this.#wanted.routes.values()) if (!this.#form(route)) count++;
    return count;
  }

  /** Starts a session: the peer has nothing, all that is wanted is pending. */
  open(session: OutSession): void {
    this.close();
    this.#session = session;
    for (const route of this.#wanted.routes.values()) this.#wish(route);
    if (session.ipv4) this.#endOfRib.push(4);
    if (session.ipv6) this.#endOfRib.push(6);
  }

  /** The same session with other next hops: what they change is pending again. */
  update(session: OutSession): void {
    if (!this.#session) return;
    this.#session = session;
    this.#forgetForms();
    for (const route of this.#wanted.routes.values()) this.#wish(route);
  }

  /** The session is gone, and with it all that the peer had. */
  close(): void {
    this.#session = null;
    this.#forgetForms();
    this.#sent.clear();
    this.#goodbye = NOTHING;
    for (const family of FAMILIES) this.#withdrawals[family].clear();
    this.#announcements.clear();
    this.#endOfRib = [];
  }

  /** Replaces what the peer should have. */
  want(table: RouteTable): void {
    const before = this.#wanted;
    this.#wanted = table;
    if (!this.#session || before === table) return;
    const { gone, put } =
      table.since?.before === before ? table.since : tableChange(before, table.routes);
    for (const route of gone) this.#unwish(route);
    for (const route of put) this.#wish(route);
  }

  /** RFC 2918 §4: everything of one family is pending again. */
  refresh(family: 4 | 6): void {
    for (const [key, { route }] of this.#sent) {
      if (familyOf(route) === family) this.#sent.set(key, { route, form: STALE });
    }
    for (const route of this.#wanted.routes.values()) this.#wish(route);
  }

  /**
   * The UPDATEs that withdraw all that the peer has now, one after the other: 5 bytes for an IPv4
   * address, 17 for an IPv6 one, and 30 for each message. Built when asked for after a change.
   */
  withdrawals(): Uint8Array {
    const session = this.#session;
    if (!session) return NOTHING;
    this.#goodbye ??= Buffer.concat(
      FAMILIES.flatMap((family) => {
        const left = new Map<string, LocalRoute>();
        for (const [key, { route }] of this.#sent) {
          if (familyOf(route) === family) left.set(key, route);
        }
        const updates: Uint8Array[] = [];
        while (left.size > 0) updates.push(pack(left, withdrawalForm(family, session), session));
        return updates;
      }),
    );
    return this.#goodbye;
  }

  /** True if the peer has a route to this prefix from us, in whatever form. */
  has(key: string): boolean {
    return this.#sent.has(key);
  }

  /** How it stands with one route, by the canonical text of its prefix. */
  look(key: string): RouteView {
    const wanted = this.#wanted.routes.get(key);
    const form = wanted ? this.#form(wanted) : null;
    const sent = this.#sent.get(key)?.form;
    const said = (sent === STALE ? form : sent) ?? form;
    return {
      state: this.#state(wanted, form, sent),
      attributes: said?.build([]).attributes ?? null,
    };
  }

  #state(
    wanted: LocalRoute | undefined,
    form: Form | null,
    sent: Form | undefined,
  ): RouteView['state'] {
    if (!this.#session) return wanted ? 'no-session' : 'not-announced';
    if (!wanted) return sent ? 'pending' : 'not-announced';
    if (!form) return 'not-carried';
    return sent?.id === form.id ? 'announced' : 'pending';
  }

  #forgetForms(): void {
    this.#forms = { 4: new WeakMap(), 6: new WeakMap() };
  }

  #form(route: LocalRoute): Form | null {
    const session = this.#session;
    if (!session) return null;
    const family = familyOf(route);
    const known = this.#forms[family].get(route.bundle);
    if (known !== undefined) return known;
    const form = routeForm(route.bundle, family, session);
    this.#forms[family].set(route.bundle, form);
    return form;
  }

  #wish(route: LocalRoute): void {
    const form = this.#form(route);
    if (!form) {
      this.#unwish(route);
      return;
    }
    this.#withdrawals[familyOf(route)].delete(route.key);
    if (this.#sent.get(route.key)?.form.id === form.id) this.#announcements.delete(route.key);
    else this.#announcements.put({ route, form });
  }

  #unwish(route: LocalRoute): void {
    this.#announcements.delete(route.key);
    if (this.#sent.has(route.key)) this.#withdrawals[familyOf(route)].set(route.key, route);
  }

  /** The next UPDATE, or null when the peer has all that it should have. */
  next(): Uint8Array | null {
    const session = this.#session;
    if (!session) return null;
    return (
      this.#withdrawal(4, session) ??
      this.#withdrawal(6, session) ??
      this.#announcement(session) ??
      this.#end(session)
    );
  }

  #withdrawal(family: 4 | 6, session: OutSession): Uint8Array | null {
    const pending = this.#withdrawals[family];
    if (pending.size === 0) return null;
    this.#goodbye = null;
    return pack(pending, withdrawalForm(family, session), session, (key) => {
      this.#sent.delete(key);
    });
  }

  #announcement(session: OutSession): Uint8Array | null {
    const bucket = this.#announcements.first();
    if (!bucket) return null;
    this.#goodbye = null;
    return pack(bucket.routes, bucket.form, session, (key, route) => {
      this.#sent.set(key, { route, form: bucket.form });
      this.#announcements.delete(key);
    });
  }

  /** RFC 4724 §2: tells the peer that the initial table is complete. */
  #end({ context }: OutSession): Uint8Array | null {
    const done = this.#endOfRib.shift();
    if (!done) return null;
    const attributes: Attributes = done === 4 ? {} : { mp_unreach: { family: done, nlri: [] } };
    return encodeMessage(
      { type: 'update', update: { withdrawn: [], announced: [], attributes } },
      context,
    );
  }
}

/** Moves as many routes as fit one UPDATE out of `pending`, in their order. */
function pack(
  pending: Map<string, LocalRoute>,
  { bytes, build }: Form,
  { context }: OutSession,
  moved: (key: string, route: LocalRoute) => void = () => {},
): Uint8Array {
  // One byte is for the longer length field that an attribute above 255 bytes has.
  let room = sessionBytesMax(context) - 1 - bytes;
  const nlri: Prefix[] = [];
  for (const [key, route] of pending) {
    room -= prefixBytes(route.prefix);
    if (room < 0) break;
    nlri.push(route.prefix);
    pending.delete(key);
    moved(key, route);
  }
  return encodeMessage({ type: 'update', update: build(nlri) }, context) ?? NOTHING;
}
