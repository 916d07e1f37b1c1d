/**
 * The whole daemon, `isobar run`, as a speaker under measurement. It is not commanded: the health of
 * a load balancer decides. The time of a command is that of the verdict: the millisecond in the log
 * line that tells it, which has begun before it, or the answer to the probe if that came later.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { wallOffset_ms } from '../bgp/route-watch.ts';
import { OUR_AS, OURS, type Scene, THEIR_AS, THEIRS } from '../bgp/scene.ts';
import { end } from '../netns.ts';
import { onLine, until } from '../wait.ts';
import { type Announcer, LOG_SHOWN, SETS, type SetName, type Turn } from './bgp-announcers.ts';
import type { HealthChange, HealthTold } from './bgp-health.ts';

const HEALTH = fileURLToPath(new URL('./bgp-health.js', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const HEALTH_PORT = 8001;
const PROBE_MS = 200;
export const DNS_PORT = 5300;

const VERDICT = /"time":"([^"]+)".*"msg":"endpoint is (?:up|down)"/;

export interface IsobarSite {
  readonly scene: Scene;
  readonly dir: string;
  readonly set: SetName;
  /** Lines of YAML below `neighbors`, without their indentation; one that is always told is added. */
  readonly neighbors: readonly string[];
}

/** As a neighbour of the router of the scene. */
export function isobarAnnouncer({ scene, dir, set, bfd }: Turn): IsobarAnnouncer {
  const router = [
    '- name: router',
    `  address: ${THEIRS}`,
    `  as: ${THEIR_AS}`,
    '  connect_retry: 500ms',
    '  announce: {by_fitness: {last_site_kept: {announce: false}}}',
    ...(bfd ? ['  bfd: {interval: 100ms, multiplier: 3}'] : []),
  ];
  return new IsobarAnnouncer({ scene, dir, set, neighbors: router });
}

export class IsobarAnnouncer implements Announcer {
  readonly #scene: Scene;
  readonly #dir: string;
  #daemon: ChildProcess | null = null;
  #health: ChildProcess | null = null;
  #log = '';
  readonly #offset_ms = wallOffset_ms();
  /** Who waits for the answer to the next probe, and for the next verdict. */
  #answered: (at_ms: number) => void = () => {};
  #judged: (at_ms: number) => void = () => {};

  constructor({ scene, dir, set, neighbors }: IsobarSite) {
    this.#scene = scene;
    this.#dir = join(scene.lab.dir, dir);
    writeFiles(this.#dir, set, neighbors);
  }

  /** The load balancer, which answers the probes. */
  async prepare(): Promise<void> {
    const words = [HEALTH, `${HEALTH_PORT}`];
    this.#health = this.#scene.speaker.spawnWithMessages(process.execPath, ...words);
    let listening = false;
    this.#health.on('message', ({ at_ms }: HealthTold) => {
      if (at_ms === null) listening = true;
      else this.#answered(at_ms);
    });
    await until('the load balancer', 10_000, () => listening);
  }

  async start(): Promise<void> {
    const run = [MAIN, 'run', '--site', 'fra', '--config', this.#dir];
    this.#daemon = this.#scene.speaker.spawn(process.execPath, ...run);
    const keep = (line: string): void => {
      this.#log += `${line}\n`;
      const verdict = VERDICT.exec(line);
      if (verdict) this.#judged(Date.parse(verdict[1]!) - this.#offset_ms);
    };
    onLine(this.#daemon, keep);
    this.#daemon.stderr?.on('data', (text: Buffer) => keep(text.toString()));
  }

  /** Keeps its DNS server as busy as one client can, until what is returned is ended. */
  busy(): ChildProcess {
    const queries = join(this.#dir, 'queries');
    writeFileSync(queries, 'ns1.bench.test A\nwww.bench.test A\nno.bench.test A\n');
    const server = ['-s', '127.0.0.1', '-p', `${DNS_PORT}`, '-d', queries];
    return this.#scene.speaker.spawn('dnsperf', ...server, '-l', '3600', '-c', '8', '-q', '256');
  }

  get pid(): number {
    return this.#daemon!.pid!;
  }

  log(): string {
    return this.#log.slice(-LOG_SHOWN);
  }

  announce(): Promise<number> {
    return this.#change(true);
  }

  withdraw(): Promise<number> {
    return this.#change(false);
  }

  signal(name: NodeJS.Signals): void {
    this.#daemon?.kill(name);
  }

  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#daemon?.once('exit', resolve));
    if (this.#daemon?.exitCode === null && this.#daemon.signalCode === null) {
      this.#daemon.kill('SIGKILL');
      await gone;
    }
    if (this.#health) await end(this.#health);
    this.#health = null;
  }

  async #change(healthy: boolean): Promise<number> {
    const times_ms = Promise.all([
      new Promise<number>((resolve) => {
        this.#answered = resolve;
      }),
      new Promise<number>((resolve) => {
        this.#judged = resolve;
      }),
    ]);
    this.#health!.send({ healthy } satisfies HealthChange);
    return Math.max(...(await times_ms));
  }
}

function writeFiles(dir: string, set: SetName, neighbors: readonly string[]): void {
  const vips = SETS[set].map((address, i) => [`vip${i}`, address] as const);
  for (const folder of ['sites', 'zones']) mkdirSync(join(dir, folder), { recursive: true });
  const put = (file: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, file), `${lines.join('\n')}\n`);
  put('deployment.yaml', [
    'deployment: bench',
    'checks:',
    `  up: {kind: http, port: ${HEALTH_PORT}, path: /, interval: ${PROBE_MS}ms, timeout: ${PROBE_MS}ms, rise: 1, fall: 1}`,
    'vips:',
    ...vips.map(
      ([name, address]) =>
        `  - {name: ${name}, services: [www.bench.test], prefixes: [${address}/32]}`,
    ),
    'policy:',
    '  health: {hold_down: 0s, damping: none}',
    '  routes: {hold_down: 0s}',
  ]);
  put('sites/fra.yaml', [
    'site: fra',
    `dns: {listen: ["127.0.0.1:${DNS_PORT}"]}`,
    'api: {listen: "127.0.0.1:8300"}',
    'load_balancers: [{name: lb, address: 127.0.0.1}]',
    `announce: [${vips.map(([name]) => name).join(', ')}]`,
    'bgp:',
    `  as: ${OUR_AS}`,
    '  router_id: 10.77.0.1',
    `  next_hop: ${OURS}`,
    '  neighbors:',
    ...neighbors.map((line) => `    ${line}`),
    // There is no other site, and the last one keeps its routes as long as it must. So another neighbour
    // is to be told, which is not there, and those under measurement need not be.
    '    - {name: nobody, address: 127.0.0.9, as: 64512, connect_retry: 600s}',
  ]);
  put('zones/bench.test.zone', [
    '$TTL 300',
    '@ IN SOA ns1 hostmaster 1 7200 900 1209600 60',
    '@ IN NS ns1',
    'ns1 IN A 192.0.2.1',
  ]);
  put('zones/bench.test.yaml', [
    'zone: bench.test',
    'services:',
    '  - {name: www, check: up, pool: all}',
  ]);
}
