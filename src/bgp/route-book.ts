/**
 * From the plan to the routes that each neighbour should have. The work is done once for all
 * neighbours that are offered the same, and they share one table; where nothing has changed since
 * the last plan, the table is the same object as before, so that nobody needs to look for changes.
 */
import { ok, type Result } from '../base/result.ts';
import type { RouteOffer, RoutePlan } from '../model/plan.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../net/ip.ts';
import {
  bundleKey,
  type LocalRoute,
  NO_ROUTES,
  type OfferedAttributes,
  parseBundle,
  type RouteBundle,
  type RouteTable,
  type TableChange,
  tableChange,
} from './route.ts';

interface ParsedPrefix {
  /** As the plan has it. */
  readonly text: string;
  readonly prefix: Prefix;
  /** Canonical text. */
  readonly key: string;
}

/** What a plan comes to; taken again for as long as the plan says the same. */
interface Entry {
  /** As the plan has its prefixes. */
  readonly texts: readonly string[];
  readonly prefixes: readonly ParsedPrefix[];
  /** For each neighbour, in the order of the book; null: not announced. */
  readonly row: readonly (RouteBundle | null)[];
  readonly problems: readonly string[];
}

/** Only the newest table knows the one before, or none of them would ever be forgotten. */
interface BookTable extends RouteTable {
  since: TableChange | null;
}

/** What one neighbour, and all that are offered the same, should have. */
interface Column {
  /** Of one of them. */
  readonly at: number;
  readonly before: BookTable | undefined;
  readonly table: BookTable;
}

/** Bundles that are known again by their words; beyond that they are made anew. */
const KNOWN_MAX = 10_000;

export class RouteBook {
  /** Of the last plan only, so that it does not grow beyond what one plan needs. */
  #prefixes = new Map<string, ParsedPrefix>();
  readonly #known = new Map<string, RouteBundle>();
  /** The neighbours, in the order of their offers. */
  #names: readonly string[] = [];
  /** One for each plan, in their order. */
  #entries: readonly Entry[] = [];
  /** True if two VIPs have one prefix, so that what one of them says depends on the other. */
  #shared = false;
  #tables: ReadonlyMap<string, BookTable> = new Map();
  #all: ReadonlyMap<string, Prefix> = new Map();

  /** The routes of a neighbour, by the last plan. */
  table(neighbor: string): RouteTable {
    return this.#tables.get(neighbor) ?? NO_ROUTES;
  }

  /** The canonical text of a prefix of the last plan. */
  keyOf(text: string): string {
    return this.#prefixes.get(text)?.key ?? text;
  }

  /** Every prefix of the last plan, announced or not, by that text; another object only if it differs. */
  get prefixes(): ReadonlyMap<string, Prefix> {
    return this.#all;
  }

  /**
   * Takes a plan. Where two VIPs have one prefix, the first that announces it decides. What cannot be
   * announced, although config should have refused it, is left out, with a sentence about each: the
   * rest of the plan, and above all what it withdraws, must not wait for it.
   */
  take(plans: readonly RoutePlan[]): string[] {
    for (const table of this.#tables.values()) table.since = null;
    const names = namesOf(plans);
    const before = sameItems(names, this.#names) ? this.#entries : [];
    if (this.#known.size > KNOWN_MAX) this.#known.clear();
    const entries = this.#read(plans, names, before);
    const changed = entries.filter((entry, i) => entry !== before[i]);
    const samePrefixes =
      entries.length === before.length &&
      entries.every((one, i) => sameItems(one.texts, before[i]!.texts));
    if (!samePrefixes) this.#take(entries);
    // The usual case is the cheap one: few of many VIPs have changed.
    const alone = samePrefixes && !this.#shared;
    this.#tables = this.#columns(names, alone ? changed : entries, (table, at) =>
      alone ? patch(table, changed, at) : rebuild(table, entries, at),
    );
    this.#names = names;
    this.#entries = entries;
    return [...new Set(entries.flatMap(({ problems }) => problems))];
  }

  /** Other prefixes than before. */
  #take(entries: readonly Entry[]): void {
    this.#prefixes = new Map();
    const all = new Map<string, Prefix>();
    let count = 0;
    for (const { prefixes } of entries) {
      for (const parsed of prefixes) {
        this.#prefixes.set(parsed.text, parsed);
        all.set(parsed.key, parsed.prefix);
        count++;
      }
    }
    this.#shared = all.size < count;
    const same = all.size === this.#all.size && [...all.keys()].every((key) => this.#all.has(key));
    if (!same) this.#all = all;
  }

  /** The next table of each neighbour, made once for those that had one table and are offered the same. */
  #columns(
    names: readonly string[],
    entries: readonly Entry[],
    next: (before: BookTable, at: number) => BookTable,
  ): Map<string, BookTable> {
    const columns: Column[] = [];
    const tables = new Map<string, BookTable>();
    names.forEach((name, at) => {
      const before = this.#tables.get(name);
      const like = ({ row }: Entry, { at: other }: Column): boolean => row[at] === row[other];
      let column = columns.find(
        (one) => one.before === before && entries.every((entry) => like(entry, one)),
      );
      if (!column) {
        column = { at, before, table: next(before ?? { ...NO_ROUTES }, at) };
        columns.push(column);
      }
      tables.set(name, column.table);
    });
    return tables;
  }

