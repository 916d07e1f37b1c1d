/**
 * The one door of the DNS server: a query's octets in, the response's octets out. UDP and TCP call it
 * and know nothing else. Read `respond` from top to bottom: decode → look up (lookup.ts) →
 * truncate → EDNS. In steady state a query allocates nothing and throws nothing, whatever it holds.
 */
import type { Clock } from '../base/clock.ts';
import { Counters } from '../base/counters.ts';
import { Chaos } from './chaos.ts';
import { Cookies, PROOF } from './cookie.ts';
import { OptRecord } from './edns-options.ts';
import { Lookup } from './lookup.ts';
import { Message } from './message.ts';
import { ASKS, FLAG, HEADER, PARSED, Query, u16 } from './query.ts';
import { KIND, RateLimiter, VERDICT } from './rate-limit.ts';
import type { Snapshot } from './snapshot.ts';
import { CLASS, EDE, RCODE } from './wire/codes.ts';

/** Largest message over TCP, in bytes (RFC 1035 §4.2.2). */
export const TCP_MAX = 65535;

/** Octets of the first answer's owner, which stands in the question. */
const OWNER_POINTER = 2;

/** How a query came. ENCRYPTED is DNS over TLS or HTTPS. */
export const TRANSPORT = { UDP: 0, TCP: 1, ENCRYPTED: 2 } as const;
export type Transport = (typeof TRANSPORT)[keyof typeof TRANSPORT];

/**
 * `cookies` are queries with a good server cookie; `rate_limited` are responses beyond the limit, of
 * which `slipped` were sent all the same.
 */
export const DNS_COUNTERS = [
  'queries',
  'tcp_queries',
  'noerror',
  'formerr',
  'nxdomain',
  'notimp',
  'refused',
  'yxdomain',
  'badvers',
  'badcookie',
  'cookies',
  'steered',
  'truncated',
  'rate_limited',
  'slipped',
  'dropped',
  'unsent',
] as const;
type DnsCounter = (typeof DNS_COUNTERS)[number];
export type DnsCounters = Counters<DnsCounter>;

export function dnsCounters(buffer?: SharedArrayBuffer): DnsCounters {
  return new Counters(DNS_COUNTERS, buffer);
}

/** The response code, and the extended error, for each way in which a query is not taken. */
const REJECTION: Readonly<Record<number, readonly [rcode: number, error: number]>> = {
  [PARSED.NOTIMP]: [RCODE.NOTIMP, EDE.NOT_SUPPORTED],
  [PARSED.FORMERR]: [RCODE.FORMERR, EDE.NONE],
  [PARSED.REFUSED]: [RCODE.REFUSED, EDE.NOT_SUPPORTED],
  [PARSED.BADVERS]: [RCODE.BADVERS, EDE.NONE],
  [PARSED.TRANSFER]: [RCODE.REFUSED, EDE.PROHIBITED],
  [PARSED.BAD_TYPE]: [RCODE.FORMERR, EDE.INVALID_TYPE],
};
const REJECTION_RCODE = byParsed(0);
const REJECTION_ERROR = byParsed(1);

function byParsed(index: 0 | 1): readonly number[] {
  return Object.values(PARSED).map((parsed) => REJECTION[parsed]?.[index] ?? 0);
}

/** The counter of each response code, indexed by it; codes that are never sent count as noerror. */
const RCODE_COUNTERS = Array.from({ length: RCODE.BADCOOKIE + 1 }, (_, rcode) => {
  const known = (Object.keys(RCODE) as (keyof typeof RCODE)[]).find(
    (name) => RCODE[name] === rcode,
  );
  return DNS_COUNTERS.find((name) => name === known?.toLowerCase()) ?? 'noerror';
});

export class Responder {
  /**
   * True if the answer just made came from the query's octets and the snapshot alone: who asks the
   * same, but for the id, may be given the same; see answer-cache.ts.
   */
  repeatable = false;
  /** Counter slot of its response code. */
  rcodeSlot = 0;
  readonly #clock: Clock;
  readonly #counts: Float64Array;
  readonly #slot: Readonly<Record<DnsCounter, number>>;
  /** Counter slot by response code. */
  readonly #rcodeSlots: readonly number[];

  // Made from the snapshot.
  #udpMax = 0;
  #cookies!: Cookies;
  #cookiesRequired = false;
  #opt!: OptRecord;
  #chaos!: Chaos;
  #limiter: RateLimiter | null = null;

  /** The wall clock at the last tick: seconds, and milliseconds modulo 2^32. */
  #now_s = 0;
  #now_ms = 0;

  // One query's state, reused by the next.
  readonly #query = new Query();
  readonly #message = new Message();
  readonly #lookup: Lookup;
  #flags = 0;
  #error: number = EDE.NONE;

