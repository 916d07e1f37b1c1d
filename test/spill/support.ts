/** The test deployment with kernel spill everywhere, and a machine that only records. */
import type { Config } from '../../src/model/config.ts';
import type { Host } from '../../src/net/host.ts';
import { testConfig } from '../support/config.ts';

export function kernelConfig(): Config {
  const config = testConfig();
  return {
    ...config,
    sites: config.sites.map((site) => ({
      ...site,
      spill: { ...site.spill!, driver: 'kernel' as const },
    })),
  };
}

/** Answers from tables; keeps every command and every input line, in order. */
export class RecordingHost implements Host {
  /** Program and arguments → standard output. What is not listed prints nothing. */
  readonly answers: Record<string, string> = {};
  readonly files: Record<string, string> = {};
  readonly commands: string[] = [];

  async run(program: string, args: readonly string[], input?: string): Promise<string> {
    const command = [program, ...args].join(' ');
    this.commands.push(command, ...(input ?? '').split('\n').filter(Boolean));
    return this.answers[command] ?? '';
  }

  async read(path: string): Promise<string> {
    const text = this.files[path];
    if (text === undefined) throw new Error(`${path}: no such file`);
    return text;
  }

  async write(path: string, text: string): Promise<void> {
    this.files[path] = text;
  }
}
