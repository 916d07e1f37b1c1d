/** Reads a zone's file and compiles it; also tells on which states of which files that rests. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { readBytes } from '../files.ts';
import { ZONE_BYTES_MAX } from '../limits.ts';
import { compileZone, type ZoneNames, type ZoneOutcome } from './compile.ts';
import { type ReadInclude, zoneFolder } from './include.ts';

/** The folder of zones, in the deployment's directory. */
const ZONES = 'zones';

export interface ZoneRequest extends ZoneNames {
  /** The deployment's directory. */
  readonly dir: string;
  /** Of the zone, relative to it. */
  readonly file: string;
}

export interface ZoneReading extends ZoneOutcome {
  /** Each file that was read, as it was before. */
  readonly states: readonly { readonly path: string; readonly state: string }[];
}

/** One text that changes when the file is written or replaced. */
export function fileState(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stat) return 'missing';
  const { dev, ino, size, mtimeNs, ctimeNs } = stat;
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

export function readZone(request: ZoneRequest): ZoneReading {
  const { dir, file } = request;
  const folder = join(dir, ZONES);
  const path = join(dir, file);
  const states = [{ path, state: fileState(path) }];
  const bytes = readBytes(path, ZONE_BYTES_MAX);
  if (!bytes.ok) {
    const problem = { file, line: 1, column: 1, message: bytes.error };
    return { zone: null, problems: [problem], conflicts: [], states };
  }
  const includes = zoneFolder(folder, ZONES);
  const readInclude: ReadInclude = (name) => {
    const included = join(folder, name);
    states.push({ path: included, state: fileState(included) });
    return includes(name);
  };
  return { ...compileZone({ ...request, bytes: bytes.value, readInclude }), states };
}
