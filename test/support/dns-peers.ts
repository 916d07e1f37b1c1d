/**
 * Knot and NSD over a folder of zone files, each one process on a loopback address of this test
 * process, for comparing answers. Whoever starts one ends it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { end } from '../../lab/netns.ts';
import { TOOLS_PATH } from '../../lab/tools.ts';
import { until } from '../../lab/wait.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { buildQuery, type ReadMessage } from './dns-query.ts';
import { askUdp } from './dns-server.ts';

export interface Peer {
  readonly name: string;
  readonly at: HostPort;
  stop(): Promise<void>;
}

/** Largest UDP answer that the peers send, in octets. */
export const PEER_PAYLOAD = 4096;

/** A loopback address that no other process of the tests uses; there are four, by `index`. */
export function ownAddress(index: 0 | 1 | 2 | 3 = 0): string {
  const { pid } = process;
  const octets = [64 + index * 16 + ((pid >> 14) & 15), (pid >> 7) & 127, 1 + (pid & 127)];
  return ['127', ...octets].join('.');
}

export interface PeerShape {
  /** Folder for its files. */
  readonly dir: string;
  /** Origins without the final dot; the zone file of each is `zones/ORIGIN.zone` in `dir`. */
  readonly origins: readonly string[];
  readonly at: HostPort;
}

export function startKnot({ dir, origins, at }: PeerShape): Promise<Peer> {
  const file = writeKnotConfig(dir, origins, [at]);
  return startProgram('knotd', ['-c', file], at, origins.at(-1)!);
}

/** Writes what `knotd -c` takes, and returns its path. */
export function writeKnotConfig(
  dir: string,
  origins: readonly string[],
  listen: readonly HostPort[],
): string {
  const home = join(dir, 'knot');
  mkdirSync(home);
  const zones = origins.map((origin) => `  - domain: ${origin}.\n    file: ${origin}.zone`);
  const at = listen.map(({ address, port }) => `"${address}@${port}"`);
  const config = `server:
    listen: [${at.join(', ')}]
    rundir: "${home}"
    udp-workers: 1
    tcp-workers: 2
    background-workers: 1
    udp-max-payload: ${PEER_PAYLOAD}
log:
  - target: stderr
    any: error
database:
    storage: "${home}"
template:
  - id: default
    storage: "${join(dir, 'zones')}"
    semantic-checks: off
    journal-content: none
    zonefile-load: whole
    zonefile-sync: -1
zone:
${zones.join('\n')}
`;
  const file = join(home, 'knot.conf');
  writeFileSync(file, config);
  return file;
}

export function startNsd({ dir, origins, at }: PeerShape): Promise<Peer> {
  const home = join(dir, 'nsd');
  mkdirSync(home);
  const zones = origins.map(
    (origin) => `zone:\n  name: "${origin}."\n  zonefile: "${origin}.zone"`,
  );
  const config = `server:
  ip-address: "${at.address}@${at.port}"
  server-count: 1
  username: ""
  database: ""
  zonesdir: "${join(dir, 'zones')}"
  pidfile: "${join(home, 'nsd.pid')}"
  xfrdfile: "${join(home, 'xfrd.state')}"
  zonelistfile: "${join(home, 'zone.list')}"
  logfile: "${join(home, 'nsd.log')}"
  ipv4-edns-size: ${PEER_PAYLOAD}
  minimal-responses: yes
  rrl-ratelimit: 0
  refuse-any: no
remote-control:
  control-enable: no
${zones.join('\n')}
`;
  writeFileSync(join(home, 'nsd.conf'), config);
  return startProgram('nsd', ['-d', '-c', join(home, 'nsd.conf')], at, origins.at(-1)!);
}

/**
 * Starts a program that answers DNS, and resolves when `ready` likes what it says about the SOA of
 * `origin`: by default, when it has the zone.
 */
export async function startProgram(
  program: string,
  args: readonly string[],
  at: HostPort,
  origin: string,
  ready = ({ aa }: ReadMessage): boolean => aa,
): Promise<Peer> {
  const env = { ...process.env, PATH: TOOLS_PATH };
  // The kernel ends it if this process is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { env });
  const said = listen(child);
  const soa = buildQuery({ name: origin, type: 6 });
  try {
    await until(`${program} to answer`, 10_000, async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended`);
      const answer = await askUdp(at, soa).catch(() => null);
      return answer !== null && ready(answer);
    });
  } catch (error) {
    await end(child);
    throw new Error(`${(error as Error).message}\n${said()}`);
  }
  return { name: program, at, stop: () => end(child) };
}

/** What a process prints, as it stands; its pipes never fill up. */
function listen(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-10_000);
    });
  }
  return () => text;
}
