/**
 * The load out of metrics in Prometheus' text format, fetched by HTTP, by an expression. A metric that is
 * not there, or that is not a number, makes the load unknown; so does a division by zero.
 */
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { LoadMeterTiming, PrometheusSource } from '../model/load.ts';
import { fetchText } from './meter-input.ts';
import { CounterBook } from './meter-rates.ts';
import { loadReading, type MeterReading, type ReadMeter } from './meter-reading.ts';
import { silenceOf } from './meter-state.ts';
import {
  type Expression,
  type Join,
  type Operator,
  parseExpression,
  type Selector,
  type SeriesTerm,
  termsOf,
} from './metric-expression.ts';
import { parseSamples, type Sample } from './metric-text.ts';
import { matchesPattern } from './name-pattern.ts';

/** What large proxies export. */
const TEXT_BYTES_MAX = 4_194_304;

const JOINS: { readonly [Each in Join]: (values: readonly number[]) => number } = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  max: (values) => values.reduce((most, value) => Math.max(most, value)),
  min: (values) => values.reduce((least, value) => Math.min(least, value)),
  avg: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
};

const ARITHMETIC: { readonly [Each in Operator]: (left: number, right: number) => number } = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
};

function selects({ metric, matchers }: Selector, sample: Sample): boolean {
  if (metric !== sample.metric) return false;
  return matchers.every(({ label, negated, patterns }) => {
    const value = sample.labels.get(label) ?? '';
    return patterns.some((pattern) => matchesPattern(pattern, value)) !== negated;
  });
}

/** The samples of a term: at least one, and all of them numbers. */
function chosen(term: SeriesTerm, samples: readonly Sample[]): Result<Sample[], string> {
  const { selector, join } = term;
  const found = samples.filter((sample) => selects(selector, sample));
  if (found.length === 0) return err(`no series matches ${selector.text}`);
  if (join === null && found.length > 1) {
    const advice = 'write sum(…) around it, or choose one by its labels';
    return err(`${found.length} series match ${selector.text}: ${advice}`);
  }
  const odd = found.find(({ value }) => !Number.isFinite(value));
  return odd ? err(`${odd.series} is ${odd.value}`) : ok(found);
}

function calculate(expression: Expression, of: ReadonlyMap<SeriesTerm, number>): number {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'negative':
      return -calculate(expression.of, of);
    case 'series':
      return of.get(expression)!;
    case 'arithmetic': {
      const { operator, left, right } = expression;
      return ARITHMETIC[operator](calculate(left, of), calculate(right, of));
    }
  }
}

/** The load at `now` from an exporter's text; `book` remembers the counters for the next time. */
export function loadFromMetrics(
  text: string,
  expression: Expression,
  book: CounterBook,
  now: number,
): Result<MeterReading, string> {
  const terms = termsOf(expression);
  const samples = parseSamples(text, new Set(terms.map(({ selector }) => selector.metric)));
  if (!samples.ok) return samples;
  const counters = new Map<string, number>();
  const inTerm = new Map<SeriesTerm, readonly Sample[]>();
  for (const term of terms) {
    const found = chosen(term, samples.value);
    if (!found.ok) return found;
    inTerm.set(term, found.value);
    if (term.rate) for (const { series, value } of found.value) counters.set(series, value);
  }
  let rates: ReadonlyMap<string, number> = new Map();
  if (counters.size > 0) {
    const read = book.rates(counters, now);
    if (read.kind === 'none') return ok({ value: null, detail: read.detail });
    rates = read.of;
  }
  const values = new Map<SeriesTerm, number>();
  for (const [term, found] of inTerm) {
    const each = found.flatMap(({ series, value }) =>
      term.rate ? (rates.get(series) ?? []) : value,
    );
    if (each.length === 0) {
      return ok({ value: null, detail: `all series of ${term.selector.text} are new` });
    }
    values.set(term, JOINS[term.join ?? 'sum'](each));
  }
  return loadReading(calculate(expression, values), 'the result of the expression');
}

export function prometheusMeter(
  meter: PrometheusSource & LoadMeterTiming,
  clock: Clock,
): ReadMeter {
  const { url, expression, timeout_ms } = meter;
  const limits = { timeout_ms, bytes_max: TEXT_BYTES_MAX };
  const book = new CounterBook(silenceOf(meter));
  const parsed = parseExpression(expression);
  return async (signal) => {
    if (!parsed.ok) return err(parsed.error.message);
    const text = await fetchText(url, limits, clock, signal);
    return text.ok ? loadFromMetrics(text.value, parsed.value, book, clock.now()) : text;
  };
}
