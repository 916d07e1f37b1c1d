/**
 * Reads zone files for $INCLUDE, confined to the folder of zones: a path is relative to that
 * folder, and whatever it leads to, symbolic links followed, must lie inside. A zone file can
 * therefore not make the daemon read anything else of the machine.
 */
import { realpathSync } from 'node:fs';
import { isAbsolute, join, sep } from 'node:path';
import { err, ok, type Result } from '../../base/result.ts';
import { readBytes } from '../files.ts';
import { ZONE_BYTES_MAX } from '../limits.ts';

export interface ZoneBytes {
  /** Name for problems. */
  readonly file: string;
  /** Its text, as it is stored. */
  readonly bytes: Uint8Array;
}

/** The octets of an included file, or why it may or can not be read. */
export type ReadInclude = (path: string) => Result<ZoneBytes, string>;

/** A reader of the files below `folder`, which problems then name as `name/path`. */
export function zoneFolder(folder: string, name: string): ReadInclude {
  return (path) => {
    if (isAbsolute(path) || path.split(/[/\\]/).includes('..')) {
      return err(`"${path}" leaves the folder of zones: write a path below it`);
    }
    const file = join(folder, path);
    try {
      const real = realpathSync(file);
      if (!real.startsWith(realpathSync(folder) + sep)) {
        return err(`"${path}" is a link that leads out of the folder of zones`);
      }
      const bytes = readBytes(real, ZONE_BYTES_MAX);
      return bytes.ok
        ? ok({ file: join(name, path), bytes: bytes.value })
        : err(`"${path}": ${bytes.error}`);
    } catch (error) {
      return err(`"${path}" cannot be read: ${reason(error)}`);
    }
  };
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'no such file in the folder of zones';
  return code ?? String(error);
}
