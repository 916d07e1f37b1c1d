/**
 * NOTIFY (RFC 1996) as seen by who sends it: one secondary is told of one zone's serial, again and
 * again with growing pauses, until it acknowledges or the tries are used up. Giving up costs little:
 * a secondary also asks by itself each `refresh` seconds.
 */
import { CLASS, OPCODE, RCODE, TYPE } from '../wire/codes.ts';
import { decodeMessage, encodeMessage, type Message } from '../wire/message.ts';
import type { PlainRecord } from './source.ts';

export const TRIES_MAX = 5;
const FIRST_PAUSE_MS = 1_000;

/** What one secondary is being told; null: nothing. */
export type NotifyState = {
  readonly serial: number;
  readonly id: number;
  /** Packets sent so far. */
  readonly tries: number;
} | null;

export type NotifyEvent =
  /** The serial has risen; the first packet leaves after `delay_ms`. */
  | {
      readonly kind: 'risen';
      readonly serial: number;
      readonly id: number;
      readonly delay_ms: number;
    }
  | { readonly kind: 'timer' }
  | { readonly kind: 'answered'; readonly id: number; readonly rcode: number };

export type NotifyEffect =
  | { readonly kind: 'send'; readonly serial: number; readonly id: number }
  /** Starts the timer, or starts it anew. */
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'stop-waiting' }
  /** It is over: acknowledged, answered with an error, or (rcode null) never answered. */
  | { readonly kind: 'ended'; readonly serial: number; readonly rcode: number | null };

export function step(
  state: NotifyState,
  event: NotifyEvent,
): [NotifyState, readonly NotifyEffect[]] {
  if (event.kind === 'risen') {
    const { serial, id, delay_ms } = event;
    // Whose turn has not come yet keeps it: a zone that changes each second would put it off forever.
    const waits = state !== null && state.tries === 0;
    return [{ serial, id, tries: 0 }, waits ? [] : [{ kind: 'wait', ms: delay_ms }]];
  }
  if (!state) return [null, []];
  const { serial, id, tries } = state;
  if (event.kind === 'answered') {
    if (event.id !== id || tries === 0) return [state, []];
    return [null, [{ kind: 'stop-waiting' }, { kind: 'ended', serial, rcode: event.rcode }]];
  }
  if (tries === TRIES_MAX) return [null, [{ kind: 'ended', serial, rcode: null }]];
  const wait = { kind: 'wait', ms: FIRST_PAUSE_MS * 2 ** tries } as const;
  return [{ serial, id, tries: tries + 1 }, [{ kind: 'send', serial, id }, wait]];
}

/** RFC 1996 §3.7: the zone in the question, its new SOA in the answer section. */
export function notifyMessage(id: number, soa: PlainRecord): Uint8Array {
  const { owner, type, ttl_s, rdata } = soa;
  return encodeMessage({
    id,
    qr: false,
    opcode: OPCODE.NOTIFY,
    aa: true,
    tc: false,
    rd: false,
    ra: false,
    ad: false,
    cd: false,
    rcode: RCODE.NOERROR,
    questions: [{ name: owner, type: TYPE.SOA, class: CLASS.IN }],
    answers: [{ owner, type, class: CLASS.IN, ttl_s, rdata }],
    authorities: [],
    additionals: [],
    edns: null,
  });
}

/** An answer to a NOTIFY; null for anything else. */
export function readNotifyAnswer(packet: Uint8Array): Message | null {
  const decoded = decodeMessage(packet);
  if (!decoded.ok || !decoded.value.qr || decoded.value.opcode !== OPCODE.NOTIFY) return null;
  return decoded.value;
}
