/**
 * `bench -- reload`: what clients feel while isobar reads a zone of 10⁶ records anew: the longest
 * wait, what was lost, and how long the change takes to be answered.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { monotonic_ms, pause, until } from '../wait.ts';
import { PORT } from './dns.ts';
import { hostName, hostType, ORIGIN, SERIAL, writeQueries, writeZone } from './dns-scene.ts';
import { PEERS } from './dns-servers.ts';
import { dnsperf } from './dnsperf.ts';
import { probe } from './latency.ts';
import { MeasuredProcess } from './measured-process.ts';
import { answersNow, serialNow } from './ready.ts';
import { median, type Row, summary, table } from './report.ts';

export interface ReloadOptions {
  readonly records: number;
  readonly rounds: number;
  readonly rate: number;
}

/** The load goes on this long before and after the change is made. */
const BEFORE_S = 2;
const AFTER_S = 10;

export async function benchReload({ records, rounds, rate }: ReloadOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'isobar-bench-'));
  try {
    const zoneFile = join(dir, 'zone');
    writeZone(zoneFile, records);
    const file = writeQueries(dir, 'hosts', 200_000, (random) => {
      const i = random.int(records);
      return `${hostName(i)}.${ORIGIN} ${hostType(i)}`;
    });
    const scene = { dir, port: PORT, zoneFile, workers: 1, map: [], cookies: false };
    const own = join(dir, 'isobar');
    mkdirSync(own);
    const command = PEERS.find(({ name }) => name === 'isobar')!.configure(scene, own);
    const server = new MeasuredProcess(command, '0', join(dir, 'log'));
    const rows: Row[] = [];
    try {
      await answersNow(PORT, server, 120_000);
      for (let i = 1; i <= rounds; i++) {
        rows.push(
          await round(join(own, 'zones', `${ORIGIN}.zone`), records, SERIAL + i, file, rate),
        );
      }
    } finally {
      await server.stop();
    }
    const figures = { isobar: median(rows) };
    process.stdout.write(`\nreload of ${records.toLocaleString('en')} records\n`);
    process.stdout.write(`${table(figures, 'max_ms')}\n`);
    const settings = { records, rounds, rate };
    process.stdout.write(`${summary('reload', settings, { reload: figures }, 'max_ms')}\n`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function round(
  zone: string,
  records: number,
  serial: number,
  file: string,
  rate: number,
): Promise<Row> {
  const next = `${zone}.next`;
  writeZone(next, records, serial);
  const more = { transport: 'udp', clients: 8, outstanding: 256, option: null } as const;
  const seconds = BEFORE_S + AFTER_S;
  const loaded = dnsperf({ port: PORT, file, core: '1', seconds: seconds + 1, rate, ...more });
  const probed = probe(file, seconds);
  await pause(BEFORE_S * 1000);
  const changed = monotonic_ms();
  renameSync(next, zone);
  await until('the new serial', 60_000, async () => (await serialNow(PORT)) === serial, 20);
  const reload_s = (monotonic_ms() - changed) / 1000;
  return { reload_s, ...(await probed), load_lost: (await loaded).lost };
}
