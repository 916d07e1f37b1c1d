/**
 * Runs a program for a probe or a load meter: a fixed list of arguments and no shell, so that nothing
 * read from anywhere is ever taken as a command. It never rejects and settles once, within its timeout.
 * What the program has started ends with it: it leads a process group of its own, which is killed
 * whole. The caller never runs the same command twice at once.
 */
import { Buffer } from 'node:buffer';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import process from 'node:process';
import type { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';

export interface CommandLimits {
  /** From the start of the program to its end. */
  readonly timeout_ms: number;
  /** Of standard output; more is a failure. Standard error is not read. */
  readonly output_bytes_max: number;
  /** What the program finds in its environment besides PATH and LANG; nothing of the daemon's own. */
  readonly env: Readonly<Record<string, string>>;
}

export type CommandOutcome =
  | {
      readonly kind: 'exit';
      readonly code: number;
      /** Standard output, decoded as UTF-8. */
      readonly output: string;
    }
  | {
      readonly kind: 'failed';
      /** Completes "the command …". */
      readonly detail: string;
    };

type Child = ChildProcessByStdio<null, Readable, null>;

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
};

/**
 * Commands that were killed and are not gone yet, as those that wait for a dead file server: they are
 * not started again, or they would pile up.
 */
const lingering = new Set<string>();

const START_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'was not found',
  EACCES: 'may not be run',
};

const startErrorText = ({ code, message }: NodeJS.ErrnoException): string =>
  START_ERRORS[code ?? ''] ?? `could not be started (${code ?? message})`;

/** Ends the program and all that it has started and that has not left its process group. */
function killGroup(child: Child): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

function open(argv: readonly string[], env: CommandLimits['env']): Child {
  return spawn(argv[0]!, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd: '/',
    env: { ...ENVIRONMENT, ...env },
    detached: true, // a process group of its own
  });
}

/** Runs `argv` (program and arguments). Aborting `signal` ends it at once, with "stopped". */
export function runCommand(
  argv: readonly string[],
  limits: CommandLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    const failed = (detail: string): void => resolve({ kind: 'failed', detail });
    if (signal.aborted) return failed('stopped');
    const key = JSON.stringify([argv, limits.env]);
    if (lingering.has(key)) return failed('the run before was killed and has not ended yet');
    let child: Child;
    try {
      child = open(argv, limits.env);
    } catch (error) {
      // Arguments that no program can have, such as one with a zero byte.
      return failed(startErrorText(error as Error));
    }
    let settled = false;
    let ended = false;
    let code: number | null = null;
    let signalName: string | null = null;
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      timer.cancel();
      signal.removeEventListener('abort', stop);
      return true;
    };
    const abandon = (detail: string): void => {
      if (!settle()) return;
      if (!ended) lingering.add(key);
      killGroup(child);
      child.stdout.destroy();
      failed(detail);
    };
    const stop = (): void => abandon('stopped');
    const timer = clock.timer(limits.timeout_ms, () => {
      const what = ended ? 'left its output open to another program' : 'did not end';
      abandon(`${what} within ${limits.timeout_ms} ms`);
    });
    signal.addEventListener('abort', stop);

    const parts: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      const most = limits.output_bytes_max;
      if (size > most) abandon(`wrote more than ${most} bytes`);
    });
    child.on('exit', (status, killedBy) => {
      ended = true;
      lingering.delete(key);
      code = status;
      signalName = killedBy;
      killGroup(child); // what it left behind must neither live on nor hold its output open
    });
    child.on('close', () => {
      if (!settle()) return;
      if (code === null) return failed(`was ended by ${signalName ?? 'a signal'}`);
      resolve({ kind: 'exit', code, output: Buffer.concat(parts).toString('utf8') });
    });
    child.on('error', (error) => {
      if (settle()) failed(startErrorText(error));
    });
  });
}
