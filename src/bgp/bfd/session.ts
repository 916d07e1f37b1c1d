/**
 * One BFD session as RFC 5880 §6 has it: a pure function of state, event, time and chance. It decides
 * what is sent and when; authentication and sockets are the caller's. Asynchronous mode only: we
 * never ask for demand mode and take no echo packets (Required Min Echo RX Interval 0), but obey a
 * peer that asks us to be quiet (§6.6).
 *
 * Must hold: not up, we send at most about once a second (§6.8.3); the detection time runs whenever
 * the peer is known; nothing that a peer sends makes more than one packet leave at once.
 */
import type { BfdState } from '../ports.ts';
import { type BfdPacket, DIAGNOSTIC } from './packet.ts';

/** RFC 5880 §6.8.3: Desired Min TX Interval while the session is not up, at least. */
const SLOW_MS = 1_000;
const US_PER_MS = 1_000;

export interface Intervals {
  /** Desired Min TX Interval, in milliseconds. */
  readonly transmit_ms: number;
  /** Required Min RX Interval, in milliseconds. */
  readonly receive_ms: number;
  /** Detect Mult, 1–255. */
  readonly multiplier: number;
}

/** What the peer has last said of itself (§6.8.1, bfd.Remote…). */
interface Remote {
  readonly discriminator: number;
  readonly state: BfdState;
  readonly diagnostic: number;
  readonly demand: boolean;
  readonly transmit_ms: number;
  readonly receive_ms: number;
  readonly multiplier: number;
}

/** bfd.RemoteMinRxInterval begins as 1 µs: it holds nothing back. */
const UNKNOWN: Remote = {
  discriminator: 0,
  state: 'down',
  diagnostic: DIAGNOSTIC.NONE,
  demand: false,
  transmit_ms: 0,
  receive_ms: 1 / US_PER_MS,
  multiplier: 0,
};

export interface SessionState {
  readonly discriminator: number;
  readonly intervals: Intervals;
  readonly state: BfdState;
  readonly diagnostic: number;
  readonly remote: Remote;
  /** What is in force; what we say is already the new value, while a Poll Sequence agrees on it. */
  readonly transmit_ms: number;
  readonly receive_ms: number;
  /** A Poll Sequence (§6.5) under way; 'again': for values that have changed during it. */
  readonly poll: 'no' | 'yes' | 'again';
  /** When the last packet but a Final was sent, and when the next is due; infinite: never. */
  readonly sent_at: number;
  readonly transmit_at: number;
  /** When a packet was last accepted. */
  readonly heard_at: number;
}

export type SessionEvent =
  /** Authenticated, and for this session. */
  | { readonly on: 'packet'; readonly packet: BfdPacket }
  /** The time of `nextDeadline` has come. */
  | { readonly on: 'time' }
  /** For so long nothing could be heard here: that is no silence of the peer. */
  | { readonly on: 'stood-still'; readonly ms: number }
  | { readonly on: 'intervals'; readonly intervals: Intervals }
  /** Our operator ends it. */
  | { readonly on: 'admin-down' };

export interface SessionStep {
  readonly state: SessionState;
  readonly send: BfdPacket | null;
}

/** A session that says hello at once. `discriminator` is not 0 and nobody else's here. */
export function openSession(
  discriminator: number,
  intervals: Intervals,
  now: number,
): SessionState {
  return {
    discriminator,
    intervals,
    state: 'down',
    diagnostic: DIAGNOSTIC.NONE,
    remote: UNKNOWN,
    transmit_ms: Math.max(SLOW_MS, intervals.transmit_ms),
    receive_ms: intervals.receive_ms,
    poll: 'no',
    sent_at: now,
    transmit_at: now,
    heard_at: -Infinity,
  };
}

/** `now` in milliseconds, `chance` in [0, 1). */
export function stepSession(
  before: SessionState,
  event: SessionEvent,
  now: number,
  chance: number,
): SessionStep {
  switch (event.on) {
    case 'packet':
      return receive(before, event.packet, now, chance);
    case 'time':
      return passTime(before, now, chance);
    case 'stood-still':
      return { state: { ...before, heard_at: before.heard_at + event.ms }, send: null };
    case 'intervals':
      return settle(before, { ...before, intervals: event.intervals }, now, chance, false);
    case 'admin-down': {
      const after = { ...before, state: 'admin-down', diagnostic: DIAGNOSTIC.ADMIN_DOWN } as const;
      return settle(before, after, now, chance, false);
    }
  }
}

/** When something is to be done next, in milliseconds of the clock. */
export const nextDeadline = (it: SessionState): number =>
  Math.min(it.transmit_at, detectionDeadline(it));

/** §6.8.4; 0 while the peer is not known. */
export const detectionTime_ms = ({ remote, receive_ms }: SessionState): number =>
  remote.multiplier * Math.max(receive_ms, remote.transmit_ms);

/** §6.8.2: the interval between packets, before jitter. */
export const transmitInterval_ms = (it: SessionState): number =>
  Math.max(it.transmit_ms, it.remote.receive_ms);

const detectionDeadline = (it: SessionState): number =>
  it.remote.discriminator === 0 ? Infinity : it.heard_at + detectionTime_ms(it);

/** §6.8.6, from where the packet is known to be the peer's. */
function receive(
  before: SessionState,
  packet: BfdPacket,
  now: number,
  chance: number,
): SessionStep {
  const remote: Remote = {
    discriminator: packet.my_discriminator,
    state: packet.state,
    diagnostic: packet.diagnostic,
    demand: packet.demand,
    transmit_ms: packet.desired_tx_us / US_PER_MS,
    receive_ms: packet.required_rx_us / US_PER_MS,
    multiplier: packet.multiplier,
  };
  const heard = packet.final ? endPoll(before) : before;
  const after: SessionState = { ...heard, ...transition(before, remote.state), remote };
  // What we have shut down answers nothing, and knows only who is there.
  if (before.state === 'admin-down') return { state: { ...after, heard_at: now }, send: null };
  return settle(before, { ...after, heard_at: now }, now, chance, packet.poll);
}

