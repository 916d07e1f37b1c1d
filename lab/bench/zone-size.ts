/** `bench -- zones`: time to load, memory and cost of an answer at 10³, 10⁵ and 10⁶ records. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { monotonic_ms } from '../wait.ts';
import { PORT } from './dns.ts';
import { hostName, hostType, ORIGIN, type Scene, writeQueries, writeZone } from './dns-scene.ts';
import { PEERS, type Peer } from './dns-servers.ts';
import { dnsperf } from './dnsperf.ts';
import { MeasuredProcess } from './measured-process.ts';
import { answersNow } from './ready.ts';
import { median, type Row, summary, table } from './report.ts';

export interface ZonesOptions {
  readonly server: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
}

const SIZES = [1_000, 100_000, 1_000_000] as const;
const QUERIES = 200_000;
const LOAD_MAX_MS = 120_000;

async function round(peer: Peer, scene: Scene, queries: string, seconds: number): Promise<Row> {
  const dir = join(scene.dir, `${peer.name}-${process.hrtime.bigint()}`);
  mkdirSync(dir);
  const command = peer.configure(scene, dir);
  const started = monotonic_ms();
  const server = new MeasuredProcess(command, '0', join(dir, 'log'));
  try {
    await answersNow(scene.port, server, LOAD_MAX_MS);
    const load_s = (monotonic_ms() - started) / 1000;
    const load = { port: scene.port, file: queries, core: '1', transport: 'udp' as const };
    const more = { clients: 8, outstanding: 256, rate: null, option: null };
    await dnsperf({ ...load, ...more, seconds: 1 });
    const before = server.cpu();
    const result = await dnsperf({ ...load, ...more, seconds });
    const after = server.cpu();
    const spent_s = after.user - before.user + after.system - before.system;
    return {
      load_s,
      memory_mib: server.memory() / 2 ** 20,
      cpu_us: (spent_s * 1e6) / result.answered,
      answers_per_s: result.answered / result.seconds,
      lost: result.lost,
    };
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export async function benchZones({ server, rounds, seconds }: ZonesOptions): Promise<void> {
  const peers = PEERS.filter(({ name, installed }) => server.includes(name) && installed());
  const dir = mkdtempSync(join(tmpdir(), 'isobar-bench-'));
  const figures: Record<string, Record<string, Row>> = {};
  try {
    for (const records of SIZES) {
      const zoneFile = join(dir, 'zone');
      writeZone(zoneFile, records);
      const queries = writeQueries(dir, `hosts-${records}`, QUERIES, (random) => {
        const i = random.int(records);
        return `${hostName(i)}.${ORIGIN} ${hostType(i)}`;
      });
      const scene = { dir, port: PORT, zoneFile, workers: 1, map: [], cookies: false };
      const rows: Record<string, Row[]> = Object.fromEntries(peers.map(({ name }) => [name, []]));
      for (let i = 0; i < rounds; i++) {
        for (const peer of peers) {
          rows[peer.name]!.push(await round(peer, scene, queries, seconds));
        }
      }
      const medians = Object.entries(rows).map(([name, all]) => [name, median(all)] as const);
      figures[`records_${records}`] = Object.fromEntries(medians);
      const shown = table(figures[`records_${records}`]!);
      process.stdout.write(`\n${records.toLocaleString('en')} records\n${shown}\n`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  process.stdout.write(`${summary('zones', { rounds, seconds }, figures)}\n`);
}
