/**
 * What a zone must be beyond its syntax: one SOA, name servers, nothing beside a CNAME, no data of
 * other zones, one TTL per RRset, and targets that have addresses. Names of which some record could
 * not be read (`unsure`) are not blamed for what may stand in that record.
 */
import { TYPE, typeName } from '../../dns/wire/codes.ts';
import { formatName, isWithin, lowerName } from '../../dns/wire/name.ts';
import { canonicalRdata, namePlace, validRdata } from '../../dns/wire/rdata.ts';
import type { ZoneRecord } from '../../model/config.ts';
import type { Problem } from '../problem.ts';

/** A record and where it stands; its line is in the record. */
export interface PlacedRecord {
  readonly record: ZoneRecord;
  readonly file: string;
  readonly column: number;
}

export type Unsure = (key: string) => boolean;

export interface ZoneContents {
  /** Wire form, lower-case. */
  readonly origin: Uint8Array;
  /** The zone's main file, for problems that belong to no line. */
  readonly file: string;
  readonly records: readonly PlacedRecord[];
  readonly unsure: Unsure;
  /** Keys of names that have addresses though the file gives none. */
  readonly services: ReadonlySet<string>;
}

/** A lower-cased name in wire form as a key of maps: one character for each octet. */
export function nameKey(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}

/** The parent's key: without the first label. The root's parent is empty. */
const parentOf = (key: string): string => key.slice(key.charCodeAt(0) + 1);

const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);

type Rrsets = Map<number, PlacedRecord[]>;

export function checkZone(contents: ZoneContents): Problem[] {
  const checker = new ZoneChecker(contents);
  checker.run();
  return checker.problems;
}

class ZoneChecker {
  readonly problems: Problem[] = [];
  readonly #contents: ZoneContents;
  readonly #nodes = new Map<string, Rrsets>();
  /** Names that exist by what lies below them, with or without records (RFC 4592 §2.2.2). */
  readonly #parents = new Set<string>();

  constructor(contents: ZoneContents) {
    this.#contents = contents;
  }

  run(): void {
    for (const placed of this.#contents.records) this.#place(placed);
    for (const [key, rrsets] of this.#nodes) this.#checkNode(key, rrsets);
    this.#checkApex();
    for (const rrsets of this.#nodes.values()) {
      for (const type of [TYPE.NS, TYPE.MX, TYPE.SRV]) {
        for (const placed of rrsets.get(type) ?? []) this.#checkTarget(placed);
      }
    }
  }

  #problem({ record, file, column }: PlacedRecord, message: string): void {
    this.problems.push({ file, line: record.line, column, message });
  }

  #place(placed: PlacedRecord): void {
    const { owner, type } = placed.record;
    const { origin } = this.#contents;
    if (!isWithin(owner, origin)) {
      const advice = 'move it to its own zone, or check the dot at the end of the name';
      this.#problem(placed, `${formatName(owner)} lies outside ${formatName(origin)}: ${advice}`);
      return;
    }
    if (type === TYPE.DNAME) {
      const advice = 'write a CNAME for each name below it';
      this.#problem(placed, `DNAME records are not served yet: ${advice}`);
    }
    const key = nameKey(owner);
    let rrsets = this.#nodes.get(key);
    if (!rrsets) {
      rrsets = new Map();
      this.#nodes.set(key, rrsets);
      let at = parentOf(key);
      while (at.length >= origin.length && !this.#parents.has(at)) {
        this.#parents.add(at);
        at = parentOf(at);
      }
    }
    const rrset = rrsets.get(type);
    if (rrset) rrset.push(placed);
    else rrsets.set(type, [placed]);
  }

  #checkNode(key: string, rrsets: Rrsets): void {
    for (const [type, rrset] of rrsets) if (rrset.length > 1) this.#checkRrset(type, rrset);
    const aliases = rrsets.get(TYPE.CNAME);
    if (aliases) this.#checkAlias(aliases[0]!, key, rrsets);
    if (rrsets.has(TYPE.SOA) && key !== nameKey(this.#contents.origin)) {
      const apex = formatName(this.#contents.origin);
      this.#problem(rrsets.get(TYPE.SOA)![0]!, `the SOA belongs to ${apex}: write @ as its owner`);
    }
  }

  #checkRrset(type: number, rrset: readonly PlacedRecord[]): void {
    const first = rrset[0]!;
    const owner = formatName(first.record.owner);
    const what = `${owner} ${typeName(type)}`;
    if (type === TYPE.SOA || type === TYPE.CNAME) {
      for (const extra of rrset.slice(1)) {
        const line = `the first is in line ${first.record.line}`;
        this.#problem(extra, `a second ${typeName(type)} of ${owner}: one is allowed, ${line}`);
      }
      return;
    }
    const seen = new Map<string, PlacedRecord>();
    for (const placed of rrset) {
      const data = Buffer.from(canonicalRdata(type, placed.record.rdata)).toString('latin1');
      const twin = seen.get(data);
      if (twin) {
        this.#problem(placed, `the same record as in line ${twin.record.line}: remove one of them`);
      } else if (placed.record.ttl_s !== first.record.ttl_s) {
        // RFC 2181 §5.2.
        const other = `line ${first.record.line} has ${first.record.ttl_s}`;
        const message = `TTL ${placed.record.ttl_s}, but ${other}: all of ${what} need one TTL`;
        this.#problem(placed, message);
      }
      seen.set(data, twin ?? placed);
    }
  }

