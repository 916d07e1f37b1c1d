/**
 * The files of a deployment's directory, read whole, each within its limit: deployment.yaml,
 * sites/*.yaml, zones/*.yaml and zones/*.zone. Other files are left alone.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { err, ok, type Result } from '../base/result.ts';
import { SITES_MAX, YAML_BYTES_MAX, ZONES_MAX } from './limits.ts';
import type { Problem } from './problem.ts';

export interface TextFile {
  /** Relative to the deployment's directory, with "/". */
  readonly file: string;
  readonly text: string;
}

export interface DeploymentTexts {
  readonly deployment: TextFile | null;
  readonly sites: readonly TextFile[];
  readonly services: readonly TextFile[];
  /** Paths relative to the deployment's directory; see zones.ts for what is in them. */
  readonly zones: readonly string[];
  /** Files that are there but could not be read: what they name is unknown, not missing. */
  readonly unread: readonly string[];
}

/** The name that a file gives to its site or zone: "sites/fra.yaml" → "fra". */
export function nameOfFile(file: string): string {
  return basename(file).replace(/\.(yaml|zone)$/, '');
}

function at(file: string, message: string): Problem {
  return { file, line: 1, column: 1, message };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: create it, or mend the path',
  EACCES: 'not readable: give the user of isobar permission to read it',
  EISDIR: 'a directory: write the path of a file',
  ENOTDIR: 'a part of the path is not a directory: mend the path',
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? `not readable (${code || String(error)})`;
}

/** The path of a file that the configuration names: relative ones start at its directory. */
export function resolvePath(dir: string, path: string): string {
  return isAbsolute(path) ? path : resolve(dir, path);
}

export function pathOrNull(dir: string, path: string | undefined): string | null {
  return path === undefined ? null : resolvePath(dir, path);
}

/** Opens for reading; a named pipe, too, at once instead of when somebody writes to it. */
function openNow(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

const NO_FILE = 'not a regular file: put one in its place';

/** The text of one file, which must be a regular file of UTF-8 within `bytes_max`. */
export async function readText(path: string, bytes_max: number): Promise<Result<string, string>> {
  try {
    const handle = await openNow(path);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return err(NO_FILE);
      if (stat.size > bytes_max) return err(`larger than ${bytes_max} bytes: split it`);
      return ok(new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile()));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof TypeError) return err('not UTF-8: save it in that encoding');
    return err(reasonOf(error));
  }
}

/** The octets of one file, which must be a regular file within `bytes_max`. */
export function readBytes(path: string, bytes_max: number): Result<Uint8Array, string> {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(file);
      if (!stat.isFile()) return err(NO_FILE);
      if (stat.size > bytes_max) return err(`larger than ${bytes_max} bytes: split it`);
      return ok(readFileSync(file));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return err(reasonOf(error));
  }
}

/** Null if the file can be opened for reading, else what is wrong. */
export async function whyUnreadable(path: string): Promise<string | null> {
  try {
    const handle = await openNow(path);
    const isFile = (await handle.stat()).isFile();
    await handle.close();
    return isFile ? null : NO_FILE;
  } catch (error) {
    return reasonOf(error);
  }
}

class Reader {
  readonly problems: Problem[] = [];
  readonly unread: string[] = [];
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async text(file: string, bytes_max: number): Promise<TextFile | null> {
    const text = await readText(join(this.#dir, file), bytes_max);
    if (text.ok) return { file, text: text.value };
    this.problems.push(at(file, text.error));
    this.unread.push(file);
    return null;
  }

  async folder(name: string): Promise<string[]> {
    try {
      return (await readdir(join(this.#dir, name))).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.problems.push(at(name, reasonOf(error)));
        this.unread.push(name);
      }
      return [];
    }
  }

  /** The files of a folder with this ending, as far as that many are taken. */
  files(folder: string, names: readonly string[], ending: string): string[] {
    const files_max = folder === 'sites' ? SITES_MAX : ZONES_MAX;
    const wanted = names.filter((name) => name.endsWith(ending) && !name.startsWith('.'));
    if (wanted.length > files_max) {
      this.problems.push(
        at(folder, `more than ${files_max} *${ending} files: split the deployment`),
      );
    }
    return wanted.slice(0, files_max).map((name) => `${folder}/${name}`);
  }

  async texts(folder: string, names: readonly string[]): Promise<TextFile[]> {
    const texts: TextFile[] = [];
    for (const file of this.files(folder, names, '.yaml')) {
      const text = await this.text(file, YAML_BYTES_MAX);
      if (text) texts.push(text);
    }
    return texts;
  }

  refuseYml(folder: string, names: readonly string[]): void {
    for (const name of names.filter((each) => each.endsWith('.yml'))) {
      const better = name.replace(/\.yml$/, '.yaml');
      this.problems.push(at(`${folder}/${name}`, `not read: name the file ${better}`));
      this.unread.push(`${folder}/${better}`);
    }
  }
}

/** Reads everything that there is; a file that cannot be read is a problem and left out. */
export async function readDeployment(
  dir: string,
): Promise<{ readonly texts: DeploymentTexts; readonly problems: readonly Problem[] }> {
  const reader = new Reader(dir);
  const deployment = await reader.text('deployment.yaml', YAML_BYTES_MAX);
  const inSites = await reader.folder('sites');
  const inZones = await reader.folder('zones');
  reader.refuseYml('sites', inSites);
  reader.refuseYml('zones', inZones);
  const sites = await reader.texts('sites', inSites);
  if (!inSites.some((name) => name.endsWith('.yaml')) && !reader.unread.includes('sites')) {
    reader.problems.push(at('sites', 'no site: write sites/NAME.yaml for each site'));
  }
  const services = await reader.texts('zones', inZones);
  const zones = reader.files('zones', inZones, '.zone');
  const { unread, problems } = reader;
  return { texts: { deployment, sites, services, zones, unread }, problems };
}
