/**
 * The one door of the DNS server: a query's octets in, the response's octets out. UDP and TCP call it
 * and know nothing else. Read `respond` from top to bottom: decode → look up (lookup.ts) →
 * truncate → EDNS. In steady state a query allocates nothing and throws nothing, whatever it holds.
 */
import { Counters } from '../base/counters.ts';
import { Lookup } from './lookup.ts';
import { Message } from './message.ts';
import { FLAG, PARSED, Query } from './query.ts';
import type { Snapshot } from './snapshot.ts';
import { RCODE } from './wire/codes.ts';

/** Largest message over TCP, in bytes (RFC 1035 §4.2.2). */
export const TCP_MAX = 65535;

/** How a query came. ENCRYPTED is DNS over TLS or HTTPS. */
export const TRANSPORT = { UDP: 0, TCP: 1, ENCRYPTED: 2 } as const;
export type Transport = (typeof TRANSPORT)[keyof typeof TRANSPORT];

export const DNS_COUNTERS = [
  'queries',
  'tcp_queries',
  'noerror',
  'formerr',
  'nxdomain',
  'notimp',
  'refused',
  'badvers',
  'steered',
  'truncated',
  'dropped',
  'unsent',
] as const;
type DnsCounter = (typeof DNS_COUNTERS)[number];
export type DnsCounters = Counters<DnsCounter>;

export function dnsCounters(buffer?: SharedArrayBuffer): DnsCounters {
  return new Counters(DNS_COUNTERS, buffer);
}

/** The response code for each way in which a query is not taken; indexed by PARSED. */
const REJECTION: readonly number[] = [
  RCODE.NOERROR,
  RCODE.NOERROR,
  RCODE.NOTIMP,
  RCODE.FORMERR,
  RCODE.REFUSED,
  RCODE.BADVERS,
];

/** The counter of each response code, indexed by it; codes that are never sent count as noerror. */
const RCODE_COUNTERS = Array.from({ length: RCODE.BADVERS + 1 }, (_, rcode) => {
  const known = (Object.keys(RCODE) as (keyof typeof RCODE)[]).find(
    (name) => RCODE[name] === rcode,
  );
  return DNS_COUNTERS.find((name) => name === known?.toLowerCase()) ?? 'noerror';
});

export class Responder {
  #snapshot: Snapshot;
  readonly #counts: Float64Array;
  readonly #slot: Readonly<Record<DnsCounter, number>>;
  /** Counter slot by response code. */
  readonly #rcodeSlots: readonly number[];

  // One query's state, reused by the next.
  readonly #query = new Query();
  readonly #message = new Message();
  readonly #lookup: Lookup;

  /** `seed` starts the generator for weighted picks; `counters` must have no other writer. */
  constructor(snapshot: Snapshot, seed: number, counters: DnsCounters) {
    this.#snapshot = snapshot;
    this.#counts = counters.slots;
    const slots = DNS_COUNTERS.map((name) => [name, counters.slot(name)] as const);
    this.#slot = Object.fromEntries(slots) as Record<DnsCounter, number>;
    this.#rcodeSlots = RCODE_COUNTERS.map((name) => counters.slot(name));
    this.#lookup = new Lookup(snapshot, seed, this.#query, this.#message);
  }

  /** Answers from `snapshot` from the next query on. */
  use(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#lookup.use(snapshot);
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
    this.#count(this.#slot.queries);
    if (transport !== TRANSPORT.UDP) this.#count(this.#slot.tcp_queries);
    const parsed = query.parse(packet, length);
    if (parsed === PARSED.DROP) {
      this.#count(this.#slot.dropped);
      return 0;
    }
    // RFC 6891 §6.2.3–6.2.5: the lesser of what the client takes and what we are told to send.
    const payload = this.#snapshot.udp_payload_max;
    const udp = transport === TRANSPORT.UDP;
    const size = udp ? Math.min(query.payload, payload) : TCP_MAX;
    message.begin(out, size, packet, query);
    const lookup = this.#lookup;
    lookup.begin(packet, client, clientAt, family);
    const rcode = parsed === PARSED.OK ? lookup.answer() : REJECTION[parsed]!;
    if (lookup.steered) this.#count(this.#slot.steered);
    if (lookup.flags & FLAG.TC) this.#count(this.#slot.truncated);
    this.#count(this.#rcodeSlots[rcode]!);
    return message.finish(query, packet, lookup.flags, rcode, payload, lookup.scope);
  }

  #count(slot: number): void {
    this.#counts[slot] = this.#counts[slot]! + 1;
  }
}
