/**
 * Cuts a TCP stream into BGP messages (RFC 4271 §4.1). However the bytes arrive, at most one
 * message (4096 bytes) is held back; the header is checked as soon as it is whole, so that a wrong
 * length can never make the framer wait for, or hold, more than that.
 */
import { ERROR, HEADER_BYTES, HEADER_ERROR, MESSAGE_BYTES_MAX, TYPE } from './codes.ts';
import { type Fault, fault } from './fault.ts';

const MARKER_BYTES = 16;

/** Smallest and largest length of each message type: §4.2–§4.5 and RFC 2918 §3. */
const LENGTHS: Readonly<Record<number, readonly [number, number]>> = {
  [TYPE.OPEN]: [29, MESSAGE_BYTES_MAX],
  [TYPE.UPDATE]: [23, MESSAGE_BYTES_MAX],
  [TYPE.NOTIFICATION]: [21, MESSAGE_BYTES_MAX],
  [TYPE.KEEPALIVE]: [HEADER_BYTES, HEADER_BYTES],
  [TYPE.ROUTE_REFRESH]: [23, MESSAGE_BYTES_MAX],
};

/** The header's fault, or null (RFC 4271 §6.1). `at` is where 19 readable bytes begin. */
export function checkHeader(bytes: Uint8Array, at = 0): Fault | null {
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
  if (length < HEADER_BYTES || length > MESSAGE_BYTES_MAX) return badLength();
  const limits = LENGTHS[type];
  if (!limits) {
    const data = Uint8Array.of(type);
    return fault('session-reset', ERROR.HEADER, HEADER_ERROR.BAD_TYPE, `type ${type}`, data);
  }
  return length < limits[0] || length > limits[1] ? badLength() : null;
}

export class Framer {
  readonly #held = new Uint8Array(MESSAGE_BYTES_MAX);
  #count = 0;

  /** Bytes of an unfinished message. */
  get held(): number {
    return this.#count;
  }

  /**
   * Takes the next bytes and calls `message` with every whole message, header included; the bytes
   * are valid during the call only. `message` returns false to stop, e.g. when the connection is
   * being closed; the rest is then dropped. Returns the fault that ends the stream, or null.
   */
  push(chunk: Uint8Array, message: (bytes: Uint8Array) => boolean): Fault | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.#count === 0 && chunk.length - at >= HEADER_BYTES) {
        const wrong = checkHeader(chunk, at);
        if (wrong) return wrong;
        const length = (chunk[at + 16]! << 8) | chunk[at + 17]!;
        if (chunk.length - at >= length) {
          if (!message(chunk.subarray(at, at + length))) return null;
          at += length;
          continue;
        }
      }
      const taken = this.#hold(chunk, at);
      at += taken;
      if (this.#count < HEADER_BYTES) continue;
      const wrong = checkHeader(this.#held);
      if (wrong) return wrong;
      const length = (this.#held[16]! << 8) | this.#held[17]!;
      if (this.#count < length) continue;
      this.#count = 0;
      if (!message(this.#held.slice(0, length))) return null;
    }
    return null;
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
