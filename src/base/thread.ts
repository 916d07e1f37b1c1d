/**
 * Work that would keep the main thread from its duties, in a thread of its own: one value in, one
 * value out, and the thread ends by itself. It runs at the lowest priority where the system allows it,
 * so that threads with duties come first.
 */
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { keepNewSpaceSmall } from './memory.ts';
import { err, ok, type Result } from './result.ts';

/**
 * V8 forgets what `keepNewSpaceSmall` said at some time in the start of a thread, which takes a few
 * hundred milliseconds when others are busy: long enough for the space of every thread to grow.
 */
const STARTING_INTERVAL_MS = 5;

/** A new thread of this process; all of them are made here. */
export function newThread(entry: URL, workerData: unknown): Worker {
  const worker = new Worker(entry, { workerData });
  const again = setInterval(keepNewSpaceSmall, STARTING_INTERVAL_MS);
  const started = (): void => clearInterval(again);
  worker.once('online', () => {
    started();
    keepNewSpaceSmall();
  });
  worker.once('exit', started);
  return worker;
}

/**
 * Starts the module at `entry`, which calls `serveThread`, and resolves with what it makes of
 * `request`; the error says in a few words why the thread ended without an outcome. Both values are
 * copied; shared memory in them is shared.
 */
export function inThread<Outcome>(entry: URL, request: unknown): Promise<Result<Outcome, string>> {
  return new Promise((resolve) => {
    let outcome: Result<Outcome, string> = err('it ended without a word');
    const end = (): void => {
      useCompilerThreads(true);
      resolve(outcome);
    };
    try {
      useCompilerThreads(false);
      const worker = newThread(entry, request);
      worker.on('online', () => useCompilerThreads(true));
      worker.on('message', (message: Outcome) => {
        outcome = ok(message);
      });
      worker.on('error', (error: Error) => {
        outcome = err(error.message);
      });
      worker.on('exit', end);
    } catch (error) {
      // The system has no thread left to give, or the request cannot be copied.
      outcome = err((error as Error).message);
      end();
    }
  });
}

/**
 * Whether threads that begin from now on have their hot code compiled by V8's helper threads. Those
 * run at the priority of threads with duties, four at once: a thread that must not take the core
 * from others has to compile for itself.
 */
function useCompilerThreads(use: boolean): void {
  setFlagsFromString(use ? '--concurrent-recompilation' : '--no-concurrent-recompilation');
}

/** The other end of `inThread`. */
export function serveThread<Request>(work: (request: Request) => unknown): void {
  lowerPriority();
  parentPort?.postMessage(work(workerData as Request));
}

const lowerPriority = (): void => setThreadPriority(constants.priority.PRIORITY_LOW);

/**
 * Puts this thread before the process's others on a core that they share, where the system allows it
 * (root, or CAP_SYS_NICE): for one that others wait for and that never works for long at a time.
 */
export const raisePriority = (): void => setThreadPriority(constants.priority.PRIORITY_HIGH);

function setThreadPriority(priority: number): void {
  try {
    // "PID/task/TID"; on Linux a priority is a thread's own.
    const thread = Number(readlinkSync('/proc/thread-self').split('/').pop());
    setPriority(thread, priority);
  } catch {
    // Not allowed, another system, or no /proc: as every other thread then.
  }
}
