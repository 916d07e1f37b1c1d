/** What an operator is told about one peer: state, counters, the last errors. Only counts. */
import { formatAddress } from '../net/ip.ts';
import type { SessionState } from './fsm-model.ts';
import type { Agreement } from './open-check.ts';
import { capabilityText } from './wire/capability.ts';
import type { Message, MessageType } from './wire/message.ts';
import { type Notification, notificationText } from './wire/notification.ts';
import { endOfRib, type RouteChanges, type Update } from './wire/update.ts';

export type MessageCounts = Readonly<Record<MessageType, number>>;

export interface PeerError {
  readonly code: number;
  readonly subcode: number;
  /** In words, with the peer's shutdown communication if there is one. */
  readonly text: string;
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
  /** Null unless Established; 0: no hold timer. */
  readonly hold_time_ms: number | null;
  readonly router_id: string | null;
  /** The peer's capabilities, in words; empty unless Established. */
  readonly capabilities: readonly string[];
  readonly messages_in: MessageCounts;
  readonly messages_out: MessageCounts;
  /** Prefixes in UPDATEs received; an ordinary neighbour's are counted and not kept. */
  readonly announced_in: number;
  readonly withdrawn_in: number;
  /** End-of-RIB marks: initial tables, or refreshes, that the peer has completed. */
  readonly ends_of_rib_in: number;
  /** Messages with a fault, of any class. */
  readonly faults_in: number;
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

const errorOf = (notification: Notification, at_ms: number): PeerError => ({
  code: notification.code,
  subcode: notification.subcode,
  text: notificationText(notification),
  at_ms,
});

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
  #last_error_in: PeerError | null = null;
  #last_error_out: PeerError | null = null;
  #last_failure: string | null = null;

  constructor(now_ms: number) {
    this.#since_ms = now_ms;
  }

  enter(state: SessionState, now_ms: number): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since_ms = now_ms;
  }

  received(message: Message, now_ms: number): void {
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
  faulty(): boolean {
    return worthLogging(++this.#faults_in);
  }

  failed(text: string): void {
    this.#last_failure = text;
  }

  status(
    settings: { name: string; address: string; port: number; remote_as: number | null },
    agreement: Agreement | null,
    routes: { sent: number; pending: number; unsendable: number },
    now_ms: number,
  ): PeerStatus {
    const { name, address, port, remote_as } = settings;
    return {
      name,
      address,
      port,
      as: agreement?.peer_as ?? remote_as,
      state: this.#state,
      for_ms: now_ms - this.#since_ms,
      hold_time_ms: agreement?.hold_ms ?? null,
      router_id: agreement ? routerIdText(agreement.peer.router_id) : null,
      capabilities: agreement?.peer.capabilities.map(capabilityText) ?? [],
      messages_in: { ...this.#in },
      messages_out: { ...this.#out },
      announced_in: this.#announced_in,
      withdrawn_in: this.#withdrawn_in,
      ends_of_rib_in: this.#ends_of_rib_in,
      faults_in: this.#faults_in,
      sessions: this.sessions,
      dials: this.dials,
      refused: this.refused,
      routes_out: routes.sent,
      routes_pending: routes.pending,
      routes_unsendable: routes.unsendable,
      last_error_in: this.#last_error_in,
      last_error_out: this.#last_error_out,
      last_failure: this.#last_failure,
    };
  }
}
