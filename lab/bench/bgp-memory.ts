/**
 * `bench -- bgp-memory`: what the whole daemon of isobar needs while many neighbours have sent it many
 * routes each, all of them kept. The neighbours are sessions of one BIRD, with addresses of their own.
 */
import process from 'node:process';
import { BirdRouter } from '../bgp/bird.ts';
import {
  layScene,
  OUR_AS,
  OUR_LINK,
  OURS,
  routerSettings,
  type Scene,
  THEIR_AS,
  THEIR_LINK,
} from '../bgp/scene.ts';
import { withNetLab } from '../netns.ts';
import { readProc } from '../processes.ts';
import { monotonic_ms, pause, until } from '../wait.ts';
import { IsobarAnnouncer } from './bgp-isobar.ts';
import { type Row, summary, table } from './report.ts';

export interface BgpMemoryOptions {
  readonly neighbors: number;
  readonly routes: number;
}

const RECEIVED_MS = 120_000;
/** What was needed only to take the routes in is given back by then. */
const SETTLED_MS = 10_000;

const neighborAddress = (i: number): string => `10.78.${i >> 8}.${i & 255}`;

function birdLines({ neighbors, routes }: BgpMemoryOptions): string[] {
  const lines = ['protocol static own { ipv4;'];
  for (let i = 0; i < neighbors; i++) {
    for (let k = 0; k < routes; k++) {
      lines.push(`route ${20 + (i >> 6)}.${(i & 63) * 4 + (k >> 8)}.${k & 255}.0/24 blackhole;`);
    }
  }
  lines.push('}');
  for (let i = 1; i <= neighbors; i++) {
    const at = i - 1;
    const own = `${20 + (at >> 6)}.${(at & 63) * 4}.0.0/14`;
    lines.push(
      `protocol bgp n${i} { local ${neighborAddress(i)} as ${THEIR_AS}; passive; direct;`,
      // Never dialled; but BIRD has one session only for each address and port.
      `neighbor ${OURS} port ${10_000 + i} as ${OUR_AS}; ipv4 { import none; export where net ~ [ ${own}{24,24} ]; }; }`,
    );
  }
  return lines;
}

function yamlLines({ neighbors, routes }: BgpMemoryOptions): string[] {
  return Array.from({ length: neighbors }, (_, i) => [
    `- {name: n${i + 1}, address: ${neighborAddress(i + 1)}, as: ${THEIR_AS}, connect_retry: 1s,`,
    `   receive: {accept: [0.0.0.0/0], prefixes_max: ${routes}}}`,
  ]).flat();
}

export async function benchBgpMemory(options: BgpMemoryOptions): Promise<void> {
  const row = await withNetLab('bmem', async (lab) => measure(await layScene(lab), options));
  const figures = { memory: { isobar: row } };
  process.stdout.write(`${table(figures.memory, 'rss_mib')}\n`);
  process.stdout.write(`${summary('bgp-memory', { ...options }, figures, 'rss_mib')}\n`);
}

async function measure(scene: Scene, options: BgpMemoryOptions): Promise<Row> {
  for (let i = 1; i <= options.neighbors; i++) {
    await scene.router.ip(`address add ${neighborAddress(i)}/32 dev ${THEIR_LINK}`);
  }
  await scene.speaker.ip(`route add 10.78.0.0/16 dev ${OUR_LINK} src ${OURS}`);
  const settings = routerSettings(scene, 'router', { kernel: false });
  const router = new BirdRouter({ ...settings, globalLines: birdLines(options) });
  await router.start();
  const none = new IsobarAnnouncer({ scene, dir: 'none', set: 'one', neighbors: [] });
  await none.prepare();
  await none.start();
  await pause(SETTLED_MS);
  const empty_mib = rss_mib(none.pid);
  await none.kill();
  const isobar = new IsobarAnnouncer({
    ...{ scene, dir: 'isobar', set: 'one' },
    neighbors: yamlLines(options),
  });
  await isobar.prepare();
  const started_ms = monotonic_ms();
  await isobar.start();
  await until('all routes to be sent', RECEIVED_MS, () => sentAll(router, options), 100);
  const taken_s = (monotonic_ms() - started_ms) / 1000;
  await pause(SETTLED_MS);
  const row = { rss_mib: rss_mib(isobar.pid), without_mib: empty_mib, taken_s };
  await isobar.kill();
  await router.kill();
  return row;
}

/** True when BIRD has exported all routes in every session. */
async function sentAll(router: BirdRouter, options: BgpMemoryOptions): Promise<boolean> {
  const answer = await router.ask('show protocols all');
  const exported = [...answer.matchAll(/imported, (\d+) exported/g)].map(([, n]) => Number(n));
  return exported.filter((n) => n === options.routes).length === options.neighbors;
}

function rss_mib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readProc(pid, 'status'))?.[1] ?? Number.NaN) / 1024;
}
