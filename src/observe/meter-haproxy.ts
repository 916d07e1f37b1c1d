/**
 * The load of an HAProxy: the sum of one field of its statistics over the chosen rows. They are read
 * from the stats socket ("show stat") or by HTTP ("/stats;csv"), which give the same table. A proxy
 * that is gone, or of which all is down, is no load of zero: it is unknown.
 */
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import { HAPROXY_COUNTERS, type HaproxySource, type LoadMeterTiming } from '../model/load.ts';
import { askSocket, fetchText } from './meter-input.ts';
import { CounterBook } from './meter-rates.ts';
import { loadReading, type ReadMeter } from './meter-reading.ts';
import { silenceOf } from './meter-state.ts';
import { matchesPattern, namePattern } from './name-pattern.ts';

/** About 4,000 rows. */
const TABLE_BYTES_MAX = 2_097_152;

/** The number that "show stat" knows a kind of row by, and the name in its column svname. */
const ROWS = {
  frontend: { type: 1, name: 'FRONTEND' },
  backend: { type: 2, name: 'BACKEND' },
  server: { type: 4, name: null },
} as const;

type Row = readonly string[];

/**
 * Cells of a table with commas, double quotes, and a line break after each row (RFC 4180 §2); null if it
 * is none.
 */
export function parseCsv(text: string): Row[] | null {
  const rows: Row[] = [];
  let row: string[] = [];
  const cell = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n)/gy;
  while (cell.lastIndex < text.length) {
    const match = cell.exec(text);
    if (!match) return null;
    row.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row); // the socket's answer ends with an empty line
    row = [];
  }
  return row.length === 0 ? rows : null;
}

type Selection = Pick<HaproxySource, 'proxies' | 'rows' | 'servers' | 'field'>;

/** "PROXY/SERVER" → the field, of the rows that are chosen and not down; never empty. */
export function haproxyValues(
  text: string,
  { proxies, rows, servers, field }: Selection,
): Result<ReadonlyMap<string, number>, string> {
  if (!text.startsWith('# pxname,svname,'))
    return err('the answer is not the statistics of HAProxy');
  const rowsOfAll = parseCsv(text);
  if (!rowsOfAll) return err('the statistics are damaged, or broke off');
  const [head, ...table] = rowsOfAll;
  const columns = { field: head!.indexOf(field), status: head!.indexOf('status') };
  if (columns.field < 0 || columns.status < 0) return err(`the statistics have no column ${field}`);
  const wanted = proxies.map(namePattern);
  const found = wanted.map(() => false);
  const chosenServers = servers.map(namePattern);
  const values = new Map<string, number>();
  let down = 0;
  for (const row of table) {
    const [proxy = '', server = ''] = row;
    if (kindOf(server) !== rows) continue;
    const fits = wanted.map((pattern) => matchesPattern(pattern, proxy));
    if (!fits.includes(true)) continue;
    if (rows === 'server' && !chosenServers.some((each) => matchesPattern(each, server))) continue;
    for (const [i, fit] of fits.entries()) if (fit) found[i] = true;
    if (isDown(row[columns.status] ?? '')) {
      down++;
      continue;
    }
    const cell = row[columns.field] ?? '';
    if (!/^[0-9]+$/.test(cell)) return err(`${server} of ${proxy} has no ${field}`);
    values.set(`${proxy}/${server}`, Number(cell));
  }
  const missing = found.indexOf(false);
  if (missing >= 0) return err(`no ${rows} row is of a proxy "${proxies[missing]}"`);
  return values.size > 0 ? ok(values) : err(`all ${down} chosen rows are down`);
}

function kindOf(server: string): HaproxySource['rows'] {
  if (server === ROWS.frontend.name) return 'frontend';
  return server === ROWS.backend.name ? 'backend' : 'server';
}

/** "DOWN", "DOWN 1/2" (on its way up, and not used yet), "DOWN (agent)", "MAINT (via …)", "STOP". */
function isDown(status: string): boolean {
  return /^(DOWN|MAINT|STOP)/.test(status);
}

export function haproxyMeter(meter: HaproxySource & LoadMeterTiming, clock: Clock): ReadMeter {
  const { from, rows, field, timeout_ms } = meter;
  const limits = { timeout_ms, bytes_max: TABLE_BYTES_MAX };
  const question = `show stat -1 ${ROWS[rows].type} -1\n`;
  const counts = HAPROXY_COUNTERS.some((each) => each === field);
  const book = new CounterBook(silenceOf(meter));
  const ask = async (signal: AbortSignal): Promise<Result<string, string>> => {
    if ('url' in from) return fetchText(from.url, limits, clock, signal);
    const answer = await askSocket(from.socket, question, limits, clock, signal);
    return answer.ok && !answer.value.endsWith('\n\n') ? err('the answer broke off') : answer;
  };
  return async (signal) => {
    const text = await ask(signal);
    const values = text.ok ? haproxyValues(text.value, meter) : text;
    if (!values.ok) return values;
    if (counts) return book.total(values.value, clock.now(), field);
    let sum = 0;
    for (const value of values.value.values()) sum += value;
    return loadReading(sum, field);
  };
}