  /** The entry of each plan: that of `before` where it says the same. */
  #read(plans: readonly RoutePlan[], names: readonly string[], before: readonly Entry[]): Entry[] {
    let last: { readonly offer: RouteOffer; readonly bundle: RouteBundle | null } | null = null;
    return plans.map((plan, at) => {
      const { vip, offers } = plan;
      const problems: string[] = [];
      const row: (RouteBundle | null)[] = names.map(() => null);
      for (let i = 0; i < offers.length; i++) {
        const offer = offers[i]!;
        if (!offer.announce) continue;
        // Most offers say what the one before them does, of this plan or of the last.
        if (!last?.bundle || !sameOffer(last.offer, offer)) {
          const found = this.#bundle(offer);
          if (!found.ok) problems.push(`VIP ${vip}: ${found.error}`);
          last = { offer, bundle: found.ok ? found.value : null };
        }
        row[names[i] === offer.neighbor ? i : names.indexOf(offer.neighbor)] = last.bundle;
      }
      const known = before[at];
      const faultless = problems.length === 0 && known?.problems.length === 0;
      const same = faultless && sameItems(known.texts, plan.prefixes) && sameItems(known.row, row);
      return same ? known : { row, texts: plan.prefixes, ...this.#parse(plan, problems) };
    });
  }

  #parse(
    { vip, prefixes: texts }: RoutePlan,
    problems: string[],
  ): Pick<Entry, 'prefixes' | 'problems'> {
    const prefixes = texts.flatMap((text) => {
      const parsed = this.#prefixes.get(text) ?? parse(text);
      if (!parsed) problems.push(`VIP ${vip}: "${text}" is no prefix`);
      return parsed ?? [];
    });
    return { prefixes, problems };
  }

  #bundle(offer: RouteOffer): Result<RouteBundle, string> {
    const key = bundleKey(offer);
    const known = this.#known.get(key);
    if (known) return ok(known);
    const parsed = parseBundle(offer);
    if (parsed.ok) this.#known.set(key, parsed.value);
    return parsed;
  }
}

function parse(text: string): ParsedPrefix | null {
  const prefix = parsePrefix(text);
  return prefix && { text, prefix, key: formatPrefix(prefix) };
}

/** All neighbours, in the order in which they are first offered something. */
function namesOf(plans: readonly RoutePlan[]): string[] {
  const names: string[] = [];
  const known = new Set<string>();
  for (const { offers } of plans) {
    for (let i = 0; i < offers.length; i++) {
      const { neighbor } = offers[i]!;
      if (names[i] === neighbor || known.has(neighbor)) continue;
      known.add(neighbor);
      names.push(neighbor);
    }
  }
  return names;
}

function sameItems<Item>(a: readonly Item[], b: readonly Item[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sameOffer(a: OfferedAttributes, b: OfferedAttributes): boolean {
  return (
    a.med === b.med &&
    a.prepend === b.prepend &&
    a.local_pref === b.local_pref &&
    a.next_hop === b.next_hop &&
    a.next_hop6 === b.next_hop6 &&
    sameItems(a.communities, b.communities)
  );
}

/**
 * The next table when nothing but these plans has changed, and no prefix is in two; `before` itself
 * if they change nothing in it.
 */
function patch(before: BookTable, changed: readonly Entry[], at: number): BookTable {
  const gone: LocalRoute[] = [];
  const put: LocalRoute[] = [];
  for (const { prefixes, row } of changed) {
    const bundle = row[at];
    for (const { prefix, key } of prefixes) {
      const was = before.routes.get(key);
      if (was && !bundle) gone.push(was);
      if (bundle && was?.bundle.key !== bundle.key) put.push({ prefix, key, bundle });
    }
  }
  if (gone.length + put.length === 0) return before;
  const routes = new Map(before.routes);
  for (const { key } of gone) routes.delete(key);
  for (const route of put) routes.set(route.key, route);
  return { routes, since: { before, gone, put } };
}

/** The next table from all plans; `before` itself if nothing in it has changed. */
function rebuild(before: BookTable, entries: readonly Entry[], at: number): BookTable {
  const routes = new Map<string, LocalRoute>();
  for (const { prefixes, row } of entries) {
    const bundle = row[at];
    if (!bundle) continue;
    for (const { prefix, key } of prefixes) {
      if (!routes.has(key)) routes.set(key, { prefix, key, bundle });
    }
  }
  const since = tableChange(before, routes);
  return since.gone.length + since.put.length === 0 ? before : { routes, since };
}
