/**
 * Finds the answer to one query and writes its sections: look up → steer → sections, as a state
 * machine over what a name can be (image.ts): there, absent, delegated, an alias, outside. In steady
 * state it allocates nothing and throws nothing.
 */
import { AliasChain } from './alias-chain.ts';
import { Answers } from './answers.ts';
import { ClientRegion } from './client-region.ts';
import {
  aliasTargetOf,
  findRrset,
  type NameKey,
  NODE,
  RECORD,
  RRSET,
  rrsetsOf,
  templateOf,
  ZONE,
} from './image.ts';
import type { Message } from './message.ts';
import { suffixAt } from './message-names.ts';
import { FLAG, HEADER, type Query } from './query.ts';
import { SerialTable } from './serials.ts';
import type { Snapshot } from './snapshot.ts';
import { Targets } from './targets.ts';
import { RCODE, TYPE } from './wire/codes.ts';
import { FOUND, locate, NO_ZONE, Place, type ServedZone } from './zone-table.ts';

/** Rrsets whose order turns independently of each other, a power of two; others share a turn. */
const TURNS_MAX = 4096;

/**
 * What became of one name: answered (or truncated), nothing there, its alias is next, or the name
 * that a DNAME makes of it is too long.
 */
const NAME = { DONE: 0, NODATA: 1, ALIAS: 2, TOO_LONG: 3 } as const;

export class Lookup {
  /** Of the header: AA and TC. */
  flags = 0;
  /** The answer holds the addresses of a health-aware name. */
  steered = false;
  /** The sections hold nothing that would be otherwise for the next who asks the same. */
  repeatable = true;
  /** What the query's own name led to: its node, a wildcard's or a cut; -1: none. And its zone. */
  subject = -1;
  subjectZone = -1;

  #snapshot!: Snapshot;
  #answers!: Answers;
  /** Null while no zone's serial rises but by its file; see serials.ts. */
  #serials: SerialTable | null = null;
  readonly #seed: number;
  readonly #query: Query;
  readonly #message: Message;
  readonly #place = new Place();
  readonly #chain = new AliasChain();
  readonly #targets = new Targets();
  readonly #turns = new Uint16Array(TURNS_MAX);
  readonly #region: ClientRegion;
  /** The rrset of this zone put into the answer section last, or -1. */
  #answered = -1;
  /** The name being answered: its key, its zone, and where it and the zone's apex are written. */
  #key: NameKey;
  #zone = -1;
  #served: ServedZone = NO_ZONE;
  #owner = HEADER;
  #apex = 0;

  /**
   * `query` and `message` are read and written by every answer; `seed` is for weighted picks. Before
   * the first answer comes `use`.
   */
  constructor(seed: number, query: Query, message: Message) {
    this.#seed = seed;
    this.#query = query;
    this.#message = message;
    this.#region = new ClientRegion(query);
    this.#key = query.key;
  }

  /** Answers from `snapshot` from the next query on. */
  use(snapshot: Snapshot): void {
    this.#served = NO_ZONE; // else the image before would be held on to until the next query
    this.#snapshot = snapshot;
    this.#region.use(snapshot.geo);
    this.#answers = new Answers(snapshot, this.#seed);
    const { serials } = snapshot.transfers;
    this.#serials = serials && new SerialTable(serials);
  }

  /** Scope prefix length of the answer, for a query with a client subnet (RFC 7871 §7.2.1). */
  get scope(): number {
    return this.#region.scope;
  }

  /** Takes the next query, in `packet`, from the client at `client[clientAt…]`. */
  begin(packet: Uint8Array, client: Uint8Array, clientAt: number, family: 4 | 6): void {
    this.flags = 0;
    this.steered = false;
    this.repeatable = true;
    this.#region.begin(packet, client, clientAt, family);
    this.subject = -1;
    this.subjectZone = -1;
  }

