/**
 * All BFD sessions of this machine between their sockets and those who asked for them: finds the
 * session of a packet, checks who sent it (RFC 5881 §5, RFC 5880 §6.7), steps the sessions and hands
 * out what they send. It has no clock, socket or randomness of its own, so that tests run it on
 * virtual time. One call of `receive` makes at most one packet leave.
 */
import { equalAddresses } from '../../net/ip.ts';
import type { BfdState, BfdStatus } from '../ports.ts';
import { type AuthKey, firstSequences, type Sequences, signPacket, verifyPacket } from './auth.ts';
import {
  type BfdPacket,
  type DecodedPacket,
  DIAGNOSTIC,
  decodePacket,
  diagnosticText,
  encodePacket,
  PACKET_BYTES_MAX,
} from './packet.ts';
import {
  detectionTime_ms,
  type Intervals,
  nextDeadline,
  openSession,
  packetOf,
  type SessionEvent,
  type SessionState,
  stepSession,
  transmitInterval_ms,
} from './session.ts';

/** A session that is closed says so this often, so far apart: a packet may be lost. */
const GOODBYES = 3;
const GOODBYE_GAP_MS = 30;
/** RFC 5881 §5. */
const SINGLE_HOP_TTL = 255;

/** Where a session's packets come from and go to. */
export interface Path {
  readonly multihop: boolean;
  readonly address: Uint8Array;
  /** Our own address; null: any. */
  readonly source: Uint8Array | null;
  /** Index of the interface that it must come by, as of now; null: any. */
  readonly interface_index: number | null;
}

/** A datagram with what the kernel tells of it. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly multihop: boolean;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly interface_index: number;
  /** TTL or hop limit. */
  readonly ttl: number;
}

export interface EnginePorts {
  /** Returns null, or in words why it could not be sent. */
  send(id: number, bytes: Uint8Array): string | null;
  /** `id` has said its last word. */
  closed(id: number): void;
  changed(id: number, state: BfdState, text: string): void;
  /** In [0, 1). */
  chance(): number;
  /** A 32-bit number that nobody can guess. */
  secret(): number;
}

interface Live {
  readonly id: number;
  readonly path: Path;
  auth: AuthKey | null;
  state: SessionState;
  sequences: Sequences;
  /** Of the last packet, which is not known any more when it is over. */
  detection_ms: number;
  since_ms: number;
  /** How often it is still to say good-bye, and when next; null: it is not closing. */
  goodbyes: number | null;
  goodbye_at: number;
  packets_in: number;
  packets_out: number;
  discarded: number;
  downs: number;
  refusal: string | null;
  unsent: string | null;
}

