/**
 * What a zone must be beyond its syntax: one SOA, name servers, nothing beside a CNAME or below a
 * DNAME, no data of other zones, one TTL per RRset, and targets that have addresses. Names of which
 * some record could not be read (`unsure`) are not blamed for what may stand in that record.
 */
import { TYPE, typeName } from '../../dns/wire/codes.ts';
import { formatName, lowerName, nameKey, nameLength } from '../../dns/wire/name.ts';
import { namePlace } from '../../dns/wire/rdata.ts';
import { APEX, type ZoneTree } from '../../dns/zone-tree.ts';
import { PROBLEMS_MAX } from '../limits.ts';
import type { Problem } from '../problem.ts';

export type Unsure = (key: string) => boolean;

export interface CheckedZone {
  readonly tree: ZoneTree;
  /** Of the tree; see twinsOf(). */
  readonly twins: ReadonlyMap<number, number>;
  /** The zone's main file, for problems that belong to no line. */
  readonly file: string;
  readonly unsure: Unsure;
  /** Nodes of names that have addresses though the file gives none. */
  readonly services: ReadonlySet<number>;
  /** Nodes of the apexes of zones that are served here and lie in this one. */
  readonly childApexes: ReadonlySet<number>;
}

/** The problems of a zone, at most PROBLEMS_MAX, in no order. */
export function checkZone(zone: CheckedZone): Problem[] {
  const checker = new ZoneChecker(zone);
  checker.run();
  return checker.problems;
}

/** May stand beside a CNAME: the records of DNSSEC (RFC 4035 §2.5). */
const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);
/** Of these a name has one record at most. */
const SINGLE: ReadonlySet<number> = new Set([TYPE.SOA, TYPE.CNAME, TYPE.DNAME]);
/** These point at hosts. */
const HOSTS: ReadonlySet<number> = new Set([TYPE.NS, TYPE.MX, TYPE.SRV]);
/** These need a look at each name that has them. */
const SPECIAL: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.DNAME, TYPE.SOA, TYPE.NS]);

/** Records are named by their place in the tree's `order`. */
class ZoneChecker {
  readonly problems: Problem[] = [];
  readonly #zone: CheckedZone;
  readonly #tree: ZoneTree;
  /** By node: the highest node above it with a DNAME, or -1. */
  readonly #redirected: Int32Array;
  /** By node: 1 at and below the apex of another zone. */
  readonly #ceded: Uint8Array;

  constructor(zone: CheckedZone) {
    this.#zone = zone;
    this.#tree = zone.tree;
    this.#redirected = new Int32Array(zone.tree.count).fill(-1);
    this.#ceded = new Uint8Array(zone.tree.count);
  }

  run(): void {
    for (const record of this.#tree.outside) this.#checkOutside(record);
    for (let node = 0; node < this.#tree.count; node++) {
      this.#inherit(node);
      this.#checkNode(node);
    }
    this.#checkApex();
  }

  #problem(at: number, message: string): void {
    this.#recordProblem(this.#tree.order[at]!, message);
  }

