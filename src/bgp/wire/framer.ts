/**
 * Cuts a TCP stream into BGP messages (RFC 4271 §4.1). However the bytes arrive, at most one message
 * is held back: 4096 bytes, or what `bytesMax` was raised to (RFC 8654). The header is checked as soon
 * as it is whole, so that a wrong length can never make the framer wait for, or hold, more than that.
 */
import { ERROR, HEADER_BYTES, HEADER_ERROR, MESSAGE_BYTES_MAX, TYPE } from './codes.ts';
import { type Fault, fault } from './fault.ts';

const MARKER_BYTES = 16;
const NOTHING = new Uint8Array(0);

/**
 * Smallest length of each message type: §4.2–§4.5. Of a ROUTE-REFRESH only so much that its subtype
 * can be read, since a wrong length is an error of its own there (RFC 7313 §5).
 */
const BYTES_MIN: Readonly<Record<number, number>> = {
  [TYPE.OPEN]: 29,
  [TYPE.UPDATE]: 23,
  [TYPE.NOTIFICATION]: 21,
  [TYPE.KEEPALIVE]: HEADER_BYTES,
  [TYPE.ROUTE_REFRESH]: 22,
};

/** The largest message of a type where the session allows `bytesMax`. */
export function messageBytesMax(type: number, bytesMax: number): number {
  if (type === TYPE.KEEPALIVE) return HEADER_BYTES;
  // RFC 8654 §3: an OPEN comes before anything is agreed on.
  return type === TYPE.OPEN ? MESSAGE_BYTES_MAX : bytesMax;
}

/**
 * The header's fault, or null (RFC 4271 §6.1). `at` is where 19 readable bytes begin, `bytesMax` the
 * largest message that the session allows.
 */
export function checkHeader(bytes: Uint8Array, at = 0, bytesMax = MESSAGE_BYTES_MAX): Fault | null {
  for (let i = 0; i < MARKER_BYTES; i++) {
    if (bytes[at + i] === 0xff) continue;
    const subcode = HEADER_ERROR.NOT_SYNCHRONIZED;
    return fault('session-reset', ERROR.HEADER, subcode, 'the marker is not all ones');
  }
  const length = (bytes[at + 16]! << 8) | bytes[at + 17]!;
  const type = bytes[at + 18]!;
  const lengthField = bytes.subarray(at + 16, at + 18);
  const badLength = (): Fault =>
    fault(
      'session-reset',
      ERROR.HEADER,
      HEADER_ERROR.BAD_LENGTH,
      `length ${length} in a message of type ${type}`,
      lengthField,
    );
  if (length < HEADER_BYTES || length > bytesMax) return badLength();
  const bytesMin = BYTES_MIN[type];
  if (bytesMin === undefined) {
    const data = Uint8Array.of(type);
    return fault('session-reset', ERROR.HEADER, HEADER_ERROR.BAD_TYPE, `type ${type}`, data);
  }
  return length < bytesMin || length > messageBytesMax(type, bytesMax) ? badLength() : null;
}

export class Framer {
  /**
   * The largest message, in bytes; may be raised once the OPENs have agreed on extended messages, from
   * within the call of `message` as well.
   */
  bytesMax = MESSAGE_BYTES_MAX;
  /** What of the last chunk lies behind the message at which `push` was stopped. */
  rest: Uint8Array = NOTHING;
  #held = new Uint8Array(MESSAGE_BYTES_MAX);
  #count = 0;

  /** Bytes of an unfinished message. */
  get held(): number {
    return this.#count;
  }

  /**
   * Takes the next bytes and calls `message` with every whole message, header included; the bytes
   * are valid during the call only. `message` returns false to stop; what follows is then in `rest`,
   * to be pushed later or dropped. Returns the fault that ends the stream, or null.
   */
  push(chunk: Uint8Array, message: (bytes: Uint8Array) => boolean): Fault | null {
    let at = 0;
    this.rest = NOTHING;
    while (at < chunk.length) {
      if (this.#count === 0 && chunk.length - at >= HEADER_BYTES) {
        const wrong = checkHeader(chunk, at, this.bytesMax);
        if (wrong) return wrong;
        const length = (chunk[at + 16]! << 8) | chunk[at + 17]!;
        if (chunk.length - at >= length) {
          const from = at;
          at += length;
          if (!message(chunk.subarray(from, at))) return this.#stop(chunk, at);
          continue;
        }
      }
      const taken = this.#hold(chunk, at);
      at += taken;
      if (this.#count < HEADER_BYTES) continue;
      const wrong = checkHeader(this.#held, 0, this.bytesMax);
      if (wrong) return wrong;
      const length = (this.#held[16]! << 8) | this.#held[17]!;
      if (length > this.#held.length) this.#grow(length);
      if (this.#count < length) continue;
      const whole = this.#held.slice(0, length);
      this.#count = 0;
      if (length > MESSAGE_BYTES_MAX) this.#held = new Uint8Array(MESSAGE_BYTES_MAX);
      if (!message(whole)) return this.#stop(chunk, at);
    }
    return null;
  }

  #stop(chunk: Uint8Array, at: number): null {
    this.rest = chunk.subarray(at);
    return null;
  }

  /** Makes room for one extended message, which is given back when it is whole. */
  #grow(length: number): void {
    const roomier = new Uint8Array(length);
    roomier.set(this.#held.subarray(0, this.#count));
    this.#held = roomier;
  }

  /** Copies up to the end of the header, or of the message once its header is known. */
  #hold(chunk: Uint8Array, at: number): number {
    const length =
      this.#count < HEADER_BYTES ? HEADER_BYTES : (this.#held[16]! << 8) | this.#held[17]!;
    const taken = Math.min(chunk.length - at, length - this.#count);
    this.#held.set(chunk.subarray(at, at + taken), this.#count);
    this.#count += taken;
    return taken;
  }
}
