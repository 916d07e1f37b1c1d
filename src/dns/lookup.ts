/**
 * Finds the answer to one query and writes its sections: look up → steer → sections, as a state
 * machine over what a name can be (image.ts): there, absent, delegated, an alias, outside. In steady
 * state it allocates nothing and throws nothing.
 */
import { GeoMap, regionOf, scopeOf } from '../geo/map.ts';
import { Answers } from './answers.ts';
import { findRrset, NameKey, NODE, RECORD, RRSET, rrsetsOf, templateOf, ZONE } from './image.ts';
import type { Message } from './message.ts';
import { FLAG, HEADER, type Query } from './query.ts';
import type { Snapshot } from './snapshot.ts';
import { RCODE, TYPE } from './wire/codes.ts';
import { FOUND, locate, NO_ZONE, Place, type ServedZone } from './zone-table.ts';

/** CNAMEs followed for one query at most. */
const CHAIN_MAX = 8;
/** Names whose addresses one response adds at most. */
const TARGETS_MAX = 32;

/** What became of one name: answered (or truncated), nothing there, or its alias is next. */
const NAME = { DONE: 0, NODATA: 1, CNAME: 2 } as const;

export class Lookup {
  /** Of the header: AA and TC. */
  flags = 0;
  /** Scope prefix length for a query with a client subnet (RFC 7871 §7.2.1). */
  scope = 0;
  /** The answer holds the addresses of a health-aware name. */
  steered = false;

  #snapshot: Snapshot;
  #geo: GeoMap;
  #answers: Answers;
  readonly #seed: number;
  readonly #query: Query;
  readonly #message: Message;
  readonly #place = new Place();
  readonly #alias = new NameKey();
  readonly #chain = new Int32Array(CHAIN_MAX);
  readonly #chainZones = new Int32Array(CHAIN_MAX);
  readonly #targets = new Int32Array(TARGETS_MAX);
  readonly #targetNames = new Int32Array(TARGETS_MAX);
  readonly #subnet = new Uint8Array(16);
  #targetCount = 0;
  #packet: Uint8Array = new Uint8Array(0);
  #client: Uint8Array = new Uint8Array(0);
  #clientAt = 0;
  #clientFamily: 4 | 6 = 4;
  #region = -1;
  /** The name being answered: its key, its zone, and where it and the zone's apex are written. */
  #key: NameKey;
  #zone = -1;
  #served: ServedZone = NO_ZONE;
  #owner = HEADER;
  #apex = 0;

  /** `query` and `message` are read and written by every answer; `seed` is for weighted picks. */
  constructor(snapshot: Snapshot, seed: number, query: Query, message: Message) {
    this.#snapshot = snapshot;
    this.#seed = seed;
    this.#query = query;
    this.#message = message;
    this.#key = query.key;
    this.#geo = new GeoMap(snapshot.geo);
    this.#answers = new Answers(snapshot, seed);
  }

  use(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#geo = new GeoMap(snapshot.geo);
    this.#answers = new Answers(snapshot, this.#seed);
  }

  /** Takes the next query, in `packet`, from the client at `client[clientAt…]`. */
  begin(packet: Uint8Array, client: Uint8Array, clientAt: number, family: 4 | 6): void {
    this.flags = 0;
    this.scope = 0;
    this.steered = false;
    this.#packet = packet;
    this.#client = client;
    this.#clientAt = clientAt;
    this.#clientFamily = family;
    this.#region = -1;
  }

  /** RFC 1034 §4.3.2: the name, and along its aliases. Writes the sections, returns the rcode. */
  answer(): number {
    const { zones } = this.#snapshot;
    const place = this.#place;
    this.#key = this.#query.key;
    this.#owner = HEADER;
    this.#zone = -1;
    this.#targetCount = 0;
    for (let step = 0; ; step++) {
      locate(zones, this.#key, this.#query.type === TYPE.DS, place);
      // An alias that leaves our zones ends here; the resolver asks there itself.
      if (place.found === FOUND.OUTSIDE) return step === 0 ? RCODE.REFUSED : RCODE.NOERROR;
      this.#enterZone(place.zone);
      // RFC 1035 §4.1.1: AA speaks of the first owner in the answer.
      if (step === 0 && place.found !== FOUND.DELEGATION) this.flags |= FLAG.AA;
      if (place.found === FOUND.DELEGATION) return this.#refer(place.node);
      // RFC 6604 §3: after aliases, the rcode tells of the last name.
      if (place.found === FOUND.NXDOMAIN) return this.#negative(RCODE.NXDOMAIN);
      const outcome = this.#name(place.node);
      if (outcome === NAME.NODATA) return this.#negative(RCODE.NOERROR);
      if (outcome === NAME.DONE) break;
      this.#chain[step] = place.node;
      this.#chainZones[step] = place.zone;
      if (step + 1 === CHAIN_MAX || this.#followed(step)) return RCODE.NOERROR;
    }
    this.#addAddresses(-1);
    return RCODE.NOERROR;
  }

  /** True if the node of this step was passed before: a loop of aliases. */
  #followed(step: number): boolean {
    const chain = this.#chain;
    const zones = this.#chainZones;
    for (let i = 0; i < step; i++) {
      if (chain[i] === chain[step] && zones[i] === zones[step]) return true;
    }
    return false;
  }

  /**
   * Names in a zone's records are compressed against its apex, which is the tail of the name being
   * answered. In the same zone as before the known place serves: that tail may itself be a pointer.
   */
  #enterZone(zone: number): void {
    if (zone === this.#zone) return;
    this.#zone = zone;
    this.#served = this.#snapshot.zones.zones[zone]!;
    const length = this.#served.image.words[ZONE.APEX_LENGTH]!;
    this.#apex = this.#owner + this.#key.length - length;
  }

  /** The index of the health-aware name at a node, or -1. */
  #serviceAt(node: number): number {
    const service = this.#served.image.words[node + NODE.SERVICE]!;
    return service < 0 ? -1 : this.#served.services[service]!;
  }

