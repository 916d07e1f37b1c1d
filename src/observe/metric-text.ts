/**
 * Prometheus' text format (version 0.0.4, and what OpenMetrics adds to its lines): samples of the
 * metrics that are asked for. Other lines are not looked into. A line of theirs that cannot be read is an
 * error: what it says is not zero. Never throws.
 */
import { err, ok, type Result } from '../base/result.ts';

export interface Sample {
  readonly metric: string;
  readonly labels: ReadonlyMap<string, string>;
  /** Name and labels as they stand in the text: tells one series from another. */
  readonly series: string;
  /** May be infinite or not a number: exporters say that of what they do not know. */
  readonly value: number;
}

export const SAMPLES_MAX = 20_000;

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"([^"\\]*(?:\\.[^"\\]*)*)"\s*(?:,|(?=\}))/y;
const CLOSE = /\s*\}/y;
/** The value, and maybe a time and an exemplar. */
const VALUE = /^\s*([^\s#]+)(?:\s+-?[0-9.]+(?:e[+-]?[0-9]+)?)?\s*(?:#.*)?$/i;
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;
/** The words beside numbers, as Go reads them. */
const WORD = /^(?:nan|([+-]?)inf(?:inity)?)$/i;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n' };

/** The part of `line` that `pattern` finds at `at`. */
function take(pattern: RegExp, line: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(line);
}

function numberOf(text: string): number | null {
  if (DECIMAL.test(text)) return Number(text);
  const word = WORD.exec(text);
  if (!word) return null;
  if (word[1] === undefined) return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The labels from `at`, after the brace, and where they end; null if they are not labels. */
function labelsOf(line: string, at: number): { labels: Map<string, string>; end: number } | null {
  const labels = new Map<string, string>();
  for (;;) {
    const close = take(CLOSE, line, at);
    if (close) return { labels, end: CLOSE.lastIndex };
    const label = take(LABEL, line, at);
    if (!label) return null;
    labels.set(
      label[1]!,
      label[2]!.replace(/\\(.)/g, (_, each: string) => ESCAPES[each] ?? each),
    );
    at = LABEL.lastIndex;
  }
}

function sampleOf(line: string, metric: string): Sample | null {
  const braced = line[metric.length] === '{';
  const found = braced
    ? labelsOf(line, metric.length + 1)
    : { labels: new Map<string, string>(), end: metric.length };
  if (!found) return null;
  const value = numberOf(VALUE.exec(line.slice(found.end))?.[1] ?? '');
  if (value === null) return null;
  return { metric, labels: found.labels, series: line.slice(0, found.end), value };
}

/** The samples of `metrics`, each series once. */
export function parseSamples(text: string, metrics: ReadonlySet<string>): Result<Sample[], string> {
  const samples: Sample[] = [];
  const seen = new Set<string>();
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    const next = end < 0 ? text.length : end;
    number++;
    const metric = take(NAME, text, at)?.[0];
    if (metric !== undefined && metrics.has(metric)) {
      const sample = sampleOf(text.slice(at, next).trimEnd(), metric);
      if (!sample) return err(`line ${number} is not a sample of ${metric}`);
      if (seen.has(sample.series))
        return err(`line ${number}: ${metric} again, with the same labels`);
      if (samples.length === SAMPLES_MAX) return err(`more than ${SAMPLES_MAX} series`);
      seen.add(sample.series);
      samples.push(sample);
    }
    at = next + 1;
  }
  return ok(samples);
}
