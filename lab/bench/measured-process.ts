/** A server under measurement: started on chosen cores, its CPU time and memory read, ended by id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { family, isAlive, readProc } from '../processes.ts';
import { pause, until } from '../wait.ts';

/** Clock ticks of /proc/PID/stat in one second (USER_HZ, the same on every Linux that Node runs on). */
const TICKS_PER_S = 100;

/** In seconds, of a process and all its descendants since they were started. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly #log: string;
  #exit: string | null = null;

  /** `cores` as taskset takes them: "0" or "0,1". What it prints goes to the file `log`. */
  constructor(command: readonly string[], cores: string, log: string) {
    const out = openSync(log, 'w');
    this.#log = log;
    this.#child = spawn('taskset', ['-c', cores, ...command], { stdio: ['ignore', out, out] });
    closeSync(out);
    this.#child.on('error', (error) => {
      this.#exit = error.message;
    });
    this.#child.on('exit', (code, signal) => {
      this.#exit = `it ended with ${signal ?? `status ${code}`}`;
    });
  }

  /** Why it does not run any more, with what it printed last; null: it runs. */
  get failure(): string | null {
    if (this.#exit === null) return null;
    return `${this.#exit}: ${readFileSync(this.#log, 'utf8').slice(-600)}`;
  }

  cpu(): CpuTime {
    let user = 0;
    let system = 0;
    for (const pid of this.#pids()) {
      const fields = readProc(pid, 'stat')
        .replace(/^.*\) /s, '')
        .split(' ');
      user += Number(fields[11] ?? 0);
      system += Number(fields[12] ?? 0);
    }
    return { user: user / TICKS_PER_S, system: system / TICKS_PER_S };
  }

  /** Proportional set size in bytes: memory shared by several of its processes counts once. */
  memory(): number {
    let kibibytes = 0;
    for (const pid of this.#pids()) {
      kibibytes += Number(/^Pss: +([0-9]+)/m.exec(readProc(pid, 'smaps_rollup'))?.[1] ?? 0);
    }
    return kibibytes * 1024;
  }

  /** Resident set size in bytes. */
  resident(): number {
    let kibibytes = 0;
    for (const pid of this.#pids()) {
      kibibytes += Number(/^VmRSS:\s+([0-9]+)/m.exec(readProc(pid, 'status'))?.[1] ?? 0);
    }
    return kibibytes * 1024;
  }

  /** Ends it and its descendants; resolves when the process is gone. */
  async stop(): Promise<void> {
    const pids = this.#pids();
    this.#child.kill('SIGTERM');
    const gone = (): boolean => this.#exit !== null && pids.every((pid) => !isAlive(pid));
    try {
      await until('the server to end', 5_000, gone);
    } catch {
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      await until('the server to be killed', 5_000, gone);
    }
    await pause(50);
  }

  #pids(): number[] {
    return this.#child.pid === undefined ? [] : family(this.#child.pid);
  }
}