  /** Answers from a node that exists, or that a wildcard lends (RFC 4592 §3.3.1). */
  #name(node: number): number {
    const { image } = this.#served;
    const { type } = this.#query;
    const service = this.#serviceAt(node);
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
    const { image } = this.#served;
    if (service >= 0 && this.#steered(service, TYPE.A) === NAME.DONE) return NAME.DONE;
    if (service >= 0 && this.#steered(service, TYPE.AAAA) === NAME.DONE) return NAME.DONE;
    if (image.words[node + NODE.RRSETS] === 0) return NAME.NODATA;
    this.#answerWith(rrsetsOf(image, node));
    return NAME.DONE;
  }

  /** RFC 1034 §3.6.2: the alias itself, then on with its target. */
  #follow(alias: number): number {
    const { image } = this.#served;
    if (!this.#answerWith(alias)) return NAME.DONE;
    const record = image.words[alias + RRSET.RECORDS_AT]!;
    const at = templateOf(record) + image.words[record + RECORD.LENGTH]!;
    const end = (record + image.words[record + RECORD.SIZE]!) * 4;
    if (this.#alias.take(image.bytes, at, end) === 0) return NAME.DONE;
    this.#key = this.#alias;
    this.#owner = this.#message.nameAt;
    return NAME.CNAME;
  }

  /** A health-aware name's addresses as the decision has them for this client. */
  #steered(service: number, type: number): number {
    this.steered = true;
    const written = this.#putSteered(service, type, this.#owner);
    if (written === 0) return NAME.NODATA;
    if (written < 0) this.flags |= FLAG.TC;
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
      this.scope = scopeOf(placed);
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
      this.flags |= FLAG.TC;
      return false;
    }
    this.#message.answers += written;
    return true;
  }

  /** Returns the number of records written, or -1 if they do not fit; notes names they point at. */
  #putRrset(rrset: number, owner: number): number {
    const { image } = this.#served;
    const message = this.#message;
    const count = image.words[rrset + RRSET.RECORDS]!;
    let record = image.words[rrset + RRSET.RECORDS_AT]!;
    const start = message.at;
    const targets = this.#targetCount;
    for (let i = 0; i < count; i++) {
      if (!message.putRecord(image, record, owner, this.#apex)) {
        message.at = start;
        this.#targetCount = targets;
        return -1;
      }
      const target = image.words[record + RECORD.TARGET]!;
      if (target >= 0 && this.#targetCount < TARGETS_MAX) {
        this.#targets[this.#targetCount] = target;
        this.#targetNames[this.#targetCount++] = message.nameAt;
      }
      record += image.words[record + RECORD.SIZE]!;
    }
    return count;
  }

  /** RFC 2308 §2: the SOA in the authority section lets the absence be cached. */
  #negative(rcode: number): number {
    const { image } = this.#served;
    const soa = image.words[ZONE.NEGATIVE]!;
    if (soa < 0) return rcode;
    if (this.#message.putRecord(image, soa, this.#apex, this.#apex)) this.#message.authority++;
    else this.flags |= FLAG.TC;
    return rcode;
  }

  /** RFC 1034 §4.3.2 step 3b: the delegation's NS, with the glue that it cannot do without. */
  #refer(cut: number): number {
    const { image } = this.#served;
    const owner = this.#owner + this.#key.length - image.words[cut + NODE.NAME_LENGTH]!;
    const written = this.#putRrset(findRrset(image, cut, TYPE.NS), owner);
    if (written < 0) {
      this.flags |= FLAG.TC;
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
    const { image } = this.#served;
    for (let i = 0; i < this.#targetCount; i++) {
      const target = this.#targets[i]!;
      const fits =
        this.#addAddress(target, TYPE.A, this.#targetNames[i]!) &&
        this.#addAddress(target, TYPE.AAAA, this.#targetNames[i]!);
      if (fits) continue;
      const below = image.words[target + NODE.CUT]!;
      if (cut >= 0 && below === cut) this.flags |= FLAG.TC;
    }
  }

  #addAddress(node: number, type: number, owner: number): boolean {
    const { image } = this.#served;
    const service = this.#serviceAt(node);
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
