/**
 * One YAML file with the place of every node. It is YAML 1.2 without what makes a file mean other
 * than it shows: no anchors, aliases, merge keys, tags, repeated keys or second documents. All but
 * errors of syntax are reported and then taken out of the tree, so that the rest is still checked.
 */
import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
  type YAMLParseError,
} from 'yaml';
import { err, ok, type Result } from '../base/result.ts';
import type { Problem } from './problem.ts';

export type Path = readonly PropertyKey[];

/** What lies at a path: a map's pair, or a list's item. */
interface Found {
  readonly parent: { items: unknown[] };
  readonly item: unknown;
  readonly key: unknown;
  readonly value: unknown;
}

export class YamlSource {
  readonly file: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  #data: { readonly tree: unknown } | null = null;

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /** The tree as plain values, without what was removed. */
  data(): unknown {
    this.#data ??= { tree: this.#document.toJS({ maxAliasCount: 0 }) };
    return this.#data.tree;
  }

  has(path: Path): boolean {
    return path.length === 0 || this.#find(path) !== null;
  }

  /** The plain value at a path; undefined if nothing is there. */
  valueAt(path: Path): unknown {
    let value = this.data();
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
        return undefined;
      }
      value = (value as Record<PropertyKey, unknown>)[step];
    }
    return value;
  }

  /** A problem at the value of `path`, or at its key; at the nearest thing above if it is missing. */
  problem(path: Path, message: string, at: 'key' | 'value' = 'value'): Problem {
    for (let length = path.length; length > 0; length--) {
      const found = this.#find(path.slice(0, length));
      if (!found) continue;
      const missing = length < path.length;
      const node = (at === 'key' || missing) && found.key !== null ? found.key : found.value;
      return this.problemAt(offsetOf(node) ?? offsetOf(found.key) ?? 0, message);
    }
    return { file: this.file, line: 1, column: 1, message };
  }

  problemAt(offset: number, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), message };
  }

  /** Reads the key at `path` as `key` from now on; it keeps its place in the file. */
  rename(path: Path, key: string): void {
    const found = this.#find(path);
    if (!isScalar(found?.key)) return;
    found.key.value = key;
    this.#data = null;
  }

  /**
   * Takes the nodes at `paths` out of the tree, all paths meaning the tree as it is now; what is
   * left keeps its place in the file. False if nothing was taken, or the root was meant: then
   * nothing useful is left.
   */
  remove(paths: readonly Path[]): boolean {
    const doomed = new Map<Found['parent'], Set<unknown>>();
    for (const path of paths) {
      if (path.length === 0) return false;
      const found = this.#find(path);
      if (!found) continue;
      const items = doomed.get(found.parent) ?? new Set();
      doomed.set(found.parent, items.add(found.item));
    }
    this.#data = null;
    for (const [parent, items] of doomed) {
      parent.items = parent.items.filter((item) => !items.has(item));
    }
    return doomed.size > 0;
  }

  #find(path: Path): Found | null {
    let node: unknown = this.#document.contents;
    let found: Found | null = null;
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => keyText(item) === String(step));
        if (!pair) return null;
        found = { parent: node, item: pair, key: pair.key, value: pair.value };
      } else if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
        const item = node.items[step];
        found = { parent: node, item, key: null, value: item };
      } else {
        return null;
      }
      node = found.value;
    }
    return found;
  }
}

function keyText(pair: Pair): string | null {
  return isScalar(pair.key) ? String(pair.key.value ?? '') : null;
}

function offsetOf(node: unknown): number | null {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return range?.[0] ?? null;
}

/** Reports what may not be in a tree that was parsed, and takes out what cannot stay. */
class Cleaner {
  readonly problems: Problem[] = [];
  readonly #source: YamlSource;

  constructor(source: YamlSource) {
    this.#source = source;
  }

  run(document: Document.Parsed): void {
    visit(document, {
      Pair: (_, pair) => this.#pair(pair),
      Map: (_, map) => this.#map(map),
      Seq: (_, seq) => this.#plain(seq),
      Scalar: (_, scalar) => this.#plain(scalar),
      Alias: (_, node) => {
        this.#report(node, `aliases (*${node.source}) are not allowed: write the value out`);
        return visit.REMOVE;
      },
    });
  }

