/**
 * Reads a zone file: the master file format of RFC 1035 §5 with $TTL (RFC 2308 §4), RFC 3597's
 * unknown types, and $GENERATE. All mistakes are collected; a zone comes out only if there is none.
 * Nothing outside the folder of zones is read, and every loop that a file could cause has a limit.
 */
import { CLASS, isDataType, typeName, typeNumber } from '../../dns/wire/codes.ts';
import { lowerName, parseName, wireName } from '../../dns/wire/name.ts';
import { parseRdata } from '../../dns/wire/rdata.ts';
import { parseSeconds } from '../../dns/wire/text.ts';
import type { Zone } from '../../model/config.ts';
import { parseAddress } from '../../net/ip.ts';
import type { Problem } from '../problem.ts';
import { checkZone, nameKey, type PlacedRecord, type Unsure } from './check.ts';
import { expandGenerated, parseGenerateRange } from './generate.ts';
import type { ReadInclude } from './include.ts';
import { type Entry, type Place, ZoneLexer, type ZoneToken } from './lexer.ts';

export const PROBLEMS_MAX = 100;
export const RECORDS_MAX = 1_000_000;
/** $INCLUDE inside $INCLUDE, and how many in total. */
export const INCLUDE_DEPTH_MAX = 8;
export const INCLUDES_MAX = 1_000;
/** RFC 2181 §8. */
export const TTL_MAX_S = 0x7fffffff;

export interface ZoneSource {
  /** Name for problems. */
  readonly file: string;
  readonly text: string;
  /** The zone's name, lower-case, without the trailing dot. */
  readonly origin: string;
  /** Reads what $INCLUDE names; see zoneFolder(). */
  readonly readInclude: ReadInclude;
  /** Health-aware names, which have addresses though the file does not say so; form as origin. */
  readonly services: readonly string[];
}

export interface ZoneOutcome {
  /** Null if there is any problem. */
  readonly zone: Zone | null;
  /** In the order of the files and lines. */
  readonly problems: readonly Problem[];
}

