/**
 * Reads a zone file: the master file format of RFC 1035 §5 with $TTL (RFC 2308 §4), RFC 3597's
 * unknown types, and $GENERATE. Out come all records that could be read, in columns, and all
 * mistakes. Nothing outside the folder of zones is read, and every loop that a file could cause has
 * a limit. Simple lines take the fast way, all others the general one, with the same outcome.
 */
import { isUtf8 } from 'node:buffer';
import { TYPE } from '../../dns/wire/codes.ts';
import { lowerName, NAME_MAX, nameKey, parseName, wireName } from '../../dns/wire/name.ts';
import { parseRdata } from '../../dns/wire/rdata.ts';
import { parseSeconds } from '../../dns/wire/text.ts';
import type { ZoneRecords } from '../../model/zone.ts';
import { PROBLEMS_MAX, RECORDS_MAX, ZONE_BYTES_MAX, ZONE_DATA_BYTES_MAX } from '../limits.ts';
import type { Problem } from '../problem.ts';
import type { Unsure } from './check.ts';
import { ZoneColumns } from './columns.ts';
import { FastLines } from './fast.ts';
import {
  expandGenerated,
  GENERATED_TEXT_MAX,
  GENERATED_WORD,
  parseGenerateRange,
} from './generate.ts';
import type { ReadInclude, ZoneBytes } from './include.ts';
import { type Entry, NEWLINE, type Place, ZoneLexer, type ZoneToken } from './lexer.ts';
import { badTtl, endOf, parseHead, rdataWords } from './record.ts';
import { type ImpliedTtl, type Scope, TTL_MAX_S } from './scope.ts';

/** $INCLUDE inside $INCLUDE, and how many in total. */
export const INCLUDE_DEPTH_MAX = 8;
export const INCLUDES_MAX = 1_000;
/** Characters of a message, which may repeat what it complains of. */
export const MESSAGE_MAX = 2_000;

export interface ZoneSource extends ZoneBytes {
  /** The zone's name, lower-case, without the trailing dot. */
  readonly origin: string;
  /** Reads what $INCLUDE names; see zoneFolder(). */
  readonly readInclude: ReadInclude;
}

export interface ReadOptions {
  /** False: every line goes the general way. Slow; for comparing the two. */
  readonly fast?: boolean;
  readonly records_max?: number;
  readonly generated_max?: number;
}

export interface ZoneRead {
  /** All that could be read; complete if there is no problem. */
  readonly records: ZoneRecords;
  /** In the order of reading, at most PROBLEMS_MAX. */
  readonly problems: readonly Problem[];
  /** Whether the name, as nameKey(), may have records that could not be read. */
  readonly unsure: Unsure;
}

/** Reads the records of a zone. Checks their syntax only; see check.ts. */
export function readZoneRecords(source: ZoneSource, options: ReadOptions = {}): ZoneRead {
  const reader = new ZoneReader(source, options);
  reader.read(source, wireName(source.origin), 0);
  const { unsure } = reader;
  const problems = reader.problems.slice(0, PROBLEMS_MAX);
  return { records: reader.records(), problems, unsure };
}

