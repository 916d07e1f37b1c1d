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
  readonly prefix: Prefix;
  /** Canonical text. */
  readonly key: string;
}

/** A bundle beside the offer it was made of, by which it is known again without building its key. */
interface Known {
  readonly bundle: RouteBundle;
  readonly offer: OfferedAttributes;
}

/** Only the newest table knows the one before, or none of them would ever be forgotten. */
interface BookTable extends RouteTable {
  since: TableChange | null;
}

/** What one neighbour, and all that are offered the same, should have. */
interface Column {
  /** The bundle of each plan, in their order; null: not announced. */
  readonly bundles: (RouteBundle | null)[];
  readonly table: BookTable;
}

export class RouteBook {
  /** Of the last plan only, so that neither grows beyond what one plan needs. */
  #prefixes = new Map<string, ParsedPrefix>();
  #known = new Map<string, Known>();
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
    const problems = new Set<string>();
    const prefixes = this.#parsePrefixes(plans, problems);
    const { names, rows, known } = this.#bundles(plans, problems);
    const columns: Column[] = [];
    const tables = new Map<string, BookTable>();
    for (const table of this.#tables.values()) table.since = null;
    names.forEach((name, at) => {
      const bundles = rows.map((row) => row[at] ?? null);
      let column = columns.find((one) => bundles.every((it, i) => it === one.bundles[i]));
      if (!column) {
        const before = this.#tables.get(name) ?? { ...NO_ROUTES };
        const table = nextTable(before, buildTable(plans, bundles, prefixes));
        column = { bundles, table };
        columns.push(column);
      }
      tables.set(name, column.table);
    });
    const same = [...prefixes.keys()].every((text) => this.#prefixes.has(text));
    if (!same || prefixes.size !== this.#prefixes.size) {
      this.#all = new Map([...prefixes.values()].map(({ key, prefix }) => [key, prefix]));
    }
    this.#prefixes = prefixes;
    this.#known = known;
    this.#tables = tables;
    return [...problems];
  }

  #parsePrefixes(plans: readonly RoutePlan[], problems: Set<string>): Map<string, ParsedPrefix> {
    const parsed = new Map<string, ParsedPrefix>();
    for (const plan of plans) {
      for (const text of plan.prefixes) {
        const known = this.#prefixes.get(text);
        const prefix = known?.prefix ?? parsePrefix(text);
        if (!prefix) problems.add(`VIP ${plan.vip}: "${text}" is no prefix`);
        else parsed.set(text, known ?? { prefix, key: formatPrefix(prefix) });
      }
    }
    return parsed;
  }

  /** The neighbours in the order of their offers, and for each plan the bundle of each of them. */
  #bundles(
    plans: readonly RoutePlan[],
    problems: Set<string>,
  ): {
    names: string[];
    rows: (RouteBundle | null)[][];
    known: Map<string, Known>;
  } {
    const names: string[] = [];
    const places = new Map<string, number>();
    const known = new Map<string, Known>();
    let last: Known | null = null;
    const rows = plans.map(({ vip, offers }) => {
      const row: (RouteBundle | null)[] = [];
      offers.forEach((offer, i) => {
        const at = names[i] === offer.neighbor ? i : place(offer.neighbor, names, places);
        if (!offer.announce) return;
        // Most offers say what the one before them does.
        if (!last || !sameOffer(last.offer, offer)) {
          const found = this.#know(offer, known);
          if (!found.ok) problems.add(`VIP ${vip}: ${found.error}`);
          last = found.ok ? found.value : null;
        }
        row[at] = last?.bundle ?? null;
      });
      return row;
    });
    return { names, rows, known };
  }

  #know(offer: RouteOffer, known: Map<string, Known>): Result<Known, string> {
    const key = bundleKey(offer);
    let found = known.get(key) ?? this.#known.get(key);
    if (!found) {
      const parsed = parseBundle(offer);
      if (!parsed.ok) return parsed;
      found = { bundle: parsed.value, offer };
    }
    known.set(key, found);
    return ok(found);
  }
}

function place(name: string, names: string[], places: Map<string, number>): number {
  const at = places.get(name);
  if (at !== undefined) return at;
  places.set(name, names.length);
  names.push(name);
  return names.length - 1;
}

function sameOffer(a: OfferedAttributes, b: OfferedAttributes): boolean {
  return (
    a.med === b.med &&
    a.prepend === b.prepend &&
    a.local_pref === b.local_pref &&
    a.next_hop === b.next_hop &&
    a.next_hop6 === b.next_hop6 &&
    (a.communities === b.communities ||
      (a.communities.length === b.communities.length &&
        a.communities.every((text, i) => text === b.communities[i])))
  );
}

function buildTable(
  plans: readonly RoutePlan[],
  bundles: readonly (RouteBundle | null)[],
  prefixes: ReadonlyMap<string, ParsedPrefix>,
): Map<string, LocalRoute> {
  const table = new Map<string, LocalRoute>();
  plans.forEach((plan, i) => {
    const bundle = bundles[i];
    if (!bundle) return;
    for (const text of plan.prefixes) {
      const parsed = prefixes.get(text);
      if (parsed && !table.has(parsed.key)) table.set(parsed.key, { ...parsed, bundle });
    }
  });
  return table;
}

/** `before` itself where nothing has changed. */
function nextTable(before: BookTable, routes: ReadonlyMap<string, LocalRoute>): BookTable {
  const since = tableChange(before, routes);
  return since.gone.length + since.put.length === 0 ? before : { routes, since };
}
