/** What programs the machine has, and what the lab needs that is missing. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/** Where programs are: on PATH, or where Debian keeps the administrator's tools. */
export const TOOLS_PATH = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;

const PROGRAMS = ['ip', 'nft', 'bird', 'birdc', 'redis-server', 'setpriv'] as const;

/** True if `program` can be run, with `TOOLS_PATH` as its PATH. */
export function isThere(program: string): boolean {
  return TOOLS_PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Why the lab cannot run here, as one sentence that says what to do; null when it can. */
export function whyNoLab(uid = process.getuid?.(), there = isThere): string | null {
  const missing = PROGRAMS.filter((program) => !there(program));
  const needs = [
    ...(uid === 0 ? [] : ['root (sudo)']),
    ...(missing.length > 0 ? [`${missing.join(', ')} (lab/setup installs them)`] : []),
  ];
  return needs.length > 0 ? `the lab cannot run here: it needs ${needs.join(' and ')}` : null;
}
