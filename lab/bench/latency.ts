/**
 * `bench -- latency`: how long an answer takes while a server is under the same load as every other:
 * 70 % of what the slowest of them can answer.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { PORT } from './dns.ts';
import { HOSTS, MIXES } from './dns-mixes.ts';
import { type Scene, writeZone } from './dns-scene.ts';
import { PEERS, type Peer } from './dns-servers.ts';
import { dnsperf, type Load } from './dnsperf.ts';
import { MeasuredProcess } from './measured-process.ts';
import { answersNow } from './ready.ts';
import { median, type Row, summary, table } from './report.ts';
import type { ZonesOptions } from './zone-size.ts';

const run = promisify(execFile);

const WARM_UP_S = 3;

/** Part of the slowest server's capacity that all are loaded with. */
const PART = 0.7;

/** Figures of the prober: milliseconds, and how many queries it lost. */
export async function probe(file: string, seconds: number): Promise<Row> {
  const prober = new URL('./prober.js', import.meta.url).pathname;
  const words = ['-n', '-20', 'taskset', '-c', '1', process.execPath, prober];
  const { stdout } = await run('nice', [...words, `${PORT}`, file, `${seconds}`]);
  return JSON.parse(stdout) as Row;
}

async function withServer<T>(
  peer: Peer,
  scene: Scene,
  measure: (server: MeasuredProcess) => Promise<T>,
): Promise<T> {
  const dir = join(scene.dir, `${peer.name}-${process.hrtime.bigint()}`);
  mkdirSync(dir);
  const server = new MeasuredProcess(peer.configure(scene, dir), '0', join(dir, 'log'));
  try {
    await answersNow(scene.port, server, 60_000);
    return await measure(server);
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export async function benchLatency(options: ZonesOptions): Promise<void> {
  const { rounds, seconds } = options;
  const peers = PEERS.filter(({ name, installed }) => options.server.includes(name) && installed());
  const dir = mkdtempSync(join(tmpdir(), 'isobar-bench-'));
  try {
    const zoneFile = join(dir, 'zone');
    writeZone(zoneFile, HOSTS);
    const scene = { dir, port: PORT, zoneFile, workers: 1, map: [], cookies: false };
    const file = MIXES.static!.queries(dir, []);
    const load: Load = {
      port: PORT,
      file,
      seconds,
      core: '1',
      transport: 'udp',
      clients: 8,
      outstanding: 256,
      rate: null,
      option: null,
    };
    const capacity: number[] = [];
    for (const peer of peers) {
      const { answered, seconds: took } = await withServer(peer, scene, () => dnsperf(load));
      capacity.push(answered / took);
    }
    const rate = Math.round(Math.min(...capacity) * PART);
    const rows: Record<string, Row[]> = Object.fromEntries(peers.map(({ name }) => [name, []]));
    for (let i = 0; i < rounds; i++) {
      for (const peer of peers) {
        const figures = await withServer(peer, scene, async () => {
          // Compilers and caches have done their work before anything is timed.
          await dnsperf({ ...load, seconds: WARM_UP_S, rate });
          const loaded = dnsperf({ ...load, seconds: seconds + 1, rate });
          const probed = await probe(file, seconds);
          return { ...probed, load_lost: (await loaded).lost };
        });
        rows[peer.name]!.push(figures);
      }
    }
    const medians = Object.fromEntries(
      Object.entries(rows).map(([name, all]) => [name, median(all)]),
    );
    process.stdout.write(`\n${rate.toLocaleString('en')} queries per second\n`);
    process.stdout.write(`${table(medians, 'p99_ms')}\n`);
    process.stdout.write(
      `${summary('latency', { rounds, seconds, rate }, { latency: medians }, 'p99_ms')}\n`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
