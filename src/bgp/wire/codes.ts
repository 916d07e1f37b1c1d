/**
 * Numbers of the BGP registries (IANA "Border Gateway Protocol Parameters") that isobar uses, and
 * the words for them. No behaviour.
 */

export const HEADER_BYTES = 19;
/** RFC 4271 §4.1. */
export const MESSAGE_BYTES_MAX = 4096;
/** RFC 8654 §3: all messages but OPEN and KEEPALIVE, once both sides have agreed. */
export const EXTENDED_MESSAGE_BYTES_MAX = 65_535;
export const VERSION = 4;
/** RFC 6793 §4.2.1: stands for a four-octet AS number where only two octets fit. */
export const AS_TRANS = 23456;

export const TYPE = {
  OPEN: 1,
  UPDATE: 2,
  NOTIFICATION: 3,
  KEEPALIVE: 4,
  ROUTE_REFRESH: 5,
} as const;

export const AFI = { IPV4: 1, IPV6: 2 } as const;
export const SAFI = { UNICAST: 1 } as const;

/** Flags of a path attribute, RFC 4271 §4.3. */
export const FLAG = { OPTIONAL: 0x80, TRANSITIVE: 0x40, PARTIAL: 0x20, EXTENDED: 0x10 } as const;

export const ERROR = {
  HEADER: 1,
  OPEN: 2,
  UPDATE: 3,
  HOLD_TIMER: 4,
  FSM: 5,
  CEASE: 6,
  /** RFC 7313 §5. */
  ROUTE_REFRESH: 7,
  /** RFC 9687 §3. */
  SEND_HOLD_TIMER: 8,
} as const;

export const HEADER_ERROR = { NOT_SYNCHRONIZED: 1, BAD_LENGTH: 2, BAD_TYPE: 3 } as const;

export const OPEN_ERROR = {
  UNSPECIFIC: 0,
  VERSION: 1,
  PEER_AS: 2,
  BGP_ID: 3,
  PARAMETER: 4,
  HOLD_TIME: 6,
  /** RFC 5492 §5. */
  CAPABILITY: 7,
  /** RFC 9234 §4.2. */
  ROLE: 11,
} as const;

export const UPDATE_ERROR = {
  ATTRIBUTE_LIST: 1,
  UNRECOGNIZED_WELL_KNOWN: 2,
  MISSING_WELL_KNOWN: 3,
  FLAGS: 4,
  LENGTH: 5,
  ORIGIN: 6,
  NEXT_HOP: 8,
  OPTIONAL: 9,
  NETWORK: 10,
  AS_PATH: 11,
} as const;

/** RFC 6608: in which state the unexpected message came. */
export const FSM_ERROR = { OPEN_SENT: 1, OPEN_CONFIRM: 2, ESTABLISHED: 3 } as const;

/** RFC 7313 §5. */
export const ROUTE_REFRESH_ERROR = { LENGTH: 1 } as const;

/** RFC 4486, RFC 8538 (hard reset), RFC 9384 (BFD down). */
export const CEASE = {
  PREFIX_MAX: 1,
  ADMINISTRATIVE_SHUTDOWN: 2,
  DECONFIGURED: 3,
  ADMINISTRATIVE_RESET: 4,
  REJECTED: 5,
  CONFIGURATION_CHANGE: 6,
  COLLISION: 7,
  OUT_OF_RESOURCES: 8,
  HARD_RESET: 9,
  BFD_DOWN: 10,
} as const;

/** Message subtype of ROUTE-REFRESH (RFC 7313 §3.2). */
export const REFRESH = { REQUEST: 0, BEGIN: 1, END: 2 } as const;

const ERROR_WORDS: Readonly<Record<string, string>> = {
  '1': 'message header error',
  '1/1': 'connection not synchronized',
  '1/2': 'bad message length',
  '1/3': 'bad message type',
  '2': 'OPEN message error',
  '2/1': 'unsupported version number',
  '2/2': 'bad peer AS',
  '2/3': 'bad BGP identifier',
  '2/4': 'unsupported optional parameter',
  '2/6': 'unacceptable hold time',
  '2/7': 'unsupported capability',
  '2/11': 'role mismatch',
  '3': 'UPDATE message error',
  '3/1': 'malformed attribute list',
  '3/2': 'unrecognized well-known attribute',
  '3/3': 'missing well-known attribute',
  '3/4': 'attribute flags error',
  '3/5': 'attribute length error',
  '3/6': 'invalid ORIGIN attribute',
  '3/8': 'invalid NEXT_HOP attribute',
  '3/9': 'optional attribute error',
  '3/10': 'invalid network field',
  '3/11': 'malformed AS_PATH',
  '4': 'hold timer expired',
  '5': 'finite state machine error',
  '5/1': 'unexpected message in OpenSent',
  '5/2': 'unexpected message in OpenConfirm',
  '5/3': 'unexpected message in Established',
  '6': 'cease',
  '6/1': 'maximum number of prefixes reached',
  '6/2': 'administrative shutdown',
  '6/3': 'peer de-configured',
  '6/4': 'administrative reset',
  '6/5': 'connection rejected',
  '6/6': 'other configuration change',
  '6/7': 'connection collision resolution',
  '6/8': 'out of resources',
  '6/9': 'hard reset',
  '6/10': 'BFD down',
  '7': 'ROUTE-REFRESH message error',
  '7/1': 'invalid message length',
  '8': 'send hold timer expired',
};

/** "cease, administrative shutdown (6/2)". */
export function errorWords(code: number, subcode: number): string {
  const main = ERROR_WORDS[code];
  const detail = ERROR_WORDS[`${code}/${subcode}`];
  const words = [main ?? 'unknown error', ...(detail === undefined ? [] : [detail])].join(', ');
  return `${words} (${code}/${subcode})`;
}
