/**
 * The one door of the DNS server: a query's octets in, the response's octets out. UDP and TCP call it
 * and know nothing else. Read `respond` from top to bottom: decode → look up → steer → sections →
 * truncate → EDNS. In steady state a query allocates nothing and throws nothing, whatever it holds.
 */
import { Counters } from '../base/counters.ts';
import { GeoMap, regionOf, scopeOf } from '../geo/map.ts';
import { Answers } from './answers.ts';
import { FOUND, findRrset, locate, NameKey, NODE, Place, RECORD, RRSET, ZONE } from './image.ts';
import { Message } from './message.ts';
import { FLAG, HEADER, PARSED, Query } from './query.ts';
import type { Snapshot } from './snapshot.ts';
import { RCODE, TYPE } from './wire/codes.ts';

/** CNAMEs followed for one query at most. */
const CHAIN_MAX = 8;
/** Names whose addresses one response adds at most. */
const TARGETS_MAX = 32;
/** Largest message over TCP, in bytes (RFC 1035 §4.2.2). */
export const TCP_MAX = 65535;

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

/** What became of one name: answered (or truncated), nothing there, or its alias is next. */
const NAME = { DONE: 0, NODATA: 1, CNAME: 2 } as const;

export class Responder {
  #snapshot: Snapshot;
  #geo: GeoMap;
  #answers: Answers;
  readonly #seed: number;
  readonly #counts: Float64Array;
  readonly #slot: Readonly<Record<DnsCounter, number>>;
  /** Counter slot by response code. */
  readonly #rcodeSlots: readonly number[];

  // One query's state, reused by the next.
  readonly #query = new Query();
  readonly #message = new Message();
  readonly #place = new Place();
  readonly #alias = new NameKey();
  readonly #chain = new Int32Array(CHAIN_MAX);
  readonly #targets = new Int32Array(TARGETS_MAX);
  readonly #targetNames = new Int32Array(TARGETS_MAX);
  readonly #subnet = new Uint8Array(16);
  #targetCount = 0;
  #packet: Uint8Array = new Uint8Array(0);
  #client: Uint8Array = new Uint8Array(0);
  #clientAt = 0;
  #clientFamily: 4 | 6 = 4;
  #flags = 0;
  #scope = 0;
  #region = -1;
  /** The name being answered: its key, its zone, and where it and the zone's apex are written. */
  #key = this.#query.key;
  #zone = -1;
  #owner = HEADER;
  #apex = 0;

  /** `seed` starts the generator for weighted picks; `counters` must have no other writer. */
  constructor(snapshot: Snapshot, seed: number, counters: DnsCounters) {
    this.#snapshot = snapshot;
    this.#seed = seed;
    this.#geo = new GeoMap(snapshot.geo);
    this.#answers = new Answers(snapshot, seed);
    this.#counts = counters.slots;
    const slots = DNS_COUNTERS.map((name) => [name, counters.slot(name)] as const);
    this.#slot = Object.fromEntries(slots) as Record<DnsCounter, number>;
    this.#rcodeSlots = RCODE_COUNTERS.map((name) => counters.slot(name));
  }

  /** Answers from `snapshot` from the next query on. */
  use(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#geo = new GeoMap(snapshot.geo);
    this.#answers = new Answers(snapshot, this.#seed);
  }