  /** RFC 1034 §3.6.2, RFC 2181 §10.1: a CNAME stands alone, but for the records of DNSSEC. */
  #checkAlias(alias: PlacedRecord, key: string, rrsets: Rrsets): void {
    const owner = formatName(alias.record.owner);
    if (this.#contents.services.has(key)) {
      this.#problem(alias, `${owner} is a service: it cannot be a CNAME too, remove one of them`);
    }
    const others = [...rrsets].filter(([type]) => !BESIDE_CNAME.has(type));
    if (others.length === 0) return;
    const list = others.map(([type, [first]]) => `${typeName(type)} (line ${first!.record.line})`);
    const message = `a CNAME must be alone, but ${owner} also has ${list.join(', ')}`;
    this.#problem(alias, `${message}: remove it, or them`);
  }

  #checkApex(): void {
    const { origin, file, unsure } = this.#contents;
    const key = nameKey(origin);
    if (unsure(key)) return;
    const apex = this.#nodes.get(key);
    const soa = apex?.get(TYPE.SOA)?.[0];
    const name = formatName(origin);
    if (!soa) {
      const example = `"@ SOA ns1 hostmaster 1 2h 15m 2w 1m"`;
      const message = `the zone ${name} has no SOA record: write e.g. ${example}`;
      this.problems.push({ file, line: 1, column: 1, message });
    }
    if (apex?.has(TYPE.NS)) return;
    const message = `the zone ${name} has no NS record: write e.g. "@ NS ns1"`;
    if (soa) this.#problem(soa, message);
    else this.problems.push({ file, line: 1, column: 1, message });
  }

  /** NS, MX and SRV targets are hosts with addresses, not aliases (RFC 2181 §10.3, RFC 2782). */
  #checkTarget(placed: PlacedRecord): void {
    const { type, rdata, owner } = placed.record;
    const place = namePlace(type);
    if (!place || !validRdata(type, rdata)) return;
    const target = lowerName(rdata.slice(place.offset));
    const { origin, services, unsure } = this.#contents;
    const key = nameKey(target);
    if (!isWithin(target, origin) || services.has(key) || unsure(key)) return;
    const cut = this.#cutAbove(key);
    // Below another delegation the child zone has the addresses; glue is owed for its own only.
    if (cut && !(type === TYPE.NS && nameKey(owner) === cut)) return;
    const name = formatName(target);
    const rrsets = this.#nodes.get(key) ?? this.#wildcardFor(key);
    if (rrsets?.has(TYPE.CNAME)) {
      const line = rrsets.get(TYPE.CNAME)![0]!.record.line;
      const instead = 'name the host itself';
      const message = `the ${typeName(type)} target ${name} is a CNAME (line ${line}): ${instead}`;
      this.#problem(placed, message);
    } else if (!rrsets?.has(TYPE.A) && !rrsets?.has(TYPE.AAAA)) {
      const advice = 'add an A or AAAA record, or check the dot at the end of the name';
      this.#problem(placed, `the ${typeName(type)} target ${name} has no address: ${advice}`);
    }
  }

  /** The key of the highest delegation at or above `key`, below the apex. */
  #cutAbove(key: string): string | null {
    let cut: string | null = null;
    for (let at = key; at.length > this.#contents.origin.length; at = parentOf(at)) {
      if (this.#nodes.get(at)?.has(TYPE.NS)) cut = at;
    }
    return cut;
  }

  /** RFC 4592 §3.3.1: the wildcard below the closest name that exists, if `key` itself does not. */
  #wildcardFor(key: string): Rrsets | undefined {
    let encloser = key;
    const exists = (name: string): boolean => this.#nodes.has(name) || this.#parents.has(name);
    while (encloser !== '' && !exists(encloser)) encloser = parentOf(encloser);
    return encloser === key ? undefined : this.#nodes.get(`\u0001*${encloser}`);
  }
}
