/** Processes as /proc shows them. */
import { readdirSync, readFileSync } from 'node:fs';

/** A process's own id and those of all its descendants that live. */
export function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (/^[0-9]+$/.test(entry)) parents.set(Number(entry), Number(fields(Number(entry))[1]));
  }
  const found = [pid];
  for (const one of found) {
    for (const [child, parent] of parents) if (parent === one) found.push(child);
  }
  return found.filter(isAlive);
}

/** A file below /proc/PID; empty when the process has just ended. */
export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

export function isAlive(pid: number): boolean {
  const state = fields(pid)[0];
  return state !== undefined && state !== '' && state !== 'Z';
}

/** What /proc/PID/stat says from the state on; the name before it may hold anything. */
function fields(pid: number): string[] {
  return readProc(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
}
