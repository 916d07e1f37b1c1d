/**
 * What an operator is told about one peer: state, timers, capabilities, counters, the last errors.
 * It only counts and remembers; a fixed number of things, whatever the peer does. Plain JSON.
 */
import { formatAddress } from '../net/ip.ts';
import type { FsmTimer, SessionState } from './fsm-model.ts';
import { type Agreement, keepalive_ms } from './open-check.ts';
import type { BfdStatus } from './ports.ts';
import { capabilityText } from './wire/capability.ts';
import type { Fault, FaultClass } from './wire/fault.ts';
import type { Message, MessageType } from './wire/message.ts';
import {
  type Notification,
  notificationText,
  reasonOf,
  shutdownText,
} from './wire/notification.ts';
import { endOfRib, type RouteChanges, type Update } from './wire/update.ts';

export type MessageCounts = Readonly<Record<MessageType, number>>;

export interface PeerError {
  /** Of a hard reset, those of the reason inside (RFC 8538 §3). */
  readonly code: number;
  readonly subcode: number;
  /** In words, with the shutdown communication if there is one. */
  readonly text: string;
  /** The shutdown communication alone (RFC 9003); null: none. */
  readonly said: string | null;
  /** What came with it, in hexadecimal digits. */
  readonly data: string;
  readonly at_ms: number;
}

/** The last message with a fault. */
export interface PeerFault {
  readonly class: FaultClass;
  readonly text: string;
  /** The message's end, FAULTY_BYTES_MAX at most, in hexadecimal digits. */
  readonly bytes: string;
  readonly at_ms: number;
}

/** Counters run from the peer's creation, over all its sessions. */
export interface PeerStatus {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** The AS configured or, for a dynamic peer, the one of its OPEN; null before that. */
  readonly as: number | null;
  readonly state: SessionState;
  /** Milliseconds in this state. */
  readonly for_ms: number;
  /** The timers that run, with the milliseconds that are left: "hold", "connect-retry", … */
  readonly timers: Readonly<Record<string, number>>;
  /** Null without BFD. */
  readonly bfd: BfdStatus | null;
  /** Milliseconds until what a restarting peer has told us before is dropped; null: nothing is stale. */
  readonly stale_left_ms: number | null;
  /** Agreed on; null unless Established, as the following; 0: no hold timer, no keepalives. */
  readonly hold_time_ms: number | null;
  readonly keepalive_ms: number | null;
  readonly router_id: string | null;
  /** Both ends of the connection, as "192.0.2.1:179"; null unless Established. */
  readonly local: string | null;
  readonly remote: string | null;
  readonly dialled_by: 'us' | 'peer' | null;
  /** True while another thread would withdraw our routes if this one stalled. */
  readonly guarded: boolean;
  /** The families agreed on; empty unless Established, as the following. */
  readonly families: readonly ('IPv4' | 'IPv6')[];
  /** The peer's capabilities and ours, in words. */
  readonly capabilities: readonly string[];
  readonly capabilities_out: readonly string[];
  readonly messages_in: MessageCounts;
  readonly messages_out: MessageCounts;
  /** Prefixes in UPDATEs received; an ordinary neighbour's are counted and not kept. */
  readonly announced_in: number;
  readonly withdrawn_in: number;
  /** End-of-RIB marks: initial tables, or refreshes, that the peer has completed. */
  readonly ends_of_rib_in: number;
  /** Messages with a fault, of any class, and the last of them. */
  readonly faults_in: number;
  readonly last_fault: PeerFault | null;
  readonly sessions: number;
  readonly dials: number;
  /** Incoming connections closed unanswered. */
  readonly refused: number;
  /** Our routes that the peer has, and changes it has not been sent yet. */
  readonly routes_out: number;
  readonly routes_pending: number;
  /** Routes that this session cannot carry: family not agreed on, or no next hop of that family. */
  readonly routes_unsendable: number;
  readonly last_error_in: PeerError | null;
  readonly last_error_out: PeerError | null;
  /** Why the last connection ended, or could not be made. */
  readonly last_failure: string | null;
  /** Milliseconds since the peer's last message; null: none has come. */
  readonly silent_ms: number | null;
}

const zero = (): Record<MessageType, number> => ({
  open: 0,
  update: 0,
  notification: 0,
  keepalive: 0,
  'route-refresh': 0,
});

/** A BGP identifier as dotted quad. */
export function routerIdText(router_id: number): string {
  return formatAddress(
    Uint8Array.of(router_id >>> 24, router_id >>> 16, router_id >>> 8, router_id),
  );
}

/**
 * True for the 1st, 2nd, 4th, 8th … of many like things, so that a peer cannot flood the log.
 */
export function worthLogging(count: number): boolean {
  return Number.isInteger(Math.log2(count));
}

/** Of a faulty message so many bytes are kept. */
export const FAULTY_BYTES_MAX = 64;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function errorOf(notification: Notification, at_ms: number): PeerError {
  const { code, subcode, data } = reasonOf(notification);
  const [text, said] = [notificationText(notification), shutdownText(notification)];
  return { code, subcode, text, said, data: hex(data), at_ms };
}

export interface SessionEnds {
  readonly agreement: Agreement;
  readonly local: string;
  readonly remote: string;
  readonly dialled_by: 'us' | 'peer';
  readonly guarded: boolean;
}

