/**
 * Server-sent events: every SiteEvent as one `data:` line, to any number of readers up to a limit.
 * A reader that does not keep up is cut off rather than buffered for.
 */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../base/clock.ts';
import type { Listeners } from '../base/listeners.ts';
import type { SiteEvent } from '../model/event.ts';

export const READERS_MAX = 50;
/** Bytes that wait for one reader at most. */
export const BACKLOG_BYTES_MAX = 512 * 1024;
/** Past events that a new reader gets first. */
export const HISTORY_MAX = 100;
/** A comment line this often keeps proxies from closing a quiet stream, in milliseconds. */
const KEEPALIVE_MS = 15_000;

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
} as const;

export class EventStreams {
  readonly #clock: Clock;
  readonly #readers = new Set<ServerResponse>();
  readonly #history: string[] = [];
  readonly #unsubscribe: () => void;
  #keepalive: Timer | null = null;

  constructor(events: Listeners<SiteEvent>, clock: Clock) {
    this.#clock = clock;
    this.#unsubscribe = events.add((event) => {
      const text = `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
      this.#history.push(text);
      if (this.#history.length > HISTORY_MAX) this.#history.shift();
      this.#sendAll(text);
    });
    this.#arm();
  }

  /** Ends every stream; later events are not kept. */
  close(): void {
    this.#unsubscribe();
    this.#keepalive?.cancel();
    for (const reader of this.#readers) reader.end();
  }

  get full(): boolean {
    return this.#readers.size >= READERS_MAX;
  }

  /** Streams to `reader` until it leaves, is too slow, or `close()` is called. */
  open(reader: ServerResponse): void {
    this.#readers.add(reader);
    reader.on('close', () => this.#readers.delete(reader));
    reader.writeHead(200, EVENT_STREAM_HEADERS).flushHeaders();
    for (const text of this.#history) this.#send(reader, text);
  }

  #send(reader: ServerResponse, text: string): void {
    reader.write(text);
    if (reader.writableLength > BACKLOG_BYTES_MAX) reader.destroy();
  }

  #sendAll(text: string): void {
    for (const reader of this.#readers) this.#send(reader, text);
  }

  #arm(): void {
    this.#keepalive = this.#clock.timer(KEEPALIVE_MS, () => {
      this.#sendAll(': still here\n\n');
      this.#arm();
    });
  }
}