  /**
   * Answers the query in `packet[0…length]`, which came from the address at `client[clientAt…]` (4
   * or 16 octets by `family`), into `out` from 0. Returns the response's length; 0: send nothing.
   * `out` must hold udp_payload_max bytes, over TCP `TCP_MAX`.
   */
  respond(
    packet: Uint8Array,
    length: number,
    client: Uint8Array,
    clientAt: number,
    family: 4 | 6,
    out: Uint8Array,
    overTcp: boolean,
  ): number {
    const query = this.#query;
    const message = this.#message;
    this.#count(this.#slot.queries);
    if (overTcp) this.#count(this.#slot.tcp_queries);
    const parsed = query.parse(packet, length);
    if (parsed === PARSED.DROP) {
      this.#count(this.#slot.dropped);
      return 0;
    }
    // RFC 6891 §6.2.3–6.2.5: the lesser of what the client takes and what we are told to send.
    const payload = this.#snapshot.udp_payload_max;
    const size = overTcp ? TCP_MAX : Math.min(query.payload, payload);
    this.#packet = packet;
    this.#client = client;
    this.#clientAt = clientAt;
    this.#clientFamily = family;
    this.#flags = 0;
    this.#scope = 0;
    this.#region = -1;
    message.begin(out, size, packet, query);
    const rcode = parsed === PARSED.OK ? this.#answer() : REJECTION[parsed]!;
    if (this.#flags & FLAG.TC) this.#count(this.#slot.truncated);
    this.#count(this.#rcodeSlots[rcode]!);
    return message.finish(query, packet, this.#flags, rcode, payload, this.#scope);
  }

  #count(slot: number): void {
    this.#counts[slot] = this.#counts[slot]! + 1;
  }

  /** RFC 1034 §4.3.2: the name, and along its aliases. Writes the sections, returns the rcode. */
  #answer(): number {
    const { image } = this.#snapshot;
    const place = this.#place;
    this.#key = this.#query.key;
    this.#owner = HEADER;
    this.#zone = -1;
    this.#targetCount = 0;
    for (let step = 0; ; step++) {
      locate(image, this.#key, this.#query.type === TYPE.DS, place);
      // An alias that leaves our zones ends here; the resolver asks there itself.
      if (place.found === FOUND.OUTSIDE) return step === 0 ? RCODE.REFUSED : RCODE.NOERROR;
      this.#enterZone(place.zone);
      // RFC 1035 §4.1.1: AA speaks of the first owner in the answer.
      if (step === 0 && place.found !== FOUND.DELEGATION) this.#flags |= FLAG.AA;
      if (place.found === FOUND.DELEGATION) return this.#refer(place.node);
      // RFC 6604 §3: after aliases, the rcode tells of the last name.
      if (place.found === FOUND.NXDOMAIN) return this.#negative(RCODE.NXDOMAIN);
      const outcome = this.#name(place.node);
      if (outcome === NAME.NODATA) return this.#negative(RCODE.NOERROR);
      if (outcome === NAME.DONE) break;
      this.#chain[step] = place.node;
      if (step + 1 === CHAIN_MAX || this.#followed(step)) return RCODE.NOERROR;
    }
    this.#addAddresses(-1);
    return RCODE.NOERROR;
  }

  /** True if the node of this step was passed before: a loop of aliases. */
  #followed(step: number): boolean {
    for (let i = 0; i < step; i++) if (this.#chain[i] === this.#chain[step]) return true;
    return false;
  }

  /**
   * Names in a zone's records are compressed against its apex, which is the tail of the name being
   * answered. In the same zone as before the known place serves: that tail may itself be a pointer.
   */
  #enterZone(zone: number): void {
    if (zone === this.#zone) return;
    this.#zone = zone;
    const length = this.#snapshot.image.zones[zone * ZONE.STRIDE + ZONE.APEX_LENGTH]!;
    this.#apex = this.#owner + this.#key.length - length;
  }

  /** Answers from a node that exists, or that a wildcard lends (RFC 4592 §3.3.1). */
  #name(node: number): number {
    const { image } = this.#snapshot;
    const { type } = this.#query;
    const row = node * NODE.STRIDE;
    const service = image.nodes[row + NODE.SERVICE]!;
    if (service >= 0 && (type === TYPE.A || type === TYPE.AAAA)) {
      return this.#steered(service, type);
    }
    if (type === TYPE.ANY) return this.#any(node, service);
    const rrset = findRrset(image, node, type);
    if (rrset >= 0) {
      this.#answerWith(rrset);
      return NAME.DONE;
    }
    const alias = findRrset(image, node, TYPE.CNAME);
    return alias < 0 ? NAME.NODATA : this.#follow(alias);
  }

  /** RFC 8482 §4.1: ANY gets one rrset of those that are there. */
  #any(node: number, service: number): number {
    const { image } = this.#snapshot;
    if (service >= 0 && this.#steered(service, TYPE.A) === NAME.DONE) return NAME.DONE;
    if (service >= 0 && this.#steered(service, TYPE.AAAA) === NAME.DONE) return NAME.DONE;
    if (image.nodes[node * NODE.STRIDE + NODE.RRSETS] === 0) return NAME.NODATA;
    this.#answerWith(image.nodes[node * NODE.STRIDE + NODE.RRSETS_AT]!);
    return NAME.DONE;
  }

  /** RFC 1034 §3.6.2: the alias itself, then on with its target. */
  #follow(alias: number): number {
    const { image } = this.#snapshot;
    if (!this.#answerWith(alias)) return NAME.DONE;
    const record = image.rrsets[alias * RRSET.STRIDE + RRSET.RECORDS_AT]! * RECORD.STRIDE;
    const at = image.records[record + RECORD.FULL_AT]!;
    const end = at + image.records[record + RECORD.FULL_LENGTH]!;
    if (this.#alias.take(image.bytes, at, end) === 0) return NAME.DONE;
    this.#key = this.#alias;
    this.#owner = this.#message.nameAt;
    return NAME.CNAME;
  }

  /** A health-aware name's addresses as the decision has them for this client. */
  #steered(service: number, type: number): number {
    this.#count(this.#slot.steered);
    const written = this.#putSteered(service, type, this.#owner);
    if (written === 0) return NAME.NODATA;
    if (written < 0) this.#flags |= FLAG.TC;
    else this.#message.answers += written;
    return NAME.DONE;
  }

  /** Returns the number of records written, or -1 if they do not fit. */
  #putSteered(service: number, type: number, owner: number): number {
    const message = this.#message;
    const { ttl_s, answers_max } = this.#snapshot.services[service]!;
    const set = this.#answers.find(service, type === TYPE.A ? 4 : 6, this.#clientRegion());
    if (set.count === 0) return 0;
    const size = type === TYPE.A ? 4 : 16;
    const start = message.at;
    const first = set.sums ? this.#answers.pick(set.sums) : set.next;
    const records = set.sums ? 1 : Math.min(set.count, answers_max);
    if (set.rotate) set.next = set.next + 1 < set.count ? set.next + 1 : 0;
    for (let i = 0, index = first; i < records; i++) {
      if (!message.putAddress(owner, type, ttl_s, set.addresses, index * size, size)) {
        message.at = start;
        return -1;
      }
      index = index + 1 < set.count ? index + 1 : 0;
    }
    return records;
  }

  /**
   * The client's region class. RFC 7871 §7.2.1: the client subnet decides where there is one, and the
   * scope says for whom the answer holds; §7.1.2: with source prefix 0 the client wants no such
   * steering, so the address that asks decides, as without the option.
   */
  #clientRegion(): number {
    if (this.#region >= 0) return this.#region;
    const query = this.#query;
    let placed: number;
    if (query.subnetAt >= 0 && query.subnetSource > 0) {
      const octets = (query.subnetSource + 7) >> 3;
      const subnet = this.#subnet;
      for (let i = 0; i < 16; i++) subnet[i] = i < octets ? this.#packet[query.subnetAt + i]! : 0;
      placed = this.#geo.lookup(subnet, 0, query.subnetFamily === 1 ? 4 : 6);
      this.#scope = scopeOf(placed);
    } else {
      placed = this.#geo.lookup(this.#client, this.#clientAt, this.#clientFamily);
    }
    this.#region = regionOf(placed);
    return this.#region;
  }

  /** Puts an rrset into the answer section, whole or (with TC, RFC 2181 §9) not at all. */
  #answerWith(rrset: number): boolean {
    const written = this.#putRrset(rrset, this.#owner);
    if (written < 0) {
      this.#flags |= FLAG.TC;
      return false;
    }
    this.#message.answers += written;
    return true;
  }