/** What the peer knows that the record does not. */
export interface Now {
  readonly session: SessionEnds | null;
  readonly timers: ReadonlyMap<FsmTimer, { readonly at_ms: number }>;
  readonly bfd: BfdStatus | null;
  readonly stale_left_ms: number | null;
  readonly routes: { sent: number; pending: number; unsendable: number };
  readonly now_ms: number;
}

type SessionPart = Pick<
  PeerStatus,
  | 'hold_time_ms'
  | 'keepalive_ms'
  | 'router_id'
  | 'local'
  | 'remote'
  | 'dialled_by'
  | 'guarded'
  | 'families'
  | 'capabilities'
  | 'capabilities_out'
>;

const NO_SESSION: SessionPart = {
  hold_time_ms: null,
  keepalive_ms: null,
  router_id: null,
  local: null,
  remote: null,
  dialled_by: null,
  guarded: false,
  families: [],
  capabilities: [],
  capabilities_out: [],
};

function sessionPart(session: Now['session']): SessionPart {
  if (!session) return NO_SESSION;
  const { agreement, ...ends } = session;
  const ipv4 = agreement.ipv4 ? (['IPv4'] as const) : [];
  const ipv6 = agreement.ipv6 ? (['IPv6'] as const) : [];
  return {
    ...ends,
    hold_time_ms: agreement.hold_ms,
    keepalive_ms: keepalive_ms(agreement),
    router_id: routerIdText(agreement.peer.router_id),
    families: [...ipv4, ...ipv6],
    capabilities: agreement.peer.capabilities.map(capabilityText),
    capabilities_out: agreement.ours.capabilities.map(capabilityText),
  };
}

/** While there are two connections, only the timer of the one that the peer dialled names its slot. */
function timersLeft(timers: Now['timers'], now_ms: number): Record<string, number> {
  const left: Record<string, number> = {};
  for (const [timer, { at_ms }] of timers) {
    const name = timer.replace(/-(out|in)$/, '');
    const second = timer === `${name}-in` && timers.has(`${name}-out` as FsmTimer);
    left[second ? timer : name] = Math.max(0, at_ms - now_ms);
  }
  return left;
}

export class PeerRecord {
  sessions = 0;
  dials = 0;
  refused = 0;
  #state: SessionState = 'Idle';
  #since_ms: number;
  readonly #in = zero();
  readonly #out = zero();
  #announced_in = 0;
  #withdrawn_in = 0;
  #ends_of_rib_in = 0;
  #faults_in = 0;
  #last_fault: PeerFault | null = null;
  #last_error_in: PeerError | null = null;
  #last_error_out: PeerError | null = null;
  #last_failure: string | null = null;
  #heard_at_ms: number | null = null;

  constructor(now_ms: number) {
    this.#since_ms = now_ms;
  }

  /** Gives the state before. */
  enter(state: SessionState, now_ms: number): SessionState {
    const before = this.#state;
    if (state === before) return before;
    this.#state = state;
    this.#since_ms = now_ms;
    return before;
  }

  received(message: Message, now_ms: number): void {
    this.#heard_at_ms = now_ms;
    this.#in[message.type]++;
    if (message.type === 'notification') {
      this.#last_error_in = errorOf(message.notification, now_ms);
    }
  }

  sent(message: Message, now_ms: number): void {
    this.#out[message.type]++;
    if (message.type === 'notification') {
      this.#last_error_out = errorOf(message.notification, now_ms);
    }
  }

  sentUpdate(): void {
    this.#out.update++;
  }

  routes({ announced, withdrawn }: RouteChanges, update: Update): void {
    if (endOfRib(update) !== null) this.#ends_of_rib_in++;
    this.#announced_in += announced.length;
    this.#withdrawn_in += withdrawn.length;
  }

  /** Counts a faulty message; true if the log should have this one. */
  faulty(fault: Fault, bytes: Uint8Array, at_ms: number): boolean {
    const end = hex(bytes.subarray(-FAULTY_BYTES_MAX));
    this.#last_fault = { class: fault.class, text: fault.text, bytes: end, at_ms };
    return worthLogging(++this.#faults_in);
  }

  failed(text: string): void {
    this.#last_failure = text;
  }

  status(
    settings: { name: string; address: string; port: number; remote_as: number | null },
    now: Now,
  ): PeerStatus {
    const { name, address, port, remote_as } = settings;
    const { session, routes, now_ms } = now;
    return {
      name,
      address,
      port,
      as: session?.agreement.peer_as ?? remote_as,
      state: this.#state,
      for_ms: now_ms - this.#since_ms,
      timers: timersLeft(now.timers, now_ms),
      ...sessionPart(session),
      bfd: now.bfd,
      stale_left_ms: now.stale_left_ms,
      messages_in: { ...this.#in },
      messages_out: { ...this.#out },
      announced_in: this.#announced_in,
      withdrawn_in: this.#withdrawn_in,
      ends_of_rib_in: this.#ends_of_rib_in,
      faults_in: this.#faults_in,
      last_fault: this.#last_fault,
      sessions: this.sessions,
      dials: this.dials,
      refused: this.refused,
      routes_out: routes.sent,
      routes_pending: routes.pending,
      routes_unsendable: routes.unsendable,
      last_error_in: this.#last_error_in,
      last_error_out: this.#last_error_out,
      last_failure: this.#last_failure,
      silent_ms: this.#heard_at_ms === null ? null : now_ms - this.#heard_at_ms,
    };
  }
}