  /**
   * `seed` starts the generator for weighted picks; `counters` must have no other writer. Of `clock`
   * the wall time is read: cookies carry it, and threads have no other in common.
   */
  constructor(snapshot: Snapshot, seed: number, counters: DnsCounters, clock: Clock) {
    this.#clock = clock;
    this.#counts = counters.slots;
    const slots = DNS_COUNTERS.map((name) => [name, counters.slot(name)] as const);
    this.#slot = Object.fromEntries(slots) as Record<DnsCounter, number>;
    this.#rcodeSlots = RCODE_COUNTERS.map((name) => counters.slot(name));
    this.#lookup = new Lookup(seed, this.#query, this.#message);
    this.use(snapshot);
  }

  /** Answers from `snapshot` from the next query on. */
  use(snapshot: Snapshot): void {
    const { udp_payload_max, policy } = snapshot;
    const { identity, version, tcp_idle_ms, rate_limit } = policy;
    this.#udpMax = udp_payload_max;
    this.#cookies = new Cookies(policy.cookie_secrets);
    this.#cookiesRequired = policy.cookies_required;
    this.#opt = new OptRecord(identity, tcp_idle_ms, udp_payload_max);
    this.#chaos = new Chaos(identity, version);
    this.#limiter = rate_limit && new RateLimiter(rate_limit, rate_limit.table);
    this.#lookup.use(snapshot);
    this.tick();
  }

  /** Reads the clock. To be called before each batch of UDP queries; other transports need not. */
  tick(): void {
    const wall_ms = this.#clock.wall();
    this.#now_s = Math.floor(wall_ms / 1000) | 0;
    this.#now_ms = wall_ms | 0;
  }

  /**
   * Answers the query in `packet[0…length]`, which came from the address at `client[clientAt…]` (4
   * or 16 octets by `family`), into `out` from 0. Returns the response's length; 0: send nothing.
   * `out` must hold udp_payload_max bytes, over a stream `TCP_MAX`.
   */
  respond(
    packet: Uint8Array,
    length: number,
    client: Uint8Array,
    clientAt: number,
    family: 4 | 6,
    out: Uint8Array,
    transport: Transport,
  ): number {
    const query = this.#query;
    const message = this.#message;
    const lookup = this.#lookup;
    const udp = transport === TRANSPORT.UDP;
    this.repeatable = false;
    this.#count(this.#slot.queries);
    if (!udp) this.#stream();
    const parsed = query.parse(packet, length);
    if (parsed === PARSED.DROP) {
      this.#count(this.#slot.dropped);
      return 0;
    }
    let proof: number = PROOF.NONE;
    if (query.options & ASKS.COOKIE) proof = this.#proof(packet, client, clientAt, family);
    // RFC 6891 §6.2.3–6.2.5: the lesser of what the client takes and what we are told to send.
    const size = udp ? Math.min(query.payload, this.#udpMax) : TCP_MAX;
    const encrypted = transport === TRANSPORT.ENCRYPTED;
    const reserved = query.edns ? this.#opt.begin(query, !udp, encrypted, size) : 0;
    message.begin(out, size - reserved, packet, query);
    lookup.begin(packet, client, clientAt, family);
    const rcode = this.#answer(parsed, proof, udp);
    if (this.#limiter && udp && proof !== PROOF.GOOD) {
      const verdict = this.#limit(this.#limiter, client, clientAt, family, rcode);
      if (verdict === VERDICT.DROP) return 0;
      if (verdict === VERDICT.SLIP) this.#slip(packet, out);
    }
    if (lookup.steered) this.#count(this.#slot.steered);
    if (this.#flags & FLAG.TC) this.#count(this.#slot.truncated);
    this.rcodeSlot = this.#rcodeSlots[rcode]!;
    this.#count(this.rcodeSlot);
    this.repeatable = this.#isRepeatable();
    const end = query.edns ? this.#putOpt(packet, out, rcode) : message.at;
    return message.finish(query, this.#flags, rcode, end);
  }

  /** Writes the sections, flags and extended error; returns the rcode. */
  #answer(parsed: number, proof: number, udp: boolean): number {
    const lookup = this.#lookup;
    this.#flags = 0;
    this.#error = EDE.NONE;
    // RFC 7873 §5.2.3: who has shown a client cookie can come back with what he gets here.
    const unproven = proof === PROOF.CLIENT || proof === PROOF.BAD;
    if (unproven && this.#cookiesRequired && udp && isServed(parsed)) return RCODE.BADCOOKIE;
    if (parsed === PARSED.OK) {
      const rcode = lookup.answer();
      this.#flags = lookup.flags;
      // RFC 1034 §4.3.2: we cannot speak for all classes.
      if (this.#query.class === CLASS.ANY) this.#flags &= ~FLAG.AA;
      if (rcode === RCODE.REFUSED) this.#error = EDE.NOT_AUTHORITATIVE;
      return rcode;
    }
    return this.#reject(parsed, proof);
  }

  #reject(parsed: number, proof: number): number {
    if (parsed === PARSED.CHAOS) {
      const rcode = this.#chaos.answer(this.#query, this.#message);
      this.#flags = this.#chaos.flags;
      if (rcode === RCODE.REFUSED) this.#error = EDE.NOT_AUTHORITATIVE;
      return rcode;
    }
    // RFC 7873 §5.4: asks whether its server cookie is good, or for a first one.
    if (parsed === PARSED.COOKIE) return proof === PROOF.BAD ? RCODE.BADCOOKIE : RCODE.NOERROR;
    this.#error = REJECTION_ERROR[parsed]!;
    return REJECTION_RCODE[parsed]!;
  }

  #stream(): void {
    this.#count(this.#slot.tcp_queries);
    this.tick();
  }

  #proof(packet: Uint8Array, client: Uint8Array, clientAt: number, family: 4 | 6): number {
    const { cookieAt, cookieLength } = this.#query;
    const cookies = this.#cookies;
    const now_s = this.#now_s;
    const proof = cookies.take(packet, cookieAt, cookieLength, client, clientAt, family, now_s);
    if (proof === PROOF.GOOD) this.#count(this.#slot.cookies);
    return proof;
  }

  /** Charges the response to its client's prefix. A stream's client, or one with a cookie, is real. */
  #limit(
    limiter: RateLimiter,
    client: Uint8Array,
    clientAt: number,
    family: 4 | 6,
    rcode: number,
  ): number {
    const { subject, subjectZone } = this.#lookup;
    const now_ms = this.#now_ms;
    let verdict: number;
    if (rcode === RCODE.NXDOMAIN) {
      verdict = limiter.check(now_ms, client, clientAt, family, KIND.NXDOMAIN, subjectZone, 0, 0);
    } else if (rcode !== RCODE.NOERROR) {
      verdict = limiter.check(now_ms, client, clientAt, family, KIND.ERROR, 0, 0, 0);
    } else {
      const kind = this.#kind();
      const type = kind === KIND.ANSWER ? this.#answeredType() : 0;
      verdict = limiter.check(now_ms, client, clientAt, family, kind, subjectZone, subject, type);
    }
    if (verdict !== VERDICT.SEND) this.#count(this.#slot.rate_limited);
    return verdict;
  }

