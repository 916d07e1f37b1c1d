/**
 * The certificate of DNS over TLS and HTTPS, read anew when its files change. A pair that cannot be
 * used, a key of another certificate above all, never replaces one that can.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';

/** How often the files are looked at, in case that no watch tells of a change. */
const POLL_MS = 5_000;
/** After a hint, the time in which both files should have been replaced. */
const SETTLE_MS = 200;

export interface CertificateFiles {
  /** Absolute paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

export interface CertificatePair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads and checks the pair. Rejects with one clear sentence if it cannot be used. */
export async function readCertificate(files: CertificateFiles): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([read(files.certificate), read(files.key)]);
  const leaf = parsed(files.certificate, 'certificate', () => new X509Certificate(cert));
  const secret = parsed(files.key, 'private key', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(secret)) {
    throw new Error(`${files.key} is not the key of the certificate in ${files.certificate}`);
  }
  // What else TLS may not like of it: a key that is too small, a broken chain.
  parsed(files.certificate, 'certificate for TLS', () => createSecureContext({ cert, key }));
  return { cert, key };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function parsed<Value>(path: string, what: string, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${path} holds no ${what} (${(error as Error).message})`);
  }
}

export class CertificateWatch {
  readonly files: CertificateFiles;
  readonly #clock: Clock;
  readonly #onPair: (pair: CertificatePair) => void;
  readonly #onProblem: (problem: string) => void;
  readonly #watchers: FSWatcher[] = [];
  /** What the files looked like when they were last read. */
  #seen = '';
  #timer: Timer | null = null;
  /** A look is due soon. */
  #hinted = false;
  #stopped = false;
  /** Looks are taken one after the other, so that an older pair never follows a newer one. */
  #turn: Promise<void> = Promise.resolve();

  /** `onPair` is told of every usable pair from the first on, `onProblem` of every one that is none. */
  constructor(
    files: CertificateFiles,
    clock: Clock,
    onPair: (pair: CertificatePair) => void,
    onProblem: (problem: string) => void,
  ) {
    this.files = files;
    this.#clock = clock;
    this.#onPair = onPair;
    this.#onProblem = onProblem;
  }

  /** Resolves when the pair has been read once, for better or worse. */
  async start(): Promise<void> {
    // Folders, since a file that is replaced is another one than was watched.
    for (const folder of new Set([this.files.certificate, this.files.key].map(dirname))) {
      try {
        const watcher = watch(folder, () => this.#onHint());
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {} // no such folder, or no watch left: the poll will do
    }
    await this.look();
  }

  /** Reads the files now if they have changed since they were last read. Never rejects. */
  look(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#look());
    return this.#turn;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers) watcher.close();
  }

  /** A folder in which much goes on must not put the look off again and again. */
  #onHint(): void {
    if (this.#hinted) return;
    this.#hinted = true;
    this.#after(SETTLE_MS);
  }

  #after(ms: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.timer(ms, () => void this.look());
  }

  async #look(): Promise<void> {
    this.#hinted = false;
    const now = await this.#stamp();
    if (now !== this.#seen) {
      try {
        const pair = await readCertificate(this.files);
        if (!this.#stopped) this.#onPair(pair);
      } catch (error) {
        if (!this.#stopped) this.#onProblem((error as Error).message);
      }
      // Of before the reading, so that a change during it is seen the next time.
      this.#seen = now;
    }
    if (!this.#hinted) this.#after(POLL_MS);
  }

  async #stamp(): Promise<string> {
    const stamps = [this.files.certificate, this.files.key].map(async (path) => {
      const one = await stat(path, { bigint: true }).catch(() => null);
      return one ? `${one.ino} ${one.size} ${one.mtimeNs}` : '';
    });
    return (await Promise.all(stamps)).join('; ');
  }
}