export function readZoneFile(source: ZoneSource): ZoneOutcome {
  const reader = new ZoneReader(source);
  const { origin, file } = source;
  reader.readText({ file, text: source.text, origin: wireName(origin), depth: 0 });
  const { records } = reader;
  const found = checkZone({
    origin: wireName(origin),
    file,
    records,
    unsure: reader.unsure,
    services: new Set(source.services.map((name) => nameKey(wireName(name)))),
  });
  const files = [...reader.files];
  const problems = [...reader.problems, ...found].sort(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
  const zone = { origin, file, records: records.map(({ record }) => record), transfer: null };
  return { zone: problems.length === 0 ? zone : null, problems: problems.slice(0, PROBLEMS_MAX) };
}

interface SourceText {
  readonly file: string;
  readonly text: string;
  readonly origin: Uint8Array;
  readonly depth: number;
}

/**
 * What $ORIGIN and the last owner are, within one file: $INCLUDE does not change them for the file
 * that has it (RFC 1035 §5.1). $TTL, of which no RFC says so, goes on behind the file, as in BIND.
 */
interface Scope {
  readonly file: string;
  readonly depth: number;
  origin: Uint8Array;
  /** "broken" after an owner that could not be read: its other records are read, but not kept. */
  owner: Uint8Array | 'none' | 'broken';
}

/** What stands between the owner and the rdata. */
interface RecordHead {
  readonly type: number;
  readonly ttl_s: number;
  /** Index of the first word of the rdata. */
  readonly next: number;
}

class ZoneReader {
  readonly records: PlacedRecord[] = [];
  readonly problems: Problem[] = [];
  /** In the order of reading. */
  readonly files = new Set<string>();
  /** Names with records that could not be read. */
  readonly #broken = new Set<string>();
  #allUnsure = false;
  readonly #readInclude: ReadInclude;
  #includes = 0;
  #defaultTtl_s: number | null = null;
  #lastTtl_s: number | null = null;

  constructor(source: ZoneSource) {
    this.#readInclude = source.readInclude;
  }

  /** Whether the name may have records that are not in `records`. */
  readonly unsure: Unsure = (key) => this.#allUnsure || this.#broken.has(key);

  readText({ file, text, origin, depth }: SourceText): void {
    this.files.add(file);
    const scope: Scope = { file, depth, origin, owner: 'none' };
    const lexer = new ZoneLexer(text);
    for (let entry = lexer.next(); entry && !this.#full(); entry = lexer.next()) {
      if (entry.problem) {
        this.#allUnsure = true;
        this.#problem(scope, entry.problem, entry.problem.message);
      } else {
        this.#entry(scope, entry);
      }
    }
    if (this.#full()) this.#allUnsure = true;
  }

  #full(): boolean {
    return this.problems.length >= PROBLEMS_MAX || this.records.length >= RECORDS_MAX;
  }

  #problem(scope: Scope, { line, column }: Place, message: string): void {
    this.problems.push({ file: scope.file, line, column, message });
  }

  #entry(scope: Scope, { tokens, blank }: Entry): void {
    const first = tokens[0]!;
    if (first.quoted || !first.text.startsWith('$')) this.#record(scope, tokens, blank);
    else if (blank) this.#problem(scope, first, `write ${first.text} at the start of the line`);
    else this.#directive(scope, first, tokens.slice(1));
  }

  #directive(scope: Scope, directive: ZoneToken, args: readonly ZoneToken[]): void {
    const name = directive.text.toUpperCase();
    const form = DIRECTIVES.get(name);
    if (!form) {
      const known = [...DIRECTIVES.keys()].join(', ');
      this.#problem(scope, directive, `"${directive.text}" is not a directive: known are ${known}`);
    } else if (args.length < form.min) {
      this.#problem(scope, endOf(args.at(-1) ?? directive), `${name} lacks ${form.wants}`);
    } else if (args.length > form.max) {
      const extra = args[form.max]!;
      this.#problem(scope, extra, `"${extra.text}" is too much: ${name} takes ${form.wants}`);
    } else if (name === '$TTL') {
      this.#setTtl(scope, args[0]!);
    } else if (name === '$ORIGIN') {
      scope.origin = this.#name(scope, args[0]!) ?? scope.origin;
    } else if (name === '$INCLUDE') {
      this.#include(scope, args[0]!, args[1]);
    } else {
      this.#generate(scope, args[0]!, args.slice(1));
    }
  }

  #setTtl(scope: Scope, token: ZoneToken): void {
    this.#defaultTtl_s = parseSeconds(token.text, TTL_MAX_S);
    if (this.#defaultTtl_s !== null) return;
    this.#defaultTtl_s = 0; // so that not every record complains as well
    this.#problem(scope, token, badTtl(token.text));
  }

  #include(scope: Scope, path: ZoneToken, origin: ZoneToken | undefined): void {
    const from = origin ? this.#name(scope, origin) : scope.origin;
    this.#includes++;
    if (scope.depth >= INCLUDE_DEPTH_MAX || this.#includes > INCLUDES_MAX) {
      this.#allUnsure = true;
      const limit = `${INCLUDE_DEPTH_MAX} levels and ${INCLUDES_MAX} files`;
      this.#problem(scope, path, `$INCLUDE goes beyond ${limit}: does the file include itself?`);
      return;
    }
    const read = this.#readInclude(path.text);
    if (!read.ok) {
      this.#allUnsure = true;
      this.#problem(scope, path, read.error);
    } else if (from) {
      this.readText({ ...read.value, origin: from, depth: scope.depth + 1 });
    }
  }

  #generate(scope: Scope, rangeToken: ZoneToken, template: readonly ZoneToken[]): void {
    const range = parseGenerateRange(rangeToken.text);
    if (!range.ok) {
      this.#allUnsure = true;
      this.#problem(scope, rangeToken, range.error);
      return;
    }
    const { start, stop, step } = range.value;
    const { owner } = scope;
    const problemsBefore = this.problems.length;
    for (let counter = start; counter <= stop && !this.#full(); counter += step) {
      const tokens: ZoneToken[] = [];
      for (const token of template) {
        const text = expandGenerated(token.text, counter);
        if (!text.ok) this.#problem(scope, token, text.error);
        tokens.push({ ...token, text: text.ok ? text.value : token.text });
      }
      if (this.problems.length === problemsBefore) this.#record(scope, tokens, false);
      // One mistake in the template is one problem, not one for each value of the counter.
      if (this.problems.length > problemsBefore) break;
    }
    if (this.problems.length > problemsBefore) this.#allUnsure = true;
    scope.owner = owner;
  }

  /** The name that an unquoted word stands for; null after telling why it is none. */
  #name(scope: Scope, token: ZoneToken): Uint8Array | null {
    const name = parseName(token.text, scope.origin);
    if (name.ok && !token.quoted) return lowerName(name.value);
    this.#allUnsure = true;
    const message = name.ok ? `write the name ${token.text} without quotes` : name.error;
    this.#problem(scope, token, message);
    return null;
  }

  #record(scope: Scope, tokens: readonly ZoneToken[], blank: boolean): void {
    const first = tokens[0]!;
    if (!blank) {
      scope.owner = this.#name(scope, first) ?? 'broken';
    } else if (scope.owner === 'none') {
      scope.owner = 'broken';
      this.#allUnsure = true;
      const message = 'no owner: the line begins with a blank, and no record precedes it';
      this.#problem(scope, first, `${message} in this file (write @ for the zone itself)`);
    }
    const { owner } = scope;
    const problemsBefore = this.problems.length;
    const head = this.#head(scope, tokens, blank ? 0 : 1);
    const rdata = head && this.#rdata(scope, tokens, head);
    if (typeof owner === 'string') return;
    if (this.problems.length > problemsBefore) {
      this.#broken.add(nameKey(owner));
    } else if (head && rdata) {
      const { type, ttl_s } = head;
      const record = { owner, type, ttl_s, rdata, line: first.line };
      this.records.push({ record, file: scope.file, column: first.column });
      if (this.records.length === RECORDS_MAX) {
        this.#problem(scope, first, `a zone of more than ${RECORDS_MAX} records`);
      }
    }
  }

  #rdata(scope: Scope, tokens: readonly ZoneToken[], head: RecordHead): Uint8Array | null {
    const rdata = parseRdata(head.type, tokens.slice(head.next), scope.origin);
    if (rdata.ok) return rdata.value;
    const { word, message } = rdata.error;
    this.#problem(scope, tokens[head.next + word] ?? endOf(tokens.at(-1)!), message);
    return null;
  }

  /** RFC 1035 §5.1: TTL and class may be left out, and may come in either order. */
  #head(scope: Scope, tokens: readonly ZoneToken[], start: number): RecordHead | null {
    let ttl_s: number | null = null;
    let classSeen = false;
    let next = start;
    for (; next < tokens.length; next++) {
      const token = tokens[next]!;
      const klass = classSeen ? null : classOf(token.text);
      if (ttl_s === null && /^[0-9]/.test(token.text)) {
        ttl_s = parseSeconds(token.text, TTL_MAX_S);
        if (ttl_s === null) {
          this.#problem(scope, token, untypedAddress(token.text) ?? badTtl(token.text));
          return null;
        }
      } else if (klass !== null) {
        classSeen = true;
        if (klass !== CLASS.IN) {
          this.#problem(
            scope,
            token,
            `class ${token.text} is not served: write IN or leave it out`,
          );
        }
      } else {
        break;
      }
    }
    const token = tokens[next];
    if (!token) {
      this.#problem(scope, endOf(tokens.at(-1)!), 'the record type and its data are missing');
      return null;
    }
    const type = token.quoted ? null : typeNumber(token.text);
    if (type === null || !isDataType(type)) {
      this.#problem(scope, token, badType(token, type));
      return null;
    }
    return { type, ttl_s: this.#ttl(scope, tokens[0]!, ttl_s), next: next + 1 };
  }

  /**
   * RFC 2308 §4: $TTL where the record says nothing. Without any $TTL, RFC 1035 §5.1: the last TTL
   * that was stated.
   */
  #ttl(scope: Scope, place: Place, stated_s: number | null): number {
    if (stated_s !== null) this.#lastTtl_s = stated_s;
    const ttl_s = stated_s ?? this.#defaultTtl_s ?? this.#lastTtl_s;
    if (ttl_s !== null) return ttl_s;
    this.#lastTtl_s = 0; // said once, not for every record
    this.#problem(scope, place, 'no TTL: write e.g. "$TTL 1h" above the first record');
    return 0;
  }
}