/** The problems of a zone in the order of its files and their lines. */
export function inFileOrder(problems: readonly Problem[], files: readonly string[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}

class ZoneReader {
  readonly problems: Problem[] = [];
  readonly #options: ReadOptions;
  readonly #readInclude: ReadInclude;
  readonly #columns: ZoneColumns;
  readonly #records_max: number;
  readonly #generated_max: number;
  /** In the order of reading. */
  readonly #files: string[] = [];
  readonly #ttl: ImpliedTtl = { default_s: null, last_s: null };
  /** Names with records that could not be read. */
  readonly #broken = new Set<string>();
  #allUnsure = false;
  #tooLarge = false;
  #includes = 0;
  /** Of all files. */
  #octets: number;
  /** Characters that all $GENERATE made; see GENERATED_WORD. */
  #generated = 0;

  constructor({ bytes, readInclude }: ZoneSource, options: ReadOptions) {
    this.#options = options;
    this.#readInclude = readInclude;
    this.#octets = bytes.length;
    this.#records_max = options.records_max ?? RECORDS_MAX;
    this.#generated_max = options.generated_max ?? GENERATED_TEXT_MAX;
    this.#columns = new ZoneColumns(bytes.length, {
      records_max: this.#records_max,
      octets_max: ZONE_DATA_BYTES_MAX,
    });
  }

  readonly unsure: Unsure = (key) => this.#allUnsure || this.#broken.has(key);

  records(): ZoneRecords {
    return this.#columns.records(this.#files);
  }

  read({ file, bytes }: ZoneBytes, origin: Uint8Array, depth: number): void {
    if (!this.#files.includes(file)) this.#files.push(file);
    const fileIndex = this.#files.indexOf(file);
    const scope: Scope = { file, fileIndex, depth, origin, owner: 'none' };
    if (!isUtf8(bytes)) {
      this.#allUnsure = true;
      const place = { line: lineNotUtf8(bytes), column: 1 };
      this.#problem(scope, place, 'the line is not UTF-8: save the file in that encoding');
      return;
    }
    const lexer = new ZoneLexer(bytes);
    const fast = new FastLines(bytes, this.#columns, this.#ttl);
    while (!this.#full()) {
      if (this.#options.fast !== false) fast.read(scope, lexer);
      const entry = lexer.next();
      if (!entry) return;
      if (entry.problem) {
        this.#allUnsure = true;
        this.#problem(scope, entry.problem, entry.problem.message);
      } else {
        this.#entry(scope, entry);
      }
    }
    this.#allUnsure = true;
  }

  #full(): boolean {
    return this.#tooLarge || this.problems.length >= PROBLEMS_MAX;
  }

  #problem({ file }: Scope, { line, column }: Place, text: string): void {
    const message = text.length > MESSAGE_MAX ? `${text.slice(0, MESSAGE_MAX)}…` : text;
    this.problems.push({ file, line, column, message });
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
    this.#ttl.default_s = parseSeconds(token.text, TTL_MAX_S);
    if (this.#ttl.default_s !== null) return;
    this.#ttl.default_s = 0; // so that not every record complains as well
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
    this.#octets += read.ok ? read.value.bytes.length : 0;
    if (!read.ok || this.#octets > ZONE_BYTES_MAX) {
      this.#allUnsure = true;
      const tooMuch = `with this file the zone has more than ${ZONE_BYTES_MAX} octets of text`;
      this.#problem(scope, path, read.ok ? tooMuch : read.error);
    } else if (from) {
      this.read(read.value, from, scope.depth + 1);
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
    for (let counter = start; counter <= stop; counter += step) {
      const tokens: ZoneToken[] = [];
      for (const token of template) {
        const text = expandGenerated(token.text, counter);
        if (!text.ok) this.#problem(scope, token, text.error);
        else this.#generated += GENERATED_WORD + text.value.length;
        tokens.push({ ...token, text: text.ok ? text.value : token.text });
      }
      if (this.#generated > this.#generated_max) {
        const limit = `${this.#generated_max} characters`;
        this.#problem(scope, rangeToken, `$GENERATE makes more than ${limit} in this zone`);
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
    const columns = this.#columns;
    if (!this.#hasRoom(scope, first, NAME_MAX)) return;
    if (!blank) {
      const name = this.#name(scope, first);
      scope.owner = name ? columns.ownerFrom(columns.write(name)) : 'broken';
    } else if (scope.owner === 'none') {
      scope.owner = 'broken';
      this.#allUnsure = true;
      const message = 'no owner: the line begins with a blank, and no record precedes it';
      this.#problem(scope, first, `${message} in this file (write @ for the zone itself)`);
    }
    const { owner } = scope;
    const problemsBefore = this.problems.length;
    const tell = (place: Place, message: string): void => this.#problem(scope, place, message);
    const head = parseHead(tokens, blank ? 0 : 1, tell);
    const rdata = head && this.#rdata(scope, tokens, head.type, head.next);
    if (head?.type === TYPE.SOA && rdata) this.#defaultToMinimum(head.ttl_s, rdata);
    const ttl_s = head && this.#impliedTtl(scope, first, head.ttl_s);
    if (typeof owner === 'string') return;
    if (this.problems.length > problemsBefore) {
      this.#broken.add(nameKey(columns.ownerAt(owner)));
    } else if (rdata && this.#hasRoom(scope, first, rdata.length)) {
      const rdataAt = columns.write(rdata);
      const { line, column } = first;
      columns.push(owner, head.type, ttl_s ?? 0, rdataAt, scope.fileIndex, line, column);
    }
  }

  #rdata(
    scope: Scope,
    tokens: readonly ZoneToken[],
    type: number,
    start: number,
  ): Uint8Array | null {
    const words = rdataWords(type, tokens.slice(start));
    const rdata = parseRdata(type, words, scope.origin);
    if (rdata.ok) return rdata.value;
    const { word, message } = rdata.error;
    this.#problem(scope, words[word] ?? endOf(tokens.at(-1)!), message);
    return null;
  }

  /** Without $TTL, what a SOA without a TTL calls its minimum (RFC 1035 §3.3.13), as in BIND. */
  #defaultToMinimum(stated_s: number | null, soa: Uint8Array): void {
    if ((stated_s ?? this.#ttl.default_s ?? this.#ttl.last_s) !== null) return;
    const minimum_s = new DataView(soa.buffer, soa.byteOffset).getUint32(soa.length - 4);
    this.#ttl.default_s = Math.min(minimum_s, TTL_MAX_S);
  }

  #impliedTtl(scope: Scope, place: Place, stated_s: number | null): number {
    const implied = this.#ttl;
    if (stated_s !== null) implied.last_s = stated_s;
    const ttl_s = stated_s ?? implied.default_s ?? implied.last_s;
    if (ttl_s !== null) return ttl_s;
    implied.last_s = 0; // said once, not for every record
    this.#problem(scope, place, 'no TTL: write e.g. "$TTL 1h" above the first record');
    return 0;
  }

  /** False after telling that the zone is too large; reading ends then. */
  #hasRoom(scope: Scope, place: Place, octets: number): boolean {
    if (this.#columns.hasRoom(octets)) return true;
    this.#tooLarge = true;
    const limit =
      this.#columns.count >= this.#records_max
        ? `${this.#records_max} records`
        : `${ZONE_DATA_BYTES_MAX} octets of names and data`;
    this.#problem(scope, place, `a zone of more than ${limit}`);
    return false;
  }
}

/** How many words each directive takes, and which. */
const DIRECTIVES: ReadonlyMap<string, { min: number; max: number; wants: string }> = new Map([
  ['$ORIGIN', { min: 1, max: 1, wants: 'one domain name' }],
  ['$TTL', { min: 1, max: 1, wants: 'one time, e.g. 1h' }],
  ['$INCLUDE', { min: 1, max: 2, wants: 'a file name and perhaps an origin' }],
  ['$GENERATE', { min: 4, max: Number.POSITIVE_INFINITY, wants: 'range, owner, type and data' }],
]);

/** The first line that is not UTF-8, in a text of which some line is not. */
function lineNotUtf8(text: Uint8Array): number {
  let line = 1;
  for (let at = 0; ; line++) {
    const newline = text.indexOf(NEWLINE, at);
    const end = newline < 0 ? text.length : newline;
    if (end === text.length || !isUtf8(text.subarray(at, end))) return line;
    at = end + 1;
  }
}
