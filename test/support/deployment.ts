/** A copy of the demo's deployment in a directory of its own, for tests that break it. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top of the source tree, where the demo's deployment is. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

export class TempDeployment {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  static async create(): Promise<TempDeployment> {
    const dir = await mkdtemp(join(tmpdir(), 'isobar-config-'));
    for (const part of ['deployment.yaml', 'sites', 'zones']) {
      await cp(join(projectRoot, part), join(dir, part), { recursive: true });
    }
    return new TempDeployment(dir);
  }

  read(file: string): Promise<string> {
    return readFile(join(this.dir, file), 'utf8');
  }

  write(file: string, content: string | Uint8Array): Promise<void> {
    return writeFile(join(this.dir, file), content);
  }

  /** Replaces the first `from`, which must be there, and gives the line that it is in. */
  async edit(file: string, from: string, to: string): Promise<number> {
    const text = await this.read(file);
    const index = text.indexOf(from);
    if (index < 0) throw new Error(`${file} does not hold ${from}`);
    await this.write(
      file,
      text.replace(from, () => to),
    );
    return text.slice(0, index).split('\n').length;
  }

  async append(file: string, text: string): Promise<void> {
    await this.write(file, (await this.read(file)) + text);
  }

  /** The configuration's folders are there already; others are for files that it names. */
  async makeFolder(path: string): Promise<void> {
    await mkdir(join(this.dir, path));
  }

  remove(path: string): Promise<void> {
    return rm(join(this.dir, path), { recursive: true });
  }

  async destroy(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