  /** RFC 1034 §4.3.2: the name, and along its aliases. Writes the sections, returns the rcode. */
  answer(): number {
    const { zones } = this.#snapshot;
    const place = this.#place;
    this.#key = this.#query.key;
    this.#owner = HEADER;
    this.#zone = -1;
    this.#targets.begin();
    for (let first = true; ; first = false) {
      locate(zones, this.#key, this.#query.type === TYPE.DS, place);
      if (first) {
        this.subject = place.node;
        this.subjectZone = place.zone;
      }
      // An alias that leaves our zones ends here; the resolver asks there itself.
      if (place.found === FOUND.OUTSIDE) return first ? RCODE.REFUSED : RCODE.NOERROR;
      this.#enterZone(place.zone);
      // RFC 1035 §4.1.1: AA speaks of the first owner in the answer.
      if (first && place.found !== FOUND.DELEGATION) this.flags |= FLAG.AA;
      if (place.found === FOUND.DELEGATION) return this.#refer(place.node);
      // RFC 6604 §3: after aliases, the rcode tells of the last name.
      if (place.found === FOUND.NXDOMAIN) return this.#negative(RCODE.NXDOMAIN);
      const redirected = place.found === FOUND.DNAME;
      const outcome = redirected ? this.#redirect(place.node) : this.#name(place.node);
      if (outcome === NAME.NODATA) return this.#negative(RCODE.NOERROR);
      if (outcome === NAME.TOO_LONG) return RCODE.YXDOMAIN;
      if (outcome === NAME.DONE) break;
    }
    this.#addAddresses();
    return RCODE.NOERROR;
  }

  /** Names in a zone's records are compressed against its apex, the tail of the name asked for. */
  #enterZone(zone: number): void {
    if (zone === this.#zone) return;
    this.#zone = zone;
    this.#answered = -1; // an rrset of another zone may have the same index
    this.#served = this.#snapshot.zones.zones[zone]!;
    this.#apex = this.#tail(this.#served.image.words[ZONE.APEX_LENGTH]!);
  }

  /** Where the last `length` octets of the name being answered stand in the message. */
  #tail(length: number): number {
    const octets = this.#key.length - length;
    // Only the question is known to stand there without a pointer.
    if (this.#owner === HEADER) return HEADER + octets;
    return suffixAt(this.#message.out, this.#owner, octets);
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
    if (rrset >= 0) return this.#end(node, rrset);
    const alias = findRrset(image, node, TYPE.CNAME);
    return alias < 0 ? NAME.NODATA : this.#follow(alias);
  }

  /** RFC 8482 §4.1: ANY gets one rrset of those that are there. */
  #any(node: number, service: number): number {
    const { image } = this.#served;
    if (service >= 0 && this.#steered(service, TYPE.A) === NAME.DONE) return NAME.DONE;
    if (service >= 0 && this.#steered(service, TYPE.AAAA) === NAME.DONE) return NAME.DONE;
    if (image.words[node + NODE.RRSETS] === 0) return NAME.NODATA;
    return this.#end(node, rrsetsOf(image, node));
  }

  /** The rrset that was asked for; a DNAME that led to its own owner is in the answer already. */
  #end(node: number, rrset: number): number {
    const isDname = this.#served.image.words[rrset + RRSET.TYPE] === TYPE.DNAME;
    const ledHere = this.#owner !== HEADER && this.#chain.hasDname(this.#zone, node);
    if (!isDname || !ledHere) this.#answerWith(rrset, this.#owner);
    return NAME.DONE;
  }

  /** RFC 1034 §3.6.2: the alias itself, then on with its target. */
  #follow(alias: number): number {
    const { image } = this.#served;
    if (this.#owner === HEADER) this.#chain.begin(this.#key, HEADER);
    if (!this.#answerWith(alias, this.#owner)) return NAME.DONE;
    const record = image.words[alias + RRSET.RECORDS_AT]!;
    const end = (record + image.words[record + RECORD.SIZE]!) * 4;
    const length = this.#chain.key.take(image.bytes, aliasTargetOf(image, record), end);
    return length === 0 ? NAME.DONE : this.#goOn();
  }

  /**
   * RFC 6672 §3.2 step 3c: the DNAME above the name, the CNAME that it makes, then on with its target.
   * A DNAME that made a name before is in the answer already.
   */
  #redirect(node: number): number {
    const { image } = this.#served;
    const message = this.#message;
    const rrset = findRrset(image, node, TYPE.DNAME);
    const record = image.words[rrset + RRSET.RECORDS_AT]!;
    const length = image.words[node + NODE.NAME_LENGTH]!;
    const chain = this.#chain;
    if (this.#owner === HEADER) chain.begin(this.#key, HEADER);
    if (!chain.hasDname(this.#zone, node)) {
      if (!this.#answerWith(rrset, this.#tail(length))) return NAME.DONE;
      chain.noteDname(this.#zone, node);
    }
    const at = aliasTargetOf(image, record);
    const octets = this.#key.length - length;
    if (!chain.compose(this.#key, octets, image.bytes, at)) return NAME.TOO_LONG;
    if (!message.putAlias(this.#owner, image.bytes, templateOf(record) + 4, chain.key)) {
      this.flags |= FLAG.TC;
      return NAME.DONE;
    }
    message.answers++;
    return this.#query.type === TYPE.CNAME ? NAME.DONE : this.#goOn();
  }

  /** On with the name that the last record points at, unless this closes a loop or is too far. */
  #goOn(): number {
    this.#key = this.#chain.key;
    this.#owner = this.#message.nameAt;
    this.#message.searching = true;
    return this.#chain.add(this.#message.out, this.#owner) ? NAME.ALIAS : NAME.DONE;
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
    this.repeatable = false;
    const message = this.#message;
    const { ttl_s, answers_max } = this.#snapshot.services[service]!;
    const set = this.#answers.find(service, type === TYPE.A ? 4 : 6, this.#region.find());
    if (set.count === 0) return 0;
    const size = type === TYPE.A ? 4 : 16;
    const start = message.at;
    const first = set.sums ? this.#answers.pick(set.sums) : set.next;
    const records = set.sums ? 1 : Math.min(set.count, answers_max);
    if (set.rotate) set.next = set.next + 1 < set.count ? set.next + 1 : 0;
    for (let i = 0, index = first; i < records; i++) {
      if (!message.putAddress(owner, type, ttl_s, set.addresses, index * size, size)) {
        message.rewind(start);
        return -1;
      }
      index = index + 1 < set.count ? index + 1 : 0;
    }
    return records;
  }

  /** Puts an rrset into the answer section, whole or (with TC, RFC 2181 §9) not at all. */
  #answerWith(rrset: number, owner: number): boolean {
    const written = this.#putRrset(rrset, owner);
    if (written < 0) {
      this.flags |= FLAG.TC;
      return false;
    }
    this.#message.answers += written;
    this.#answered = rrset;
    return true;
  }

  /**
   * Returns the number of records written, or -1 if they do not fit; notes names they point at. Each
   * time another record of the rrset comes first, since many clients take the first address.
   */
  #putRrset(rrset: number, owner: number): number {
    const { image } = this.#served;
    const { words } = image;
    const message = this.#message;
    const targets = this.#targets;
    const count = words[rrset + RRSET.RECORDS]!;
    const first = words[rrset + RRSET.RECORDS_AT]!;
    const start = message.at;
    const known = targets.count;
    const turn = count > 1 ? this.#turn(rrset, count) : 0;
    let record = first;
    for (let i = 0; i < turn; i++) record += words[record + RECORD.SIZE]!;
    for (let i = turn + 1; i <= turn + count; i++) {
      if (!message.putRecord(image, record, owner, this.#apex)) {
        message.rewind(start);
        targets.count = known;
        return -1;
      }
      if (words[record + RECORD.TARGET]! >= 0) {
        targets.note(image, rrset, record, message.nameAt > 0 ? message.nameAt : owner);
      }
      record = i === count ? first : record + words[record + RECORD.SIZE]!;
    }
    if (words[rrset + RRSET.TYPE] === TYPE.SOA) this.#raiseSerial();
    return count;
  }

  /** Which record of an rrset comes first now. */
  #turn(rrset: number, count: number): number {
    this.repeatable = false;
    const slot = (rrset ^ Math.imul(this.#zone, 0x9e3779b1)) & (TURNS_MAX - 1);
    const turn = this.#turns[slot]!;
    this.#turns[slot] = turn + 1;
    return turn % count;
  }

  /** RFC 2308 §2: the SOA in the authority section lets the absence be cached. */
  #negative(rcode: number): number {
    const { image } = this.#served;
    const soa = image.words[ZONE.NEGATIVE]!;
    if (soa < 0) return rcode;
    if (!this.#message.putRecord(image, soa, this.#apex, this.#apex)) {
      this.flags |= FLAG.TC;
      return rcode;
    }
    this.#message.authority++;
    this.#raiseSerial();
    return rcode;
  }

  /** The SOA just written gets the serial that is served now; see serials.ts. */
  #raiseSerial(): void {
    const offset = this.#serials ? this.#serials.offset(this.#zone) : 0;
    if (offset === 0) return; // for as long as this snapshot lasts
    this.repeatable = false;
    this.#message.raiseSerial(offset);
  }

  /** RFC 1034 §4.3.2 step 3b: the delegation's NS, with the glue that it cannot do without. */
  #refer(cut: number): number {
    const { image } = this.#served;
    const owner = this.#tail(image.words[cut + NODE.NAME_LENGTH]!);
    const written = this.#putRrset(findRrset(image, cut, TYPE.NS), owner);
    if (written < 0) {
      this.flags |= FLAG.TC;
      return RCODE.NOERROR;
    }
    this.#message.authority = written;
    this.#addGlue(cut);
    return RCODE.NOERROR;
  }

  /**
   * RFC 9471 §3.1: glue of the name servers within the delegated domain must be complete, else TC. So
   * that of others (§3.2) only gets the room that is left.
   */
  #addGlue(cut: number): void {
    const { words } = this.#served.image;
    const { count, nodes } = this.#targets;
    for (let i = 0; i < count; i++) {
      const within = words[nodes[i]! + NODE.CUT] === cut;
      if (within && !this.#addTarget(i)) this.flags |= FLAG.TC;
    }
    for (let i = 0; i < count; i++) {
      if (words[nodes[i]! + NODE.CUT] !== cut) this.#addTarget(i);
    }
  }

  /**
   * Additional data: addresses of the names that NS, MX, SRV, SVCB and HTTPS records point at, and
   * what an alias of a service leads to (RFC 9460 §4.1), as far as they fit.
   */
  #addAddresses(): void {
    const targets = this.#targets;
    // Records that are added here may add targets.
    targets.adding = true;
    for (let i = 0; i < targets.count; i++) this.#addTarget(i);
  }

  /** False if something of it does not fit. */
  #addTarget(i: number): boolean {
    const { nodes, names, types } = this.#targets;
    const node = nodes[i]!;
    const owner = names[i]!;
    const fits = this.#addAddress(node, TYPE.A, owner) && this.#addAddress(node, TYPE.AAAA, owner);
    return fits && (types[i] === 0 || this.#addRrset(node, types[i]!, owner));
  }

  #addAddress(node: number, type: number, owner: number): boolean {
    const service = this.#serviceAt(node);
    if (service < 0) return this.#addRrset(node, type, owner);
    return this.#added(this.#putSteered(service, type, owner));
  }

  #addRrset(node: number, type: number, owner: number): boolean {
    const rrset = findRrset(this.#served.image, node, type);
    // An alias of a service may lead back to where it began.
    if (rrset < 0 || rrset === this.#answered) return true;
    return this.#added(this.#putRrset(rrset, owner));
  }

  #added(written: number): boolean {
    if (written < 0) return false;
    this.#message.additional += written;
    return true;
  }
}
