/**
 * The servers that are measured: how each is told the same scene, on the same core, without logging
 * per query and without rate limits. A peer that is not installed is left out.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { isThere } from '../tools.ts';
import {
  type MapEntry,
  ORIGIN,
  type Scene,
  SITES,
  STEERED_NAMES,
  siteAddress,
} from './dns-scene.ts';
import { isobarFiles } from './isobar-deployment.ts';

export interface Peer {
  readonly name: string;
  readonly installed: () => boolean;
  /** Whether it can serve steered names by client subnet. */
  readonly steers: boolean;
  /** Writes its files into `dir`, an empty folder; returns the command that runs it in front. */
  readonly configure: (scene: Scene, dir: string) => readonly string[];
}

function write(dir: string, name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

const isobar: Peer = {
  name: 'isobar',
  installed: () => true,
  steers: true,
  configure: (scene, dir) => {
    isobarFiles(scene, dir);
    const main = new URL('../../src/cli/main.js', import.meta.url).pathname;
    const options = ['run', '--config', dir, '--site', SITES[0], '--log-level', 'error'];
    return [process.execPath, main, ...options];
  },
};

/** Networks with the datacentres in order, nearest first; the nearest is the one that is answered. */
function gdnsdNets(map: readonly MapEntry[]): string {
  const order = (site: number): string =>
    SITES.map((_, i) => SITES[(site + i) % SITES.length]).join(', ');
  return map.map(({ prefix, site }) => `${prefix} => [ ${order(site)} ]\n`).join('');
}

const gdnsd: Peer = {
  name: 'gdnsd',
  installed: () => isThere('gdnsd'),
  steers: true,
  configure: (scene, dir) => {
    for (const folder of ['zones', 'run', 'state', 'geoip']) mkdirSync(join(dir, folder));
    copyFileSync(scene.zoneFile, join(dir, 'zones', ORIGIN));
    const steered = scene.map.length > 0;
    if (steered) write(join(dir, 'geoip'), 'nets', gdnsdNets(scene.map));
    const targets = SITES.map((site, i) => `${site} => ${siteAddress(i)}`).join(', ');
    const geoip = `plugins => { geoip => {
  maps => { m => { datacenters => [ ${SITES.join(', ')} ], nets => nets } },
  resources => { r => { map => m, service_types => up, dcmap => { ${targets} } } },
} }`;
    write(
      dir,
      'config',
      `options => {
  listen => 127.0.0.1:${scene.port}
  udp_threads = ${scene.workers}
  tcp_threads = 1
  run_dir = ${join(dir, 'run')}
  state_dir = ${join(dir, 'state')}
}
${steered ? geoip : ''}
`,
    );
    return ['gdnsd', '-c', dir, 'start'];
  },
};

const knot: Peer = {
  name: 'knot',
  installed: () => isThere('knotd'),
  steers: false,
  configure: (scene, dir) => {
    const cookies = scene.cookies ? '\nmod-cookies:\n  - id: default\n' : '';
    const conf = write(
      dir,
      'knot.conf',
      `server:
    rundir: "${dir}"
    listen: 127.0.0.1@${scene.port}
    udp-workers: ${scene.workers}
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: "${dir}"
${cookies}
template:
  - id: default
    storage: "${dir}"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
${scene.cookies ? '    global-module: mod-cookies/default\n' : ''}
zone:
  - domain: ${ORIGIN}
    file: "${scene.zoneFile}"
`,
    );
    return ['knotd', '-c', conf];
  },
};

const nsd: Peer = {
  name: 'nsd',
  installed: () => isThere('nsd'),
  steers: false,
  configure: (scene, dir) => {
    const conf = write(
      dir,
      'nsd.conf',
      `server:
    ip-address: 127.0.0.1@${scene.port}
    server-count: ${scene.workers}
    reuseport: ${scene.workers > 1 ? 'yes' : 'no'}
    username: ""
    database: ""
    zonesdir: "${dir}"
    pidfile: "${join(dir, 'pid')}"
    zonelistfile: "${join(dir, 'zone.list')}"
    xfrdfile: "${join(dir, 'xfrd.state')}"
    xfrdir: "${dir}"
    cookie-secret-file: "${join(dir, 'cookies')}"
    answer-cookie: ${scene.cookies ? 'yes' : 'no'}
    minimal-responses: yes
    rrl-ratelimit: 0
    verbosity: 0
    tcp-count: 1000
remote-control:
    control-enable: no
zone:
    name: ${ORIGIN}
    zonefile: "${scene.zoneFile}"
`,
    );
    return ['nsd', '-d', '-c', conf];
  },
};

const powerdns: Peer = {
  name: 'powerdns',
  installed: () => isThere('pdns_server'),
  steers: false,
  configure: (scene, dir) => {
    const named = write(dir, 'named.conf', `zone "${ORIGIN}" { file "${scene.zoneFile}"; };\n`);
    const cookies = scene.cookies ? 'edns-cookie-secret=000102030405060708090a0b0c0d0e0f' : '';
    write(
      dir,
      'pdns.conf',
      `launch=bind
bind-config=${named}
local-address=127.0.0.1
local-port=${scene.port}
socket-dir=${dir}
receiver-threads=${scene.workers}
distributor-threads=1
reuseport=${scene.workers > 1 ? 'yes' : 'no'}
loglevel=0
security-poll-suffix=
version-string=anonymous
${cookies}
`,
    );
    return ['pdns_server', `--config-dir=${dir}`, '--daemon=no', '--guardian=no'];
  },
};

export const PEERS: readonly Peer[] = [isobar, gdnsd, knot, nsd, powerdns];

/** The zone data of the steered names as gdnsd has them, for its zone file. */
export const gdnsdSteered = (): string[] =>
  Array.from({ length: STEERED_NAMES }, (_, i) => `g${i} 60 DYNA geoip!r`);
