/**
 * The OPT record of a response (RFC 6891 §6.1.2) and the options in it. `begin` says how many octets
 * are to be kept free for what the client must get; an extended error and padding come on top where
 * there is room, and so never truncate an answer.
 */
import { COOKIE_OPTION, type Cookies } from './cookie.ts';
import { put16 } from './message.ts';
import { ASKS, HEADER, type Query } from './query.ts';
import { EDE, OPTION, TYPE } from './wire/codes.ts';

const OPT_LENGTH = 11;
/** Code and length of an option. */
const OPTION_HEADER = 4;
/** Before the address: family, source and scope prefix length (RFC 7871 §6). */
const SUBNET_HEADER = 4;
const KEEPALIVE_OCTETS = 2;
const ERROR_OCTETS = 2;
/** The unit of keepalive's timeout (RFC 7828 §3.1). */
const KEEPALIVE_UNIT_MS = 100;
/** RFC 8467 §4.1: responses are padded to a multiple of this. */
const PADDING_BLOCK = 468;

/** Largest size of a message that is padded: what fits the length field of a stream. */
const PADDED_MAX = 65535;

export class OptRecord {
  readonly #identity: Uint8Array | null;
  readonly #timeout: number;
  /** Our UDP payload size. */
  readonly #payload: number;
  /** What of the query's options is answered: bits of ASKS. */
  #options = 0;
  #end = 0;

  constructor(identity: string | null, tcp_idle_ms: number, udp_payload_max: number) {
    this.#identity = identity === null ? null : Uint8Array.from(Buffer.from(identity));
    this.#timeout = Math.min(Math.floor(tcp_idle_ms / KEEPALIVE_UNIT_MS), 65535);
    this.#payload = udp_payload_max;
  }

  /**
   * Decides what the record in the response to `query`, which has one, will hold. Returns the octets
   * to be kept free for it of the response's `size`.
   */
  begin(query: Query, stream: boolean, encrypted: boolean, size: number): number {
    this.#options = query.options;
    this.#end = size;
    return query.options === 0 ? OPT_LENGTH : this.#reserve(query, stream, encrypted, size);
  }

  #reserve(query: Query, stream: boolean, encrypted: boolean, size: number): number {
    let length = OPT_LENGTH;
    if (query.options & ASKS.SUBNET) length += OPTION_HEADER + subnetOctets(query);
    if (query.options & ASKS.COOKIE) length += OPTION_HEADER + COOKIE_OPTION;
    // RFC 7828 §3.3.1: over UDP the option is ignored.
    if (!stream) this.#options &= ~ASKS.KEEPALIVE;
    else if (query.options & ASKS.KEEPALIVE) length += OPTION_HEADER + KEEPALIVE_OCTETS;
    // RFC 7830 §6: padding hides nothing where the message can be read.
    if (!encrypted) this.#options &= ~ASKS.PADDING;
    if (query.options & ASKS.NSID) {
      const octets = OPTION_HEADER + (this.#identity?.length ?? 0);
      const fits = HEADER + query.questionLength + length + octets <= size;
      if (this.#identity && fits) length += octets;
      else this.#options &= ~ASKS.NSID;
    }
    return length;
  }

  /**
   * Writes the record at `start` and returns the offset after it. `cookies` has taken the query's cookie
   * if it has one; `error` is one of EDE.
   */
  put(
    out: Uint8Array,
    start: number,
    query: Query,
    packet: Uint8Array,
    rcode: number,
    scope: number,
    cookies: Cookies,
    error: number,
  ): number {
    out[start] = 0;
    put16(out, start + 1, TYPE.OPT);
    put16(out, start + 3, this.#payload);
    out[start + 5] = rcode >> 4;
    out[start + 6] = 0; // the version; and of the flags only DO is known (§6.1.4)
    put16(out, start + 7, query.dnssecOk ? 0x8000 : 0);
    let at = start + OPT_LENGTH;
    if (this.#options !== 0) at = this.#putOptions(out, at, query, packet, scope, cookies);
    if (error !== EDE.NONE && at + OPTION_HEADER + ERROR_OCTETS <= this.#end) {
      put16(out, at + OPTION_HEADER, error);
      at = optionAt(out, at, OPTION.EDE, ERROR_OCTETS);
    }
    if (this.#options & ASKS.PADDING) at = putPadding(out, at);
    put16(out, start + 9, at - start - OPT_LENGTH);
    return at;
  }

  #putOptions(
    out: Uint8Array,
    start: number,
    query: Query,
    packet: Uint8Array,
    scope: number,
    cookies: Cookies,
  ): number {
    let at = start;
    if (this.#options & ASKS.SUBNET) at = putSubnet(out, at, query, packet, scope);
    if (this.#options & ASKS.COOKIE) {
      cookies.put(out, at + OPTION_HEADER);
      at = optionAt(out, at, OPTION.COOKIE, COOKIE_OPTION);
    }
    if (this.#options & ASKS.KEEPALIVE) {
      put16(out, at + OPTION_HEADER, this.#timeout);
      at = optionAt(out, at, OPTION.KEEPALIVE, KEEPALIVE_OCTETS);
    }
    if (this.#options & ASKS.NSID) {
      const identity = this.#identity!;
      for (let i = 0; i < identity.length; i++) out[at + OPTION_HEADER + i] = identity[i]!;
      at = optionAt(out, at, OPTION.NSID, identity.length);
    }
    return at;
  }
}

/** Writes an option's header at `at`; returns the offset after its `octets` of data. */
function optionAt(out: Uint8Array, at: number, code: number, octets: number): number {
  put16(out, at, code);
  put16(out, at + 2, octets);
  return at + OPTION_HEADER + octets;
}

function subnetOctets(query: Query): number {
  return SUBNET_HEADER + ((query.subnetSource + 7) >> 3);
}

/** RFC 7871 §7.2.1: the client's subnet as it came, with our scope. */
function putSubnet(
  out: Uint8Array,
  at: number,
  query: Query,
  packet: Uint8Array,
  scope: number,
): number {
  const octets = subnetOctets(query);
  put16(out, at + 4, query.subnetFamily);
  out[at + 6] = query.subnetSource;
  out[at + 7] = scope;
  for (let i = 0; i < octets - SUBNET_HEADER; i++) out[at + 8 + i] = packet[query.subnetAt + i]!;
  return optionAt(out, at, OPTION.ECS, octets);
}

/** RFC 7830 §3: padding is zeros, and the last option, so that it fills the message up. */
function putPadding(out: Uint8Array, at: number): number {
  const data = at + OPTION_HEADER;
  const end = Math.min(Math.ceil(data / PADDING_BLOCK) * PADDING_BLOCK, PADDED_MAX);
  if (data > end) return at;
  out.fill(0, data, end);
  return optionAt(out, at, OPTION.PADDING, end - data);
}
