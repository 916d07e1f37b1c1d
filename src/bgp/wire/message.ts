/**
 * Any BGP message ⇄ bytes. `decodeMessage` takes exactly one message as the framer cuts it and never
 * throws; `encodeMessage` gives null for a message that does not fit 4096 bytes.
 */
import { Reader, Writer } from '../../net/cursor.ts';
import type { CodecContext } from './attributes.ts';
import { ERROR, HEADER_BYTES, HEADER_ERROR, MESSAGE_BYTES_MAX, TYPE } from './codes.ts';
import { type Fault, fault } from './fault.ts';
import { checkHeader } from './framer.ts';
import { decodeNotification, encodeNotification, type Notification } from './notification.ts';
import { decodeOpen, encodeOpen, type Open } from './open.ts';
import { decodeUpdate, encodeUpdate, type Update } from './update.ts';

/** RFC 2918 §3. */
export interface RouteRefresh {
  readonly afi: number;
  /** RFC 7313 §3.2: 0 is a plain request. */
  readonly subtype: number;
  readonly safi: number;
}

export type Message =
  | { readonly type: 'open'; readonly open: Open }
  | { readonly type: 'update'; readonly update: Update }
  | { readonly type: 'notification'; readonly notification: Notification }
  | { readonly type: 'keepalive' }
  | { readonly type: 'route-refresh'; readonly refresh: RouteRefresh };

export type MessageType = Message['type'];

/**
 * `message` is null exactly when the fault resets the session. With a weaker fault the message is
 * an UPDATE to be read through `routeChanges`.
 */
export type DecodedMessage =
  | { readonly message: Message; readonly fault: Fault | null }
  | { readonly message: null; readonly fault: Fault };

export function decodeMessage(bytes: Uint8Array, context: CodecContext): DecodedMessage {
  const wrong = bytes.length < HEADER_BYTES ? CUT_OFF : checkHeader(bytes);
  if (wrong) return { message: null, fault: wrong };
  const length = (bytes[16]! << 8) | bytes[17]!;
  if (length !== bytes.length) return { message: null, fault: CUT_OFF };
  const reader = new Reader(bytes, HEADER_BYTES);
  switch (bytes[18]) {
    case TYPE.OPEN: {
      const open = decodeOpen(reader);
      if (!open.ok) return { message: null, fault: open.fault };
      return { message: { type: 'open', open: open.value }, fault: null };
    }
    case TYPE.UPDATE: {
      const decoded = decodeUpdate(reader, context);
      if (!decoded.update) return { message: null, fault: decoded.fault };
      return { message: { type: 'update', update: decoded.update }, fault: decoded.fault };
    }
    case TYPE.NOTIFICATION: {
      const notification = decodeNotification(reader);
      return { message: { type: 'notification', notification }, fault: null };
    }
    case TYPE.ROUTE_REFRESH: {
      const refresh = { afi: reader.u16(), subtype: reader.u8(), safi: reader.u8() };
      return { message: { type: 'route-refresh', refresh }, fault: null };
    }
    default:
      return { message: { type: 'keepalive' }, fault: null };
  }
}

const CUT_OFF = fault(
  'session-reset',
  ERROR.HEADER,
  HEADER_ERROR.BAD_LENGTH,
  'not one whole message',
);

const CODES: Readonly<Record<MessageType, number>> = {
  open: TYPE.OPEN,
  update: TYPE.UPDATE,
  notification: TYPE.NOTIFICATION,
  keepalive: TYPE.KEEPALIVE,
  'route-refresh': TYPE.ROUTE_REFRESH,
};

export function encodeMessage(message: Message, context: CodecContext): Uint8Array | null {
  const writer = new Writer(new Uint8Array(MESSAGE_BYTES_MAX));
  writer.bytes.fill(0xff, 0, 16);
  writer.offset = 16;
  writer.u16(0);
  writer.u8(CODES[message.type]);
  switch (message.type) {
    case 'open':
      encodeOpen(writer, message.open);
      break;
    case 'update':
      encodeUpdate(writer, message.update, context);
      break;
    case 'notification':
      encodeNotification(writer, message.notification);
      break;
    case 'route-refresh':
      writer.u16(message.refresh.afi);
      writer.u8(message.refresh.subtype);
      writer.u8(message.refresh.safi);
      break;
    case 'keepalive':
      break;
  }
  writer.patch16(16, writer.offset);
  return writer.failed ? null : writer.written().slice();
}
