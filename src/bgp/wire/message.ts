/**
 * Any BGP message ⇄ bytes. `decodeMessage` takes exactly one message as the framer cuts it and never
 * throws; `encodeMessage` gives null for a message that does not fit: 4096 bytes, or 65,535 where the
 * session has agreed on extended messages (RFC 8654).
 */
import { Reader, Writer } from '../../net/cursor.ts';
import type { CodecContext } from './attributes.ts';
import {
  ERROR,
  EXTENDED_MESSAGE_BYTES_MAX,
  HEADER_BYTES,
  HEADER_ERROR,
  MESSAGE_BYTES_MAX,
  REFRESH,
  ROUTE_REFRESH_ERROR,
  TYPE,
} from './codes.ts';
import { type Fault, fault } from './fault.ts';
import { checkHeader, messageBytesMax } from './framer.ts';
import { decodeNotification, encodeNotification, type Notification } from './notification.ts';
import { decodeOpen, encodeOpen, type Open } from './open.ts';
import { decodeUpdate, encodeUpdate, type Update } from './update.ts';

/** RFC 2918 §3. */
export interface RouteRefresh {
  readonly afi: number;
  /** One of `REFRESH` (RFC 7313 §3.2). */
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
  if (bytes.length < HEADER_BYTES) return cutOff(bytes);
  const wrong = checkHeader(bytes, 0, sessionBytesMax(context));
  if (wrong) return { message: null, fault: wrong };
  const length = (bytes[16]! << 8) | bytes[17]!;
  if (length !== bytes.length) return cutOff(bytes);
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
    case TYPE.ROUTE_REFRESH:
      return decodeRefresh(reader);
    default:
      return { message: { type: 'keepalive' }, fault: null };
  }
}

/** The largest message of a session, by what it has agreed on. */
export function sessionBytesMax({ extended_messages }: CodecContext): number {
  return extended_messages ? EXTENDED_MESSAGE_BYTES_MAX : MESSAGE_BYTES_MAX;
}

function decodeRefresh(reader: Reader): DecodedMessage {
  const whole = reader.bytes.subarray(0, reader.end);
  const length = reader.left;
  const refresh = { afi: reader.u16(), subtype: reader.u8(), safi: reader.u8() };
  // RFC 7313 §5: the marks of an enhanced refresh have no room for anything else. A plain request
  // may carry filters (RFC 5291), which we never asked for and so do not read; other subtypes are to
  // be ignored, whatever they carry.
  const isMark = refresh.subtype === REFRESH.BEGIN || refresh.subtype === REFRESH.END;
  if (isMark && length !== 4) {
    const detail = `subtype ${refresh.subtype} with ${length} bytes`;
    const { LENGTH } = ROUTE_REFRESH_ERROR;
    const wrong = fault('session-reset', ERROR.ROUTE_REFRESH, LENGTH, detail, whole);
    return { message: null, fault: wrong };
  }
  if (length < 4) return cutOff(whole);
  return { message: { type: 'route-refresh', refresh }, fault: null };
}

/** With the length field as data (RFC 4271 §6.1), if there is one. */
function cutOff(bytes: Uint8Array): DecodedMessage {
  const { BAD_LENGTH } = HEADER_ERROR;
  const detail = 'not one whole message';
  const data = bytes.subarray(16, 18);
  return { message: null, fault: fault('session-reset', ERROR.HEADER, BAD_LENGTH, detail, data) };
}

const CODES: Readonly<Record<MessageType, number>> = {
  open: TYPE.OPEN,
  update: TYPE.UPDATE,
  notification: TYPE.NOTIFICATION,
  keepalive: TYPE.KEEPALIVE,
  'route-refresh': TYPE.ROUTE_REFRESH,
};

// One message at a time is built here, then copied out in its true length.
const scratch = new Uint8Array(EXTENDED_MESSAGE_BYTES_MAX);

export function encodeMessage(message: Message, context: CodecContext): Uint8Array | null {
  const bytesMax = messageBytesMax(CODES[message.type], sessionBytesMax(context));
  const writer = new Writer(scratch, 0, bytesMax);
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
