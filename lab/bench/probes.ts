/**
 * `bench -- probes`: what it costs to probe many load balancers by HTTP, each probe a connection of its
 * own, and what clients of the DNS server notice of it. The load balancers are nginx, whose CPU time does
 * not count.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isThere } from '../tools.ts';
import { until } from '../wait.ts';
import { PORT } from './dns.ts';
import { hostName, hostType, ORIGIN, writeQueries, writeZone } from './dns-scene.ts';
import { dnsperf } from './dnsperf.ts';
import { API_PORT } from './isobar-deployment.ts';
import { probe } from './latency.ts';
import { MeasuredProcess } from './measured-process.ts';
import { answersHttp, nginx, WEB_ADDRESSES, WEB_PORT, webAddress } from './probes-web.ts';
import { answersNow } from './ready.ts';
import { median, type Row, summary, table } from './report.ts';

export interface ProbesOptions {
  readonly targets: number;
  readonly interval: number;
  readonly rounds: number;
  readonly seconds: number;
}

const run = promisify(execFile);
const OBSERVER = fileURLToPath(new URL('./probes-observer.js', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** DNS queries per second while the daemon probes. */
const QUERY_RATE = 30_000;
const HOSTS = 1_000;
/** The daemon's configuration takes no more endpoints of one site; they are probed more often. */
const DAEMON_CHECKS = 2;

export async function benchProbes(options: ProbesOptions): Promise<void> {
  if (!isThere('nginx')) throw new Error('there is no nginx: run lab/setup --bench');
  const dir = mkdtempSync(join(tmpdir(), 'isobar-bench-'));
  const web = new MeasuredProcess(nginx(dir), '1', join(dir, 'nginx.log'));
  try {
    await until('nginx', 10_000, async () => {
      if (web.failure !== null) throw new Error(web.failure);
      return await answersHttp(webAddress(WEB_ADDRESSES - 1));
    });
    const costs: Row[] = [];
    for (let i = 0; i < options.rounds; i++) costs.push(await observe(options));
    const rows: Record<string, Row[]> = { 'with probes': [], without: [] };
    for (let i = 0; i < options.rounds; i++) {
      rows['with probes']!.push(await latency(dir, options, true));
      rows.without!.push(await latency(dir, options, false));
    }
    const { targets, interval } = options;
    process.stdout.write(`\n${targets.toLocaleString('en')} probes every ${interval} s\n`);
    const cost = { isobar: median(costs) };
    process.stdout.write(`${table(cost, 'cpu_us')}\n\nDNS, ${QUERY_RATE} queries per second\n`);
    const medians = Object.fromEntries(Object.entries(rows).map(([k, all]) => [k, median(all)]));
    process.stdout.write(`${table(medians, 'p99_ms')}\n`);
    const figures = { cost, latency: medians };
    process.stdout.write(`${summary('probes', { ...options }, figures, 'cpu_us')}\n`);
  } finally {
    await web.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The real Observer in a process of its own, which tells what it has used. */
async function observe({ targets, interval, seconds }: ProbesOptions): Promise<Row> {
  const words = ['-c', '0', process.execPath, OBSERVER, `${targets}`, `${interval}`, `${seconds}`];
  const { stdout } = await run('taskset', words);
  return JSON.parse(stdout) as Row;
}

/** The whole daemon under a load of queries; without probes they come once an hour. */
async function latency(
  parent: string,
  { targets, interval, seconds }: ProbesOptions,
  probes: boolean,
): Promise<Row> {
  const dir = mkdtempSync(join(parent, 'isobar-'));
  for (const folder of ['sites', 'zones']) mkdirSync(join(dir, folder));
  writeZone(join(dir, 'zones', `${ORIGIN}.zone`), HOSTS);
  const every_ms = Math.round((1000 * interval * DAEMON_CHECKS * WEB_ADDRESSES) / targets);
  const timing = probes ? `interval: ${every_ms}ms, timeout: ${every_ms}ms` : 'interval: 1h';
  const numbers = Array.from({ length: DAEMON_CHECKS }, (_, i) => i);
  const put = (file: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, file), `${lines.join('\n')}\n`);
  put('deployment.yaml', [
    'deployment: bench',
    'checks:',
    ...numbers.map((i) => `  web${i}: {kind: http, port: ${WEB_PORT}, ${timing}}`),
  ]);
  put('sites/one.yaml', [
    'site: one',
    `dns: {listen: ["127.0.0.1:${PORT}"], workers: 1}`,
    `api: {listen: "127.0.0.1:${API_PORT}"}`,
    'load_balancers:',
    ...Array.from(
      { length: WEB_ADDRESSES },
      (_, i) => `  - {name: lb-${i}, address: ${webAddress(i)}}`,
    ),
  ]);
  put(`zones/${ORIGIN}.yaml`, [
    `zone: ${ORIGIN}`,
    'services:',
    ...numbers.map((i) => `  - {name: svc${i}, check: web${i}, pool: all}`),
  ]);
  const command = [
    process.execPath,
    MAIN,
    'run',
    '--config',
    dir,
    '--site',
    'one',
    '--log-level',
    'error',
  ];
  const server = new MeasuredProcess(command, '0', join(dir, 'log'));
  try {
    await answersNow(PORT, server, 30_000);
    const file = writeQueries(dir, 'hosts', 200_000, (random) => {
      const i = random.int(HOSTS);
      return `${hostName(i)}.${ORIGIN} ${hostType(i)}`;
    });
    const more = { transport: 'udp', clients: 8, outstanding: 256, option: null } as const;
    const load = { port: PORT, file, core: '1', rate: QUERY_RATE, ...more };
    await dnsperf({ ...load, seconds: 3 });
    const loaded = dnsperf({ ...load, seconds: seconds + 1 });
    return { ...(await probe(file, seconds)), load_lost: (await loaded).lost };
  } finally {
    await server.stop();
  }
}
