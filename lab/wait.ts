/** Waiting in the lab: for a condition, for a time, for a line of a process. */
import type { ChildProcess } from 'node:child_process';
import process from 'node:process';

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Milliseconds on the machine's monotonic clock, the same one in every process of the lab. */
export const monotonic_ms = (): number => Number(process.hrtime.bigint()) / 1e6;

/** What was waited for did not come in time. */
export class WaitedInVain extends Error {}

/**
 * Asks `condition` every `every_ms` until it gives something; rejects after `limit_ms` with a
 * WaitedInVain that names it.
 */
export async function until<T>(
  what: string,
  limit_ms: number,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  every_ms = 20,
): Promise<T> {
  const deadline = monotonic_ms() + limit_ms;
  for (;;) {
    const seen = await condition();
    if (seen !== undefined && seen !== false) return seen;
    if (monotonic_ms() > deadline)
      throw new WaitedInVain(`waited ${limit_ms} ms in vain for ${what}`);
    await pause(every_ms);
  }
}

/** Calls `each` with every whole line that the process prints. */
export function onLine(child: ChildProcess, each: (line: string) => void): void {
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') each(line);
  });
}
