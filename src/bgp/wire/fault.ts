/**
 * What is wrong with bytes from a peer, as a value: the NOTIFICATION that would answer it and how
 * far the damage goes (RFC 7606 §2). Decoding never throws; it returns a value or a Fault, and
 * where one message has several, the strongest wins.
 */
import { errorWords } from './codes.ts';

/** Weakest first. */
const CLASSES = ['attribute-discard', 'treat-as-withdraw', 'session-reset'] as const;

export type FaultClass = (typeof CLASSES)[number];

export interface Fault {
  readonly class: FaultClass;
  /** Error code, subcode and data of RFC 4271 §4.5. */
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  /** For the log: what was wrong, in words. */
  readonly text: string;
}

export type Decoded<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: Fault };

const NO_DATA = new Uint8Array(0);

export function fault(
  faultClass: FaultClass,
  code: number,
  subcode: number,
  detail: string,
  data: Uint8Array = NO_DATA,
): Fault {
  const text = `${errorWords(code, subcode)}: ${detail}`;
  return { class: faultClass, code, subcode, data: data.slice(), text };
}

/** The stronger of two; the first of equals, since it came first on the wire. */
export function stronger(a: Fault | null, b: Fault | null): Fault | null {
  if (!a || !b) return a ?? b;
  return CLASSES.indexOf(b.class) > CLASSES.indexOf(a.class) ? b : a;
}