  /** Returns the number of records written, or -1 if they do not fit; notes names they point at. */
  #putRrset(rrset: number, owner: number): number {
    const { image } = this.#snapshot;
    const message = this.#message;
    const row = rrset * RRSET.STRIDE;
    const first = image.rrsets[row + RRSET.RECORDS_AT]!;
    const count = image.rrsets[row + RRSET.RECORDS]!;
    const start = message.at;
    const targets = this.#targetCount;
    for (let record = first; record < first + count; record++) {
      if (!message.putRecord(image, record, owner, this.#apex)) {
        message.at = start;
        this.#targetCount = targets;
        return -1;
      }
      const target = image.records[record * RECORD.STRIDE + RECORD.TARGET]!;
      if (target >= 0 && this.#targetCount < TARGETS_MAX) {
        this.#targets[this.#targetCount] = target;
        this.#targetNames[this.#targetCount++] = message.nameAt;
      }
    }
    return count;
  }

  /** RFC 2308 §2: the SOA in the authority section lets the absence be cached. */
  #negative(rcode: number): number {
    const { image } = this.#snapshot;
    const soa = image.zones[this.#zone * ZONE.STRIDE + ZONE.NEGATIVE]!;
    if (soa < 0) return rcode;
    if (this.#message.putRecord(image, soa, this.#apex, this.#apex)) this.#message.authority++;
    else this.#flags |= FLAG.TC;
    return rcode;
  }

  /** RFC 1034 §4.3.2 step 3b: the delegation's NS, with the glue that it cannot do without. */
  #refer(cut: number): number {
    const { image } = this.#snapshot;
    const owner =
      this.#owner + this.#key.length - image.nodes[cut * NODE.STRIDE + NODE.NAME_LENGTH]!;
    const written = this.#putRrset(findRrset(image, cut, TYPE.NS), owner);
    if (written < 0) {
      this.#flags |= FLAG.TC;
      return RCODE.NOERROR;
    }
    this.#message.authority = written;
    this.#addAddresses(cut);
    return RCODE.NOERROR;
  }

  /**
   * Additional data: addresses of the names that NS, MX and SRV records point at, as far as they
   * fit. In a referral, in-domain glue that does not fit sets TC (RFC 9471 §3.1).
   */
  #addAddresses(cut: number): void {
    const { image } = this.#snapshot;
    for (let i = 0; i < this.#targetCount; i++) {
      const target = this.#targets[i]!;
      const fits =
        this.#addAddress(target, TYPE.A, this.#targetNames[i]!) &&
        this.#addAddress(target, TYPE.AAAA, this.#targetNames[i]!);
      if (fits) continue;
      const below = image.nodes[target * NODE.STRIDE + NODE.CUT]!;
      if (cut >= 0 && below === cut) this.#flags |= FLAG.TC;
    }
  }

  #addAddress(node: number, type: number, owner: number): boolean {
    const { image } = this.#snapshot;
    const service = image.nodes[node * NODE.STRIDE + NODE.SERVICE]!;
    let written = 0;
    if (service >= 0) {
      written = this.#putSteered(service, type, owner);
    } else {
      const rrset = findRrset(image, node, type);
      if (rrset >= 0) written = this.#putRrset(rrset, owner);
    }
    if (written < 0) return false;
    this.#message.additional += written;
    return true;
  }
}