  #report(node: unknown, message: string): void {
    this.problems.push(this.#source.problemAt(offsetOf(node) ?? 0, message));
  }

  #plain(node: { anchor?: string; tag?: string }): undefined {
    if (node.anchor) this.#report(node, `anchors (&${node.anchor}) are not allowed: remove it`);
    if (node.tag) this.#report(node, `tags (${node.tag}) are not allowed: remove it`);
  }

  #pair(pair: Pair): symbol | undefined {
    const key = keyText(pair);
    if (key === null || key === '__proto__') {
      this.#report(pair.key, 'a key must be a plain word');
    } else if (key === '<<') {
      this.#report(pair.key, 'merge keys (<<) are not allowed: write the keys out');
    } else if (isAlias(pair.value)) {
      const alias = `aliases (*${pair.value.source}) are not allowed`;
      this.#report(pair.value, `${alias}: write the value out`);
    } else {
      return undefined;
    }
    return visit.REMOVE;
  }

  #map(map: YAMLMap): undefined {
    this.#plain(map);
    const first = new Map<string, Pair>();
    map.items = map.items.filter((pair) => {
      const key = keyText(pair);
      const earlier = key === null ? undefined : first.get(key);
      if (key !== null && !earlier) first.set(key, pair);
      if (!earlier) return true;
      const { line } = this.#source.problemAt(offsetOf(earlier.key) ?? 0, '');
      this.#report(pair.key, `"${key}" is given twice, first in line ${line}: keep one of them`);
      return false;
    });
  }
}

export interface Parsed {
  readonly source: YamlSource;
  readonly problems: readonly Problem[];
}

/** Parser and visitor recurse by depth of nesting, and a file of brackets exhausts the stack. */
const OUT_OF_STACK = /call stack/;

function tooDeep(file: string): Problem {
  return { file, line: 1, column: 1, message: 'not readable as YAML: nested too deeply' };
}

/** What to write instead, for the parser's errors that do not say it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: 'write blanks',
  BAD_SCALAR_START: 'write the value in quotes',
  BAD_DQ_ESCAPE: 'write \\\\ for a backslash, or use single quotes',
  MISSING_CHAR: 'add it',
  UNEXPECTED_TOKEN: 'write a value with brackets, braces or a colon in quotes',
  MULTIPLE_DOCS: 'remove the line ---, or move what follows to another file',
};

function syntaxProblem(error: YAMLParseError, document: Document, source: YamlSource): Problem {
  const advice = ADVICE[error.code];
  const what = error.code === 'MULTIPLE_DOCS' ? 'a second document' : error.message;
  const message = `not YAML: ${what}${advice ? `: ${advice}` : ''}`;
  let [offset] = error.pos;
  if (error.code === 'MISSING_CHAR') {
    // An unclosed quote is noticed at the end of the file, but it is mended where it opens.
    visit(document, {
      Scalar: (_, { type, range }) => {
        const quoted = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE';
        if (quoted && range && range[0] <= offset && offset <= range[2]) offset = range[0];
      },
    });
  }
  return source.problemAt(offset, message);
}

/** Parses one file. The error holds the problem of syntax; otherwise there may be `problems` still. */
export function parseYaml(file: string, text: string): Result<Parsed, Problem[]> {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      version: '1.2',
      logLevel: 'error', // 'silent' would let a second document pass
    });
    const source = new YamlSource(file, document, lines);
    // Only the first error of syntax is the operator's: the others are what it made of the rest.
    const [syntax] = document.errors;
    if (syntax && OUT_OF_STACK.test(syntax.message)) return err([tooDeep(file)]);
    if (syntax) return err([syntaxProblem(syntax, document, source)]);
    const cleaner = new Cleaner(source);
    cleaner.run(document);
    const yaml = document.directives.yaml;
    if (yaml.explicit && yaml.version !== '1.2') {
      cleaner.problems.push(source.problemAt(0, 'not YAML 1.2: remove the %YAML line'));
    }
    source.data();
    return ok({ source, problems: cleaner.problems });
  } catch (error) {
    if (error instanceof RangeError) return err([tooDeep(file)]);
    throw error;
  }
}
