/**
 * A YAML file against its schema: every mistake at once, each at its place. What is wrong is then
 * taken out of the tree and the rest read again, so that one mistake does not hide the others that
 * only the whole deployment shows, nor causes any: a misspelt key is read as the one that was
 * probably meant. A file with problems never becomes part of a Config.
 */
import type { z } from 'zod';
import { type Path, parseYaml, type YamlSource } from './document.ts';
import { type JsonSchema, schemasAt } from './json-schema.ts';
import { PROBLEMS_MAX } from './limits.ts';
import { nearest, suggest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { shown } from './values.ts';

export interface YamlFile<Value> {
  readonly file: string;
  readonly source: YamlSource;
  /** The tree, misspelt keys mended, before anything was taken out, for the names that it mentions. */
  readonly raw: unknown;
  /** What is left of the file; null if nothing useful is. */
  readonly value: Value | null;
}

/** True if the file has the key, even with a mistake in it, which is then a problem of its own. */
export function mentions(file: YamlFile<unknown>, ...path: readonly string[]): boolean {
  let at = file.raw;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false;
    at = (at as Record<string, unknown>)[key];
  }
  return true;
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a mapping of keys and values',
  record: 'a mapping of keys and values',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

const EXAMPLES: Readonly<Record<string, string>> = {
  object: 'one, such as {key: value}',
  record: 'one, such as {key: value}',
  array: 'one, such as [first, second]',
  number: 'one, such as 0.5',
  int: 'one, such as 5',
};

const oneOf = (words: readonly unknown[]): string => words.map(String).join(', ');

/** Zod's own issues in our words; messages that a schema gives itself come before these. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  const found = shown(issue.input);
  switch (issue.code) {
    case 'invalid_type':
      if (KINDS[issue.expected]?.includes('number') && isNumeral(issue.input)) {
        return `${found} is text, not a number: write it without quotes`;
      }
      return `${found} is not ${KINDS[issue.expected]}: write ${EXAMPLES[issue.expected] ?? 'one'}`;
    case 'invalid_value': {
      const words = issue.values.map(String);
      const near = nearest(String(issue.input), words);
      const hint = near !== null && words.length > 1 ? `; did you mean ${near}?` : '';
      const choice = words.length > 1 ? 'one of ' : '';
      return `${found} is not allowed: write ${choice}${oneOf(words)}${hint}`;
    }
    case 'too_small':
    case 'too_big': {
      const small = issue.code === 'too_small';
      const limit = small ? issue.minimum : issue.maximum;
      const border = issue.inclusive
        ? `${small ? 'at least' : 'at most'} ${limit}`
        : `${small ? 'more' : 'less'} than ${limit}`;
      if (issue.origin === 'array') return `the wrong number of items: write ${border}`;
      return `${found} is too ${small ? 'small' : 'large'}: write ${border}`;
    }
    default:
      return undefined;
  }
}

const isNumeral = (value: unknown): boolean =>
  typeof value === 'string' && /^-?[0-9]+(\.[0-9]+)?$/.test(value);

interface Flat {
  readonly issue: z.core.$ZodIssue;
  readonly path: Path;
}

/** Issues without unions: of a union's branches, the one that the value was meant to be. */
function flatten(issues: readonly z.core.$ZodIssue[], base: Path): Flat[] {
  return issues.flatMap((issue): Flat[] => {
    const path = [...base, ...issue.path];
    if (issue.code !== 'invalid_union') return [{ issue, path }];
    const meant = issue.errors.find((branch) => !branch.some(isOtherKind));
    return meant ? flatten(meant, path) : [{ issue, path }];
  });
}

/** True for an issue that says the whole value is of another kind than the branch wants. */
function isOtherKind(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && issue.code !== 'unrecognized_keys' && issue.code !== 'custom';
}

class IssueReader {
  readonly problems: Problem[] = [];
  readonly doomed: Path[] = [];
  /** Unknown keys and what they were probably meant to be. */
  readonly misspelt: { readonly path: Path; readonly meant: string }[] = [];
  readonly #source: YamlSource;
  readonly #schema: JsonSchema;
  /** Paths of known keys that an unknown one was probably meant to be. */
  readonly #meant = new Set<string>();
  readonly #wrongPaths = new Set<string>();

  constructor(source: YamlSource, schema: JsonSchema) {
    this.#source = source;
    this.#schema = schema;
  }

  read(flat: readonly Flat[]): void {
    for (const { issue, path } of flat) {
      if (issue.code === 'unrecognized_keys') this.#unknownKeys(issue.keys, path);
    }
    for (const { issue, path } of flat) {
      if (this.full) return;
      if (issue.code === 'unrecognized_keys') continue;
      if (this.#source.has(path)) this.#wrong(issue, path);
      else this.#missing(path);
    }
  }

  /** The rest is not looked at: the file is not what it should be at all. */
  get full(): boolean {
    return this.problems.length >= PROBLEMS_MAX;
  }

  #schemas(path: Path): readonly JsonSchema[] {
    return schemasAt(this.#schema, path, this.#source.data());
  }

  #unknownKeys(keys: readonly string[], path: Path): void {
    const known = this.#schemas(path).flatMap((schema) => Object.keys(schema.properties ?? {}));
    const present = Object.keys((this.#source.valueAt(path) ?? {}) as object);
    const free = known.filter((key) => !present.includes(key));
    for (const key of keys) {
      if (this.full) return;
      const at = [...path, key];
      const meant = nearest(key, free);
      const message = `unknown key ${shown(key)}: ${suggest(key, new Set(meant !== null ? free : known))}`;
      this.problems.push(this.#source.problem(at, message, 'key'));
      const taken = JSON.stringify([...path, meant]);
      if (meant === null || this.#meant.has(taken)) {
        this.doomed.push(at);
      } else {
        this.#meant.add(taken);
        this.misspelt.push({ path: at, meant });
      }
    }
  }

  #missing(path: Path): void {
    if (this.#meant.has(JSON.stringify(path))) return;
    const above = path.slice(0, -1);
    const slip = this.#slip(above, String(path.at(-1)));
    if (slip !== null) {
      this.#unknownKeys([slip], above);
      return;
    }
    this.doomed.push(above);
    const message = `"${String(path.at(-1))}" is missing: add it${this.#advice(path)}`;
    this.problems.push(this.#source.problem(path, message));
  }

  /** The unknown key that is probably the missing `key`: without its kind, no union tells of any. */
  #slip(path: Path, key: string): string | null {
    const known = this.#schemas(path).flatMap((schema) => Object.keys(schema.properties ?? {}));
    const present = Object.keys((this.#source.valueAt(path) ?? {}) as object);
    const unknown = present.filter((each) => !known.includes(each));
    return unknown.find((each) => nearest(each, known) === key) ?? null;
  }

  /** What a missing key is for; for the `kind` of a mapping, which kinds there are. */
  #advice(path: Path): string {
    const key = String(path.at(-1));
    const found = this.#schemas(path.slice(0, -1)).flatMap(
      ({ properties }) => properties?.[key] ?? [],
    );
    const [first] = found;
    if (first?.const !== undefined) return `, one of ${oneOf(found.map((each) => each.const))}`;
    return first?.description ? ` (${first.description.replace(/\.$/, '')})` : '';
  }

  #wrong(issue: z.core.$ZodIssue, path: Path): void {
    const id = JSON.stringify(path);
    // What is not of its type is often too long or too short as well.
    if (this.#wrongPaths.has(id)) return;
    this.#wrongPaths.add(id);
    this.doomed.push(path);
    if (issue.code === 'invalid_key') {
      const message = issue.issues[0]?.message ?? issue.message;
      this.problems.push(this.#source.problem(path, message, 'key'));
    } else if (issue.code === 'invalid_union' && issue.discriminator !== undefined) {
      const words = this.#kinds(path);
      const value = this.#source.valueAt(path);
      const found = shown(value);
      const near = nearest(String(value), words);
      const hint = near !== null ? `; did you mean ${near}?` : '';
      const message = `${found} is not allowed: write one of ${oneOf(words)}${hint}`;
      this.problems.push(this.#source.problem(path, message));
    } else {
      const empty = path.length === 0 && this.#source.data() === null;
      const message = empty ? `the file is empty: write its keys, ${this.#keys()}` : issue.message;
      this.problems.push(this.#source.problem(path, message));
    }
  }

  /** The keys that the file must have. */
  #keys(): string {
    return `at least ${(this.#schema.required ?? []).join(', ')}`;
  }

  #kinds(path: Path): string[] {
    const parent = schemasAt(this.#schema, path.slice(0, -1), undefined);
    return parent.map((schema) => String(schema.properties?.kind?.const));
  }
}

/**
 * The problems of the tree and those of the schema. At one place the schema knows better: [::1]:53
 * without quotes is not a strange key, but an address.
 */
function joined(tree: readonly Problem[], schema: readonly Problem[]): Problem[] {
  const placeOf = ({ line, column }: Problem): string => `${line}:${column}`;
  const taken = new Set(schema.map(placeOf));
  return [...tree.filter((problem) => !taken.has(placeOf(problem))), ...schema];
}

/** Reads `text` by `schema`; `json` is the same schema as JSON Schema. */
export function parseFile<Schema extends z.ZodType>(
  file: string,
  text: string,
  schema: Schema,
  json: JsonSchema,
): { readonly file: YamlFile<z.output<Schema>> | null; readonly problems: readonly Problem[] } {
  const parsed = parseYaml(file, text);
  if (!parsed.ok) return { file: null, problems: parsed.error };
  const { source } = parsed.value;
  let { problems } = parsed.value;
  let raw: unknown;
  for (let first = true; ; first = false) {
    const result = schema.safeParse(source.data(), { error: explain });
    if (result.success) {
      raw ??= source.data();
      return { file: { file, source, raw, value: result.data }, problems };
    }
    const reader = new IssueReader(source, json);
    reader.read(flatten(result.error.issues, []));
    for (const { path, meant } of reader.misspelt) source.rename(path, meant);
    if (first) {
      // Later rounds see only what mending and taking out have left behind: nobody's mistake.
      problems = joined(problems, reader.problems);
      raw = source.data();
    }
    const changed = source.remove(reader.doomed) || reader.misspelt.length > 0;
    if (!changed || reader.full) return { file: { file, source, raw, value: null }, problems };
  }
}