export class BfdEngine {
  readonly #ports: EnginePorts;
  readonly #byId = new Map<number, Live>();
  readonly #byDiscriminator = new Map<number, Live>();
  readonly #out = new Uint8Array(PACKET_BYTES_MAX);
  /** Packets that were malformed, and that were for no session here. */
  malformed = 0;
  unknown = 0;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** `path` may change in what is not readonly to its owner; the session begins at the next tick. */
  open(id: number, path: Path, intervals: Intervals, auth: AuthKey | null, now: number): void {
    const live: Live = {
      id,
      path,
      auth,
      state: openSession(this.#discriminator(), intervals, now),
      sequences: firstSequences(this.#ports.secret()),
      detection_ms: 0,
      since_ms: now,
      goodbyes: null,
      goodbye_at: Infinity,
      packets_in: 0,
      packets_out: 0,
      discarded: 0,
      downs: 0,
      refusal: null,
      unsent: null,
    };
    this.#byId.set(id, live);
    this.#byDiscriminator.set(live.state.discriminator, live);
  }

  update(id: number, intervals: Intervals, auth: AuthKey | null, now: number): void {
    const live = this.#byId.get(id);
    if (!live || live.goodbyes !== null) return;
    live.auth = auth;
    this.#step(live, { on: 'intervals', intervals }, now);
  }

  /** Tells the peer (RFC 5880 §6.8.16), and forgets the session. */
  close(id: number, now: number): void {
    const live = this.#byId.get(id);
    if (!live || live.goodbyes !== null) return;
    live.goodbyes = GOODBYES - 1;
    live.goodbye_at = now + GOODBYE_GAP_MS;
    this.#step(live, { on: 'admin-down' }, now);
  }

  closeAll(now: number): void {
    for (const id of this.#byId.keys()) this.close(id, now);
  }

  /** To be called before anything else when the caller could not run for `ms`. */
  stoodStill(ms: number, now: number): void {
    for (const live of this.#byId.values()) this.#step(live, { on: 'stood-still', ms }, now);
  }

  /** When `tick` has something to do next. */
  next(): number {
    let next = Infinity;
    for (const live of this.#byId.values()) {
      const at = live.goodbyes === null ? nextDeadline(live.state) : live.goodbye_at;
      if (at < next) next = at;
    }
    return next;
  }

  tick(now: number): void {
    for (const live of this.#byId.values()) {
      if (live.goodbyes !== null) this.#sayGoodbye(live, now);
      else if (now >= nextDeadline(live.state)) this.#step(live, { on: 'time' }, now);
    }
  }

  receive(arrival: Arrival, now: number): void {
    const decoded = decodePacket(arrival.bytes);
    if (!decoded.ok) {
      this.malformed++;
      return;
    }
    const { packet } = decoded;
    const live = this.#find(packet, arrival);
    if (!live) {
      this.unknown++;
      return;
    }
    const refusal = this.#refusal(live, packet, arrival, now);
    if (refusal !== null) {
      live.discarded++;
      live.refusal = refusal;
      return;
    }
    live.refusal = null;
    live.packets_in++;
    this.#step(live, { on: 'packet', packet }, now);
    live.detection_ms = detectionTime_ms(live.state);
  }

  status(id: number, now: number): BfdStatus | null {
    const live = this.#byId.get(id);
    if (!live) return null;
    const { state, refusal, unsent } = live;
    return {
      state: state.state,
      remote_state: state.remote.state,
      diagnostic: diagnosticText(state.diagnostic),
      remote_diagnostic: diagnosticText(state.remote.diagnostic),
      transmit_ms: transmitInterval_ms(state),
      detection_ms: detectionTime_ms(state),
      for_ms: now - live.since_ms,
      packets_in: live.packets_in,
      packets_out: live.packets_out,
      discarded: live.discarded,
      downs: live.downs,
      problem: unsent ?? refusal,
    };
  }

  ids(): IterableIterator<number> {
    return this.#byId.keys();
  }

  /** Not 0, not in use, and not to be guessed (RFC 5880 §10). */
  #discriminator(): number {
    for (;;) {
      const value = this.#ports.secret() >>> 0;
      if (value !== 0 && !this.#byDiscriminator.has(value)) return value;
    }
  }

  /** RFC 5880 §6.8.6: by our discriminator, or, before the peer knows it, by where it comes from. */
  #find(packet: BfdPacket, arrival: Arrival): Live | null {
    if (packet.your_discriminator !== 0) {
      const live = this.#byDiscriminator.get(packet.your_discriminator);
      return live && live.path.multihop === arrival.multihop ? live : null;
    }
    for (const live of this.#byId.values()) if (comesFrom(live.path, arrival)) return live;
    return null;
  }

  #refusal(live: Live, packet: DecodedPacket, arrival: Arrival, now: number): string | null {
    if (!live.path.multihop && arrival.ttl !== SINGLE_HOP_TTL) {
      return `a packet with TTL ${arrival.ttl}: it is not from a neighbour on this link`;
    }
    // §6.8.1, bfd.AuthSeqKnown: a peer that has begun anew may begin with any number.
    const silent = now - live.state.heard_at >= 2 * live.detection_ms;
    const known = silent ? { ...live.sequences, received: null } : live.sequences;
    const verdict = verifyPacket(packet, live.auth, known);
    if (!verdict.ok) return verdict.error;
    live.sequences = verdict.sequences;
    return null;
  }

  #step(live: Live, event: SessionEvent, now: number): void {
    const before = live.state;
    const { state, send } = stepSession(before, event, now, this.#ports.chance());
    live.state = state;
    if (send) this.#send(live, send);
    if (state.state !== before.state) {
      live.since_ms = now;
      if (before.state === 'up') live.downs++;
    }
    if (live.goodbyes !== null || seen(state) === seen(before)) return;
    this.#ports.changed(live.id, seen(state), changeText(before, state));
  }

  #send(live: Live, packet: BfdPacket): void {
    let bytes: Uint8Array;
    if (live.auth) {
      const signed = signPacket(packet, live.auth, live.sequences, this.#out);
      live.sequences = signed.sequences;
      bytes = signed.bytes;
    } else {
      bytes = encodePacket(packet, null, this.#out);
    }
    live.unsent = this.#ports.send(live.id, bytes);
    if (live.unsent === null) live.packets_out++;
  }

  #sayGoodbye(live: Live, now: number): void {
    if (now < live.goodbye_at) return;
    this.#send(live, packetOf(live.state, false));
    live.goodbyes = live.goodbyes! - 1;
    live.goodbye_at = now + GOODBYE_GAP_MS;
    if (live.goodbyes > 0) return;
    this.#byId.delete(live.id);
    this.#byDiscriminator.delete(live.state.discriminator);
    this.#ports.closed(live.id);
  }
}

function comesFrom(path: Path, { multihop, from, to, interface_index }: Arrival): boolean {
  return (
    path.multihop === multihop &&
    equalAddresses(path.address, from) &&
    (path.source === null || equalAddresses(path.source, to)) &&
    (path.interface_index === null || path.interface_index === interface_index)
  );
}

/** What the client of a session is told; see `Bfd.open`. */
function seen({ state, remote }: SessionState): BfdState {
  return state === 'down' && remote.state === 'admin-down' ? 'admin-down' : state;
}

function changeText(before: SessionState, after: SessionState): string {
  switch (seen(after)) {
    case 'up':
      return 'BFD is up';
    case 'init':
      return 'the peer answers, but has not heard us yet';
    case 'admin-down':
      return 'the peer has switched BFD off';
    case 'down':
      break;
  }
  if (before.state === 'down') return 'the peer says nothing any more';
  if (after.diagnostic === DIAGNOSTIC.DETECTION_TIME_EXPIRED) {
    return `BFD heard nothing for ${Math.round(detectionTime_ms(before))} ms`;
  }
  const why = diagnosticText(after.remote.diagnostic);
  return `the peer's BFD went down${why === null ? '' : `: ${why}`}`;
}
