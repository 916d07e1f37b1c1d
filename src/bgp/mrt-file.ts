/**
 * The MRT dump of all sessions, for debugging: records are appended to a file that never grows beyond
 * its limit; the one before it is kept as FILE.1. A disk that is slow or full costs records, never a
 * session: what waits is bounded, and failures are logged once until writing works again.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { MrtDump } from '../model/bgp.ts';
import type { MrtPort } from './ports.ts';
import {
  encodeMrtMessage,
  encodeMrtState,
  type MrtMessage,
  type MrtSession,
  type MrtState,
} from './wire/mrt.ts';

export interface MrtFileOptions {
  readonly clock: Clock;
  readonly log: Log;
}

/** Records that wait for the disk, together. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** After a failure nothing is tried, and nothing kept, for this long. */
const RETRY_MS = 10_000;
const FILE_MODE = 0o640;

export class MrtFile implements MrtPort {
  readonly #options: MrtFileOptions;
  #dump: MrtDump | null = null;
  /** The path that `#handle` is open for. */
  #openFor = '';
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #handle: FileHandle | null = null;
  #size = 0;
  #writing: Promise<void> | null = null;
  #retryAt = Number.NEGATIVE_INFINITY;
  #failing = false;
  #closed = false;
  /** Records that were not written: the disk was too slow, or failed. */
  dropped = 0;

  constructor(options: MrtFileOptions) {
    this.#options = options;
  }

  /** True if records are taken: else they need not be made. */
  get active(): boolean {
    return this.#dump !== null && !this.#closed;
  }

  /** Where to write from now on; null, as at first: nowhere. */
  use(dump: MrtDump | null): void {
    this.#dump = dump;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  /** One message of a session; `at_ms` is when it was read or written, by `clock.now()`. */
  message(session: MrtSession, message: MrtMessage, at_ms: number): void {
    if (this.#dump) this.#add(encodeMrtMessage(session, message, this.#wall(at_ms)));
  }

  /** A change of a session's state, now. */
  state(session: MrtSession, from: MrtState, to: MrtState): void {
    if (this.#dump) this.#add(encodeMrtState(session, from, to, this.#options.clock.wall()));
  }

  /** Resolves when all that was taken so far is written or dropped. Never rejects. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Writes what waits, and closes the file; what comes later is ignored. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    await this.#release();
    const { dropped } = this;
    if (dropped > 0) this.#options.log.warn({ dropped }, 'records that the MRT dump is missing');
  }

  #wall(at_ms: number): number {
    const { clock } = this.#options;
    return clock.wall() - (clock.now() - at_ms);
  }

  #add(record: Uint8Array): void {
    if (this.#closed) return;
    const waits = this.#options.clock.now() < this.#retryAt;
    if (waits || this.#queuedBytes + record.length > QUEUE_BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.#queue.push(record);
    this.#queuedBytes += record.length;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
  }

  /** Writes until nothing waits any more. */
  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      const records = this.#queue;
      const dump = this.#dump;
      this.#queue = [];
      this.#queuedBytes = 0;
      if (!dump) break; // switched off meanwhile
      try {
        for (const batch of batches(records, dump.bytes_max)) await this.#append(dump, batch);
        if (this.#failing) this.#options.log.info({ file: dump.file }, 'the MRT dump goes on');
        this.#failing = false;
      } catch (error) {
        await this.#fail(dump, error, records.length);
      }
    }
  }

  async #append({ file, bytes_max }: MrtDump, batch: Buffer): Promise<void> {
    if (this.#openFor !== file) await this.#release();
    this.#handle ??= await this.#open(file);
    if (this.#size > 0 && this.#size + batch.length > bytes_max) {
      await this.#release();
      await rename(file, `${file}.1`);
      this.#handle = await this.#open(file);
    }
    await this.#handle.writeFile(batch);
    this.#size += batch.length;
  }

  async #open(file: string): Promise<FileHandle> {
    const handle = await open(file, 'a', FILE_MODE);
    this.#openFor = file;
    this.#size = (await handle.stat()).size;
    return handle;
  }

  async #release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => {});
  }

  async #fail({ file }: MrtDump, error: unknown, records: number): Promise<void> {
    const { clock, log } = this.#options;
    this.dropped += records + this.#queue.length;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#retryAt = clock.now() + RETRY_MS;
    if (!this.#failing) log.warn({ file, error: String(error) }, 'the MRT dump cannot be written');
    this.#failing = true;
    await this.#release();
  }
}

/** Records together that fit into one file. */
function* batches(records: readonly Uint8Array[], bytes_max: number): Generator<Buffer> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records) {
    if (bytes > 0 && bytes + record.length > bytes_max) {
      yield Buffer.concat(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += record.length;
  }
  yield Buffer.concat(batch);
}
