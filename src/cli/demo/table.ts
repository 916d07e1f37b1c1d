/** The exercise's table: one row per thing that was expected, written as soon as it was seen. */

export interface Row {
  readonly step: string;
  readonly expected: string;
  readonly seen: string;
  /** Null where time does not matter. */
  readonly ms: number | null;
  readonly ok: boolean;
}

const WIDTHS = { step: 22, expected: 36, seen: 36, ms: 7 } as const;

export function tableHead(): string {
  const { step, expected, seen, ms } = WIDTHS;
  const head = ['step'.padEnd(step), 'expected'.padEnd(expected), 'seen'.padEnd(seen)];
  const width = step + expected + seen + ms + 9;
  return `${head.join(' ')} ${'ms'.padStart(ms)}\n${'─'.repeat(width)}`;
}

/** The row as one line, or as many as its longest cell needs. */
export function tableRow(row: Row): string {
  const step = wrap(row.step, WIDTHS.step);
  const expected = wrap(row.expected, WIDTHS.expected);
  const seen = wrap(row.seen, WIDTHS.seen);
  const lines = [];
  for (let i = 0; i < Math.max(step.length, expected.length, seen.length); i++) {
    const ms = i === 0 ? formatMs(row.ms) : '';
    const cells = [
      (step[i] ?? '').padEnd(WIDTHS.step),
      (expected[i] ?? '').padEnd(WIDTHS.expected),
      (seen[i] ?? '').padEnd(WIDTHS.seen),
      ms.padStart(WIDTHS.ms),
      i === 0 ? (row.ok ? 'ok' : 'FAILED') : '',
    ];
    lines.push(cells.join(' ').trimEnd());
  }
  return lines.join('\n');
}

/** Tenths below 100 ms, where they matter. */
function formatMs(ms: number | null): string {
  if (ms === null) return '';
  return ms < 100 ? ms.toFixed(1) : ms.toFixed(0);
}

/** `text` in lines of at most `width` characters, broken at spaces; a longer word is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = word;
    if (line !== '' && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = '';
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  lines.push(line);
  return lines;
}