  /** What a response without an error is. */
  #kind(): number {
    if (this.#message.answers > 0 || this.#flags & FLAG.TC) return KIND.ANSWER;
    return this.#flags & FLAG.AA ? KIND.NODATA : KIND.REFERRAL;
  }

  /** The type of the first answer: an alias is the same for all types that are asked for. */
  #answeredType(): number {
    const { answers, out } = this.#message;
    const { type, questionLength } = this.#query;
    return answers > 0 ? u16(out, HEADER + questionLength + OWNER_POINTER) : type;
  }

  /** What holds no record, as errors do, goes as it is; instead of others the advice to use TCP. */
  #slip(packet: Uint8Array, out: Uint8Array): void {
    const message = this.#message;
    this.#count(this.#slot.slipped);
    if (message.answers + message.authority + message.additional === 0) return;
    message.begin(out, message.limit, packet, this.#query);
    this.#flags |= FLAG.TC;
  }

  #putOpt(packet: Uint8Array, out: Uint8Array, rcode: number): number {
    const { scope } = this.#lookup;
    const cookies = this.#cookies;
    const start = this.#message.at;
    return this.#opt.put(out, start, this.#query, packet, rcode, scope, cookies, this.#error);
  }

  /** Not what is for one client, is limited by client, or has more to be counted than its rcode. */
  #isRepeatable(): boolean {
    const { options, special } = this.#query;
    if (special || (options & (ASKS.COOKIE | ASKS.SUBNET)) !== 0) return false;
    return this.#limiter === null && (this.#flags & FLAG.TC) === 0 && this.#lookup.repeatable;
  }

  /**
   * True if the query just answered asks for a zone or is signed: a TransferServer, where there is
   * one, gives another answer in place of this one.
   */
  get special(): boolean {
    return this.#query.special;
  }

  #count(slot: number): void {
    this.#counts[slot] = this.#counts[slot]! + 1;
  }
}

/** True for a query that asks for something that may be there. */
function isServed(parsed: number): boolean {
  return parsed === PARSED.OK || parsed === PARSED.CHAOS;
}