  #recordProblem(record: number, message: string): void {
    if (this.problems.length >= PROBLEMS_MAX) return;
    const { file, files, line, column } = this.#tree.records;
    const place = { line: line[record]!, column: column[record]! };
    this.problems.push({ file: files[file[record]!]!, ...place, message });
  }

  #lineOf(at: number): number {
    return this.#tree.records.line[this.#tree.order[at]!]!;
  }

  #typeOf(at: number): number {
    return this.#tree.records.type[this.#tree.order[at]!]!;
  }

  #checkOutside(record: number): void {
    const { bytes, ownerAt } = this.#tree.records;
    const owner = formatName(bytes, ownerAt[record]);
    const advice = 'move it to its own zone, or check the dot at the end of the name';
    const message = `${owner} lies outside ${formatName(this.#tree.apex)}: ${advice}`;
    this.#recordProblem(record, message);
  }

  #inherit(node: number): void {
    const parent = this.#tree.parent(node);
    const { childApexes } = this.#zone;
    this.#ceded[node] = (node !== APEX && this.#ceded[parent]!) || childApexes.has(node) ? 1 : 0;
    if (node === APEX) return;
    const above = this.#redirected[parent]!;
    const here = above < 0 && this.#tree.rrset(parent, TYPE.DNAME) >= 0;
    this.#redirected[node] = here ? parent : above;
  }

  #checkNode(node: number): void {
    const end = this.#tree.from(node + 1);
    for (let at = this.#tree.from(node); at < end; ) {
      const type = this.#typeOf(at);
      const next = this.#tree.rrsetEnd(at, end);
      if (next - at > 1) this.#checkRrset(node, at, next);
      if (SPECIAL.has(type)) this.#checkSpecial(node, at, type);
      if (HOSTS.has(type)) for (let one = at; one < next; one++) this.#checkTarget(node, one);
      at = next;
    }
    if (this.#redirected[node]! >= 0) this.#checkRedirected(node);
  }

  #checkRrset(node: number, from: number, to: number): void {
    const { order, records } = this.#tree;
    const type = this.#typeOf(from);
    const first_s = records.ttl_s[order[from]!]!;
    for (let at = from + 1; at < to; at++) {
      const ttl_s = records.ttl_s[order[at]!]!;
      const twin = this.#zone.twins.get(at);
      if (SINGLE.has(type)) {
        const owner = formatName(this.#tree.name(node));
        const line = `the first is in line ${this.#lineOf(from)}`;
        this.#problem(at, `a second ${typeName(type)} of ${owner}: one is allowed, ${line}`);
      } else if (twin !== undefined) {
        this.#problem(at, `the same record as in line ${this.#lineOf(twin)}: remove one of them`);
      } else if (ttl_s !== first_s) {
        // RFC 2181 §5.2.
        const what = `${formatName(this.#tree.name(node))} ${typeName(type)}`;
        const other = `line ${this.#lineOf(from)} has ${first_s}`;
        this.#problem(at, `TTL ${ttl_s}, but ${other}: all of ${what} need one TTL`);
      }
    }
  }

  #checkSpecial(node: number, at: number, type: number): void {
    if (type === TYPE.NS && this.#tree.wild(this.#tree.parent(node)) !== node) return;
    const name = formatName(this.#tree.name(node));
    if (type === TYPE.CNAME) this.#checkAlias(node, at, name);
    if (node === APEX) return;
    if (type === TYPE.SOA) {
      const apex = formatName(this.#tree.apex);
      this.#problem(at, `the SOA belongs to ${apex}: write @ as its owner`);
    } else if (type === TYPE.NS) {
      // RFC 4592 §4.2.
      this.#problem(at, `${name} cannot be delegated: write NS records for each name instead`);
    } else if (type === TYPE.DNAME && this.#tree.rrset(node, TYPE.NS) >= 0) {
      // RFC 6672 §2.3: below a cut the child zone says what is redirected.
      const line = this.#lineOf(this.#tree.rrset(node, TYPE.NS));
      const advice = 'remove it, or them';
      this.#problem(at, `${name} has a DNAME and NS records (line ${line}): ${advice}`);
    }
  }

  /** RFC 1034 §3.6.2, RFC 2181 §10.1: a CNAME stands alone, but for the records of DNSSEC. */
  #checkAlias(node: number, alias: number, owner: string): void {
    if (this.#zone.services.has(node)) {
      const message = 'it cannot be a CNAME too, remove one of them';
      this.#problem(alias, `${owner} is a service: ${message}`);
    }
    const others: number[] = [];
    const end = this.#tree.from(node + 1);
    for (let at = this.#tree.from(node); at < end; at = this.#tree.rrsetEnd(at, end)) {
      if (!BESIDE_CNAME.has(this.#typeOf(at))) others.push(at);
    }
    if (others.length === 0) return;
    const list = others.map((at) => `${typeName(this.#typeOf(at))} (line ${this.#lineOf(at)})`);
    const message = `a CNAME must be alone, but ${owner} also has ${list.join(', ')}`;
    this.#problem(alias, `${message}: remove it, or them`);
  }

  /** RFC 6672 §2.4: what lies below a DNAME is never reached. */
  #checkRedirected(node: number): void {
    const tree = this.#tree;
    const dname = tree.rrset(this.#redirected[node]!, TYPE.DNAME);
    const name = formatName(tree.name(node));
    const owner = formatName(tree.name(this.#redirected[node]!));
    const from = tree.from(node);
    if (from < tree.from(node + 1)) {
      const line = `(line ${this.#lineOf(dname)})`;
      this.#problem(from, `${name} lies below the DNAME of ${owner} ${line}: remove one of them`);
    } else if (this.#zone.services.has(node) || this.#zone.childApexes.has(node)) {
      const what = this.#zone.services.has(node) ? 'the service' : 'the zone';
      this.#problem(dname, `${what} ${name} lies below this DNAME: remove one of them`);
    }
  }

  #checkApex(): void {
    const tree = this.#tree;
    const { file, unsure } = this.#zone;
    if (unsure(nameKey(tree.apex))) return;
    const soa = tree.rrset(APEX, TYPE.SOA);
    const name = formatName(tree.apex);
    if (soa < 0) {
      const example = `"@ SOA ns1 hostmaster 1 2h 15m 2w 1m"`;
      const message = `the zone ${name} has no SOA record: write e.g. ${example}`;
      this.problems.push({ file, line: 1, column: 1, message });
    }
    const ds = tree.rrset(APEX, TYPE.DS);
    if (ds >= 0) {
      // RFC 4035 §2.4.
      this.#problem(ds, `the DS of ${name} belongs to the zone above it: move it there`);
    }
    if (tree.rrset(APEX, TYPE.NS) >= 0) return;
    const message = `the zone ${name} has no NS record: write e.g. "@ NS ns1"`;
    if (soa >= 0) this.#problem(soa, message);
    else this.problems.push({ file, line: 1, column: 1, message });
  }

  /** NS, MX and SRV targets are hosts with addresses, not aliases (RFC 2181 §10.3, RFC 2782). */
  #checkTarget(owner: number, at: number): void {
    const tree = this.#tree;
    const { bytes, rdataAt, rdataLength } = tree.records;
    const record = tree.order[at]!;
    const type = this.#typeOf(at);
    const start = rdataAt[record]! + (namePlace(type)?.offset ?? 0);
    const length = nameLength(bytes, start, rdataAt[record]! + rdataLength[record]!);
    const closest = length === 0 ? -1 : tree.closest(bytes, start);
    if (closest < 0 || this.#ceded[closest] === 1) return;
    // Below another delegation the child zone has the addresses; glue is owed for its own only.
    const cut = tree.cuts[closest]!;
    if (cut >= 0 && !(type === TYPE.NS && owner === cut)) return;
    // RFC 4592 §3.3.1: the wildcard below the closest name that exists, if the name itself does not.
    const host = tree.nameLength(closest) === length ? closest : tree.wild(closest);
    if (this.#hasAddress(host)) return;
    const target = lowerName(bytes.slice(start, start + length));
    if (this.#zone.unsure(nameKey(target))) return;
    const what = `the ${typeName(type)} target ${formatName(target)}`;
    const alias = host < 0 ? -1 : tree.rrset(host, TYPE.CNAME);
    if (alias >= 0) {
      const line = this.#lineOf(alias);
      this.#problem(at, `${what} is a CNAME (line ${line}): name the host itself`);
    } else {
      const advice = 'add an A or AAAA record, or check the dot at the end of the name';
      this.#problem(at, `${what} has no address: ${advice}`);
    }
  }

  #hasAddress(node: number): boolean {
    if (node < 0) return false;
    if (this.#zone.services.has(node)) return true;
    const tree = this.#tree;
    if (tree.rrset(node, TYPE.CNAME) >= 0) return false;
    return tree.rrset(node, TYPE.A) >= 0 || tree.rrset(node, TYPE.AAAA) >= 0;
  }
}