/** §6.2, §6.8.6: the three-way handshake, and how it ends. */
function transition(
  { state, diagnostic }: SessionState,
  said: BfdState,
): Pick<SessionState, 'state' | 'diagnostic'> {
  if (state === 'admin-down') return { state, diagnostic };
  const signaled = { state: 'down', diagnostic: DIAGNOSTIC.NEIGHBOR_SIGNALED_DOWN } as const;
  if (said === 'admin-down') return state === 'down' ? { state, diagnostic } : signaled;
  if (state === 'down') {
    if (said === 'down') return { state: 'init', diagnostic };
    if (said === 'init') return { state: 'up', diagnostic: DIAGNOSTIC.NONE };
  } else if (state === 'init') {
    if (said === 'init' || said === 'up') return { state: 'up', diagnostic: DIAGNOSTIC.NONE };
  } else if (said === 'down') {
    return signaled;
  }
  return { state, diagnostic };
}

/** §6.5: the peer has seen the values that we polled with, so that they hold now. */
function endPoll(it: SessionState): SessionState {
  if (it.poll === 'no') return it;
  // This Final may answer a packet from before the last change: that one is polled for on its own.
  if (it.poll === 'again') return { ...it, poll: 'yes' };
  return { ...it, ...said(it), poll: 'no' };
}

/** What our packets say: §6.8.3 keeps the rate low while the session is not up. */
function said({ state, intervals }: SessionState): { transmit_ms: number; receive_ms: number } {
  const { transmit_ms, receive_ms } = intervals;
  return { transmit_ms: state === 'up' ? transmit_ms : Math.max(SLOW_MS, transmit_ms), receive_ms };
}

function passTime(before: SessionState, now: number, chance: number): SessionStep {
  let after = before;
  if (now >= detectionDeadline(before)) {
    // §6.8.1: after a detection time of silence the peer is not known any more.
    after = { ...before, remote: UNKNOWN, poll: 'no' };
    if (before.state === 'init' || before.state === 'up') {
      after = { ...after, state: 'down', diagnostic: DIAGNOSTIC.DETECTION_TIME_EXPIRED };
    }
  }
  const { state, send } = settle(before, after, now, chance, false);
  if (send || now < state.transmit_at) return { state, send };
  return { state: sent(state, now, chance), send: packetOf(state, false) };
}

/**
 * Brings intervals, Poll Sequence and timers in line with what has changed, and sends at once what
 * cannot wait for its turn: an answer to a Poll, or a new state (§6.8.7).
 */
function settle(
  before: SessionState,
  changed: SessionState,
  now: number,
  chance: number,
  final: boolean,
): SessionStep {
  let after = applyIntervals(before, changed);
  const news = after.state !== before.state;
  if (news) after = sent(after, now, chance);
  else if (pace(after) !== pace(before)) {
    // §6.8.3: a shorter interval counts from the last packet, which may be due already.
    after = { ...after, transmit_at: Math.max(now, due(after, chance)) };
  }
  return { state: after, send: news || final ? packetOf(after, final) : null };
}

/** §6.8.3: which change holds at once, and which only when the peer has confirmed it. */
function applyIntervals(before: SessionState, after: SessionState): SessionState {
  const old = said(before);
  const { transmit_ms, receive_ms } = said(after);
  if (old.transmit_ms === transmit_ms && old.receive_ms === receive_ms) return after;
  const waits = after.state === 'up';
  return {
    ...after,
    transmit_ms: waits ? Math.min(after.transmit_ms, transmit_ms) : transmit_ms,
    receive_ms: waits ? Math.max(after.receive_ms, receive_ms) : receive_ms,
    // Nobody is there to confirm anything to a peer that is not known.
    poll: after.remote.discriminator === 0 ? 'no' : after.poll === 'no' ? 'yes' : 'again',
  };
}

/** The interval of what is sent periodically; infinite: nothing is. */
function pace(it: SessionState): number {
  const { remote, state, poll } = it;
  if (remote.receive_ms === 0) return Infinity;
  // §6.8.7: the peer is in demand mode.
  if (remote.demand && state === 'up' && remote.state === 'up' && poll === 'no') return Infinity;
  return transmitInterval_ms(it);
}

/** §6.8.7: each interval is shortened by chance, so that no two systems fall into step. */
function due(it: SessionState, chance: number): number {
  const range = it.intervals.multiplier === 1 ? 0.15 : 0.25;
  return it.sent_at + pace(it) * (0.75 + range * chance);
}

function sent(it: SessionState, now: number, chance: number): SessionState {
  const after = { ...it, sent_at: now };
  return { ...after, transmit_at: due(after, chance) };
}

/** What the session has to say now. */
export function packetOf(it: SessionState, final: boolean): BfdPacket {
  const { transmit_ms, receive_ms } = said(it);
  return {
    diagnostic: it.diagnostic,
    state: it.state,
    poll: it.poll !== 'no' && !final, // §6.5: never both
    final,
    // The daemon takes its sessions with it when it ends.
    control_plane_independent: false,
    demand: false,
    multiplier: it.intervals.multiplier,
    my_discriminator: it.discriminator,
    your_discriminator: it.remote.discriminator,
    desired_tx_us: Math.round(transmit_ms * US_PER_MS),
    required_rx_us: Math.round(receive_ms * US_PER_MS),
    required_echo_rx_us: 0,
  };
}
