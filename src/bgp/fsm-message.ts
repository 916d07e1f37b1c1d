/**
 * What messages do to a connection (RFC 4271 §8.2.2, events 19–28): from the OPENs to Established,
 * the collision of two connections (§6.8), and the NOTIFICATION for whatever comes out of turn.
 */
import { cease, type Draft, other } from './fsm-draft.ts';
import type { Connection, Received, Slot } from './fsm-model.ts';
import { agree, collisionLoser, ourOpen, refusal } from './open-check.ts';
import type { BfdState } from './ports.ts';
import { CEASE, ERROR, errorWords, FSM_ERROR, TYPE } from './wire/codes.ts';
import type { Fault } from './wire/fault.ts';
import type { MessageType } from './wire/message.ts';
import { notificationText } from './wire/notification.ts';
import type { Open } from './wire/open.ts';

/** RFC 4271 §8.2.2 suggests four minutes for the hold timer before the OPEN has come. */
export const OPEN_HOLD_MS = 240_000;

const FSM_SUBCODES = {
  'open-sent': FSM_ERROR.OPEN_SENT,
  'bfd-wait': FSM_ERROR.OPEN_SENT,
  'open-confirm': FSM_ERROR.OPEN_CONFIRM,
  established: FSM_ERROR.ESTABLISHED,
} as const;

const TYPES: Readonly<Record<MessageType, number>> = {
  open: TYPE.OPEN,
  update: TYPE.UPDATE,
  notification: TYPE.NOTIFICATION,
  keepalive: TYPE.KEEPALIVE,
  'route-refresh': TYPE.ROUTE_REFRESH,
};

/** Whose content a fault with this code is about; other codes are about the header or the session. */
const CONTENTS: Readonly<Record<number, MessageType>> = {
  [ERROR.OPEN]: 'open',
  [ERROR.UPDATE]: 'update',
  [ERROR.ROUTE_REFRESH]: 'route-refresh',
};

export function sendOpen(draft: Draft, slot: Slot): void {
  const since_ms = draft.now;
  const state = 'open-sent';
  draft.setConnection(slot, { state, agreement: null, confirmed: false, since_ms });
  draft.stopTimer(`delay-open-${slot}`);
  draft.send(slot, { type: 'open', open: ourOpen(draft.state.settings) });
  draft.startTimer(`hold-${slot}`, OPEN_HOLD_MS);
}

export function onMessage(draft: Draft, slot: Slot, received: Received): void {
  const connection = draft.state[slot];
  if (!connection) return;
  const { message } = received;
  const { state } = connection;
  if (message.type === 'notification') {
    // RFC 4271 §6.4: a NOTIFICATION is never answered.
    const { code, subcode } = message.notification;
    const text = `peer said: ${notificationText(message.notification)}`;
    draft.lose(slot, text, { by: 'peer', code, subcode });
  } else if (message.type === 'open' && state === 'delay-open') {
    // Event 20: the peer spoke first.
    sendOpen(draft, slot);
    opened(draft, slot, message.open);
  } else if (message.type === 'open' && state === 'open-sent') {
    opened(draft, slot, message.open);
  } else if (message.type === 'keepalive' && state === 'bfd-wait') {
    draft.setConnection(slot, { ...connection, confirmed: true });
  } else if (message.type === 'keepalive' && state === 'open-confirm') {
    establish(draft, slot, connection);
  } else if (message.type !== 'open' && state === 'established') {
    inSession(draft, slot, connection, received);
  } else {
    unexpected(draft, slot, connection, message.type);
  }
}

function inSession(draft: Draft, slot: Slot, { agreement }: Connection, received: Received): void {
  const { type } = received.message;
  // RFC 4271 §8.2.2: KEEPALIVE and UPDATE restart the hold timer.
  if (type !== 'route-refresh') draft.armHold(slot, agreement?.hold_ms ?? 0);
  if (type === 'keepalive') return;
  const { message, fault, at_ms } = received;
  draft.actions.push({ do: 'deliver', slot, message, fault, at_ms });
}

/** RFC 4271 §8.2.2: a message out of turn is the FSM's error, whatever else is wrong with it. */
export function onFault(draft: Draft, slot: Slot, wrong: Fault): void {
  const connection = draft.state[slot];
  if (!connection) return;
  const type = CONTENTS[wrong.code];
  const early = connection.state === 'delay-open' || connection.state === 'open-sent';
  const inTurn = type === 'open' ? early : connection.state === 'established';
  if (type && !inTurn) unexpected(draft, slot, connection, type);
  else draft.notify(slot, wrong);
}

/** RFC 6608: the subcode tells the state, the data the type of the message. */
function unexpected(draft: Draft, slot: Slot, { state }: Connection, type: MessageType): void {
  // RFC 4271 §8.2.2, Connect and Active: before our OPEN nothing is said to this.
  if (state === 'delay-open') {
    draft.lose(slot, `${type} before the OPEN`, { by: 'tcp' });
    return;
  }
  const subcode = FSM_SUBCODES[state];
  const text = `${errorWords(ERROR.FSM, subcode)}: ${type}`;
  draft.notify(slot, { code: ERROR.FSM, subcode, data: Uint8Array.of(TYPES[type]), text });
}

function opened(draft: Draft, slot: Slot, open: Open): void {
  const { settings, bfd } = draft.state;
  const wrong = refusal(settings, open);
  if (wrong) {
    draft.notify(slot, wrong);
    return;
  }
  // RFC 4271 §6.8. An Established session is never given up for a new connection.
  const rival = draft.state[other(slot)];
  if (rival?.agreement) {
    const loser = rival.state === 'established' ? slot : collisionLoser(settings, open);
    draft.notify(loser, cease(CEASE.COLLISION));
    if (loser === slot) return;
  }
  const agreement = agree(settings, open);
  const connection = { agreement, confirmed: false, since_ms: draft.now };
  // With a hold time of 0 the long timer of OpenSent goes on until the session is Established:
  // else a peer that dies here would occupy its connection for ever.
  if (agreement.hold_ms > 0) draft.armHold(slot, agreement.hold_ms);
  draft.setConnection(slot, { ...connection, state: 'bfd-wait' });
  if (!settings.bfd?.strict || bfdAllows(bfd)) confirm(draft, slot);
}

/**
 * Whether a session may open that must wait for BFD. RFC 5882 §4.1: where BFD is switched off, on
 * either side, it says nothing against the path, and the session is not held up for it.
 */
export const bfdAllows = (bfd: BfdState | null): boolean => bfd === 'up' || bfd === 'admin-down';

/** Answers the OPEN; the session is complete when the peer has answered ours. */
export function confirm(draft: Draft, slot: Slot): void {
  const connection = draft.state[slot];
  if (connection?.state !== 'bfd-wait') return;
  const next = { ...connection, state: 'open-confirm', since_ms: draft.now } as const;
  draft.setConnection(slot, next);
  draft.send(slot, { type: 'keepalive' });
  draft.armKeepalive(slot);
  if (connection.confirmed) establish(draft, slot, next);
}

function establish(draft: Draft, slot: Slot, connection: Connection): void {
  const { agreement } = connection;
  if (!agreement) return;
  draft.setConnection(slot, { ...connection, state: 'established', since_ms: draft.now });
  draft.armHold(slot, agreement.hold_ms);
  draft.stopDialling('listen');
  draft.notify(other(slot), cease(CEASE.COLLISION));
  draft.set({ dial_failures: 0 });
  draft.actions.push({ do: 'established', slot, agreement });
}
