/** Figures of a benchmark as a table for people and one line of JSON for machines. */
import { cpus, release } from 'node:os';
import process from 'node:process';

export type Row = Readonly<Record<string, number>>;

/** Of each figure the median over the rounds; of losses the sum. */
export function median(rows: readonly Row[]): Row {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const values = rows.map((row) => row[name]!).sort((a, b) => a - b);
      const middle = (values.length - 1) / 2;
      const value = (values[Math.floor(middle)]! + values[Math.ceil(middle)]!) / 2;
      return [name, name === 'lost' ? values.reduce((a, b) => a + b, 0) : value];
    }),
  );
}

/** Digits that a figure is worth. */
const shown = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(value < 10 ? 2 : 1);

/** One line for each server, with isobar's `cost` (a figure of the rows) as a ratio to each peer's. */
export function table(rows: Readonly<Record<string, Row>>, cost = 'cpu_us'): string {
  const names = Object.keys(Object.values(rows)[0] ?? {});
  const own = rows.isobar?.[cost];
  const ratio = (row: Row): string => (own === undefined ? '-' : (own / row[cost]!).toFixed(2));
  const lines = [
    ['server', ...names, 'isobar/it'],
    ...Object.entries(rows).map(([server, row]) => [
      server,
      ...names.map((name) => shown(row[name]!)),
      ratio(row),
    ]),
  ];
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) => line.map((word, i) => word.padStart(widths[i]!)).join('  '))
    .join('\n');
}

/** The closing line: every figure, and isobar's `cost` as a ratio to the best peer's. */
export function summary(
  bench: string,
  settings: Readonly<Record<string, number>>,
  figures: Readonly<Record<string, Readonly<Record<string, Row>>>>,
  cost = 'cpu_us',
): string {
  const ratios = Object.fromEntries(
    Object.entries(figures).map(([name, rows]) => {
      const peers = Object.entries(rows).filter(([server]) => server !== 'isobar');
      const best = Math.min(...peers.map(([, row]) => row[cost]!));
      const own = rows.isobar?.[cost];
      return [name, own === undefined || !Number.isFinite(best) ? null : own / best];
    }),
  );
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release() };
  const rounded = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(4)) : value;
  const all = { bench, node: process.version, machine, ...settings, cost, ratio: ratios, figures };
  return JSON.stringify(all, rounded);
}
