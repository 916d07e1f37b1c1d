/** The `isobar` command as a process: one that ends by itself, and a daemon of one site. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import type { Status } from '../../src/agent/status.ts';
import { projectRoot, type TempDeployment } from './deployment.ts';
import { eventually } from './eventually.ts';

/** On a busy machine a process takes its time to start. */
const START_MAX_MS = 30_000;

export const MAIN = join(projectRoot, 'dist/src/cli/main.js');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export async function isobar(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

/** A port of 127.0.0.1 that was free for TCP a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Where fra of a prepared deployment is. */
export interface Place {
  readonly dir: string;
  readonly dns: { readonly address: string; readonly port: number };
  /** URL of the API. */
  readonly api: string;
}

/** fra alone: ports of its own, one load balancer that is healthy, at `health`, and one that is not. */
export async function prepareFra(copy: TempDeployment, health: number): Promise<Place> {
  const [dnsPort, apiPort] = [await freePort(), await freePort()];
  await copy.edit('sites/fra.yaml', '127.0.0.1:5301', `127.0.0.1:${dnsPort}`);
  await copy.edit('sites/fra.yaml', '127.0.0.1:8301', `127.0.0.1:${apiPort}`);
  await copy.edit('sites/fra.yaml', '127.1.1.1', '127.67.1.1');
  await copy.edit('sites/fra.yaml', '127.1.1.2', '127.67.1.2');
  await copy.edit('sites/fra.yaml', 'port: 1790', 'port: 1');
  await copy.edit('deployment.yaml', 'port: 8080', `port: ${health}`);
  const dns = { address: '127.0.0.1', port: dnsPort };
  return { dir: copy.dir, dns, api: `http://127.0.0.1:${apiPort}` };
}

/** `isobar run` of fra. */
export class FraProcess {
  readonly #place: Place;
  readonly #child: ChildProcess;
  log = '';

  constructor(place: Place, ...args: string[]) {
    this.#place = place;
    const run = [MAIN, 'run', '--site', 'fra', '--config', place.dir, ...args];
    this.#child = spawn(process.execPath, run, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async ready(): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      const ready = await fetch(`${this.#place.api}/readyz`).catch(() => null);
      return ready?.status === 200 && this.log.includes('agent is up');
    };
    await eventually('it is ready', isReady, START_MAX_MS);
  }

  async status(): Promise<Status> {
    return (await (await fetch(`${this.#place.api}/v1/status`)).json()) as Status;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it, and waits for that. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; ms: number }> {
    const ended = this.ended();
    this.#child.kill(signal);
    return ended;
  }

  /** Settles when it has ended, which it has not yet; `ms` counts from this call. */
  async ended(): Promise<{ code: number | null; ms: number }> {
    const began = performance.now();
    const [code] = (await once(this.#child, 'close')) as [number | null];
    return { code, ms: performance.now() - began };
  }

  /** For the end of a test, whatever has become of it. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end('SIGKILL');
  }
}

/** Gives the sites beside fra API addresses where nobody answers, whatever else runs on the machine. */
export async function moveOthers(copy: TempDeployment): Promise<void> {
  for (const [site, port] of [
    ['iad', 8302],
    ['sin', 8303],
  ] as const) {
    await copy.edit(`sites/${site}.yaml`, `127.0.0.1:${port}`, `127.0.0.1:${await freePort()}`);
  }
}
