/**
 * The NOTIFICATION message (RFC 4271 §4.5) and the shutdown communication in it (RFC 9003). Data of
 * any length is kept and sent, one byte as well: that is what "bad message type" has.
 */
import type { Reader, Writer } from '../../net/cursor.ts';
import { CEASE, ERROR, errorWords } from './codes.ts';
import { printable } from './printable.ts';

export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** RFC 9003 §2: the text has a one-octet length. */
const TEXT_BYTES_MAX = 255;

export function decodeNotification(reader: Reader): Notification {
  const code = reader.u8();
  const subcode = reader.u8();
  return { code, subcode, data: reader.take(reader.left).slice() };
}

/**
 * Data that does not fit is cut: a peer that sent an extended message may hear of it in a plain one
 * (RFC 8654 §5), and must hear of it.
 */
export function encodeNotification(writer: Writer, notification: Notification): void {
  writer.u8(notification.code);
  writer.u8(notification.subcode);
  writer.put(notification.data.subarray(0, writer.end - writer.offset));
}

/** `text` as a shutdown communication, cut at a character border if it is too long. */
export function shutdownData(text: string): Uint8Array {
  let utf8 = new TextEncoder().encode(text);
  if (utf8.length > TEXT_BYTES_MAX) {
    let end = TEXT_BYTES_MAX;
    while ((utf8[end]! & 0xc0) === 0x80) end--;
    utf8 = utf8.subarray(0, end);
  }
  const data = new Uint8Array(1 + utf8.length);
  data[0] = utf8.length;
  data.set(utf8, 1);
  return data;
}

/**
 * The NOTIFICATION that asks a peer which would keep our routes after a restart to drop them at once:
 * it has the true reason inside (RFC 8538 §3).
 */
export function hardReset({ code, subcode, data }: Notification): Notification {
  const inside = new Uint8Array(2 + data.length);
  inside.set([code, subcode]);
  inside.set(data, 2);
  return { code: ERROR.CEASE, subcode: CEASE.HARD_RESET, data: inside };
}

/** Why the session ends: the NOTIFICATION itself, or the one inside a hard reset. */
export const reasonOf = (notification: Notification): Notification =>
  reasonInside(notification) ?? notification;

function reasonInside({ code, subcode, data }: Notification): Notification | null {
  if (code !== ERROR.CEASE || subcode !== CEASE.HARD_RESET || data.length < 2) return null;
  return { code: data[0]!, subcode: data[1]!, data: data.subarray(2) };
}

/**
 * The peer's words in an administrative shutdown or reset, or null; with nothing in them that could
 * harm a log or a terminal (RFC 9003 §5).
 */
export function shutdownText(notification: Notification): string | null {
  const { code, subcode, data } = reasonOf(notification);
  const speaks =
    subcode === CEASE.ADMINISTRATIVE_SHUTDOWN || subcode === CEASE.ADMINISTRATIVE_RESET;
  if (code !== ERROR.CEASE || !speaks || data.length < 2) return null;
  const text = data.subarray(1, 1 + Math.min(data[0]!, data.length - 1));
  return printable(new TextDecoder().decode(text));
}

/** For people: "cease, hard reset (6/9): cease, administrative shutdown (6/2): replacing a fan". */
export function notificationText(notification: Notification): string {
  const reason = reasonInside(notification);
  const all = reason ? [notification, reason] : [notification];
  const said = shutdownText(notification);
  const words = all.map(({ code, subcode }) => errorWords(code, subcode));
  return [...words, ...(said ? [said] : [])].join(': ');
}
