/**
 * The schemas as tables for docs/configuration.md: one row for each key, with type, default and
 * meaning. A test compares the page with these rows, so that page and schema cannot drift.
 */
import { alternatives, type JsonSchema } from './json-schema.ts';

function typeOf(schema: JsonSchema): string {
  const words = alternatives(schema).map((branch): string => {
    if (branch.const !== undefined) return `\`${String(branch.const)}\``;
    if (branch.enum) return branch.enum.map((word) => `\`${String(word)}\``).join(', ');
    if (branch.format) return branch.format.replace(/^(an?|the) /, '');
    if (branch.type === 'array') return `list of ${typeOf(branch.items ?? {})}`;
    if (branch.type === 'object') return 'mapping';
    const kind = branch.type === 'integer' ? 'whole number' : (branch.type ?? 'value');
    const { minimum, maximum } = branch;
    return minimum !== undefined && maximum !== undefined ? `${kind} ${minimum}–${maximum}` : kind;
  });
  return [...new Set(words)].join(' or ');
}

function defaultOf(schema: JsonSchema, required: boolean): string {
  if (required) return 'required';
  const value = schema.default;
  if (value === undefined || isEmpty(value)) return '–';
  return `\`${flow(value)}\``;
}

/** As a file would have it in one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'string' && /^[*&]/.test(value)) return `"${value}"`; // not an alias or anchor
  if (typeof value !== 'object' || value === null) return String(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${key}: ${flow(inner)}`);
  return `{${pairs.join(', ')}}`;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Rows of a Markdown table, `| key | type | default | meaning |`, without its head. */
export function referenceRows(schema: JsonSchema, prefix = ''): string[] {
  const rows = new Map<string, string>();
  const add = (inner: readonly string[]): void => {
    for (const row of inner) if (!rows.has(row)) rows.set(row, row);
  };
  const kinds = alternatives(schema);
  for (const branch of kinds) {
    for (const [key, value] of Object.entries(branch.properties ?? {})) {
      if (value.$comment) continue; // the same key is described at another place
      const path = `${prefix}${key}`;
      const required = branch.required?.includes(key) ?? false;
      const meaning = value.description ?? '';
      add([`| \`${path}\` | ${typeOf(value)} | ${defaultOf(value, required)} | ${meaning} |`]);
      add(referenceRows(value, `${path}.`));
    }
    if (branch.items) add(referenceRows(branch.items, `${prefix.slice(0, -1)}[].`));
    if (typeof branch.additionalProperties === 'object') {
      add(referenceRows(branch.additionalProperties, `${prefix}NAME.`));
    }
  }
  return [...rows.keys()];
}
