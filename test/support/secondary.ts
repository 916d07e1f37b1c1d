/** Secondaries that others wrote, each a process of its own on loopback that copies one zone. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { TOOLS_PATH } from '../../lab/tools.ts';
import type { TsigSecret } from '../../src/dns/transfer/signing.ts';
import type { HostPort } from '../../src/net/ip.ts';

const run = promisify(execFile);

interface Setting {
  readonly folder: string;
  readonly self: HostPort;
  readonly primary: HostPort;
  readonly zone: string;
  readonly key: TsigSecret;
}

interface Kind {
  readonly command: (config: string) => readonly string[];
  readonly config: (setting: Setting) => string;
}

const base64 = ({ secret }: TsigSecret): string => Buffer.from(secret).toString('base64');

export const SECONDARIES: Readonly<Record<string, Kind>> = {
  knotd: {
    command: (config) => ['-c', config],
    config: ({ folder, self, primary, zone, key }) => `
server:
  rundir: "${folder}"
  listen: ${self.address}@${self.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${folder}"
key:
  - id: ${key.name}
    algorithm: ${key.algorithm}
    secret: "${base64(key)}"
remote:
  - id: primary
    address: ${primary.address}@${primary.port}
    key: ${key.name}
acl:
  - id: notify
    address: 127.0.0.0/8
    key: ${key.name}
    action: notify
  - id: copy
    address: 127.0.0.0/8
    action: transfer
zone:
  - domain: ${zone}
    master: primary
    acl: [notify, copy]
    storage: "${folder}"
`,
  },
  nsd: {
    command: (config) => ['-d', '-c', config],
    config: ({ folder, self, primary, zone, key }) => `
server:
  ip-address: ${self.address}@${self.port}
  username: ""
  zonesdir: "${folder}"
  xfrdir: "${folder}"
  database: ""
  pidfile: "${folder}/pid"
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
key:
  name: "${key.name}"
  algorithm: ${key.algorithm}
  secret: "${base64(key)}"
zone:
  name: "${zone}"
  zonefile: "copy.zone"
  allow-notify: 127.0.0.0/8 ${key.name}
  request-xfr: ${primary.address}@${primary.port} ${key.name}
  provide-xfr: 127.0.0.0/8 NOKEY
`,
  },
  named: {
    command: (config) => ['-g', '-n', '1', '-c', config],
    config: ({ folder, self, primary, zone, key }) => `
options {
  directory "${folder}";
  pid-file "${folder}/pid";
  session-keyfile "${folder}/session.key";
  listen-on port ${self.port} { ${self.address}; };
  listen-on-v6 { none; };
  recursion no;
  notify no;
  allow-transfer { 127.0.0.0/8; };
};
controls { };
key "${key.name}" { algorithm ${key.algorithm}; secret "${base64(key)}"; };
zone "${zone}" {
  type secondary;
  file "copy.zone";
  primaries { ${primary.address} port ${primary.port} key "${key.name}"; };
  allow-notify { key "${key.name}"; };
};
`,
  },
};

/** A port that nobody has on this address, and that no client is given by chance. */
export async function freePort(address: string): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const tcp = createServer();
    const udp = createSocket('udp4');
    try {
      tcp.listen(port, address);
      await once(tcp, 'listening');
      udp.bind(port, address);
      await once(udp, 'listening');
      return port;
    } catch {
      // Somebody has it: try another.
    } finally {
      tcp.close();
      udp.close();
    }
  }
}

export class Secondary {
  readonly #folder = mkdtempSync(join(tmpdir(), 'isobar-secondary-'));
  readonly #address: HostPort;
  readonly #zone: string;
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  #log = '';

  constructor(kind: string, setting: Omit<Setting, 'folder'>) {
    const { command, config } = SECONDARIES[kind]!;
    const file = join(this.#folder, 'config');
    writeFileSync(file, config({ ...setting, folder: this.#folder }));
    this.#address = setting.self;
    this.#zone = setting.zone;
    const env = { ...process.env, PATH: TOOLS_PATH };
    this.#process = spawn(kind, [...command(file)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const note = (text: Buffer): void => {
      this.#log += text.toString();
    };
    this.#process.stdout!.on('data', note);
    this.#process.stderr!.on('data', note);
    this.#exit = new Promise((resolve) => this.#process.once('exit', resolve));
  }

  /** What it has printed. */
  get log(): string {
    return this.#log;
  }

  /** What dig prints with +short; empty while it does not answer. */
  async ask(name: string, type: string): Promise<string> {
    return this.#dig('+short', '+tries=1', '+time=1', name, type);
  }

  async serial(): Promise<number> {
    return Number((await this.ask(this.#zone, 'SOA')).split(' ')[2] ?? 0);
  }

  /** Every record that it has, sorted. */
  async zone(): Promise<string[]> {
    return digLines(await this.#dig('+onesoa', '+nocmd', '+nostats', this.#zone, 'AXFR'));
  }

  async #dig(...args: string[]): Promise<string> {
    const { address, port } = this.#address;
    try {
      return (await run('dig', [`@${address}`, '-p', String(port), ...args])).stdout;
    } catch {
      return '';
    }
  }

  async end(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#exit;
    rmSync(this.#folder, { recursive: true });
  }
}

/** Records that dig printed, without comments, white space evened out, sorted. */
export function digLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';') && !/\sTSIG\s/.test(line))
    .map((line) => line.replace(/\s+/g, ' '))
    .sort();
}
