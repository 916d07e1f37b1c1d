/** `bench -- dns`: every mix against every server, interleaved round by round. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { until } from '../wait.ts';
import { HOSTS, MIXES, type Mix } from './dns-mixes.ts';
import { type Scene, SITES, siteAddress, writeZone } from './dns-scene.ts';
import { gdnsdSteered, PEERS, type Peer } from './dns-servers.ts';
import { dnsperf } from './dnsperf.ts';
import { API_PORT, CHECK_PORT, REDIS_PORT } from './isobar-deployment.ts';
import { MeasuredProcess } from './measured-process.ts';
import { answersNow, cookieOption } from './ready.ts';
import { median, type Row, summary, table } from './report.ts';

export interface DnsOptions {
  readonly mix: readonly string[];
  readonly server: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number;
}

export const PORT = 18_053;
/** Core of the client; the servers have the ones before it. */
const OUTSTANDING = 256;
const CLIENTS = 8;
const WARM_UP_S = 1;

/** One server under one mix for one round. */
async function round(
  peer: Peer,
  mix: Mix,
  scene: Scene,
  queries: string,
  seconds: number,
): Promise<Row> {
  const dir = join(scene.dir, `${peer.name}-${process.hrtime.bigint()}`);
  mkdirSync(dir);
  const command = peer.configure(scene, dir);
  const cores = scene.workers > 1 ? `0-${scene.workers - 1}` : '0';
  const clientCore = scene.workers > 1 ? `0-${scene.workers}` : '1';
  const others = scene.map.length > 0 && peer.name === 'isobar' ? companions(command, dir) : [];
  const server = new MeasuredProcess(command, cores, join(dir, 'log'));
  try {
    await answersNow(scene.port, server, 60_000);
    if (others.length > 0) await allHealthy();
    const load = {
      port: scene.port,
      file: queries,
      core: clientCore,
      transport: mix.transport,
      clients: CLIENTS,
      outstanding: OUTSTANDING,
      rate: null,
      option: mix.cookies ? await cookieOption(scene.port) : null,
    };
    await dnsperf({ ...load, seconds: WARM_UP_S });
    const before = server.cpu();
    const result = await dnsperf({ ...load, seconds });
    const after = server.cpu();
    const strange = Object.keys(result.rcodes).filter((code) => !mix.rcodes.includes(code));
    if (strange.length > 0) throw new Error(`${peer.name} answers ${strange.join(', ')}`);
    const per = (spent_s: number): number => (spent_s * 1e6) / result.answered;
    return {
      answers_per_s: result.answered / result.seconds,
      user_us: per(after.user - before.user),
      system_us: per(after.system - before.system),
      cpu_us: per(after.user - before.user + after.system - before.system),
      lost: result.lost,
      memory_mib: server.memory() / 2 ** 20,
    };
  } finally {
    await server.stop();
    for (const other of others) await other.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What a deployment of several sites has beside the measured one; on the client's core. */
function companions(command: readonly string[], dir: string): MeasuredProcess[] {
  const redis = ['redis-server', '--port', `${REDIS_PORT}`, '--save', '', '--dir', dir];
  const start = (words: readonly string[], name: string): MeasuredProcess =>
    new MeasuredProcess(words, '1', join(dir, `${name}.log`));
  const agents = SITES.slice(1).map((site) =>
    start(
      command.map((word) => (word === SITES[0] ? site : word)),
      site,
    ),
  );
  return [start([...redis, '--bind', '127.0.0.1'], 'redis'), ...agents];
}

async function allHealthy(): Promise<void> {
  await until('all sites to be healthy', 30_000, async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${API_PORT}/v1/status`);
      const status = (await response.json()) as { sites?: { state?: string }[] };
      return (
        status.sites?.length === SITES.length && status.sites.every((s) => s.state === 'healthy')
      );
    } catch {
      return false; // it does not listen yet
    }
  });
}

/** What the health checks of the steered names connect to. */
async function listenForChecks(): Promise<Server[]> {
  return Promise.all(
    SITES.map(
      (_, i) =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer((socket) => socket.destroy());
          server.once('error', reject);
          server.listen(CHECK_PORT, siteAddress(i), () => resolve(server));
        }),
    ),
  );
}

export async function benchDns(options: DnsOptions): Promise<void> {
  const peers = PEERS.filter(({ name, installed }) => options.server.includes(name) && installed());
  const dir = mkdtempSync(join(tmpdir(), 'isobar-bench-'));
  const checks = await listenForChecks();
  const figures: Record<string, Record<string, Row>> = {};
  try {
    for (const name of options.mix) {
      const mix = MIXES[name]!;
      const taking = mix.map === MIXES.geo!.map ? peers.filter(({ steers }) => steers) : peers;
      figures[name] = await measureMix(mix, taking, dir, options);
      process.stdout.write(`\n${name}: ${mix.about}\n${table(figures[name])}\n`);
    }
  } finally {
    for (const server of checks) server.close();
    rmSync(dir, { recursive: true, force: true });
  }
  const { rounds, seconds, workers } = options;
  process.stdout.write(`${summary('dns', { rounds, seconds, workers }, figures)}\n`);
}

async function measureMix(
  mix: Mix,
  peers: readonly Peer[],
  dir: string,
  { rounds, seconds, workers }: DnsOptions,
): Promise<Record<string, Row>> {
  const map = mix.map();
  const queries = mix.queries(dir, map);
  const zoneFile = join(dir, 'zone');
  writeZone(zoneFile, HOSTS);
  const scene = { dir, port: PORT, zoneFile, workers, map, cookies: mix.cookies };
  // Only gdnsd writes its steered names into the zone file.
  const gdnsdZone = `${zoneFile}.gdnsd`;
  writeZone(gdnsdZone, HOSTS);
  if (map.length > 0) writeFileSync(gdnsdZone, `${gdnsdSteered().join('\n')}\n`, { flag: 'a' });
  const rows: Record<string, Row[]> = Object.fromEntries(peers.map(({ name }) => [name, []]));
  for (let i = 0; i < rounds; i++) {
    for (const peer of peers) {
      const own = peer.name === 'gdnsd' ? { ...scene, zoneFile: gdnsdZone } : scene;
      rows[peer.name]!.push(await round(peer, mix, own, queries, seconds));
    }
  }
  return Object.fromEntries(peers.map(({ name }) => [name, median(rows[name]!)]));
}
