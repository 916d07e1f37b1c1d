/** A BIRD 2 of its own for one test: unprivileged, on loopback, asked through birdc. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { TOOLS_PATH } from '../../lab/tools.ts';

const run = promisify(execFile);

export class Bird {
  readonly #folder = mkdtempSync(join(tmpdir(), 'isobar-bird-'));
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;

  /** `protocols` is added to a configuration that touches no kernel table. */
  constructor(protocols: string) {
    const config = join(this.#folder, 'bird.conf');
    const head = `log "${this.#log}" all;\nrouter id 10.0.0.254;\nprotocol device {}\n`;
    writeFileSync(config, head + protocols);
    const files = ['-c', config, '-s', this.#socket, '-P', join(this.#folder, 'pid')];
    const env = { ...process.env, PATH: TOOLS_PATH };
    this.#process = spawn('bird', ['-f', ...files], { env, stdio: 'inherit' });
    this.#exit = new Promise((resolve) => this.#process.once('exit', resolve));
  }

  get #log(): string {
    return join(this.#folder, 'log');
  }

  get #socket(): string {
    return join(this.#folder, 'ctl');
  }

  log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  /** What birdc prints; empty while BIRD is not up yet. */
  async ask(...command: string[]): Promise<string> {
    const env = { ...process.env, PATH: TOOLS_PATH };
    try {
      return (await run('birdc', ['-r', '-s', this.#socket, ...command], { env })).stdout;
    } catch {
      return '';
    }
  }

  /** A command that changes something. */
  async tell(...command: string[]): Promise<void> {
    await run('birdc', ['-s', this.#socket, ...command], {
      env: { ...process.env, PATH: TOOLS_PATH },
    });
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name);
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exit;
    rmSync(this.#folder, { recursive: true });
  }
}