/** How many words each directive takes, and which. */
const DIRECTIVES: ReadonlyMap<string, { min: number; max: number; wants: string }> = new Map([
  ['$ORIGIN', { min: 1, max: 1, wants: 'one domain name' }],
  ['$TTL', { min: 1, max: 1, wants: 'one time, e.g. 1h' }],
  ['$INCLUDE', { min: 1, max: 2, wants: 'a file name and perhaps an origin' }],
  ['$GENERATE', { min: 4, max: Number.POSITIVE_INFINITY, wants: 'range, owner, type and data' }],
]);

const endOf = ({ line, column, text, quoted }: ZoneToken): Place => ({
  line,
  column: column + text.length + (quoted ? 2 : 0),
});

const badTtl = (text: string): string =>
  `"${text}" is not a TTL: write seconds (0–${TTL_MAX_S}) or e.g. 1h30m`;

/** The commonest slip: "www 192.0.2.1". */
function untypedAddress(text: string): string | null {
  const address = parseAddress(text);
  const type = address?.length === 4 ? 'A' : 'AAAA';
  return address && `the record type is missing: write ${type} before ${text}`;
}

function badType(token: ZoneToken, type: number | null): string {
  if (type !== null) return `${typeName(type)} exists in queries only and cannot be zone data`;
  if (/^[0-9]/.test(token.text)) return `"${token.text}" is a second TTL: write the type here`;
  if (classOf(token.text) !== null) return `"${token.text}" is a second class: write the type here`;
  const slip = untypedAddress(token.text);
  return (
    slip ?? `"${token.text}" is not a record type (an unknown one is written TYPE123, RFC 3597)`
  );
}

/** The number of a class's name, also as CLASS32 (RFC 3597 §5); null if it is none. */
function classOf(text: string): number | null {
  const upper = text.toUpperCase();
  if (upper === 'IN') return CLASS.IN;
  if (upper === 'CH' || upper === 'NONE' || upper === 'ANY') return CLASS[upper];
  if (upper === 'HS') return 4;
  if (upper === 'CS') return 2;
  const generic = /^CLASS([0-9]{1,5})$/.exec(upper);
  return generic ? Number(generic[1]) : null;
}
